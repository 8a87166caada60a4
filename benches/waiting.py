"""What a household waits for in front of the pages: what `script/viewer` prints, in Chromium."""
import pathlib
import re
import subprocess
import sys

VIEWER = pathlib.Path(__file__).resolve().parent.parent / "script" / "viewer"
GOALS = {
    "from the click to a live picture": "≤ 300 ms",
    "from the click on the bar to the picture of that moment": "≤ 700 ms",
    "from the camera's glass to the grid, 8 pictures a second": "≤ 325 ms",
    "from the camera's glass to the large picture, 15 pictures a second": "≤ 267 ms",
}
# With a year in the index, 99 of 100.
PAGE = "≤ 10 ms"
LINE = re.compile(r"^(?:test \S+ \.\.\. )?(.+?)(?:: (?=median )| after (?=[\d.]+ s$)|: (?=[\d.]+ pictures))(.+)$")


def bench(given):
    argv = [VIEWER] + (["--long"] if given.long else [])
    shown = subprocess.run(argv, stdout=subprocess.PIPE, text=True)
    if shown.returncode:
        sys.exit(f"script/bench: script/viewer failed:\n{shown.stdout}")
    found = (LINE.match(line) for line in shown.stdout.splitlines())
    return [(name, figure, PAGE if "p99" in figure else GOALS.get(name, "")) for name, figure in (each.groups() for each in found if each)]
