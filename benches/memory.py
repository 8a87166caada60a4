"""Whether memory stays what it is while hours pass: a recorder that records, and looks for motion with some of its cameras."""
import statistics
import time

from machine import cameras, clip, pss_mib, scratch, walk
from record import recorder

# The first minutes fill what is kept for whoever comes to look.
WARM_UP_S = 60
RECORDING, DETECTING = 3, 1
GOAL_MIB = 30 + 3 * (RECORDING + DETECTING) + 16 * DETECTING


def bench(given):
    with scratch() as folder:
        film, small = clip(folder, "1280x720", 15, 2000), walk(folder, given.binary, "640x360", 15, 768)
        shown = cameras(given.binary, RECORDING, ["--file", str(film)]), cameras(given.binary, DETECTING, ["--file", str(small)])
        with shown[0] as plain, shown[1] as watched:
            ours = recorder(given.binary, folder, [url for _, url in plain], [url for _, url in watched])
            with ours.running() as process:
                time.sleep(WARM_UP_S)
                end, sizes, own = time.monotonic() + 60 * given.minutes, [], []
                while time.monotonic() < end:
                    sizes.append(pss_mib(process.pid))
                    # Not what it shares with whatever else runs, of which there may be more or less in an hour.
                    own.append(pss_mib(process.pid, "Pss_Anon"))
                    time.sleep(10)
    quarter = max(1, len(own) // 4)
    early, late = statistics.mean(own[:quarter]), statistics.mean(own[-quarter:])
    what = f"memory (PSS) of {RECORDING} cameras recorded and {DETECTING} watched besides, {given.minutes:.0f} minutes"
    return [
        (f"{what}: at most", f"{max(sizes):.0f} MiB", f"≤ {GOAL_MIB} MiB"),
        ("… what is no file's of it, in the first quarter and in the last", f"{early:.1f} MiB, {late:.1f} MiB", "the same"),
    ]
