"""Looking for motion, against Debian's `motion` and against decoding alone.

Everybody watches the same simulated camera at the same time. The peers:

* Debian's `motion` as Debian ships it, doing the same job: with its own /etc/motion/motion.conf, but for the camera's address and
  size, where it may write, that it serves nothing, and that it records all the time without coding anew (`movie_passthrough`,
  `emulate_motion`). Its loop looks 15 times a second, whatever the camera's rate,
* the same `motion` without that file, its loop at the camera's rate, keeping nothing: the least that it can be made to cost,
* `ffmpeg -threads 1`, which decodes every picture once and does nothing with it: the floor for anything that decodes.
"""
import contextlib
import os
import pathlib
import statistics
import sys
import time

from machine import Recorder, again, cameras, children, clip, cpu_seconds, pss_mib, running, scratch, walk

WARM_UP_S = 12
# Until it is known what is usual, and that nothing moves, all pictures are decoded.
CALM_S = 12
SMALL = "640x360"
# What cameras are set to for a small stream of so many pictures a second.
KBIT_S = {5: 256, 15: 768}
DEBIANS = pathlib.Path("/etc/motion/motion.conf")
OURS = {"record and detect": "continuous", "detect": "off"}
PEERS = ("motion as Debian ships it, recording", "motion at the camera's rate", "ffmpeg -threads 1 decoding")


def quiet(folder, url, size):
    """What is asked of `motion` either way: that camera, and that it serves nothing."""
    width, height = size.split("x")
    return {
        "netcam_url": url,
        "width": width,
        "height": height,
        "picture_output": "off",
        "webcontrol_port": 0,
        "stream_port": 0,
        "log_level": 4,
        "log_file": folder / "motion.log",
        "target_dir": folder,
    }


def as_shipped(folder, url, size):
    """Debian's configuration with the least that must be changed."""
    changed = quiet(folder, url, size) | {"movie_output": "on", "movie_passthrough": "on", "emulate_motion": "on"}
    lines = (line.strip() for line in DEBIANS.read_text().splitlines())
    kept = (line.partition(" ")[::2] for line in lines if line and line[0] not in "#;")
    return [(name, value) for name, value in kept if name not in changed and name != "video_device"] + list(changed.items())


def motion(folder, settings):
    """`settings`: lines of its configuration."""
    config = folder / "motion.conf"
    config.write_text("\n".join(f"{name} {value}".strip() for name, value in settings) + "\n")
    return running(["motion", "-n", "-c", config], stdout=open(folder / "log", "w"), stderr=open(folder / "log", "a"))


def decoding(folder, url):
    argv = ["ffmpeg", "-nostdin", "-v", "error", "-rtsp_transport", "tcp", "-threads", "1", "-i", url, "-map", "0:v:0", "-f", "null", "-"]
    return running(argv, stdout=open(folder / "log", "w"), stderr=open(folder / "log", "a"))


def peers(folder, url, size, fps, with_motion):
    """Their programs, not yet started."""
    shipped, least, floor = PEERS
    if with_motion:
        yield shipped, lambda at: motion(at, as_shipped(at, url, size))
        yield least, lambda at: motion(at, list((quiet(at, url, size) | {"movie_output": "off", "framerate": fps}).items()))
    yield floor, lambda at: decoding(at, url)


def once(given, camera, size, fps, with_motion=True, lines="", calm_s=0):
    """CPU seconds a minute of each, and the memory of ours, which has these lines of configuration too."""
    with scratch() as folder, cameras(given.binary, 1, camera) as started, contextlib.ExitStack() as stack:
        url, programs, logs = started[0][1], {}, {}
        for n, (name, record) in enumerate(OURS.items()):
            at = folder / f"ours-{n}"
            at.mkdir()
            ours = Recorder(given.binary, at, [url], f'record = "{record}"\n{lines}')
            programs[name], logs[name] = stack.enter_context(ours.running()), at / "hearthwatch.log"
        for n, (name, start) in enumerate(peers(folder, url, size, fps, with_motion)):
            at = folder / f"peer-{n}"
            at.mkdir()
            programs[name], logs[name] = stack.enter_context(start(at)), at / "log"
        time.sleep(WARM_UP_S + calm_s)
        before, began = {name: cpu_seconds(each.pid) for name, each in programs.items()}, time.monotonic()
        time.sleep(given.seconds)
        after, lasted = {name: cpu_seconds(each.pid) for name, each in programs.items()}, time.monotonic() - began
        for name, each in programs.items():
            if each.poll() is not None or (name in OURS and len(children(each.pid)) < 2):
                sys.exit(f"script/bench: {name} did not go on to the end:\n" + logs[name].read_text())
        if with_motion and not sum(each.stat().st_size for each in folder.glob("peer-0/*.m[kp][v4]")):
            sys.exit("script/bench: motion recorded nothing:\n" + logs[PEERS[0]].read_text())
        memory = pss_mib(programs["record and detect"].pid)
    return {name: (after[name] - before[name]) / lasted * 60 for name in programs} | {"memory": memory}


def table(title, rounds, names, goals):
    median = lambda name: statistics.median(each[name] for each in rounds)
    rows = []
    for ours in OURS:
        for peer in names:
            ratio = statistics.median(each[ours] / each[peer] for each in rounds)
            rows.append((f"{title}, {ours}: CPU against {peer}", f"{ratio:.2f}", goals.get((ours, peer), "")))
    spent = ", ".join(f"{name} {median(name):.2f}" for name in [*OURS, *names])
    rows.append(("… CPU seconds a minute", spent, ""))
    rows.append(("… memory (PSS) of one camera recording and detecting", f"{median('memory'):.0f} MiB", "≤ 49 MiB"))
    return rows


def bench(given):
    """The walk, or somebody's film, at a constant rate: as cameras send it."""

    def camera(folder, fps):
        coded = (SMALL, fps, KBIT_S[fps])
        film = again(folder, given.film, *coded) if given.film else walk(folder, given.binary, *coded)
        return ["--file", str(film)]

    return both_rates(given, "", camera)


def bench_drawn(given):
    """The walk without noise, which costs next to nothing to decode."""
    return both_rates(given, ", without noise", lambda _, fps: ["--scene", "walker", "--size", SMALL, "--fps", str(fps)])


def both_rates(given, title, camera):
    """`camera`: what the simulated one is told, by a folder for its film and the rate."""
    if not os.access(DEBIANS, os.R_OK):
        sys.exit(f"script/bench: {DEBIANS} cannot be read; install motion, and run this as root or in the group motion")
    rows = []
    for fps, goal in ((5, "≤ 0.4"), (15, "≤ 0.35")):
        with scratch() as folder:
            told = camera(folder, fps)
            rounds = [once(given, told, SMALL, fps) for _ in range(given.rounds)]
        goals = {("record and detect", PEERS[0]): goal, ("record and detect", PEERS[2]): "≤ 1.15"}
        rows += table(f"{SMALL} at {fps} fps{title}", rounds, PEERS, goals)
    return rows


def bench_large(given):
    with scratch() as folder:
        film = clip(folder, "1920x1080", 15, 4000)
        rounds = [once(given, ["--file", str(film)], "1920x1080", 15, with_motion=False) for _ in range(given.rounds)]
    floor = PEERS[2]
    return table("1080p15 at 4 Mbit/s without a small stream", rounds, [floor], {("record and detect", floor): "≤ 1.1"})


def bench_keys(given):
    """Nothing moves in it: as soon as something does, all pictures are decoded. What that misses, `hearthwatch motion --key-frames` says."""
    with scratch() as folder:
        film = clip(folder, "1920x1080", 15, 4000, picture="smptehdbars")
        camera, lines = ["--file", str(film)], 'motion.decode = "key_frames"\n'
        rounds = [once(given, camera, "1920x1080", 15, False, lines, CALM_S) for _ in range(given.rounds)]
    floor = PEERS[2]
    title = "1080p15 at 4 Mbit/s without a small stream, key frames alone while nothing moves"
    return table(title, rounds, [floor], {(ours, floor): "≤ 0.2" for ours in OURS})
