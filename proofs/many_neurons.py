"""Trainings of many neurons whose assemblies are on or off as a whole, by the recipe `assemblies`.

Simulated recordings of 4,000 frames: assemblies of 200 to 560 neurons that stay on for 8 frames on
average, in 3 to 10 % of the frames each; a tenth of the neurons in two; members fire with
probability 0.3. Folds are blocks of time. `bb.fit` with the preset `compositional`, which hands
over to `assemblies`; the seed draws the data and the training. Each training adds a line to
many_neurons.csv at once, and those that have a line are not trained again.

    python proofs/many_neurons.py [--neurons 10000] [--assemblies 21] [--hidden 21 42] [--seeds 5]

Of each: whether it converged by chains that mix, and their R-hat; the gain of the model on the test
frames, with the running log Z of its last checkpoint, beside that of the process that made the data
(a lower bound: the assemblies that were on are told it); the least area under the ROC curve by
which a unit's weights tell an assembly's members; the seconds. Writes many_neurons.txt from all
lines, and exits 1 if one did not converge or gains less than 95 % of the process.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ["OMP_WAIT_POLICY"] = "PASSIVE"

import numpy as np
import torch
from numpy.typing import NDArray
from planted_assemblies import best_areas

import boltzbrain as bb
from boltzbrain.foundations.random import Generator
from boltzbrain.sampling.synthetic import PlantedAssemblies, simulate_assemblies

TABLE = Path(__file__).with_suffix(".csv")
TEXT = Path(__file__).with_suffix(".txt")
KEYS = ("neurons", "assemblies", "hidden", "seed")
COLUMNS = (
    *KEYS, "preset", "units", "status", "r_hat", "gain", "gain_of_process", "worst_area",
    "ess_percent", "seconds",
)  # fmt: skip
FRAMES, STAY, LEAST_SHARE = 4000, 8.0, 0.95
_ROWS = 256


def simulate(neurons: int, assemblies: int, seed: int) -> PlantedAssemblies:
    """Return planted assemblies whose on-times are stretches of frames."""
    generator = Generator.from_seed(seed, "proofs", "many neurons")
    truth = simulate_assemblies(
        generator,
        neurons=neurons,
        assemblies=assemblies,
        bins=FRAMES,
        sizes=(200, 560),
        overlap=0.1,
    )
    on, share = np.empty_like(truth.on), truth.on.mean(axis=0)
    uniform = generator.uniform((FRAMES, assemblies)).numpy()
    state = uniform[0] < share
    leave, enter = 1 / STAY, share / (1 - share) / STAY
    for frame in range(FRAMES):
        state = np.where(state, uniform[frame] >= leave, uniform[frame] < enter)
        on[frame] = state
    states = np.empty_like(truth.states)
    for first in range(0, FRAMES, _ROWS):
        rows = slice(first, first + _ROWS)
        chance = rates(truth, on[rows])
        states[rows] = generator.uniform(chance.shape).numpy() < chance
    return replace(truth, on=on, states=states)


def rates(truth: PlantedAssemblies, on: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the probability of each neuron to be active, given which assemblies are on."""
    count = on.astype(np.float32) @ truth.membership.T.astype(np.float32)
    return np.where(count > 0, 1 - (1 - truth.firing) ** count, truth.background)


def gain_of_process(truth: PlantedAssemblies, test: NDArray[np.int64], independent: float) -> float:
    """Return log P(states, assemblies on) of the process less the independent score, nats."""
    on, share = truth.on[test], truth.on.mean(axis=0)
    chance, states = rates(truth, on), truth.states[test] > 0
    total = np.log(np.where(states, chance, 1 - chance)).sum(axis=1)
    total += np.log(np.where(on, share, 1 - share)).sum(axis=1)
    return float(total.mean()) - independent


def train(neurons: int, assemblies: int, hidden: int, seed: int) -> dict[str, Any]:
    """Train once and return its line."""
    truth = simulate(neurons, assemblies, seed)
    activity = truth.activity(0.256).split(
        by="blocks", validation=0.1, test=0.2, seed=seed, min_active_bins=0
    )
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        run = bb.fit(activity, "compositional", hidden, Path(folder) / "run", seed)
        seconds = time.monotonic() - started
        model, row, found = run.best, run.log().iloc[-1], run.info["convergence"]
        chains, preset = run.plan.ais_chains, run.plan.preset
    test = activity.bins_of("test")
    states = torch.from_numpy(activity.states_of("test"))
    mean = activity.states_of("train").mean(axis=0)
    mean = np.clip(mean, 0.5 / len(activity.bins_of("train")), None)
    on_test = activity.states_of("test")
    independent = float((on_test @ np.log(mean) + (1 - on_test) @ np.log1p(-mean)).mean())
    score = float((-model.free_energy(states)).mean()) - row["log_partition"]
    return {
        "neurons": neurons,
        "assemblies": assemblies,
        "hidden": hidden,
        "seed": seed,
        "preset": preset,
        "units": len(model.hidden),
        "status": found["status"],
        "r_hat": round(found["r_hat"], 3),
        "gain": round(float(score - independent), 1),
        "gain_of_process": round(gain_of_process(truth, test, independent), 1),
        "worst_area": round(float(best_areas(model.weights.double().numpy(), truth).min()), 4),
        "ess_percent": round(100 * row["effective_sample_size"] / chains),
        "seconds": round(seconds),
    }


def lines() -> list[dict[str, str]]:
    """Return all lines there are."""
    if not TABLE.exists():
        return []
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--neurons", type=int, default=10_000)
    parser.add_argument("--assemblies", type=int, default=21)
    parser.add_argument("--hidden", type=int, nargs="+", default=[21, 42])
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    known = {tuple(one[key] for key in KEYS) for one in lines()}
    for seed in range(given.seeds):
        for hidden in given.hidden:
            keys = (given.neurons, given.assemblies, hidden, seed)
            if tuple(map(str, keys)) in known:
                continue
            line = train(*keys)
            fresh = not TABLE.exists()
            with TABLE.open("a", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, COLUMNS)
                if fresh:
                    writer.writeheader()
                writer.writerow(line)
            print(line, flush=True)
    told = lines()
    good = [
        one["status"] in ("converged", "recovered")
        and float(one["gain"]) >= LEAST_SHARE * float(one["gain_of_process"])
        for one in told
    ]
    text = "\n".join(
        [
            "  ".join(COLUMNS),
            *("  ".join(one.values()) for one in told),
            f"{sum(good)} of {len(good)} converged with a gain of at least {LEAST_SHARE:.0%} of "
            "that of the process",
        ]
    )
    TEXT.write_text(text + "\n", encoding="utf-8")
    print(text)
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
