"""Seconds of a whole update: k sweeps of all chains, the gradient, and the step.

Usage: python -m benchmarks.update [--json FILE]
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks import peers
from benchmarks.cases import bernoulli_model, drelu_model, states
from benchmarks.timing import Row, arguments, compare, publish
from boltzbrain.foundations.random import Generator
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.gibbs import advance, start_chains
from boltzbrain.training.plan import TrainingPlan
from boltzbrain.training.update.gradient import Ascent


def our_update(model: RBM, plan: TrainingPlan, batch: Tensor) -> Callable[[], None]:
    """Return one update of ours, made on the parameters that the last one left."""
    ascent = Ascent(model, plan)
    chains = start_chains(ascent.model, plan.chains, Generator.from_seed(0, "chains"))
    # the batch is a stretch of the bins that moves from call to call, as in a training
    count = 0

    def run() -> None:
        nonlocal chains, count
        count += 1
        first = count * plan.batch % (len(batch) - plan.batch + 1)
        chains = advance(ascent.model, chains, plan.sweeps)
        ascent.step(batch[first : first + plan.batch], chains.visible, 1000 + count)

    return run


def reference_update(model: RBM, batch: Tensor, chains: int, sweeps: int) -> Callable[[], None]:
    """Return the sweeps of the reference kernels and dense centred moments."""
    start = states(chains, len(model.visible), 0.04, "chains")
    sweep = peers.reference_sweeps(model, start, sweeps)
    data = batch[:chains].to(torch.float32)

    def run() -> None:
        visible, _ = sweep()
        swept = visible.to(torch.float32)
        of_data, of_chains = (model.hidden.mean(side @ model.weights) for side in (data, swept))
        mu, lam = data.mean(dim=0), of_data.mean(dim=0)
        gradient = (data - mu).T @ (of_data - lam) / len(data)
        gradient -= (swept - mu).T @ (of_chains - lam) / len(swept)
        model.weights + 0.01 * gradient

    return run


def binary() -> list[Row]:
    """Time the Bernoulli update."""
    visible, hidden, chains, sweeps = 1560, 500, 2000, 10
    model = bernoulli_model(visible, hidden, 0.04)
    data = states(2 * chains, visible, 0.04, "data")
    plan = TrainingPlan(
        hidden=hidden, chains=chains, batch=chains, sweeps=sweeps, learning_rate=0.01, l2=0.0
    )
    rbms = peers.RbmsTrainer(model, data.to(torch.float32), chains, 0.01, sweeps)
    contestants = {
        "ours": our_update(model, plan, data),
        "rbms": lambda: rbms.step(chains),
        "mm": peers.bare_products(model, chains, sweeps),
        "reference": reference_update(model, data, chains, sweeps),
        "sklearn": peers.sklearn_sweeps(model, data[:chains], sweeps),
    }
    against = {
        "rbms": f"{peers.RBMS}, PCD, centred gradient",
        "mm": f"{2 * sweeps} {peers.MM}",
        "reference": f"{peers.REFERENCE}, dense moments",
        "sklearn": f"{peers.SKLEARN}, its {sweeps} sweeps alone",
    }
    work = (
        f"Bernoulli update, {chains} chains, k = {sweeps}, batch {chains}, {visible} neurons 4 % "
        f"active, {hidden} hidden units"
    )
    return compare("update_1560x500", work, contestants, against, count=7)


def compositional(zeros: float, name: str) -> list[Row]:
    """Time the dReLU update, normalised, with an L1 penalty."""
    visible, hidden, chains, sweeps = 50_000, 200, 100, 15
    model = drelu_model(visible, hidden, 0.03, zeros)
    plan = TrainingPlan(
        hidden=hidden,
        hidden_kind="drelu",
        normalised=True,
        chains=chains,
        batch=chains,
        sweeps=sweeps,
        optimizer="rmsprop",
        learning_rate=1e-5,
        l1=0.02,
        l2=0.0,
    )
    data = states(2 * chains, visible, 0.03, "data")
    contestants = {
        "ours": our_update(model, plan, data),
        "mm": peers.bare_products(model, chains, sweeps),
    }
    work = (
        f"dReLU update, normalised, L1, RMSprop, {chains} chains, k = {sweeps}, batch {chains}, "
        f"{visible} neurons 3 % active, {hidden} hidden units, {zeros:.0%} of the weights 0"
    )
    against = {"mm": f"{2 * sweeps} {peers.MM}"}
    return compare(name, work, contestants, against)


def main() -> None:
    given = arguments(__doc__).parse_args()
    rows = binary()
    rows += compositional(0.0, "update_drelu_50000x200")
    rows += compositional(0.8, "update_drelu_50000x200_sparse")
    publish(rows, given.json)


if __name__ == "__main__":
    main()
