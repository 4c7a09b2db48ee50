"""How smoothly does the map of the page move, with 30, 3,000 and 100,000 points?

Frames per second while a pointer drags the map around and while a wheel zooms in and out, in headless Chromium that
paints in software; from the times at which the browser calls for the next frame.  Beside it, in the same browser on
the same points: a canvas that draws every point again in each frame, and an SVG with a circle per point.

    python benchmarks/page_frames.py          # minutes; needs Chromium (CHROMIUM=/path, else found on PATH)
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from _common import RESULTS, machine
from taskspace import Atlas, Pool, SpaceId, TaskEmbedding
from taskspace.serve import create_app

SIZES = (30, 3_000, 100_000)
DIMS = 16
BATCH = 2_000
VIEW = {"width": 1280, "height": 800}
SVG_AT_MOST = 3_000

COLLECT = """() => {
  const times = (window.frameTimes = []);
  const note = (now) => { times.push(now); window.frameCall = requestAnimationFrame(note); };
  window.frameCall = requestAnimationFrame(note);
}"""
COLLECTED = "() => { cancelAnimationFrame(window.frameCall); return window.frameTimes; }"

RIVAL = """<!doctype html>
<style>body{margin:0}#frame{width:100vw;height:100vh;overflow:hidden}</style>
<div id="frame"></div>
<script>
window.show = ({x, y, family, method}) => {
  const colours = ["#319a97", "#b93f52", "#7f65d8", "#9a8817", "#2e2692", "#7e225c", "#4d6296", "#434a05", "#807d76"];
  const colour = (i) => colours.at(family[i]);
  const ends = (values) => [Math.min, Math.max].map((which) => values.reduce((a, b) => which(a, b)));
  const half = Math.max(...[x, y].map(ends).map(([least, most]) => (most - least) / 2));
  const frame = document.getElementById("frame"), [width, height] = [innerWidth, innerHeight];
  const radius = Math.min(7, 26 * x.length ** -0.24);
  let [left, top, scale, asked] = [width / 2, height / 2, height / 2.3 / half, false];
  const draw = method === "svg" ? svg() : canvas();
  function canvas() {
    const c = frame.appendChild(document.createElement("canvas")), pen = c.getContext("2d");
    [c.width, c.height] = [width, height];
    return () => {
      pen.clearRect(0, 0, width, height);
      for (let i = 0; i < x.length; i++) {
        pen.fillStyle = colour(i);
        pen.beginPath();
        pen.arc(x[i] * scale + left, top - y[i] * scale, radius, 0, 6.2832);
        pen.fill();
      }
    };
  }
  function svg() {
    const make = (tag, to, has) => {
      const e = to.appendChild(document.createElementNS("http://www.w3.org/2000/svg", tag));
      for (const k in has) e.setAttribute(k, has[k]);
      return e;
    };
    const group = make("g", make("svg", frame, {width, height}), {});
    const first = scale;
    for (let i = 0; i < x.length; i++) {
      make("circle", group, {cx: x[i] * first, cy: -y[i] * first, r: radius, fill: colour(i)});
    }
    return () => group.setAttribute("transform", `translate(${left} ${top}) scale(${scale / first})`);
  }
  const ask = () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; draw(); }); } };
  let held = null;
  frame.onpointerdown = (e) => { held = [e.clientX, e.clientY]; };
  frame.onpointermove = (e) => {
    if (!held) return;
    left += e.clientX - held[0]; top += e.clientY - held[1]; held = [e.clientX, e.clientY]; ask();
  };
  frame.onpointerup = () => { held = null; };
  frame.onwheel = (e) => {
    e.preventDefault();
    const by = Math.exp(-e.deltaY * 0.0018);
    left = e.clientX + (left - e.clientX) * by; top = e.clientY + (top - e.clientY) * by; scale *= by; ask();
  };
  draw();
};
</script>"""


def build(path: Path, rows: int) -> None:
    """Twelve clouds of unit vectors."""
    rng = np.random.default_rng(0)
    cloud = rng.integers(0, 12, rows)
    vectors = rng.standard_normal((12, DIMS))[cloud] + 0.6 * rng.standard_normal((rows, DIMS))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    kinds = rng.choice(["dataset", "model", "prompt", "adapter"], rows)
    pool = Pool(["a text"])
    space = SpaceId("random", "none", "none", {}, "response", {}, pool.fingerprint, 1, 0)
    blocks = (("response", DIMS),)
    with Atlas(path) as atlas:
        for start in range(0, rows, BATCH):
            part = range(start, min(start + BATCH, rows))
            atlas.add(
                *(TaskEmbedding(f"group/task-{i}", str(kinds[i]), space, vectors[i], blocks, f"c{i}") for i in part)
            )


@contextmanager
def served(path: Path):
    """The address of the page of that atlas, while the block runs."""
    import uvicorn

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(create_app(path), port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.should_exit = True
        thread.join()


def drag(page, seconds: float) -> None:
    """Round and round, with a finger's speed: about 900 pixels a second."""
    centre, radius, turn = (620, 430), 190, 1.3
    page.mouse.move(centre[0] + radius, centre[1])
    page.mouse.down()
    began = time.perf_counter()
    while (passed := time.perf_counter() - began) < seconds:
        angle = 2 * math.pi * passed / turn
        page.mouse.move(centre[0] + radius * math.cos(angle), centre[1] + radius * math.sin(angle))
        time.sleep(0.006)
    page.mouse.up()


def zoom(page, seconds: float) -> None:
    """In for a second, out for a second."""
    page.mouse.move(620, 430)
    began = time.perf_counter()
    while (passed := time.perf_counter() - began) < seconds:
        page.mouse.wheel(0, -60 if int(passed) % 2 == 0 else 60)
        time.sleep(0.012)


def browser_seconds() -> float:
    """CPU time of all processes of the browser so far; NaN where there is no /proc to tell."""
    parents, used = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            about, _, rest = stat.read_text().rpartition(") ")
            fields = rest.split()
            pid = int(stat.parent.name)
            parents[pid] = int(fields[1])
            if "chrom" in about:
                used[pid] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return sum(seconds for pid, seconds in used.items() if os.getpid() in line_of(pid, parents)) if used else math.nan


def line_of(pid: int, parents: dict[int, int]) -> list[int]:
    """The process and those it descends from."""
    found = [pid]
    while (pid := parents.get(pid, 0)) and pid not in found:
        found.append(pid)
    return found


def frames(page, gesture, seconds: float) -> dict[str, float]:
    """Of one gesture: times between frames, and the CPU time of the whole browser per frame, which depends less on
    what else the machine does.
    """
    page.wait_for_timeout(400)
    page.evaluate(COLLECT)
    before = browser_seconds()
    gesture(page, seconds)
    used = browser_seconds() - before
    gaps = np.diff(page.evaluate(COLLECTED))
    return {
        "cpu_ms": round(1000 * used / len(gaps), 1),
        "fps": round(float(1000 / gaps.mean()), 1),
        "median_ms": round(float(np.median(gaps)), 1),
        "p99_ms": round(float(np.percentile(gaps, 99)), 1),
        "longest_ms": round(float(gaps.max()), 1),
    }


def measure(browser, address: str, size: int, seconds: float) -> dict[str, dict]:
    page = browser.new_page(viewport=VIEW)
    page.goto(address)
    page.wait_for_selector("#kinds label", timeout=300_000)
    page.wait_for_timeout(1500)
    document = page.evaluate("async () => await (await fetch('v1/map')).json()")
    table = {"page": {what.__name__: frames(page, what, seconds) for what in (drag, zoom)}}
    page.close()
    columns = {key: document[key] for key in ("x", "y", "family")}
    for method in ("canvas", "svg"):
        if method == "svg" and size > SVG_AT_MOST:
            continue
        page = browser.new_page(viewport=VIEW)
        page.set_content(RIVAL)
        page.evaluate("(points) => window.show(points)", {**columns, "method": method})
        table[method] = {what.__name__: frames(page, what, seconds) for what in (drag, zoom)}
        page.close()
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--out", type=Path, default=RESULTS / "page_frames.json")
    args = parser.parse_args()
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        sys.exit("no Chromium was found; install it or name it in CHROMIUM")
    load = os.getloadavg()[0]
    table = {}
    with tempfile.TemporaryDirectory(prefix="page-frames-") as folder, sync_playwright() as driver:
        os.environ["TASKSPACE_HOME"] = str(Path(folder) / "home")
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        version = browser.version
        for size in args.sizes:
            path = Path(folder) / f"{size}.db"
            build(path, size)
            with served(path) as address:
                table[str(size)] = measure(browser, address, size, args.seconds)
            for who, found in table[str(size)].items():
                told = "   ".join(
                    f"{what} {row['fps']:5.1f} fps, p99 {row['p99_ms']:6.1f} ms, {row['cpu_ms']:5.1f} ms CPU a frame"
                    for what, row in found.items()
                )
                print(f"{size:>7} points  {who:<7} {told}")
        browser.close()
    result = {
        "browser": f"Chromium {version}, headless, painting in software", "view": VIEW, "seconds": args.seconds,
        "load_average": [round(load, 2), round(os.getloadavg()[0], 2)], "table": table,
    }  # fmt: skip
    command = " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps({"command": command, "machine": machine(), **result}, indent=2) + "\n")


if __name__ == "__main__":
    main()
