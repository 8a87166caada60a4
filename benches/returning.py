"""Everybody comes back at once: how long the last camera waits until it is recorded again."""
import contextlib
import re
import statistics
import subprocess
import threading
import time

from machine import cameras, free_port, running, scratch
from record import recorder

AWAY_S = 20


def bench(given):
    ports = [free_port() for _ in range(given.returning)]
    scene = ["--size", "640x360", "--fps", "5"]
    with scratch() as folder:
        with cameras(given.binary, given.returning, scene, ports) as started:
            urls = [url for _, url in started]
            ours = recorder(given.binary, folder, urls)
            stack = contextlib.ExitStack()
            stack.enter_context(ours.running())
            ours.until_all_record(given.returning, 120)
        with stack:
            rounds = [once(given, scene, ports, ours) for _ in range(given.rounds)]
    worst = statistics.median(max(each) for each in rounds)
    middle = statistics.median(statistics.median(each) for each in rounds)
    return [
        (f"{given.returning} cameras return at once: the last is recorded after it is reachable", f"{worst:.1f} s", "≤ 3 s"),
        ("… the median camera", f"{middle:.1f} s", ""),
    ]


def once(given, scene, ports, ours):
    """Seconds from each camera's readiness to its first picture."""
    time.sleep(AWAY_S)
    ready = {}

    def wait(name, process):
        if re.match("ready: ", process.stdout.readline()):
            ready[name] = time.monotonic()

    with contextlib.ExitStack() as stack:
        waiting = []
        for n, port in enumerate(ports):
            argv = [given.binary, "fake-camera", "--listen", f"127.0.0.1:{port}", "--watermark", str(n + 1), *scene]
            process = stack.enter_context(running(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True))
            waiting.append(threading.Thread(target=wait, args=(f"camera-{n + 1}", process)))
            waiting[-1].start()
        back, end = {}, time.monotonic() + 60
        while len(back) < len(ports) and time.monotonic() < end:
            now, ages = time.monotonic(), ours.metrics("last_frame_age_seconds")
            for camera, age in ages.items():
                # A picture from before they left is older than they were away.
                if age < AWAY_S / 2 and camera not in back:
                    back[camera] = now - age
            time.sleep(0.05)
        for each in waiting:
            each.join()
    if len(back) < len(ports):
        raise SystemExit(f"only {len(back)} of {len(ports)} cameras came back within a minute")
    return [max(0.0, back[camera] - ready[camera]) for camera in ready]
