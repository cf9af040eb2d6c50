"""Made-up scenes for the viewer."""

from __future__ import annotations

import numpy as np
import torch

from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.in_silico.kept_clamps import find_clamps
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.rbm import RBM
from boltzbrain.pages.viewer.scene import Frames, Scene


def make_scene(neurons=60, hidden=4, bins=90, seed=0, **changes):
    """Return a scene of assemblies that follow each other in three regions, with places."""
    generator = np.random.default_rng(seed)
    weights = np.zeros((neurons, hidden))
    for unit in range(hidden):
        weights[unit::hidden, unit] = 2.5
    model = RBM(
        Bernoulli(torch.full((neurons,), -3.0)),
        Bernoulli(torch.full((hidden,), -2.0)),
        torch.from_numpy(weights.astype(np.float32)),
    )

    def states(frames):
        on = generator.random((frames, hidden)) < 0.3
        p = 1 / (1 + np.exp(3.0 - on @ weights.T))
        return (generator.random((frames, neurons)) < p).astype(np.uint8)

    train, generated = states(max(200, bins)), states(300)
    third = bins // 3
    recorded = Frames(
        "recorded", "recorded", "Recorded.", states(bins), [third], timed=True,
        bands=[(0, third, 0), (third, bins - 10, 1)], band_names=["rest", "task"],
        bands_are="epoch",
    )  # fmt: skip
    drawn = Frames("generated", "generated", "Generated.", generated[:40], [], timed=False)
    fields = {
        "title": "made up.npz",
        "version": "1.2.3",
        "ids": [f"n{number}" for number in range(neurons)],
        "regions": [("CA1", "VISp", "")[number % 3] for number in range(neurons)],
        "xyz_um": generator.uniform(0, 900, (neurons, 3)) * (1.0, 0.6, 0.3),
        "rates": train.mean(axis=0),
        "model": model,
        "weights": weights,
        "membership": weights > 1,
        "strongest": np.argmax(weights, axis=1),
        "order": np.arange(hidden)[::-1],
        "rule": "effective",
        "partners": np.argsort(generator.random((neurons, neurons)), axis=1)[:, :5],
        "couplings": np.round(generator.normal(size=(neurons, 5)), 3),
        "frames": (recorded, drawn),
        "clamps": find_clamps(model, train, generated, Generator.from_seed(0)),
        "bin_width_s": 0.02,
    }
    return Scene(**{**fields, **changes})
