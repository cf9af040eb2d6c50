"""Pictures per second of the brain viewer in headless Chromium, drawn by software, 800 x 600.

Usage: python -m benchmarks.viewer [--json FILE] [--rounds 5] [--seconds 4]

Two scenes, 40,000 neurons x 4,000 bins x 200 hidden units and 2,000 neurons x 4,000 bins x 100, are
played at 60 bins a second, the camera still and turning; 60 pictures a second are the browser's own
limit. Told beside it: the processor's time for a picture, which is what limits it, over all
processes of the browser and threads; and the time of one picture with nothing else to do, whole,
and of its parts: the neurons drawn by WebGL (stage), their states unpacked (levels), the time line
(line). Needs chromium and chromedriver on the path.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import torch
from selenium import webdriver

from benchmarks.timing import arguments, publish, row
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.in_silico.kept_clamps import find_clamps
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.rbm import RBM
from boltzbrain.pages.viewer.scene import Frames, Scene
from boltzbrain.pages.viewer.view import render_scene

CASES = {"fish": (40_000, 200, 30.0), "mouse": (2_000, 100, 60.0)}
"""Neurons, hidden units, and the pictures per second that are asked for."""
BINS, WIDE, TALL = 4000, 800, 600

PLAY = """
const [seconds, turn, done] = arguments, root = document.getElementById("viewer"), v = root.viewer;
v.state.speed = 60; v.seek(0); v.play();
let before = performance.now(), began = before, drawn = v.drawn;
const tick = (now) => {
  if (turn) v.orbit.turn(0.01, 0);
  if (now - began < 1000 * seconds) { requestAnimationFrame(tick); return; }
  v.pause();
  done([v.drawn - drawn, (now - began) / 1000]);
};
requestAnimationFrame(tick);
"""
COST = """
const [what, done] = arguments, v = document.getElementById("viewer").viewer, s = v.parts.stage;
const draw = {
  whole: (k) => { v.state.frame = k; v.draw(); v.stage.finish(); },
  stage: () => { v.stage.draw(s.clientWidth, s.clientHeight, 1); v.stage.finish(); },
  levels: (k) => v.data.levels(v.state.source, k, v.levels),
  line: () => v.line.draw(),
}[what];
draw(1);
const began = performance.now();
for (let k = 0; k < 40; k++) draw(k);
done((performance.now() - began) / 40);
"""


def made_up(neurons: int, hidden: int) -> Scene:
    """Return a scene of the size asked for, each neuron active in a thirtieth of the bins."""
    generator = np.random.default_rng(0)
    weights = generator.normal(size=(neurons, hidden)) ** 3
    model = RBM(
        Bernoulli(torch.full((neurons,), -3.5)),
        Bernoulli(torch.zeros(hidden)),
        torch.from_numpy(0.01 * weights).to(torch.float32),
    )
    states = (generator.random((BINS, neurons), dtype=np.float32) < 1 / 30).astype(np.uint8)
    size = np.abs(weights)
    recorded = Frames("recorded", "recorded", "Noise.", states, [], timed=True)
    return Scene(
        title="made up", version="", ids=[str(number) for number in range(neurons)],
        regions=[f"region {number % 72}" for number in range(neurons)],
        xyz_um=generator.normal(size=(neurons, 3)) * (400, 250, 150),
        rates=states.mean(axis=0), model=model, weights=weights,
        membership=size >= np.quantile(size[:200], 0.99), strongest=size.argmax(axis=1),
        order=np.arange(hidden), rule="effective", partners=None, couplings=None,
        frames=(recorded,), bin_width_s=0.4,
        clamps=find_clamps(model, states, states[:400], Generator.from_seed(0)),
    )  # fmt: skip


def browser() -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in (
        "headless=new", "no-sandbox", "disable-dev-shm-usage", "enable-unsafe-swiftshader",
    ):  # fmt: skip
        options.add_argument(f"--{argument}")
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    return webdriver.Chrome(options=options, service=service)


def opened(driver: webdriver.Chrome, page: Path) -> float:
    """Open a page whose stage is 800 x 600; return the seconds until the first picture."""
    metrics = {"width": 1280, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    driver.set_script_timeout(300)
    began = time.perf_counter()
    driver.get(page.as_uri())
    driver.execute_async_script(
        "const done = arguments[2], wait = () => { const v = document.getElementById('viewer');"
        "const s = v.querySelector('.stage'); s.style.width = arguments[0] + 'px';"
        "s.style.height = arguments[1] + 'px';"
        "v.dataset.state === 'ready' ? done() : setTimeout(wait, 20) }; wait()",
        WIDE, TALL,
    )  # fmt: skip
    return time.perf_counter() - began


def processors(driver: webdriver.Chrome) -> float:
    """Return the seconds that the processors spent on the browser so far."""
    spent = 0.0
    for process in psutil.Process(driver.service.process.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            spent += sum(process.cpu_times()[:2])
    return spent


def played(driver: webdriver.Chrome, seconds: float, turn: bool) -> tuple[float, float]:
    """Return seconds and seconds of processors for a picture, while playing."""
    before = processors(driver)
    drawn, took = driver.execute_async_script(PLAY, seconds, turn)
    return took / drawn, (processors(driver) - before) / drawn


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    given = parser.parse_args()
    rows = []
    driver = browser()
    try:
        with tempfile.TemporaryDirectory() as folder:
            for name, (neurons, hidden, bar) in CASES.items():
                page = Path(folder) / f"{name}.html"
                page.write_text(render_scene(made_up(neurons, hidden)), encoding="utf-8")
                began = opened(driver, page)
                print(f"{name}: {page.stat().st_size / 1e6:.1f} MB, opened in {began:.1f} s")
                for way, turn in (("still", False), ("turning", True)):
                    told = [played(driver, given.seconds, turn) for _ in range(given.rounds)]
                    each, spent = np.array(told).T
                    rate, busy = 1.0 / np.median(each), 1000 * np.median(spent)
                    print(
                        f"{name}, {way}: {rate:.1f} pictures a second, bar {bar:.0f}; "
                        f"{busy:.0f} ms of processors for each"
                    )
                    words = f"{neurons} neurons played, camera {way}"
                    asked = np.full(len(each), 1.0 / bar)
                    against = f"{bar:.0f} pictures a second"
                    rows.append(row(f"{name}_{way}", words, against, "", each, asked))
                    words = "the same, seconds of processors for a picture"
                    rows.append(row(f"{name}_{way}_processors", words, "itself", "", spent, spent))
                for what in ("whole", "stage", "levels", "line"):
                    cost = [driver.execute_async_script(COST, what) for _ in range(given.rounds)]
                    each = np.array(cost) / 1000.0
                    print(f"{name}, {what} of one picture: {np.median(cost):.2f} ms")
                    words = f"{what} of one picture of {neurons} neurons"
                    rows.append(row(f"{name}_{what}", words, "itself", "", each, each))
    finally:
        driver.quit()
    publish(rows, given.json)


if __name__ == "__main__":
    main()
