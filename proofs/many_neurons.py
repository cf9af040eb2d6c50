"""Trainings of many neurons whose assemblies are on or off as a whole, by the recipe `assemblies`.

Simulated recordings of 4,000 frames: assemblies of 200 to 560 neurons that stay on for 8 frames on
average, in 3 to 10 % of the frames each; members fire with probability 0.3. Folds are blocks of
time. `bb.fit` with the preset `compositional`, which hands over to `assemblies`; the seed draws the
data and the training, and those of the first seeds are put through `bb.evaluate` too.
Each training, in a process of its own, adds a line to many_neurons.csv at once, and those that have
a line are not trained again.

    python proofs/many_neurons.py [--neurons 10000] [--assemblies 21] [--hidden 21 42] [--seeds 5]
                                  [--overlap 0.2] [--graded 0] [--evaluated 1]

`--overlap` is the share of the neurons that belong to two assemblies. `--graded` is the share of
the assemblies that are not on or off: the log-odds of their members rise by an amount that wanders
between nothing and that of an assembly which is on.

Of each: whether it converged by chains that mix, the share of <v>, <h> and <v h> that agrees, and
R-hat; the gain of the model on the test frames beside that of the process that made the data (a
lower bound: the assemblies that were on are told it), of that process with its rates fitted to the
training frames, and of the likeliest rates whose log-odds add over the assemblies of a neuron, as
those of an RBM do; the correlation of covariances with those of the test frames beside that of the
training frames (the ceiling); the normalised errors of <v>, <h>, <v h> and <v v>; the least area
under the ROC curve by which a unit's weights tell an assembly's members; effective samples of log
Z (of the last checkpoint where there is no evaluation); seconds, and the memory of the whole
process. Writes many_neurons.txt from all lines, and exits 1 if one of on/off assemblies did not
converge or lost an assembly (area below .97), or one of 40,000 neurons gains less than 95 % of the
process or 97 % of the fitted one.
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
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ["OMP_WAIT_POLICY"] = "PASSIVE"

import numpy as np
import torch
from kept_lines import add_lines, read_lines
from numpy.typing import NDArray
from planted_assemblies import best_areas
from scipy.special import expit, logit
from scipy.stats import norm

import boltzbrain as bb
from boltzbrain.evaluation.likelihood import independent_log_likelihood
from boltzbrain.foundations.random import Generator
from boltzbrain.model.independent import independent_field
from boltzbrain.sampling.synthetic import PlantedAssemblies, simulate_assemblies

TABLE = Path(__file__).with_suffix(".csv")
TEXT = Path(__file__).with_suffix(".txt")
KEYS = ("neurons", "assemblies", "overlap_percent", "graded", "hidden", "seed")
COLUMNS = (
    *KEYS, "preset", "units", "status", "v", "h", "vh", "r_hat", "gain", "stderr", "process",
    "fitted", "additive", "covariances", "ceiling", "nrmse_v", "nrmse_h", "nrmse_vh", "nrmse_vv",
    "worst_area", "ess_percent", "fit_s", "evaluate_s", "gib",
)  # fmt: skip
FRAMES, STAY = 4000, 8.0
OF_PROCESS, OF_FITTED, MANY = 0.95, 0.97, 40_000
LEAST_AREA = 0.97
_ROWS = 256
_PSEUDO = 0.5


def simulate(
    neurons: int, assemblies: int, overlap_percent: int, graded: int, seed: int
) -> tuple[PlantedAssemblies, NDArray[np.float64]]:
    """Return planted assemblies whose on-times are stretches of frames, and their amplitudes.

    The last `graded` assemblies have amplitudes that wander in the interval from 0 to 1; those of
    the others are 0 or 1.
    """
    generator = Generator.from_seed(seed, "proofs", "many neurons")
    truth = simulate_assemblies(
        generator,
        neurons=neurons,
        assemblies=assemblies,
        bins=FRAMES,
        sizes=(200, 560),
        overlap=overlap_percent / 100,
    )
    on, share = np.empty_like(truth.on), truth.on.mean(axis=0)
    uniform = generator.uniform((FRAMES, assemblies)).numpy()
    state = uniform[0] < share
    leave, enter = 1 / STAY, share / (1 - share) / STAY
    for frame in range(FRAMES):
        state = np.where(state, uniform[frame] >= leave, uniform[frame] < enter)
        on[frame] = state
    amplitude = on.astype(np.float64)
    if graded:
        amplitude[:, -graded:] = norm.cdf(_wandering(generator, graded))
    truth = replace(truth, on=on)
    states = np.empty_like(truth.states)
    for first in range(0, FRAMES, _ROWS):
        rows = slice(first, first + _ROWS)
        chance = rates(truth, amplitude[rows], graded)
        states[rows] = generator.uniform(chance.shape).numpy() < chance
    return replace(truth, states=states), amplitude


def _wandering(generator: Generator, count: int) -> NDArray[np.float64]:
    """Return Gaussian series of variance 1 that remember `STAY` frames, (frame, series)."""
    kept = np.exp(-1 / STAY)
    noise = generator.normal((FRAMES, count)).numpy().astype(np.float64)
    series = np.empty_like(noise)
    series[0] = noise[0]
    for frame in range(1, FRAMES):
        series[frame] = kept * series[frame - 1] + np.sqrt(1 - kept**2) * noise[frame]
    return series


def rates(
    truth: PlantedAssemblies, amplitude: NDArray[np.float64], graded: int
) -> NDArray[np.float64]:
    """Return the probability of each neuron to be active, given the amplitudes."""
    cut = amplitude.shape[1] - graded
    members = truth.membership.T.astype(np.float32)
    count = amplitude[:, :cut].astype(np.float32) @ members[:cut]
    chance = np.where(count > 0, 1 - (1 - truth.firing) ** count, truth.background)
    if graded:
        rise = amplitude[:, cut:].astype(np.float32) @ members[cut:]
        step = np.maximum(logit(truth.firing) - logit(truth.background), 0.0)
        chance = np.where(rise > 0, expit(logit(chance) + step * rise), chance)
    return chance


class Process:
    """What made the data, as told which assemblies are on: nats per test frame."""

    def __init__(self, truth: PlantedAssemblies, activity: bb.Activity) -> None:
        self.truth, self.test = truth, activity.bins_of("test")
        self.train = activity.bins_of("train")
        rate = truth.states[self.train].mean(axis=0)
        rate = np.clip(rate, _PSEUDO / len(self.train), None)
        self.independent = self._score(lambda rows: np.tile(rate, (len(rows), 1)))

    def gain(self) -> float:
        """Return the gain of the process itself over independent neurons."""

        def chance(rows: NDArray[np.int64]) -> NDArray[np.float64]:
            return rates(self.truth, self.truth.on[rows].astype(np.float64), 0)

        return self._score(chance) + self._states_on() - self.independent

    def gains_fitted(self) -> tuple[float, float]:
        """Return that with the rate of each neuron in each state of its own assemblies fitted.

        Freely, and with log-odds that add over the two assemblies of a neuron.
        """
        truth, train = self.truth, self.train
        own = np.argsort(~truth.membership, axis=1, kind="stable")[:, :2]
        mine = np.take_along_axis(truth.membership, own, axis=1)
        total = truth.states[train].mean(axis=0)
        count, active = np.empty((2, 4, len(own)))
        pattern = self._patterns(train, own, mine)
        for value in range(4):
            here = pattern == value
            count[value] = here.sum(axis=0) + _PSEUDO
            active[value] = ((truth.states[train] > 0) & here).sum(axis=0) + _PSEUDO * total
        free = np.clip(active / count, 1e-6, 1 - 1e-6)
        return self._gain_of(free, own, mine), self._gain_of(additive(active, count), own, mine)

    def _gain_of(
        self, table: NDArray[np.float64], own: NDArray[np.int64], mine: NDArray[np.bool_]
    ) -> float:

        def chance(rows: NDArray[np.int64]) -> NDArray[np.float64]:
            return np.take_along_axis(table, self._patterns(rows, own, mine), axis=0)

        return self._score(chance) + self._states_on() - self.independent

    def _patterns(
        self, rows: NDArray[np.int64], own: NDArray[np.int64], mine: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        on = self.truth.on[rows]
        first, second = ((on[:, own[:, k]] & mine[:, k]).astype(np.int64) for k in (0, 1))
        return first + 2 * second

    def _states_on(self) -> float:
        on, share = self.truth.on[self.test], self.truth.on[self.train].mean(axis=0)
        return float(np.log(np.where(on, share, 1 - share)).sum(axis=1).mean())

    def _score(self, chance: Callable[[NDArray[np.int64]], NDArray[np.float64]]) -> float:
        total = 0.0
        for first in range(0, len(self.test), _ROWS):
            rows = self.test[first : first + _ROWS]
            states, found = self.truth.states[rows] > 0, chance(rows)
            total += float(np.log(np.where(states, found, 1 - found)).sum())
        return total / len(self.test)


def additive(active: NDArray[np.float64], count: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the likeliest rates whose log-odds add, from counts (state, neuron), by Newton steps.

    States are neither, first, second, both.
    """
    design = np.array([[1, 0, 0], [1, 1, 0], [1, 0, 1], [1, 1, 1]], dtype=np.float64)
    weights = np.zeros((active.shape[1], 3))
    weights[:, 0] = logit(active.sum(axis=0) / count.sum(axis=0))
    ridge = 1e-3 * np.eye(3)
    for _ in range(40):
        chance = expit(weights @ design.T)
        slope = (active.T - count.T * chance) @ design - weights @ ridge
        bend = np.einsum("ns,si,sj->nij", count.T * chance * (1 - chance), design, design) + ridge
        weights += np.clip(np.linalg.solve(bend, slope[:, :, None])[:, :, 0], -2.0, 2.0)
    return np.clip(expit(weights @ design.T).T, 1e-6, 1 - 1e-6)


def train(
    neurons: int, assemblies: int, overlap_percent: int, graded: int, hidden: int, seed: int,
    whole: int,
) -> dict[str, Any]:  # fmt: skip
    """Train once and return its line; seeds below `whole` are evaluated."""
    truth, _ = simulate(neurons, assemblies, overlap_percent, graded, seed)
    activity = truth.activity(0.256).split(
        by="blocks", validation=0.1, test=0.2, seed=seed, min_active_bins=0
    )
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        run = bb.fit(activity, "compositional", hidden, Path(folder) / "run", seed, progress=False)
        fitted = time.monotonic()
        told = evaluated(run) if seed < whole else of_log(run, activity)
        told["evaluate_s"] = round(time.monotonic() - fitted) if seed < whole else ""
        model, found, preset = run.best, run.info["convergence"], run.plan.preset
    process = Process(truth, activity)
    free, adding = process.gains_fitted()
    areas = best_areas(model.weights.double().numpy(), truth)
    return {
        "neurons": neurons,
        "assemblies": assemblies,
        "overlap_percent": overlap_percent,
        "graded": graded,
        "hidden": hidden,
        "seed": seed,
        "preset": preset,
        "units": len(model.hidden),
        "status": found["status"],
        **{name: f"{found['within'][name]:.3f}" for name in ("v", "h", "vh")},
        "r_hat": "" if found["r_hat"] is None else f"{found['r_hat']:.3f}",
        "process": "" if graded else f"{process.gain():.1f}",
        "fitted": "" if graded else f"{free:.1f}",
        "additive": "" if graded else f"{adding:.1f}",
        "worst_area": f"{areas.min():.4f}",
        "fit_s": round(fitted - started),
        "gib": f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f}",
        **told,
    }


def evaluated(run: bb.TrainingRun) -> dict[str, Any]:
    """Return what an evaluation says."""
    told = bb.evaluate(run, progress=False)
    score, statistics = told["log_likelihood"], told["statistics"]
    forward, covariances = score["log_partition"]["forward"], statistics["covariances"]
    return {
        "gain": f"{score['gain']['value']:.1f}",
        "stderr": f"{score['gain']['stderr']:.1f}",
        "covariances": f"{covariances['pearson']:.3f}",
        "ceiling": f"{covariances['pearson'] / covariances['ratio']:.3f}",
        **{f"nrmse_{name}": f"{statistics['nrmse'][name]:.3f}" for name in ("v", "h", "vh", "vv")},
        "ess_percent": round(100 * forward["effective_sample_size"] / forward["chains"]),
    }


def of_log(run: bb.TrainingRun, activity: bb.Activity) -> dict[str, Any]:
    """Return the gain on the test frames with log Z of the last checkpoint."""
    row, test = run.log().iloc[-1], torch.from_numpy(activity.states_of("test"))
    states = torch.from_numpy(activity.states_of("train"))
    independent = independent_log_likelihood(independent_field(states), test.numpy()).mean()
    score = float((-run.best.free_energy(test)).double().mean()) - row["log_partition"]
    percent = 100 * row["effective_sample_size"] / run.plan.ais_chains
    return {"gain": f"{score - independent:.1f}", "ess_percent": round(percent)}


def good(line: dict[str, str]) -> bool:
    """Return whether a training of on/off assemblies holds what is asked."""
    enough = int(line["neurons"]) < MANY or (
        float(line["gain"]) >= OF_PROCESS * float(line["process"])
        and float(line["gain"]) >= OF_FITTED * float(line["fitted"])
    )
    return converged(line) and enough and float(line["worst_area"]) >= LEAST_AREA


def converged(line: dict[str, str]) -> bool:
    return line["status"] in ("converged", "recovered")


def summary() -> tuple[str, bool]:
    """Return the table of all lines with its sums, and whether all of on/off assemblies hold."""
    told = sorted(read_lines(TABLE), key=lambda one: tuple(int(one[key]) for key in KEYS))
    widths = [max(len(name), *(len(one[name]) for one in told)) for name in COLUMNS]
    rows = [COLUMNS, *(tuple(one[name] for name in COLUMNS) for one in told)]
    text = ["  ".join(f"{c:>{w}}" for c, w in zip(row, widths, strict=True)) for row in rows]
    plain = [one for one in told if one["graded"] == "0"]
    for key in sorted({(int(one["neurons"]), int(one["overlap_percent"])) for one in plain}):
        mine = [one for one in plain if (int(one["neurons"]), int(one["overlap_percent"])) == key]
        least = {
            name: min(float(one["gain"]) / float(one[name]) for one in mine)
            for name in ("process", "fitted", "additive")
        }
        text.append(
            f"{key[0]} neurons, {key[1]} % in two: {sum(map(converged, mine))} of {len(mine)} "
            "converged, gain at least "
            + ", ".join(f"{share:.1%} of {name}" for name, share in least.items())
            + f"; worst area {min(float(one['worst_area']) for one in mine)}"
        )
    mixed = [one for one in told if one["graded"] != "0"]
    if mixed:
        text.append(f"some graded: {sum(map(converged, mixed))} of {len(mixed)} converged")
    held = all(map(good, plain))
    text.append(f"all of on/off assemblies hold: {'yes' if held else 'NO'}")
    return "\n".join(text), held


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--neurons", type=int, default=10_000)
    parser.add_argument("--assemblies", type=int, default=21)
    parser.add_argument("--hidden", type=int, nargs="+", default=[21, 42])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--overlap", type=float, default=0.2, help="share of the neurons in two")
    parser.add_argument("--graded", type=float, default=0.0, help="share of the assemblies")
    parser.add_argument("--evaluated", type=int, default=1, help="seeds that are evaluated")
    parser.add_argument("--one", type=int, nargs=len(KEYS), help="one training, its line as JSON")
    given = parser.parse_args()
    if given.one:
        print(json.dumps(train(*given.one, given.evaluated)))
        return 0
    known = {tuple(one[key] for key in KEYS) for one in read_lines(TABLE)}
    graded = round(given.graded * given.assemblies)
    for seed in range(given.seeds):
        for hidden in given.hidden:
            overlap = round(100 * given.overlap)
            sizes = (given.neurons, given.assemblies, overlap, graded, hidden, seed)
            keys = [str(one) for one in sizes]
            if tuple(keys) in known:
                continue
            words = [sys.executable, __file__, "--evaluated", str(given.evaluated), "--one", *keys]
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
