"""All effective couplings at the size of the papers: seconds, memory and error.

Usage: .venv/bin/python proofs/couplings_speed.py

1560 neurons x 500 Bernoulli hidden units: all pairs under the uniform reference, at most 20 s, and
their relative error (root mean square) on 300 pairs against direct quadrature, at most 1e-3.
40,000 neurons x 200 dReLU hidden units: couplings in factors, the map between 72 regions and the
100 strongest partners of every neuron, at most 60 s and 4 GiB for the whole process.

Compiled loops are warmed up on a small model first; the seconds are those of the second call of a
session. Writes proofs/couplings_speed.txt; exits 1 if a limit is missed. Takes some minutes.
"""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

from boltzbrain.data.regions import Regions
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.couplings.couplings import couplings, low_rank_couplings
from boltzbrain.interpretation.couplings.low_rank import top_partners
from boltzbrain.interpretation.couplings.normal_inputs import (
    InputLaw,
    relative_error,
    tuple_differences,
)
from boltzbrain.interpretation.marginal import Marginal
from boltzbrain.interpretation.regions.maps import region_maps
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.synthetic import random_model

OUTPUT = Path(__file__).with_suffix(".txt")
PAIRS_S, ERROR, LARGE_S, LARGE_GIB = 20.0, 1e-3, 60.0, 4.0


def model_of(kind: str, neurons: int, hidden: int, seed: int) -> RBM:
    """Return a model with few strong and many weak weights, as trained ones have them."""
    generator = Generator.from_seed(seed, "couplings speed")
    model = random_model(kind, neurons, hidden, generator, visible_mean=-3.0, weight_std=1.0)
    strength = torch.exp(1.2 * generator.normal((neurons, hidden)) - 3.0)
    return RBM(model.visible, model.hidden, model.weights * strength)


def warm_up() -> None:
    for kind in ("bernoulli", "drelu"):
        small = model_of(kind, 60, 8, 0)
        couplings(small, 2, check=False)
        low_rank_couplings(small)


def dense() -> list[tuple[bool, str]]:
    warm_up()
    model = model_of("bernoulli", 1560, 500, 1)
    began = time.monotonic()
    found = couplings(model, 2, "uniform", check=False)
    seconds = time.monotonic() - began
    generator = Generator.from_seed(0, "pairs")
    pairs = generator.integers(1560, 600).reshape(-1, 2)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    law = InputLaw.of(Marginal.of(model), np.full(1560, 0.5))
    exact = 0.25 * tuple_differences(law, pairs)
    error = relative_error(found[pairs[:, 0], pairs[:, 1]], exact)
    return [
        (seconds <= PAIRS_S, f"all pairs of 1560 x 500: {seconds:.1f} s (at most {PAIRS_S:g})"),
        (error <= ERROR, f"relative error on {len(pairs)} pairs: {error:.1e} (at most {ERROR:g})"),
    ]


def large() -> list[tuple[bool, str]]:
    warm_up()
    model = model_of("drelu", 40_000, 200, 2)
    labels = [f"region {n}" for n in Generator.from_seed(3, "labels").integers(72, 40_000)]
    regions = Regions.from_labels(labels)
    began = time.monotonic()
    found = low_rank_couplings(model, "uniform")
    factors = time.monotonic() - began
    maps = region_maps(found, regions)
    mapped = time.monotonic() - began
    partners, values = top_partners(found, 100)
    seconds = time.monotonic() - began
    gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    # a few rows against direct quadrature, so that the speed is not that of something else
    rows = np.repeat(np.arange(0, 40_000, 8000), 20)
    pairs = np.column_stack((rows, partners[::8000, :20].ravel()))
    law = InputLaw.of(Marginal.of(model), np.full(40_000, 0.5))
    error = relative_error(values[::8000, :20].ravel(), 0.25 * tuple_differences(law, pairs))
    return [
        (
            seconds <= LARGE_S,
            f"40,000 x 200, map of {len(maps.names)} regions and top {partners.shape[1]}: "
            f"{seconds:.1f} s (at most {LARGE_S:g}; factors {factors:.1f}, map "
            f"{mapped - factors:.1f}, partners {seconds - mapped:.1f})",
        ),
        (gib <= LARGE_GIB, f"largest memory of the process {gib:.2f} GiB (at most {LARGE_GIB:g})"),
        (error <= 0.01, f"relative error of {len(pairs)} strongest partners: {error:.1e}"),
    ]


def main() -> int:
    parts = {"dense": dense, "large": large}
    if len(sys.argv) > 1:
        for holds, text in parts[sys.argv[1]]():
            print(f"{text}: {'yes' if holds else 'NO'}")
        return 0
    lines = [f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"]
    for part in parts:
        # a process each: the memory is that of the part alone
        told = subprocess.run(
            [sys.executable, __file__, part], check=True, capture_output=True, text=True
        )
        lines += told.stdout.splitlines()
    print("\n".join(lines))
    OUTPUT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return int(any(line.endswith("NO") for line in lines))


if __name__ == "__main__":
    sys.exit(main())
