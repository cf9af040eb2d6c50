"""What ten covariates add to `interpret` on session 10: tuning, decoding, shares explained.

Usage: python -m benchmarks.covariates [--json FILE]

921 neurons, 100 hidden units, ten series of noise with a memory of a second, at the number of draws
that is usual. The training is short: what behaviour costs does not depend on it. All of
`interpret` is timed beside what behaviour takes of it.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np

import boltzbrain as bb
from benchmarks.cases import DATA
from benchmarks.timing import arguments, publish, row
from boltzbrain.data.behaviour.covariates import BinnedCovariate
from boltzbrain.interpretation import interpret as module

SERIES, MEMORY, ROUNDS = 10, 50, 3


def covariates(bins: int) -> dict[str, BinnedCovariate]:
    """Return series of noise that remember a second, 50 bins."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(SERIES, bins + 2 * MEMORY))
    window = np.ones(2 * MEMORY) / (2 * MEMORY)
    return {
        f"series {number}": BinnedCovariate(np.convolve(one, window, "same")[:bins])
        for number, one in enumerate(noise)
    }


def main() -> None:
    given = arguments(__doc__).parse_args()
    activity = bb.read(DATA / "session10.npz").binarize(bin_ms=20)
    activity = activity.split(folds=f"{DATA}/session10_folds.csv:split0")
    activity = replace(activity, covariates=covariates(activity.n_bins))
    whole, part = [], []
    find = module.find_behaviour

    def timed(*asked: object, **options: object) -> object:
        began = time.perf_counter()
        found = find(*asked, **options)
        part.append(time.perf_counter() - began)
        return found

    with tempfile.TemporaryDirectory() as folder, patch.object(module, "find_behaviour", timed):
        run = bb.fit(activity, hidden=100, updates=200, out=Path(folder) / "run", progress=False)
        bb.evaluate(run, progress=False)
        for _ in range(1 + ROUNDS):
            began = time.perf_counter()
            bb.interpret(run, progress=False)
            whole.append(time.perf_counter() - began)
    work = f"behaviour in interpret, session 10, {SERIES} series"
    ours, all_ = np.array(part[1:]), np.array(whole[1:])
    publish([row("covariates", work, "all of interpret", "float64", ours, all_)], given.json)


if __name__ == "__main__":
    main()
