"""Milliseconds of a sweep of the wide visible layer, by the share of weights that are exactly 0.

Usage: python -m benchmarks.zeros

100 chains of 50,000 neurons and 200 dReLU units. The kernel multiplies all weights of four neurons,
or those alone that are not 0 (`kernels.wide.SPARSE`); the other column of the table in
docs/design_notes.md is this script run with SPARSE = -1, which never leaves any out.
"""

from __future__ import annotations

import time

import numpy as np
import torch

from boltzbrain.foundations.random import Generator
from boltzbrain.kernels import wide
from boltzbrain.model.continuous import DReLU
from boltzbrain.model.layers import Bernoulli
from boltzbrain.model.rbm import RBM

NEURONS, HIDDEN, CHAINS, SWEEPS, ROUNDS = 50_000, 200, 100, 5, 7


def milliseconds(zeros: float) -> float:
    """Return the median over rounds of one sweep with this share of zeros."""
    generator = Generator.from_seed(1)
    weights = 0.1 * generator.normal((NEURONS, HIDDEN))
    weights[generator.uniform((NEURONS, HIDDEN)) < zeros] = 0.0
    model = RBM(Bernoulli(torch.full((NEURONS,), -3.3)), DReLU.standard(HIDDEN), weights)
    visible = (generator.uniform((CHAINS, NEURONS)) < 0.04).to(torch.uint8)
    model.sweep(visible, Generator(1), 2)
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        model.sweep(visible, Generator(1), SWEEPS)
        seconds.append((time.perf_counter() - started) / SWEEPS)
    return 1000 * float(np.median(seconds))


def main() -> None:
    print(f"SPARSE = {wide.SPARSE}")
    for zeros in (0.6, 0.8, 0.9, 0.95, 0.98):
        print(f"{zeros:.0%} zeros: {milliseconds(zeros):.1f} ms", flush=True)


if __name__ == "__main__":
    main()
