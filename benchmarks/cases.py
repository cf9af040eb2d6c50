"""The models and states that are timed."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor

from boltzbrain.data.activity import Activity
from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.layers.rectified import DReLU
from boltzbrain.model.rbm import RBM
from boltzbrain.readers.detect import read

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "steinmetz"


def states(samples: int, units: int, density: float, name: str) -> Tensor:
    """Return independent states (sample, unit), uint8."""
    uniform = Generator.from_seed(0, "states", name).uniform((samples, units), torch.float32)
    return (uniform < density).to(torch.uint8)


def bernoulli_model(visible: int, hidden: int, density: float) -> RBM:
    """Return a binary RBM whose visible units keep about the given density, hidden ones 1/2."""
    weights = 0.02 * Generator.from_seed(0, "weights").normal((visible, hidden))
    weights = weights - weights.mean(dim=1, keepdim=True)
    field = torch.full((visible,), math.log(density / (1 - density)))
    return RBM(Bernoulli(field), Bernoulli(torch.zeros(hidden)), weights)


def drelu_model(visible: int, hidden: int, density: float, zeros: float) -> RBM:
    """Return a dReLU RBM; a share `zeros` of its weights is exactly 0."""
    generator = Generator.from_seed(0, "weights")
    weights = 0.01 / (1.0 - zeros) ** 0.5 * generator.normal((visible, hidden))
    kept = generator.uniform((visible, hidden), torch.float32) >= zeros
    field = torch.full((visible,), math.log(density / (1 - density)))
    return RBM(Bernoulli(field), DReLU.standard(hidden), weights * kept)


def session10(column: str = "split0") -> Activity:
    """Return the activity of session 10 of Steinmetz et al. 2019 in 20 ms bins, with its folds."""
    recording = read(DATA / "session10.npz")
    folds = f"{DATA / 'session10_folds.csv'}:{column}"
    return recording.binarize(bin_ms=20).split(folds=folds)
