"""A recorder that has run for a year: how soon it records and serves after its start."""
import contextlib
import datetime
import sqlite3
import statistics
import time
import urllib.error
import urllib.request

from machine import cameras, clip, scratch
from record import recorder

CAMERAS, DAYS, DAY_US = 8, 365, 86_400_000_000


def fill(database, now_us):
    """A minute of footage after the other, fifty events a day, missing time each night."""
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        first = now_us - DAYS * DAY_US - 60_000_000
        for n in range(1, CAMERAS + 1):
            camera = f"camera-{n}"
            connection.execute(
                "WITH RECURSIVE minutes (m) AS (SELECT 0 UNION ALL SELECT m + 1 FROM minutes WHERE m + 1 < ?3)"
                " INSERT INTO segments (id, camera, start_us, end_us, path, size_bytes, pictures, codecs, width, height)"
                " SELECT randomblob(8), ?1, ?2 + m * 60000000, ?2 + m * 60000000 + 60000000,"
                " 'footage/' || ?1 || '/' || (?2 / 60000000 + m) || '.mp4', 15000000, 900, 'avc1.4d401f', 1920, 1080 FROM minutes",
                (camera, first, DAYS * 1440),
            )
            connection.execute(
                "WITH RECURSIVE seen (m) AS (SELECT 0 UNION ALL SELECT m + 1 FROM seen WHERE m + 1 < ?3)"
                " INSERT INTO events (id, camera, start_us, end_us, peak, zones, why, kept, has_thumbnail)"
                " SELECT randomblob(8), ?1, ?2 + m * 1728000000, ?2 + m * 1728000000 + 5000000, 0.1, '[]', '{}', 0, 0 FROM seen",
                (camera, first, DAYS * 50),
            )


def moment(path):
    """The time that a footage file is named after: that of its first picture."""
    name = f"{path.parts[-2]} {path.name.removesuffix('.part').removesuffix('Z.mp4')}000+0000"
    return datetime.datetime.strptime(name, "%Y-%m-%d %H-%M-%S.%f%z").timestamp()


def once(ours):
    """Seconds from the start to the first answer, and to where the footage of the last camera begins."""
    footage = ours.folder / "storage" / "footage"
    began, began_at, before = time.monotonic(), time.time(), set(footage.rglob("*.mp4*"))
    served = recorded = None
    with ours.running():
        while served is None or recorded is None:
            if time.monotonic() - began > 60:
                raise SystemExit("it does not serve or record within a minute")
            if served is None:
                with contextlib.suppress(urllib.error.URLError):
                    urllib.request.urlopen(f"http://127.0.0.1:{ours.port}/api/health", timeout=5).close()
                    served = time.monotonic() - began
            if recorded is None:
                # What was open when the recorder ended has its final name now, and begins before.
                begins = {path.parts[-3]: begin for path in set(footage.rglob("*.mp4.part")) - before if (begin := moment(path)) > began_at}
                if len(begins) == CAMERAS:
                    recorded = max(begins.values()) - began_at
            time.sleep(0.01)
    return served, recorded


def bench(given):
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(scratch())
        # With few pictures between key frames, so that the camera's part in the wait is small.
        film = clip(folder, "640x360", 15, 512, group=0.2)
        started = stack.enter_context(cameras(given.binary, CAMERAS, ["--file", str(film)]))
        ours = recorder(given.binary, folder, [url for _, url in started])
        with ours.running():
            ours.until_all_record(CAMERAS)
        empty = once(ours)
        fill(folder / "storage" / "hearthwatch.db", time.time_ns() // 1000)
        rounds = [once(ours) for _ in range(given.rounds)]
    served, recorded = (statistics.median(each) for each in zip(*rounds))
    return [
        (f"start with a year of {CAMERAS} cameras in the index: to serving", f"{served:.2f} s (empty: {empty[0]:.2f} s)", "≤ 2 s"),
        ("… to the first picture recorded of the last camera", f"{recorded:.2f} s (empty: {empty[1]:.2f} s)", "≤ 1 s"),
    ]
