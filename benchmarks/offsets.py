"""Seconds of the processor of sweeps and rungs with a field for every chain, and one for all.

Usage: python -m benchmarks.offsets [--json FILE]
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from benchmarks.cases import bernoulli_model, drelu_model, states
from benchmarks.timing import Row, arguments, compare, publish
from boltzbrain.foundations.random import Generator
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.annealing import AnnealedPath

VISIBLE, HIDDEN, DENSITY = 918, 100, 0.05
SWEEPS, RUNGS = 10, 12
CLOCK = time.process_time


def rows(chains: int) -> dict[str, Offsets]:
    """Return offsets of either layer alone, and of both."""
    generator = Generator.from_seed(0, "offsets")
    visible, hidden = (0.3 * generator.normal((chains, size)) for size in (VISIBLE, HIDDEN))
    return {
        "both": Offsets(visible, hidden),
        "visible": Offsets(visible),
        "hidden": Offsets(None, hidden),
    }


def layer_by_layer(model: RBM, chains: int, offsets: Offsets) -> Callable[[], object]:
    """Return sweeps by the layers' own products and draws, without the kernel for this pair."""
    start = states(chains, VISIBLE, DENSITY, "chains")

    def run() -> None:
        visible, generator = start, Generator(1)
        for _ in range(SWEEPS):
            hidden = model.sample_hidden(visible, generator, offsets)
            visible = model.sample_visible(hidden, generator, offsets)

    return run


def sweeps(name: str, model: RBM, chains: int) -> list[Row]:
    """Time sweeps of so many chains."""
    start, given = states(chains, VISIBLE, DENSITY, "chains"), rows(chains)
    found = []
    for layer, offsets in given.items():
        contestants: dict[str, Callable[[], object]] = {
            "ours": lambda offsets=offsets: model.sweep(start, Generator(1), SWEEPS, offsets),
            "none": lambda: model.sweep(start, Generator(1), SWEEPS),
        }
        against = {"none": "the same sweeps with one field for all chains"}
        if layer == "both":
            contestants["layers"] = layer_by_layer(model, chains, offsets)
            against["layers"] = "the same offsets, layer by layer"
        work = (
            f"{SWEEPS} sweeps, {model.hidden.kind}, offsets of {layer}, {chains} chains, {VISIBLE} "
            f"neurons {DENSITY:.0%} active, {HIDDEN} hidden units"
        )
        found += compare(
            f"offsets_{name}_{chains}_{layer}", work, contestants, against, clock=CLOCK
        )
    return found


def rungs(name: str, model: RBM, chains: int) -> list[Row]:
    """Time annealing rungs, visible offsets moving or at rest."""
    start, offsets = states(chains, VISIBLE, DENSITY, "chains"), rows(chains)["both"]
    assert offsets.visible is not None
    base = model.independent()
    ts = torch.linspace(0, 1, RUNGS, dtype=torch.float64).tolist()
    found = []
    for moves, foot in (("rest", None), ("move", 0.5 * offsets.visible)):
        with_rows = AnnealedPath(base, model, offsets, foot)
        plain = AnnealedPath(base, model)
        contestants: dict[str, Callable[[], object]] = {
            "ours": lambda path=with_rows: path.climb(start, ts, Generator(1)),
            "none": lambda path=plain: path.climb(start, ts, Generator(1)),
        }
        work = (
            f"{RUNGS - 1} rungs, {model.hidden.kind}, offsets of both that {moves}, {chains} "
            f"chains, {VISIBLE} neurons, {HIDDEN} hidden units"
        )
        against = {"none": "the same rungs with one field for all chains"}
        found += compare(
            f"offsets_{name}_{chains}_climb_{moves}", work, contestants, against, clock=CLOCK
        )
    return found


def main() -> None:
    given = arguments(__doc__).parse_args()
    binary = bernoulli_model(VISIBLE, HIDDEN, DENSITY)
    rectified = drelu_model(VISIBLE, HIDDEN, DENSITY, 0.0)
    found = sweeps("binary", binary, 1000) + sweeps("drelu", rectified, 1000)
    found += sweeps("drelu", rectified, 100)
    found += rungs("binary", binary, 1000) + rungs("drelu", rectified, 1000)
    publish(found, given.json)


if __name__ == "__main__":
    main()
