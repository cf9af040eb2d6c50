"""Regions of a real recording: do neurons couple by region, and how stable is the map.

Usage: .venv/bin/python proofs/session10_regions.py [--updates N] [--keep FOLDER]

Session 10 of Steinmetz et al. 2019 (13 Allen areas, 20 ms bins), fitted four times with the default
recipe: split 0 of the published folds with two seeds, and each half of its training trials alone.
Reported: couplings within regions against between them with shuffled labels, the correlation of
the region maps of the two seeds (at least 0.9) and of the two halves. Writes
proofs/session10_regions.txt; exits 1 if the limit is missed. Takes about ten minutes on 2 cores.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

import boltzbrain as bb
from boltzbrain.data.activity import GAP, TRAIN, Activity
from boltzbrain.data.steps import Step
from boltzbrain.interpretation.animals.agreement import map_agreement
from boltzbrain.interpretation.file import Interpretation

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data" / "steinmetz" / "session10"
OUTPUT = Path(__file__).with_suffix(".txt")
NEURONS_OF_A_REGION = 20


def half(activity: Activity, which: int) -> Activity:
    """Return the activity with every second training trial only."""
    trials = np.unique(activity.segment[activity.fold == TRAIN])
    out = np.isin(activity.segment, trials[1 - which :: 2]) & (activity.fold == TRAIN)
    return activity.with_fold(np.where(out, GAP, activity.fold), Step("half of the trials"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--updates", type=int, help="fewer updates, for a trial")
    parser.add_argument("--keep", type=Path, help="folder in which the runs are kept")
    given = parser.parse_args()
    options = {} if given.updates is None else {"updates": given.updates}
    whole = bb.read(f"{DATA}.npz").binarize(bin_ms=20).split(folds=f"{DATA}_folds.csv:split0")
    jobs = {
        "seed 0": (whole, 0), "seed 1": (whole, 1),
        "first half": (half(whole, 0), 0), "second half": (half(whole, 1), 0),
    }  # fmt: skip
    lines = [
        f"{whole.n_neurons} neurons, {len(whole.bins_of('train'))} training bins, "
        f"{given.updates or 'all'} updates of the recipe"
    ]
    found: dict[str, Interpretation] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        for name, (activity, seed) in jobs.items():
            out = folder / name.replace(" ", "_")
            run = bb.fit(activity, out=out, seed=seed, **options)
            found[name] = bb.interpret(run, min_neurons=NEURONS_OF_A_REGION)
            print(f"{name}: update {run.chosen_update}", flush=True)
    regions = found["seed 0"]["regions/names"]
    counts = found["seed 0"]["regions/counts"]
    told = ", ".join(f"{name} {count}" for name, count in zip(regions, counts, strict=True))
    lines.append(f"regions with {NEURONS_OF_A_REGION} neurons or more: {told}")
    for reference, tests in found["seed 0"].summary["regions"]["label_tests"].items():
        for statistic in ("mean", "l1", "rms"):
            test = tests[statistic]
            lines.append(
                f"{reference} reference, {statistic}: within regions {test['within']:.4f}, between "
                f"{test['between']:.4f}, p {test['p_value']:.4f} (1000 shuffles of the labels)"
            )
    good = True
    for one, two in (("seed 0", "seed 1"), ("first half", "second half")):
        for of in ("uniform", "data", "correlation"):
            for kind in ("mean", "l1"):
                maps = [found[name].maps(of) for name in (one, two)]
                agreement = map_agreement(maps, kind)[0]  # type: ignore[arg-type]
                text = f"{one} and {two}, {of}, {kind} map: correlation {agreement.correlation:.3f}"
                if one == "seed 0" and of == "uniform":
                    holds = agreement.correlation >= 0.9
                    good = good and holds
                    text += f" (at least 0.9): {'yes' if holds else 'NO'}"
                lines.append(text)
    changed = found["seed 0"].summary["couplings"]["strong_pairs_that_change_sign"]
    lines.append(
        f"strong pairs whose sign differs between uniform and data reference: {changed:.1%}"
    )
    print("\n".join(lines))
    OUTPUT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
