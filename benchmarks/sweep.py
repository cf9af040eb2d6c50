"""Seconds of a Gibbs sweep of both layers.

Usage: python -m benchmarks.sweep [--json FILE]
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks import peers
from benchmarks.cases import DATA, bernoulli_model, session10, states
from benchmarks.timing import Row, arguments, compare, publish
from boltzbrain.foundations.random import Generator
from boltzbrain.model.independent import independent_field
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.gibbs import advance, start_chains
from boltzbrain.training.plan import TrainingPlan
from boltzbrain.training.update.gradient import Ascent

CHAINS, SWEEPS = 2000, 10


def compared(prefix: str, work: str, model: RBM, visible: Tensor) -> list[Row]:
    """Time ten sweeps from given states, against ten of each of the others."""
    contestants = {
        "ours": lambda: model.sweep(visible, Generator(1), SWEEPS),
        "mm": peers.bare_products(model, len(visible), SWEEPS),
        "reference": peers.reference_sweeps(model, visible, SWEEPS),
        "rbms": peers.rbms_sweeps(model, visible, SWEEPS),
        "sklearn": peers.sklearn_sweeps(model, visible, SWEEPS),
    }
    against = {
        "mm": peers.MM,
        "reference": peers.REFERENCE,
        "rbms": peers.RBMS,
        "sklearn": peers.SKLEARN,
    }
    return compare(prefix, work, contestants, against, count=7)


def trained(updates: int = 1000) -> tuple[RBM, Tensor]:
    """Return a model trained on session 10, and chains of it."""
    data = torch.from_numpy(session10().states_of("train"))
    # the 918 neurons with at least 20 active bins, or as many as there are, the busiest first
    counts = data.sum(dim=0, dtype=torch.int64)
    busiest = torch.argsort(counts, descending=True, stable=True)[:918].sort().values
    data = data[:, busiest].contiguous()
    plan = TrainingPlan(
        hidden=100, learning_rate=0.2, final_learning_rate=None, l2=0.0, averaging=0.0
    )
    field = independent_field(data).to(torch.float32)
    weights = 0.01 * Generator.from_seed(0, "weights").normal((len(field), plan.hidden))
    ascent = Ascent(RBM(Bernoulli(field), Bernoulli(torch.zeros(plan.hidden)), weights), plan)
    chains = start_chains(ascent.model, plan.chains, Generator.from_seed(0, "chains"))
    order = Generator.from_seed(0, "batch")
    for update in range(1, updates + 1):
        chosen = torch.from_numpy(order.permutation(len(data))[: plan.batch])
        chains = advance(ascent.model, chains, plan.sweeps)
        ascent.step(data[chosen], chains.visible, update)
    fresh = start_chains(ascent.model, CHAINS, Generator.from_seed(1, "chains"))
    return ascent.model, advance(ascent.model, fresh, 100).visible


def main() -> None:
    given = arguments(__doc__).parse_args()
    model = bernoulli_model(1560, 500, 0.04)
    visible, hidden = model.sweep(states(CHAINS, 1560, 0.04, "sweep"), Generator(3), 20)
    work = (
        f"{SWEEPS} Bernoulli sweeps, {CHAINS} chains, 1560 neurons {visible.float().mean():.1%} "
        f"active, 500 hidden units {hidden.float().mean():.1%} active"
    )
    rows = compared("sweep_1560x500", work, model, visible)
    if DATA.exists():
        model, visible = trained()
        _, hidden = model.sweep(visible, Generator(3), 1)
        work = (
            f"{SWEEPS} Bernoulli sweeps, {CHAINS} chains, model of session 10: "
            f"{len(model.visible)} neurons {visible.float().mean():.1%} active, 100 hidden units "
            f"{hidden.float().mean():.1%} active"
        )
        rows += compared(f"sweep_{len(model.visible)}x100", work, model, visible)
    publish(rows, given.json)


if __name__ == "__main__":
    main()
