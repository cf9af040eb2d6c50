"""An RBM of each hidden kind, trained on exact samples of a small one, becomes as good as it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from boltzbrain.data.activity import Activity
from boltzbrain.data.recording import neuron_table
from boltzbrain.data.steps import Source
from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.layer import KINDS
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.enumeration import exact_log_partition, exact_samples
from boltzbrain.sampling.synthetic import random_model
from boltzbrain.training.plan import make_plan
from boltzbrain.training.train import train
from helpers.enumeration import exact_distribution

BOUND = 0.02
"""Nats per sample."""

PLAN: dict[str, Any] = {
    "hidden": 3, "batch": 400, "chains": 200, "sweeps": 2, "weight_std": 0.1, "checkpoints": 3,
    "ais_chains": 10, "ais_rungs": 5, "l2": 0.0, "averaging": 0.98,
}  # fmt: skip


def teacher(kind: str) -> RBM:
    # seeds and weights with which the units depend on each other, without being one pattern
    strength = 0.6 if KINDS[kind].scale_powers else 1.0
    seed = 9 if kind == "drelu" else 7
    return random_model(kind, 10, 2, Generator.from_seed(seed, kind), weight_std=strength)


def activity_of(states: np.ndarray) -> Activity:
    bins, neurons = states.shape
    return Activity(
        states=states,
        bin_width_s=0.02,
        segment=np.zeros(bins, dtype=np.int32),
        fold=np.zeros(bins, dtype=np.int8),
        neurons=neuron_table([str(number) for number in range(neurons)]),
        regions={},
        steps=(),
        source=Source("memory", "memory", ""),
    )


def loss(model: RBM, student: RBM) -> float:
    """Return how many nats per sample the student is worse than the teacher, enumerated."""
    states, log_shares = exact_distribution(model)
    nats = [-one.free_energy(states) - exact_log_partition(one) for one in (model, student)]
    return float(log_shares.exp() @ (nats[0] - nats[1]))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_student_reaches_the_teacher(kind: str, tmp_path: Path) -> None:
    """The bound on the mean over the teacher's own law; the first model must miss it."""
    model = teacher(kind)
    states = exact_samples(model, 8000, Generator.from_seed(8, kind)).to(torch.uint8).numpy()
    real = bool(KINDS[kind].scale_powers)
    rule: dict[str, Any] = (
        {"optimizer": "rmsprop", "learning_rate": 0.02, "final_learning_rate": 0.001}
        if real
        else {"learning_rate": 1.0, "final_learning_rate": 0.02}
    )
    plan = make_plan(
        **PLAN, **rule, hidden_kind=kind, normalised=real, updates=600 if real else 500
    )
    run = train(activity_of(states), plan, tmp_path / "run")
    assert loss(model, run.best) < BOUND
    assert loss(model, run.load(1).model) > 2 * BOUND
