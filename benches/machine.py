"""What every measurement needs: programs that end with a block, simulated cameras, a recorder, and what processes cost."""
import contextlib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

TICKS = os.sysconf("SC_CLK_TCK")
# On a disk, not in memory: what is written there is counted.
SCRATCH = pathlib.Path(__file__).parent.parent / "target" / "bench"


@contextlib.contextmanager
def scratch():
    """A folder that goes with the block."""
    SCRATCH.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=SCRATCH) as name:
        yield pathlib.Path(name)


@contextlib.contextmanager
def running(argv, **options):
    """A program that is ended with the block."""
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, **options)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def children(pid):
    """The process and all below it."""
    found = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += children(int(child))
    return found


def cpu_seconds(pid):
    """User and system time so far, of children that have ended and were waited for too."""
    total = 0
    for each in children(pid):
        fields = pathlib.Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        total += sum(int(field) for field in fields[11:13])
        if each == pid:
            total += sum(int(field) for field in fields[13:15])
    return total / TICKS


def pss_mib(pid, kind="Pss"):
    """Memory in MiB, shared pages split among those who share them, children included; `Pss_Anon` for what is no file's."""
    kib = 0
    for each in children(pid):
        kib += int(re.search(rf"^{kind}:\s+(\d+)", pathlib.Path(f"/proc/{each}/smaps_rollup").read_text(), re.M).group(1))
    return kib / 1024


def written_bytes(pid):
    """Bytes that the process and its children gave the disk to write."""
    total = 0
    for each in children(pid):
        total += int(re.search(r"^write_bytes: (\d+)", pathlib.Path(f"/proc/{each}/io").read_text(), re.M).group(1))
    return total


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def clip(folder, size, fps, kbit_s, seconds=20, picture="testsrc2", group=2):
    """A drawn and noisy film as cameras send it."""
    source = f"{picture}=s={size}:r={fps}:d={seconds},noise=alls=12:allf=t"
    return coded(folder / f"{picture}-{size}-{fps}-{kbit_s}.mp4", ["-f", "lavfi", "-i", source], fps, kbit_s, group)


def again(folder, film, size, fps, kbit_s):
    """Somebody's film as cameras send it, of that size and rate."""
    scaled = f"fps={fps},scale={size.replace('x', ':')}"
    return coded(folder / f"{size}-{fps}-{kbit_s}.mp4", ["-i", film, "-vf", scaled, "-an"], fps, kbit_s)


def walk(folder, binary, size, fps, kbit_s, seconds=40):
    """The drawn walk as a sensor would see it, with noise, and as cameras send it."""
    with cameras(binary, 1, ["--scene", "walker", "--size", size, "--fps", str(fps)]) as started:
        source = ["-rtsp_transport", "tcp", "-i", started[0][1], "-t", str(seconds), "-an", "-vf", f"fps={fps},noise=alls=12:allf=t"]
        return coded(folder / f"walk-{size}-{fps}-{kbit_s}.mp4", source, fps, kbit_s)


def coded(path, source, fps, kbit_s, group=2):
    """What ffmpeg is given, coded without B-frames, with a key frame every `group` seconds, at a constant rate."""
    rate, pictures = f"{kbit_s}k", str(round(group * fps))
    subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", *source, "-pix_fmt", "yuv420p"]
        + ["-c:v", "libx264", "-preset", "superfast", "-bf", "0", "-refs", "1", "-g", pictures, "-keyint_min", pictures]
        + ["-sc_threshold", "0", "-b:v", rate, "-maxrate", rate, "-bufsize", rate, "-x264-params", "nal-hrd=cbr:force-cfr=1", str(path)],
        check=True,
    )
    return path


@contextlib.contextmanager
def cameras(binary, count, arguments, ports=None):
    """So many simulated cameras; gives their processes and addresses."""
    with contextlib.ExitStack() as stack:
        started = []
        for n in range(count):
            port = ports[n] if ports else 0
            argv = [binary, "fake-camera", "--listen", f"127.0.0.1:{port}", "--watermark", str(n + 1), *arguments]
            started.append(stack.enter_context(running(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)))
        yield [(each, re.match(r"ready: (\S+)", each.stdout.readline()).group(1)) for each in started]


class Recorder:
    """`hearthwatch run`, with these cameras."""

    def __init__(self, binary, folder, urls, lines=""):
        self.port, self.folder = free_port(), folder
        sections = "".join(f'[cameras.camera-{n + 1}]\nurl = "{url}"\n{lines}' for n, url in enumerate(urls))
        self.config = folder / "config.toml"
        self.config.write_text(
            f'[storage]\npath = "{folder}/storage"\nkeep_free = "1%"\n[web]\nlisten = "127.0.0.1:{self.port}"\ntls = "off"\n'
            f"[discovery]\nmdns = false\nonvif = false\n[retention]\ncontinuous_days = 400\nmotion_days = 400\n{sections}"
        )
        # A copy of its own: else the cameras, which are the same program, would bear a part of its memory.
        own = shutil.copy(binary, folder / "hearthwatch")
        self.argv = [own, "run", "--config", str(self.config)]

    @contextlib.contextmanager
    def running(self):
        with open(self.folder / "hearthwatch.log", "a") as log, running(self.argv, stdout=log, stderr=log) as process:
            yield process
            if process.poll() is not None:
                sys.exit((self.folder / "hearthwatch.log").read_text())

    def metrics(self, family):
        """By camera; empty as long as nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
                text = answer.read().decode()
        except OSError:
            return {}
        found = {}
        for labels, value in re.findall(rf"^hearthwatch_{family}\{{(.*?)\}} (\S+)$", text, re.M):
            camera = dict(re.findall(r'(\w+)="(.*?)"', labels))["camera"]
            found[camera] = found.get(camera, 0) + float(value)
        return found

    def until_all_record(self, count, seconds=120):
        """Waits until a segment of each is closed: the first ends up to a quarter later than a minute after its beginning."""
        end = time.monotonic() + seconds
        while sum(value > 0 for value in self.metrics("recorded_seconds_total").values()) < count:
            if time.monotonic() > end:
                sys.exit(f"not all of {count} cameras are recorded:\n" + (self.folder / "hearthwatch.log").read_text()[-4000:])
            time.sleep(0.2)

    def footage_bytes(self):
        return sum(path.stat().st_size for path in (self.folder / "storage" / "footage").rglob("*") if path.is_file())

