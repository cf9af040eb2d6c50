"""The named recipes of a training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "binary": {},
    "bereux2026": {
        "updates": 10_000,
        "batch": 2000,
        "chains": 2000,
        "sweeps": 100,
        "learning_rate": 0.01,
        "final_learning_rate": None,
        "l2": 0.0,
        "averaging": 0.0,
        "checkpoints": 50,
        "score_every": 25,
        "ais_chains": 1000,
        "ais_rungs": 5000,
    },
    "compositional": {
        "hidden_kind": "drelu",
        "updates": 6000,
        "batch": 400,
        "chains": 100,
        "sweeps": 15,
        "optimizer": "rmsprop",
        "learning_rate": 5e-3,
        "final_learning_rate": 2e-4,
        "potential_rate": 5.0,
        "longest_step": 3.0,
        "l1": 6e-3,
        "l1_by_unit": True,
        "l1_warmup": 0.2,
        "l1_choices": (6e-3, 0.01, 0.016),
        "l1_trial": 0.04,
        "l2": 0.0,
        "normalised": True,
        "release": 0.5,
        "weights_from": "data",
        "averaging": 0.998,
        "checkpoints": 10,
        "late_restarts": 2,
        "ais_chains": 200,
    },
    "vanderplas2023": {
        "hidden": 200,
        "hidden_kind": "drelu",
        "updates": 200_000,
        "batch": 100,
        "chains": 100,
        "sweeps": 15,
        "optimizer": "rmsprop",
        "learning_rate": 5e-3,
        "final_learning_rate": 1e-5,
        "l1": 0.02,
        "l2": 0.0,
        "normalised": True,
        "averaging": 0.0,
        "checkpoints": 50,
        "ais_chains": 500,
        "ais_rungs": 500,
    },
}
"""Recipe to the fields in which it differs from the defaults of `TrainingPlan`, those of binary."""
