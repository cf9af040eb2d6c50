"""How the cost of an update grows with neurons, chains, hidden units and cores.

Usage: python -m benchmarks.scaling [--json FILE] [--largest 60000]

One dReLU update, normalised, k = 15, 3 % of the neurons active; one Bernoulli sweep of 1000 chains
and 100 hidden units; and both on one core. Each row compares with the bare dense products at the
same size, the last two with one core. Exponents are slopes of log seconds by log size. What does
not grow with the neurons, the draws of hidden units and their moments, is given as the constant of
a straight line of seconds by neurons.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from benchmarks import peers
from benchmarks.cases import bernoulli_model, drelu_model, states
from benchmarks.timing import Row, arguments, publish, rounds, row
from benchmarks.update import our_update
from boltzbrain.foundations.random import Generator
from boltzbrain.training.plan import TrainingPlan

SWEEPS = 15
NEURONS = (500, 1000, 2000, 5000, 10_000, 20_000, 40_000, 60_000)


def plan_of(hidden: int, chains: int) -> TrainingPlan:
    """Return the hyperparameters of the dReLU update."""
    return TrainingPlan(
        hidden=hidden,
        hidden_kind="drelu",
        normalised=True,
        chains=chains,
        batch=chains,
        sweeps=SWEEPS,
        optimizer="rmsprop",
        learning_rate=1e-5,
        l1=0.02,
        l2=0.0,
    )


def update(neurons: int, hidden: int, chains: int) -> tuple[Callable[[], object], ...]:
    """Return one dReLU update, and the bare products at its size."""
    model, plan = drelu_model(neurons, hidden, 0.03, 0.0), plan_of(hidden, chains)
    data = states(2 * chains, neurons, 0.03, "data")
    return our_update(model, plan, data), peers.bare_products(model, chains, SWEEPS)


def sized(sizes: list[tuple[int, int, int]]) -> list[Row]:
    """Return a row for each (neurons, hidden, chains), all interleaved."""
    contestants = {}
    for size in sizes:
        contestants["ours", size], contestants["mm", size] = update(*size)
    named = {f"{side} {size}": call for (side, size), call in contestants.items()}
    seconds = {name: np.array(times) for name, times in rounds(named, 7).items()}
    rows = []
    for size in sizes:
        neurons, hidden, chains = size
        work = f"dReLU update, k = {SWEEPS}, {neurons} neurons, {hidden} hidden, {chains} chains"
        name = f"scaling_{neurons}x{hidden}_chains{chains}_vs_mm"
        pair = seconds[f"ours {size}"], seconds[f"mm {size}"]
        rows.append(row(name, work, f"{2 * SWEEPS} {peers.MM}", "float32", *pair))
    return rows


def swept(sizes: list[int]) -> list[Row]:
    """Return a row for two Bernoulli sweeps at each number of neurons, all interleaved."""
    named = {}
    for size in sizes:
        model = bernoulli_model(size, 100, 0.04)
        start = states(1000, size, 0.04, "sweep")
        named[f"ours {size}"] = partial(model.sweep, start, Generator(1), 2)
        named[f"mm {size}"] = peers.bare_products(model, 1000, 2)
    seconds = {name: np.array(times) for name, times in rounds(named, 7).items()}
    return [
        row(
            f"scaling_sweep_{size}x100_vs_mm",
            f"2 Bernoulli sweeps, 1000 chains, {size} neurons, 100 hidden",
            f"4 {peers.MM}",
            "float32",
            seconds[f"ours {size}"],
            seconds[f"mm {size}"],
        )
        for size in sizes
    ]


def exponent(rows: list[Row], sizes: list[int]) -> float:
    """Return the slope of log seconds by log size, least squares."""
    seconds = [each.median_seconds for each in rows]
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def cores(largest: int) -> list[Row]:
    """Return the seconds on all cores over those on one, of an update and of a sweep."""
    every = torch.get_num_threads()
    model = bernoulli_model(1560, 500, 0.04)
    visible, _ = model.sweep(states(2000, 1560, 0.04, "sweep"), Generator(3), 5)
    works = {
        f"update_drelu_{largest}x200": update(largest, 200, 100)[0],
        "sweep_1560x500": lambda: model.sweep(visible, Generator(1), 5),
    }

    def on(threads: int, call: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            torch.set_num_threads(threads)
            call()
            torch.set_num_threads(every)

        return run

    named = {
        f"{name} {threads}": on(threads, call)
        for name, call in works.items()
        for threads in (1, every)
    }
    seconds = {name: np.array(times) for name, times in rounds(named, 7).items()}
    return [
        row(
            f"cores_{name}_vs_one",
            f"{name} on {every} cores",
            "the same on one core",
            "float32",
            seconds[f"{name} {every}"],
            seconds[f"{name} 1"],
        )
        for name in works
    ]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--largest", type=int, default=60_000, help="most neurons")
    given = parser.parse_args()
    neurons = [size for size in NEURONS if size <= given.largest]
    by_neurons = sized([(size, 200, 100) for size in neurons])
    by_chains = sized([(5000, 200, chains) for chains in (25, 50, 100, 200)])
    by_hidden = sized([(5000, hidden, 100) for hidden in (50, 100, 200, 400)])
    sweeps = swept(neurons)
    on_cores = cores(min(50_000, given.largest))
    publish(by_neurons + by_chains + by_hidden + sweeps + on_cores, given.json)
    wide = [size for size in neurons if size >= 5000]
    updates = by_neurons[-len(wide) :]
    constant = np.polyfit(wide, [each.median_seconds for each in updates], 1)[1]
    span = f"from {wide[0]} to {wide[-1]} neurons"
    print(f"exponent of the dReLU update {span}: {exponent(updates, wide):.3f}")
    print(f"  its constant: {1000 * constant:.1f} ms")
    rest = [replace(each, median_seconds=each.median_seconds - constant) for each in updates]
    print(f"  exponent of what is left: {exponent(rest, wide):.3f}")
    print(f"exponent of the sweep {span}: {exponent(sweeps[-len(wide) :], wide):.3f}")
    print(f"exponent in chains, 25 to 200: {exponent(by_chains, [25, 50, 100, 200]):.3f}")
    print(f"exponent in hidden units, 50 to 400: {exponent(by_hidden, [50, 100, 200, 400]):.3f}")


if __name__ == "__main__":
    main()
