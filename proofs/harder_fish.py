"""Many neurons made harder, and the recipe for them with each of its ingredients left out.

`--part fish`: the simulated fish of `sampling.simulated.fish`, 4,000 frames: three tenths of the
neurons in two assemblies, members of log-normal rates, stretches of 2 to 20 frames, assemblies on
in 2 to 30 % of the frames, a fifth of them graded, a fifth within another, log-odds that drift.
`--without NAME ...` takes one of `DIFFICULTIES` away at a time, to see which of them a failure
comes from.

`--part recipe`: the planted fish of `proofs/many_neurons.py`, which the recipe `assemblies` trains,
with one of `INGREDIENTS` left out each time, and with none.

Folds are blocks of time. `bb.fit` with the preset `compositional`, which hands over to
`assemblies`, and twice as many units as assemblies; the seed draws the data and the training. Each
training, in a process of its own, adds a line to harder_fish.csv at once, and those that have a
line are not trained again.

    python proofs/harder_fish.py --part fish [--neurons 10000] [--assemblies 21] [--seeds 5]
                                             [--without all | NAME ...]
    python proofs/harder_fish.py --part recipe [--neurons 10000] [--assemblies 21] [--seeds 2]

Of each: whether it converged by chains that mix, and if not which checks failed; the share of <v>,
<h> and <v h> that agrees, R-hat; the gain on the test frames, nats over independent neurons, beside
that of who is told all rates, frame by frame (`told`, which no model of single frames reaches); the
least area under the ROC curve by which a unit's weights tell an assembly's members, and how many
assemblies have less than .97; seconds and memory. Writes harder_fish.txt from all lines, and exits
1 if fewer than four fifths of the trainings of the whole fish converge.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

os.environ["OMP_WAIT_POLICY"] = "PASSIVE"

import numpy as np
import torch
from kept_lines import add_lines, read_lines
from many_neurons import converged, of_log, rates
from many_neurons import simulate as simulate_planted
from numpy.typing import NDArray
from planted_assemblies import areas

import boltzbrain as bb
from boltzbrain.evaluation.likelihood import independent_log_likelihood
from boltzbrain.foundations.random import Generator
from boltzbrain.model.independent import independent_field
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.gibbs import Chains, advance
from boltzbrain.sampling.simulated.fish import simulate_fish
from boltzbrain.training.chains.movers import ByMoves

TABLE = Path(__file__).with_suffix(".csv")
TEXT = Path(__file__).with_suffix(".txt")
KEYS = ("part", "neurons", "assemblies", "left_out", "seed")
COLUMNS = (
    *KEYS, "preset", "units", "status", "v", "h", "vh", "r_hat", "gain", "told", "worst_area",
    "lost", "ess_percent", "fit_s", "gib", "reason",
)  # fmt: skip
NOTHING = "-"
FRAMES, LEAST_AREA, ENOUGH = 4000, 0.97, 0.8
_ROWS = 256
_SWEEPS = 15

DIFFICULTIES: Mapping[str, Mapping[str, Any]] = {
    "overlap": {"overlap": 0.0},
    "unequal rates": {"firing_spread": 0.0},
    "rare and frequent": {"on_fraction": (0.03, 0.10)},
    "stretches": {"stay": (1, 1)},
    "graded": {"graded": 0.0},
    "nested": {"nested": 0.0},
    "drift": {"drift": 0.0},
}
"""Name to the options of the fish without it."""

_RECIPE = "boltzbrain.training.assemblies"


def _by_sweeps(mover: ByMoves, model: RBM, chains: Chains, update: int) -> Chains:
    return advance(model, chains, _SWEEPS)


def _none(off: Any, rises: Any, shares: Any, *_: Any) -> NDArray[np.float64]:
    return np.zeros_like(shares)


def _ones(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.ones((x.shape[1], x.shape[1]))


def _nothing(*_: Any) -> None:
    """Leave potentials as they are."""


def _as_it_is(values: Any, on: Any) -> Any:
    return values


INGREDIENTS: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "moves": ({"boltzbrain.training.chains.movers.ByMoves.move": _by_sweeps}, {}),
    "on/off start": (
        {},
        {
            "assemblies": False,
            "chains_by": "moves",
            "updates": 500,
            "sweeps": 1,
            "checkpoints": 4,
            "score_every": "none",
            "ais_rungs": 60,
        },
    ),
    "couplings taken back": ({f"{_RECIPE}.factors.correction": _none}, {}),
    "taken back again": ({f"{_RECIPE}.state._REMIX_UNTIL": 0.0}, {}),
    "couplings of the chains": ({f"{_RECIPE}.couplings._FEWEST_UNITS": np.inf}, {}),
    "memory of couplings": ({f"{_RECIPE}.couplings._common_memory": _ones}, {}),
    "steps of potentials": ({f"{_RECIPE}.ascent.FactoredAscent._natural_step": _nothing}, {}),
    "settling": ({f"{_RECIPE}.state._SETTLE_FROM": 1.0}, {}),
    "copies dropped": ({f"{_RECIPE}.find._is_copy": lambda *_: False}, {}),
    "second look": ({f"{_RECIPE}.find._without": _as_it_is}, {}),
    "averaging": ({}, {"averaging": 0.0}),
    "decay of steps": ({}, {"final_learning_rate": "none"}),
    "longest step": ({}, {"longest_step": "none"}),
    "going back": ({}, {"late_restarts": 0}),
}
"""Name to what is put in the place of parts of the package, and to hyperparameters."""


def fish(neurons: int, assemblies: int, without: str, seed: int) -> _Data:
    """Return the simulated fish, some of its difficulties taken away."""
    size = neurons / 10_000 * 21 / assemblies
    options: dict[str, Any] = {"sizes": (round(240 * size), round(640 * size))}
    options |= DIFFICULTIES.get(without, {})
    made = simulate_fish(
        Generator.from_seed(seed, "proofs", "harder fish"),
        neurons=neurons,
        assemblies=assemblies,
        frames=FRAMES,
        **options,
    )
    return _Data(made.activity(), made.membership, made.rates)


def planted(neurons: int, assemblies: int, seed: int) -> _Data:
    """Return the planted fish of `proofs/many_neurons.py`."""
    truth, amplitude = simulate_planted(neurons, assemblies, 20, 0, seed)
    return _Data(
        truth.activity(0.256), truth.membership, lambda rows: rates(truth, amplitude[rows], 0)
    )


class _Data:
    """Activity, its assemblies and the rates that made it."""

    def __init__(
        self,
        activity: bb.Activity,
        membership: NDArray[np.bool_],
        rates: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    ) -> None:
        self.activity, self.membership, self.rates = activity, membership, rates

    def told(self, activity: bb.Activity) -> float:
        """Return the gain of who is told the rates, nats per test frame over independent ones."""
        test, total = activity.bins_of("test"), 0.0
        for first in range(0, len(test), _ROWS):
            rows = test[first : first + _ROWS]
            states, chance = activity.states[rows] > 0, self.rates(rows)
            total += float(np.log(np.where(states, chance, 1 - chance)).sum())
        field = independent_field(torch.from_numpy(activity.states_of("train")))
        alone = independent_log_likelihood(field, activity.states_of("test")).mean()
        return total / len(test) - float(alone)


def train(part: str, neurons: int, assemblies: int, left_out: str, seed: int) -> dict[str, Any]:
    """Train once and return its line."""
    replaced: Mapping[str, Any] = {}
    options: Mapping[str, Any] = {}
    if part == "fish":
        data = fish(neurons, assemblies, left_out, seed)
    else:
        data = planted(neurons, assemblies, seed)
        replaced, options = INGREDIENTS.get(left_out, ({}, {}))
    activity = data.activity.split(
        by="blocks", validation=0.1, test=0.2, seed=seed, min_active_bins=0
    )
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        for place, other in replaced.items():
            stack.enter_context(mock.patch(place, other))
        started = time.monotonic()
        line: dict[str, Any] = dict(
            zip(KEYS, (part, neurons, assemblies, left_out, seed), strict=True)
        )
        line |= dict.fromkeys(COLUMNS[len(KEYS) :], "")
        try:
            run = bb.fit(
                activity, "compositional", 2 * assemblies, Path(folder) / "run", seed,
                progress=False, **options,
            )  # fmt: skip
        except bb.TrainingFailedError as error:
            line |= {"status": "gave up", "reason": str(error).partition(": ")[2]}
            line["preset"] = bb.TrainingRun.open(Path(folder) / "run").plan.preset
            line["fit_s"] = round(time.monotonic() - started)
            return line
        line["fit_s"] = round(time.monotonic() - started)
        line |= of_log(run, activity)
        model, found, preset = run.best, run.info["convergence"], run.plan.preset
    weights = model.weights.double().numpy()
    area = np.stack([areas(weights, members) for members in data.membership.T])
    best = np.maximum(area, 1 - area).max(axis=1)
    return {
        **line,
        "preset": preset,
        "units": len(model.hidden),
        "status": found["status"],
        **{name: f"{found['within'][name]:.3f}" for name in ("v", "h", "vh")},
        "r_hat": "" if found["r_hat"] is None else f"{found['r_hat']:.3f}",
        "told": f"{data.told(activity):.1f}",
        "worst_area": f"{best.min():.4f}",
        "lost": int((best < LEAST_AREA).sum()),
        "gib": f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f}",
        "reason": found["reason"] or "",
    }


def _order(line: Mapping[str, str]) -> tuple[Any, ...]:
    names = [NOTHING, *DIFFICULTIES, *INGREDIENTS]
    numbers = (int(line[name]) for name in ("neurons", "assemblies"))
    return line["part"], *numbers, names.index(line["left_out"]), int(line["seed"])


def summary() -> tuple[str, bool]:
    """Return the table of all lines with its sums, and whether enough of the fish converge."""
    told = sorted(read_lines(TABLE), key=_order)
    shown = COLUMNS[:-1]
    widths = [max(len(name), *(len(one[name]) for one in told)) for name in shown]
    rows = [shown, *(tuple(one[name] for name in shown) for one in told)]
    text = ["  ".join(f"{c:>{w}}" for c, w in zip(row, widths, strict=True)) for row in rows]
    failed = [one for one in told if not converged(one)]
    if failed:
        text += ["", "which checks failed:"]
    text += [
        f"{one['part']}, {one['neurons']} neurons, without {one['left_out']}, seed {one['seed']}: "
        f"{one['reason']}"
        for one in failed
    ]
    text.append("")
    held = True
    for key in dict.fromkeys(tuple(one[name] for name in KEYS[:-1]) for one in told):
        mine = [one for one in told if tuple(one[name] for name in KEYS[:-1]) == key]
        good = sum(map(converged, mine))
        areas_told = [float(one["worst_area"]) for one in mine if one["worst_area"]]
        gains = [float(one["gain"]) / float(one["told"]) for one in mine if one["gain"]]
        what = "whole" if key[3] == NOTHING else f"without {key[3]}"
        text.append(
            f"{key[0]}, {key[1]} neurons, {what}: {good} of {len(mine)} converged"
            + (f", gain at least {min(gains):.1%} of told" if gains else "")
            + (f", worst area {min(areas_told):.4f}" if areas_told else "")
        )
        if key[0] == "fish" and key[3] == NOTHING:
            held &= good >= ENOUGH * len(mine)
    text.append(f"four of five of the whole fish converge: {'yes' if held else 'NO'}")
    return "\n".join(text), held


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=("fish", "recipe"), default="fish")
    parser.add_argument("--neurons", type=int, default=10_000)
    parser.add_argument("--assemblies", type=int, default=21)
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--without", nargs="+", default=[], choices=("all", *DIFFICULTIES))
    parser.add_argument("--one", help="one training, its line as JSON")
    given = parser.parse_args()
    if given.one:
        print(json.dumps(train(*json.loads(given.one))))
        return 0
    known = {tuple(one[key] for key in KEYS) for one in read_lines(TABLE)}
    left_out = [NOTHING, *INGREDIENTS]
    if given.part == "fish":
        left_out = list(DIFFICULTIES) if "all" in given.without else given.without or [NOTHING]
    seeds = given.seeds or (5 if given.part == "fish" else 2)
    for seed in range(seeds):
        for name in left_out:
            key = (given.part, given.neurons, given.assemblies, name, seed)
            if tuple(map(str, key)) in known:
                continue
            words = [sys.executable, __file__, "--one", json.dumps(key)]
            output = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout
            line = json.loads(output.splitlines()[-1])
            add_lines(TABLE, COLUMNS, line)
            print(line, flush=True)
    text, held = summary()
    TEXT.write_text(text + "\n", encoding="utf-8")
    print(text)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
