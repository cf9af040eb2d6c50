"""Run the code that stands in README and the guides: `make tutorials`.

Usage: python docs/site/blocks.py [PAGE ...]

The blocks of a page run in their order in a folder that holds a small recording and a run made of
it: Python in one namespace, and lines of `boltzbrain` as they would be typed, RUN being `run`. What
is not run has a reason above it, `<!-- not run: REASON -->`; `tests/stories/test_docs.py` parses
every line of `boltzbrain` all the same.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import re
import shlex
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import boltzbrain as bb
from boltzbrain.cli.main import main as boltzbrain
from boltzbrain.training.presets import PRESETS
from boltzbrain.writers.nwb import write_nwb

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from helpers.motifs import planted_motifs  # noqa: E402
from helpers.other_layouts import write_phy  # noqa: E402

PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("docs/howto/*.md"))]
BLOCK = re.compile(
    r"(?:^<!-- not run: ([^>]+) -->\n+)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
SHELLS = ("", "bash")
NEURONS, BINS, WIDTH_S = 24, 4000, 0.02
QUICK = {"hidden": 6, "updates": 60, "ais_chains": 50, "ais_rungs": 50}
"""What trainings are here unless a block says otherwise: the code counts, not the model."""


def blocks_of(text: str) -> Iterator[tuple[str, str, str]]:
    """Give the language, the code, and why it is not run, of every block of a page."""
    for reason, language, code in BLOCK.findall(text):
        yield language, code, reason


def commands_of(code: str) -> Iterator[list[str]]:
    r"""Give the words behind `boltzbrain` of every line that calls it; "..." is no command.

    Examples
    --------
    >>> list(commands_of("boltzbrain fit RUN --l1 0.1   # why\nmake demo\n"))
    [['fit', 'run', '--l1', '0.1']]
    """
    for line in code.splitlines():
        if line.startswith("boltzbrain ") and "..." not in line:
            words = shlex.split(line, comments=True)[1:]
            yield ["run" if word == "RUN" else word for word in words]


def recorded() -> dict[str, Any]:
    """Return the names that blocks take for granted: arrays of a small recording."""
    generator = np.random.default_rng(0)
    on = generator.random((BINS, 3)) < 0.15
    chance = np.where(on[:, np.arange(NEURONS) % 3], 0.5, 0.05)
    states = (generator.random((BINS, NEURONS)) < chance).astype(np.uint8)
    trial = np.repeat(np.arange(BINS // 40), 40)
    spikes = np.argwhere(states)
    times_s = WIDTH_S * (spikes[:, 0] + generator.random(len(spikes)))
    return {
        "states": states,
        "counts": states,
        "X": states[:1500],
        "X_new": states[1500:],
        "segments": trial[:1500],
        "stack": states.reshape(-1, 40, NEURONS),
        "traces": np.cumsum(generator.normal(size=(600, 6)), axis=0) * 0.05
        + generator.normal(size=(600, 6)),
        "times_s": times_s,
        "unit": spikes[:, 1],
        "train_a": np.sort(600 * generator.random(500)),
        "train_b": np.sort(600 * generator.random(500)),
        "region": np.array(["CA1", "LP", "VISp"])[np.arange(NEURONS) % 3],
        "positions": 100 * generator.random((NEURONS, 3)),
        "trial": trial,
        "ids": np.arange(NEURONS),
        "starts": WIDTH_S * np.arange(BINS),
    }


def made(folder: Path, given: dict[str, Any]) -> None:
    """Write the recording in the files that blocks name, and a run of it."""
    beside = {name: given[name] for name in ("region", "positions", "trial")}
    arrays = {"bin_width_s": WIDTH_S, "region": beside["region"], "xyz_um": beside["positions"],
              "segment": beside["trial"]}  # fmt: skip
    for name in ("session.npz", "recording.npz"):
        np.savez(folder / name, counts=given["counts"], **arrays)
    np.save(folder / "states.npy", given["states"])
    np.save(folder / "counts.npy", given["counts"])
    write_phy(folder / "sorted")
    generator = np.random.default_rng(1)
    worms, _ = planted_motifs(neurons=40, animals=4, motifs=2, size=15)
    for name, worm in zip(("worm1.npz", "worm2.npz"), list(worms.values())[2:], strict=True):
        time_s = worm.step_s * np.arange(len(worm.values))
        np.savez(folder / name, traces=worm.values, t=time_s, label=np.array(worm.names))
    spikes = bb.from_spike_times((given["times_s"], given["unit"]), stop_s=BINS * WIDTH_S)
    for name in ("session.nwb", "session2.nwb"):
        write_nwb(folder / name, spikes)
    trials = pd.DataFrame(
        {
            "segment": np.unique(given["trial"]),
            "feedback": generator.choice([-1, 1], BINS // 40),
            "contrast_right": generator.choice([0.0, 0.25, 0.5, 1.0], BINS // 40),
        }
    )
    series = pd.DataFrame(
        {"velocity": np.convolve(generator.normal(size=BINS), np.ones(20), "same")}
    )
    recording = bb.read(folder / "session.npz", trials=trials, covariates=series)
    # a guide opens the checkpoint of update 2000
    run = bb.fit(recording, updates=2000, out=folder / "run", progress=False)
    bb.evaluate(run, progress=False)
    bb.interpret(run, min_neurons=2, behaviour_draws=200, progress=False)


def run_page(page: Path, template: Path) -> list[str]:
    """Run the blocks of a page in a copy of a folder; return what went wrong."""
    text = page.read_text(encoding="utf-8")
    todo = [one for one in blocks_of(text) if one[0] in ("python", *SHELLS)]
    if not any(not reason for _, _, reason in todo):
        return []
    failed = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "work"
        shutil.copytree(template, folder)
        run = bb.TrainingRun.open(folder / "run")
        names = {"__name__": "__main__", "np": np, "bb": bb, "run": run, "model": run.best,
                 "activity": run.activity(), "regions": run.activity().regions["region"],
                 **recorded()}  # fmt: skip
        with contextlib.chdir(folder):
            for language, code, reason in todo:
                if reason:
                    continue
                try:
                    _run(language, code, names)
                except Exception:
                    failed.append(f"{page.name}:\n{code}\n{traceback.format_exc(limit=-3)}")
    return failed


def _run(language: str, code: str, names: dict[str, Any]) -> None:
    quiet = io.StringIO()
    with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
        if language == "python":
            exec(compile(code, "block", "exec"), names)
            return
        for words in commands_of(code):
            _make_room(words)
            try:
                boltzbrain(words)
            except SystemExit as end:
                if end.code:
                    told = quiet.getvalue()[-1500:]
                    raise RuntimeError(f"boltzbrain {shlex.join(words)}: {told}") from None


def _make_room(words: list[str]) -> None:
    """Remove what the folder holds where a new command is to write."""
    if "--resume" in words:
        return
    for flag, place in itertools.pairwise(words):
        if flag == "-o" and place:
            shutil.rmtree(place, ignore_errors=True)
            if Path(place).is_file():
                Path(place).unlink()


def main(asked: list[str]) -> int:
    """Run the pages; return how many blocks failed."""
    for threads in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(threads, "1")
    os.environ.setdefault("MPLBACKEND", "agg")
    warnings.simplefilter("ignore")
    PRESETS["binary"] = QUICK  # type: ignore[index]
    begun, failed = time.monotonic(), []
    with tempfile.TemporaryDirectory() as place:
        template = Path(place)
        made(template, recorded())
        for page in [Path(one).resolve() for one in asked] or PAGES:
            started = time.monotonic()
            found = run_page(page, template)
            failed += found
            print(f"{page.name}: {time.monotonic() - started:.0f} s", *found, sep="\n", flush=True)
    print(f"blocks of code: {time.monotonic() - begun:.0f} s, {len(failed)} failed")
    return len(failed)


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
