"""What bfloat16 weights would save on this processor, and what they would cost in likelihood.

Usage: python -m benchmarks.bfloat16 [--json FILE] [--updates 600]

The dense products are timed in both types, beside our float32 sweep. Then session 10 is trained
twice with the same random numbers, once with weights that are rounded to bfloat16 for the sweeps
and the hidden means of each update (the parameters themselves stay float32, as in any mixed
training), and both models are scored on the validation fold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from benchmarks import peers
from benchmarks.cases import DATA, bernoulli_model, drelu_model, states
from benchmarks.time_to_likelihood import OURS, Ours, Scores
from benchmarks.timing import Row, arguments, compare, publish
from boltzbrain.foundations.random import Generator
from boltzbrain.model.rbm import RBM


def rounded(model: RBM) -> RBM:
    """Return the model with weights of eight significant bits."""
    return replace(model, weights=model.weights.to(torch.bfloat16).to(torch.float32))


class Rounded(Ours):
    """Training whose sweeps and moments see rounded weights."""

    def step(self) -> None:
        """Make one update."""
        weights = self.ascent.parameters["weights"]
        exact = weights.clone()
        weights.copy_(rounded(self.ascent.model).weights)
        before = weights.clone()
        super().step()
        weights.add_(exact - before)


def halved_products(model: RBM, chains: int) -> Callable[[], None]:
    """Return the two dense products of a sweep in bfloat16."""
    half = torch.bfloat16
    sizes = (len(model.visible), len(model.hidden))
    visible, hidden = (torch.rand(chains, size).to(half) for size in sizes)
    to_hidden, to_visible = torch.empty_like(hidden), torch.empty_like(visible)
    weights = model.weights.to(half)
    turned = weights.T

    def run() -> None:
        torch.mm(visible, weights, out=to_hidden)
        torch.mm(hidden, turned, out=to_visible)

    return run


def timed(name: str, model: RBM, chains: int, density: float) -> list[Row]:
    """Time bfloat16 products and our float32 sweep against float32 products."""
    start = states(chains, len(model.visible), density, "bfloat16")
    rows = []
    for what, precision, call in (
        ("mm", "bfloat16", halved_products(model, chains)),
        ("sweep", "float32", lambda: advance_once(model, start)),
    ):
        contestants = {"ours": call, "mm": peers.bare_products(model, chains)}
        work = f"{what} of {chains} chains, {len(model.visible)} x {len(model.hidden)}"
        rows += compare(
            f"bfloat16_{what}_{name}", work, contestants, {"mm": peers.MM}, precision=precision
        )
    return rows


def advance_once(model: RBM, start: torch.Tensor) -> object:
    return model.sweep(start, Generator(1), 1)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--updates", type=int, default=600)
    given = parser.parse_args()
    rows = timed("1560x500", bernoulli_model(1560, 500, 0.04), 2000, 0.04)
    rows += timed("50000x200", drelu_model(50_000, 200, 0.03, 0.0), 100, 0.03)
    publish(rows, given.json)
    if not DATA.exists():
        return
    scores = Scores()
    for name, kind in (("float32", Ours), ("weights rounded to bfloat16", Rounded)):
        trainer = kind(scores, OURS)
        for _ in range(given.updates):
            trainer.step()
        gain = scores.gain(trainer.model)
        print(f"trained with {name}: {gain:.3f} nats per validation bin over independent")
        if kind is Ours:
            gain = scores.gain(rounded(trainer.model))
            print(f"the same, rounded at the end: {gain:.3f}")


if __name__ == "__main__":
    main()
