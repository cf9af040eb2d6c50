"""Which assemblies come back when a model is trained again: planted, shuffled, and recorded ones.

    python proofs/repeats.py [--data planted shifted session10 worm] [--seeds 0 1] [--folder FOLDER]

Each data set is fitted and repeated five times (three other seeds, two halves of the bins) as
`boltzbrain fit --repeats 5` does, and one line is added to repeats.csv; those that have a line are
not trained again. Trainings are kept in `--folder`, where one that was stopped goes on.

- planted: 2,000 neurons, 20 assemblies, the preset `compositional`, 40 units. Of every assembly the
  agreement of the unit whose weights tell its members best must be 0.9 at least. Beside it, as
  found, 300 neurons, eight assemblies, 24,000 and 6,000 bins, the preset `binary`, eight units,
  which start at noise and may settle on mixtures.
- shifted: the same recordings, each neuron turned in time by a step of its own, so that nothing is
  shared: the negative control. No unit's agreement may be above 0.3, whether trainings converge or
  not; `interpret` asks only those that do.
- session10 (split 0, 100 units), worm (20 units): as found.

`least`, `median`, `most`: of the agreement, over planted assemblies or over all units. `returning`:
share of all units that come back; `chance`: mean agreement with shuffled repeats. `couplings` and
`couplings_chance`: agreement of the strongest couplings. Writes repeats.txt from all lines, and
exits 1 if a planted or a shifted line fails.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from kept_lines import add_lines, read_lines
from planted_assemblies import areas

import boltzbrain as bb
from boltzbrain.data.activity import Activity
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.assemblies.returning import find_returning
from boltzbrain.interpretation.regions.significance import shifted_activity
from boltzbrain.sampling.synthetic import PlantedAssemblies, simulate_assemblies

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
TABLE = Path(__file__).with_suffix(".csv")
TEXT = Path(__file__).with_suffix(".txt")
COLUMNS = (
    "data", "preset", "seed", "status", "repeats", "least", "median", "most", "returning", "chance",
    "couplings", "couplings_chance", "seconds",
)  # fmt: skip
TIMES = 5
LEAST, MOST = 0.9, 0.3
PLANTED = ("compositional", "binary", "binary, few bins")
BINS = {"binary": 24_000, "binary, few bins": 6000}


def simulated(preset: str, seed: int) -> tuple[PlantedAssemblies, Activity]:
    """Return planted assemblies of the size that a preset is for, and the activity in folds."""
    generator = Generator.from_seed(seed, "proofs", "repeats")
    if preset == "compositional":
        truth = simulate_assemblies(generator)
    else:
        truth = simulate_assemblies(
            generator, neurons=300, assemblies=8, bins=BINS[preset], sizes=(20, 40), overlap=0.1
        )
    activity = truth.activity().split(
        by="shuffled", validation=0.15, test=0.05, seed=seed, min_active_bins=0
    )
    return truth, activity


def recording(data: str) -> tuple[Activity, dict[str, Any]]:
    """Return a recording in folds, and what to fit to it."""
    if data == "session10":
        activity = bb.read(DATA / "steinmetz" / "session10.npz").binarize(bin_ms=20)
        folds = f"{DATA / 'steinmetz' / 'session10_folds.csv'}:split0"
        return activity.split(folds=folds), {"preset": "compositional", "hidden": 100}
    activity = bb.read(DATA / "celegans" / "2022-07-26-31.npz").deconvolve().binarize()
    return activity.split(by="blocks"), {"hidden": 20}


def line_of(data: str, preset: str, seed: int, folder: Path) -> dict[str, Any]:
    """Fit, repeat and read one data set, and return its line."""
    truth = None
    if data in ("planted", "shifted"):
        truth, activity = simulated(preset, seed)
        assemblies = truth.membership.shape[1]
        plan: dict[str, Any] = {"preset": preset.partition(",")[0], "hidden": assemblies}
        if preset == "compositional":
            plan["hidden"] = 2 * assemblies
        if data == "shifted":
            activity = shifted_activity(activity, Generator.from_seed(seed, "proofs", "shifted"))
    else:
        activity, plan = recording(data)
    line: dict[str, Any] = dict.fromkeys(COLUMNS, "")
    line |= {"data": data, "preset": preset, "seed": seed}
    place = folder / f"{data}_{preset}_{seed}"
    began = time.monotonic()
    try:
        if (place / "run.json").exists():
            run = bb.resume(place, progress=False)
        else:
            run = bb.fit(activity, out=place, seed=seed, progress=False, **plan)
    except bb.TrainingFailedError as error:
        return {**line, "status": f"gave up: {error}", "seconds": round(time.monotonic() - began)}
    repeats = bb.repeat(run, TIMES, progress=False)
    found = bb.interpret(run, progress=False)
    told, pairs = (found.summary[name]["returning"] for name in ("assemblies", "couplings"))
    if told is None:
        # no repeat converged, so that `interpret` asks none of them
        states, generator = run.activity().states_of("train"), Generator.from_seed(seed, "control")
        entries, told = find_returning(run.best, [one.best for one in repeats], states, generator)
        agreement = entries["assemblies/agreement"].values.astype(np.float64)
    else:
        agreement = found["assemblies/agreement"].astype(np.float64)
    if data == "planted" and truth is not None:
        weights = run.best.weights.double().numpy()
        area = np.stack([areas(weights, members) for members in truth.membership.T])
        agreement = agreement[np.maximum(area, 1 - area).argmax(axis=1)]
    return {
        **line,
        "status": run.info["convergence"]["status"],
        "repeats": len(repeats),
        "least": f"{agreement.min():.3f}",
        "median": f"{np.median(agreement):.3f}",
        "most": f"{agreement.max():.3f}",
        "returning": f"{told['share_returning']:.3f}",
        "chance": f"{told['chance']:.3f}",
        "couplings": f"{pairs['median_agreement']:.3f}" if pairs else "",
        "couplings_chance": f"{pairs['chance']:.3f}" if pairs else "",
        "seconds": round(time.monotonic() - began),
    }


def summary() -> tuple[str, bool]:
    """Return the table, and whether planted and shifted lines meet their bars."""
    told = read_lines(TABLE)
    widths = [max(len(name), *(len(one[name][:24]) for one in told)) for name in COLUMNS]
    rows = [COLUMNS, *(tuple(one[name][:24] for name in COLUMNS) for one in told)]
    text = ["  ".join(f"{c:>{w}}" for c, w in zip(row, widths, strict=True)) for row in rows]
    text.append("")
    held = True
    for name, column, wanted in (("planted", "least", LEAST), ("shifted", "most", MOST)):
        asked = [one for one in told if one["data"] == name]
        if name == "planted":
            asked = [one for one in asked if one["preset"] == PLANTED[0]]
        mine = [float(one[column]) for one in asked if one[column]]
        good = sum(value >= wanted if name == "planted" else value <= wanted for value in mine)
        bound = "at least" if name == "planted" else "at most"
        text.append(f"{name}: agreement {bound} {wanted} in {good} of {len(mine)}")
        held &= good == len(mine)
        text += [
            f"  {one['data']}, {one['preset']}, seed {one['seed']}: {one['status']}"
            for one in asked
            if not one[column]
        ]
    return "\n".join(text) + "\n", held


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known = ("planted", "shifted", "session10", "worm")
    parser.add_argument("--data", nargs="+", choices=known, default=known)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    done = {(one["data"], one["preset"], int(one["seed"])) for one in read_lines(TABLE)}
    for data in given.data:
        made = data in ("planted", "shifted")
        for preset in PLANTED if made else ("as recommended" if data == "worm" else PLANTED[0],):
            for seed in given.seeds if made else [0]:
                if (data, preset, seed) not in done:
                    line = line_of(data, preset, seed, folder)
                    add_lines(TABLE, COLUMNS, line)
                    print(", ".join(f"{name} {value}" for name, value in line.items()), flush=True)
    text, held = summary()
    TEXT.write_text(text, encoding="utf-8")
    print(text)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
