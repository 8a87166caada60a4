"""Recording alone, against `ffmpeg -c copy -f segment`: the least that a recorder of RTSP streams can do."""
import contextlib
import pathlib
import re
import shutil
import statistics
import subprocess
import time

from machine import Recorder, cameras, clip, cpu_seconds, pss_mib, running, scratch, written_bytes

WARM_UP_S = 8
# What was recorded is known when a file is closed, which is after a minute and up to a quarter.
MANY_S = 150
OFF = "[cameras.camera-%d.motion]\nenabled = false\n"


def recorder(binary, folder, urls, watched=()):
    """One that looks for motion in those of `watched` alone."""
    ours = Recorder(binary, folder, [*urls, *watched])
    with open(ours.config, "a") as file:
        file.writelines(OFF % (n + 1) for n in range(len(urls)))
    return ours


def segmenter(url, folder, n):
    output = folder / f"ffmpeg-{n}-%03d.mp4"
    return running(
        ["ffmpeg", "-nostdin", "-v", "error", "-rtsp_transport", "tcp", "-i", url, "-c", "copy", "-f", "segment"]
        + ["-segment_time", "60", "-segment_format_options", "movflags=+frag_keyframe+empty_moov", "-reset_timestamps", "1", str(output)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def once(binary, given, film):
    """One round, both at the same time on the same cameras."""
    with scratch() as folder, cameras(binary, given.cameras, ["--file", str(film)]) as started, contextlib.ExitStack() as stack:
        urls = [url for _, url in started]
        ours = recorder(binary, folder, urls)
        process = stack.enter_context(ours.running())
        theirs = [stack.enter_context(segmenter(url, folder, n)) for n, url in enumerate(urls)]
        ours.until_all_record(given.cameras)
        time.sleep(WARM_UP_S)
        before = cpu_seconds(process.pid), sum(cpu_seconds(each.pid) for each in theirs)
        disk, footage, began = written_bytes(process.pid), ours.footage_bytes(), time.monotonic()
        time.sleep(given.seconds)
        after = cpu_seconds(process.pid), sum(cpu_seconds(each.pid) for each in theirs)
        lasted = time.monotonic() - began
        minutes = lasted / 60 * given.cameras
        return dict(
            ours=(after[0] - before[0]) / minutes,
            theirs=(after[1] - before[1]) / minutes,
            written=(written_bytes(process.pid) - disk) / (ours.footage_bytes() - footage),
            pss=pss_mib(process.pid),
            pss_theirs=sum(pss_mib(each.pid) for each in theirs),
            lost=sum(ours.metrics("lost_seconds_total").values()),
        )


def syncs(binary, given, film):
    """Calls a minute and camera that wait for the disk; `None` without strace."""
    if not shutil.which("strace"):
        return None
    with scratch() as folder, cameras(binary, given.cameras, ["--file", str(film)]) as started:
        ours = recorder(binary, folder, [url for _, url in started])
        trace = folder / "syncs"
        calls = "fsync,fdatasync,sync_file_range,msync,syncfs"
        with ours.running() as process:
            ours.until_all_record(given.cameras)
            time.sleep(WARM_UP_S)
            with running(["strace", "-f", "-qq", "-e", f"trace={calls}", "-o", str(trace), "-p", str(process.pid)]):
                time.sleep(60)
            count = len(re.findall(r"^\d+ +\w+\(", trace.read_text(), re.M))
    return count / given.cameras


def bench(given):
    with scratch() as folder:
        film = clip(folder, "1920x1080", 15, 4000)
        rounds = [once(given.binary, given, film) for _ in range(given.rounds)]
        median = lambda key: statistics.median(each[key] for each in rounds)
        least_syncs = syncs(given.binary, given, film)
    ratio = statistics.median(each["ours"] / each["theirs"] for each in rounds)
    streams = f"{given.cameras} cameras 1080p15 at 4 Mbit/s"
    rows = [
        (f"record only, {streams}: CPU against ffmpeg -c copy -f segment", f"{ratio:.2f}", "≤ 0.5"),
        ("… CPU seconds a camera-minute, ours and ffmpeg's", f"{median('ours'):.2f}, {median('theirs'):.2f}", ""),
        ("… memory (PSS), ours and ffmpeg's", f"{median('pss'):.0f} MiB, {median('pss_theirs'):.0f} MiB", f"≤ {30 + 3 * given.cameras} MiB"),
        ("… bytes written per byte of footage", f"{median('written'):.3f}", "≤ 1.02"),
        ("… seconds lost", f"{sum(each['lost'] for each in rounds):.0f}", "0"),
    ]
    if least_syncs is not None:
        rows.append(("… syncs a camera-minute", f"{least_syncs:.0f}", ""))
    return rows


def bench_many(given):
    with scratch() as folder:
        film = clip(folder, "1920x1080", 15, 4000)
        with cameras(given.binary, given.many, ["--file", str(film)]) as started:
            ours = recorder(given.binary, pathlib.Path(folder), [url for _, url in started])
            with ours.running() as process:
                ours.until_all_record(given.many, 120)
                time.sleep(WARM_UP_S)
                recorded, before, began = ours.metrics("recorded_seconds_total"), cpu_seconds(process.pid), time.monotonic()
                lost = sum(ours.metrics("lost_seconds_total").values())
                time.sleep(max(given.seconds, MANY_S))
                spent, lasted = cpu_seconds(process.pid) - before, time.monotonic() - began
                least = min(value - recorded[camera] for camera, value in ours.metrics("recorded_seconds_total").items())
                lost = sum(ours.metrics("lost_seconds_total").values()) - lost
                memory = pss_mib(process.pid)
    return [
        (f"{given.many} cameras 1080p15 at 4 Mbit/s, record only: seconds lost", f"{lost:.1f}", "0"),
        ("… the least that any has in files closed in that time", f"{least:.0f} of {lasted:.0f} s", ""),
        ("… CPU of the machine's cores together", f"{spent / lasted:.2f} cores", ""),
        ("… memory (PSS)", f"{memory:.0f} MiB", f"≤ {30 + 3 * given.many} MiB"),
    ]
