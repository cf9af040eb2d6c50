"""A dReLU update of 500 and of 1,000 neurons beside its bare products and its hidden draws.

The draws of the hidden layer alone, one a sweep, do not grow with the neurons: a product has none.

Usage: python -m benchmarks.small_updates [--json FILE]
"""

from __future__ import annotations

import torch

from benchmarks import peers
from benchmarks.cases import drelu_model
from benchmarks.scaling import SWEEPS, update
from benchmarks.timing import arguments, compare, publish
from boltzbrain.foundations.random import Generator

HIDDEN, CHAINS = 200, 100


def main() -> None:
    given = arguments(__doc__).parse_args()
    rows = []
    inputs, layer = torch.randn(CHAINS, HIDDEN), drelu_model(500, HIDDEN, 0.03, 0.0).hidden

    def draws() -> None:
        generator = Generator(1)
        for _ in range(SWEEPS):
            layer.sample(inputs, generator)

    for neurons in (500, 1000):
        ours, products = update(neurons, HIDDEN, CHAINS)
        work = f"dReLU update, k = {SWEEPS}, {neurons} neurons, 200 hidden, 100 chains"
        rows += compare(
            f"update_drelu_{neurons}x200",
            work,
            {"ours": ours, "mm": products, "draws": draws},
            {"mm": f"{2 * SWEEPS} {peers.MM}", "draws": f"{SWEEPS} draws of the hidden layer"},
            count=31,
        )
    publish(rows, given.json)


if __name__ == "__main__":
    main()
