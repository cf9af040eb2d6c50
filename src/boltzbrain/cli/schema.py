"""Every option as JSON Schema, for a program that asks people for them."""

from __future__ import annotations

from typing import Any

from boltzbrain.foundations.options import Options
from boltzbrain.interpretation.choices import Choices
from boltzbrain.pages.plates.choices import FigureChoices
from boltzbrain.preparing.preparation import Preparation
from boltzbrain.training.plan import PRESETS, TrainingPlan, make_plan

MODELS: dict[str, type[Options]] = {
    "preparation": Preparation,
    "training": TrainingPlan,
    "interpretation": Choices,
    "figures": FigureChoices,
}


def schema() -> dict[str, Any]:
    """Return the JSON Schema of each model, and the values of each recipe of the training.

    Beside the words of JSON Schema a property may have `unit`, `option` (its spelling on the
    command line), `group`, `names` (the allowed words) and `null` (what null stands for).
    """
    return {
        **{name: model.model_json_schema() for name, model in MODELS.items()},
        "presets": {name: make_plan(name).model_dump(mode="json") for name in PRESETS},
    }
