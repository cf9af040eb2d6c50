"""Every hyperparameter of a training in one validated, hashable object, and the named recipes."""

from __future__ import annotations

import hashlib
import itertools
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from boltzbrain.foundations.checks import bad_input, closest, one_of
from boltzbrain.model.layers.layer import KINDS
from boltzbrain.training.update.penalties import Penalties


class TrainingPlan(BaseModel):
    """What `training.train` does, from the first update to the last.

    Rates and penalties are per update of the mean log-likelihood of a bin (nats). The L1 and L2
    penalties apply to the weights only: l1 * sum |w| + l2 / 2 * sum w**2.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    preset: str = Field("binary", description="name of the recipe that this plan started from")
    hidden: int = Field(100, ge=1, description="number of hidden units")
    hidden_kind: str = Field("bernoulli", description="kind of the hidden units")
    seed: int = Field(0, ge=0, lt=2**63, description="seed of every random stream")
    updates: int = Field(2000, ge=1, description="number of gradient steps at most")
    batch: int = Field(1000, ge=1, description="training bins per update")
    chains: int = Field(1000, ge=2, description="persistent chains")
    sweeps: int = Field(10, ge=1, description="Gibbs sweeps of every chain per update")
    optimizer: Literal["sgd", "adam", "rmsprop"] = Field("sgd", description="gradient rule")
    learning_rate: float = Field(0.1, gt=0, description="learning rate at the start")
    final_learning_rate: float | None = Field(
        None, gt=0, description="rate at the last update, reached geometrically; none: constant"
    )
    decay_from: float = Field(0.25, ge=0, le=1, description="share of updates before the decay")
    potential_rate: float | None = Field(
        None,
        gt=0,
        description="learning rate of hidden potentials over that of weights, in steps of their "
        "natural size; none: that of weights, in plain steps",
    )
    longest_step: float | None = Field(
        None,
        gt=0,
        description="longest step of a parameter in units of the learning rate, with adam and "
        "rmsprop; none: any",
    )
    momentum: float = Field(0.0, ge=0, lt=1, description="momentum of sgd, beta1 of adam")
    centred: bool = Field(True, description="centred gradient")
    l1: float = Field(0.0, ge=0, description="L1 penalty on the weights")
    l1_by_unit: bool = Field(
        False,
        description="L1 penalty of a hidden unit in proportion to the sum of its absolute weights",
    )
    l1_warmup: float = Field(
        0.0, ge=0, le=1, description="share of updates over which the L1 penalty rises from 0"
    )
    l1_choices: tuple[float, ...] | None = Field(
        None,
        description="L1 penalties, rising, of which the validation fold chooses one; none: `l1`",
    )
    l1_trial: float = Field(
        0.05, gt=0, lt=1, description="share of updates with each of `l1_choices`"
    )
    l2: float = Field(0.0, ge=0, description="L2 penalty on the weights")
    normalised: bool = Field(
        False, description="hold the activity of real-valued hidden units at mean 0, variance 1"
    )
    release: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of updates, the last, in which L1 holds weights at 0 but shrinks none, "
        "activity is not held and precisions rest",
    )
    weights_from: Literal["noise", "data"] = Field(
        "noise", description="first weights: noise, or the independent components of the data"
    )
    averaging: float = Field(
        0.0, ge=0, lt=1, description="decay per update of the running mean of the parameters"
    )
    weight_std: float = Field(0.01, ge=0, description="standard deviation of the first weights")
    checkpoints: int = Field(30, ge=1, description="number of log-spaced checkpoints")
    score_every: int | None = Field(
        25, ge=1, description="updates between two running validation scores; none: no running ones"
    )
    late_restarts: int = Field(
        0,
        ge=0,
        description="times that a training which has not converged at its end goes back to half of "
        "it, with smaller steps",
    )
    patience: int | None = Field(
        None, ge=1, description="updates without a better validation score before the end"
    )
    ais_chains: int = Field(500, ge=10, description="chains of the likelihood estimate")
    ais_rungs: int = Field(500, ge=2, description="rungs of the likelihood estimate")

    @field_validator("l1_choices", mode="before")
    @classmethod
    def _numbers(cls, value: Any) -> Any:
        """Take "0.001,0.002", as the command line gives it."""
        return tuple(value.split(",")) if isinstance(value, str) else value

    @field_validator("l1_choices")
    @classmethod
    def _rising(cls, value: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if value is None:
            return None
        rising = all(low < high for low, high in itertools.pairwise((0.0, *value)))
        if not value or not rising:
            raise ValueError("be penalties above 0, each larger than the one before")
        return value

    @model_validator(mode="after")
    def _known_kind(self) -> Self:
        one_of("hidden_kind", self.hidden_kind, sorted(KINDS))
        if self.normalised and not KINDS[self.hidden_kind].scale_powers:
            real = ", ".join(sorted(kind for kind, layer in KINDS.items() if layer.scale_powers))
            raise bad_input("hidden_kind", f"be one of {real} to be normalised", self.hidden_kind)
        if self.trial_updates >= self.updates:
            count = len(self.l1_choices or ())
            raise bad_input("l1_trial", f"leave updates after {count} trials", self.l1_trial)
        if self.final_learning_rate is not None and self.final_learning_rate > self.learning_rate:
            raise bad_input(
                "final_learning_rate",
                f"be at most learning_rate ({self.learning_rate:g})",
                self.final_learning_rate,
            )
        return self

    def rate_at(self, update: int) -> float:
        """Return the learning rate of an update, counted from 1."""
        first = max(self.decay_from * self.updates, self.trial_updates)
        if self.final_learning_rate is None or update <= first:
            return self.learning_rate
        progress = (update - first) / max(self.updates - first, 1.0)
        ratio = self.final_learning_rate / self.learning_rate
        return float(self.learning_rate * ratio ** min(progress, 1.0))

    def released_at(self, update: int) -> bool:
        """Return whether an update, counted from 1, is among the last, released ones."""
        return update > (1.0 - self.release) * self.updates

    def holds_at(self, update: int) -> bool:
        """Return whether an update, counted from 1, holds the hidden activity."""
        return self.normalised and not self.released_at(update)

    @property
    def trial_length(self) -> int:
        """Number of updates with each of `l1_choices`."""
        return max(1, round(self.l1_trial * self.updates))

    @property
    def trial_updates(self) -> int:
        """Number of updates that choose the L1 penalty."""
        return self.trial_length * len(self.l1_choices or ())

    def l1_at(self, update: int, chosen: float | None = None) -> float:
        """Return the L1 penalty of an update, counted from 1.

        Parameters
        ----------
        update
            The update.
        chosen
            The penalty that the validation fold chose, if it has.
        """
        if chosen is not None:
            return chosen
        if self.l1_choices is not None:
            return self.l1_choices[min((update - 1) // self.trial_length, len(self.l1_choices) - 1)]
        last = self.l1_warmup * self.updates
        return self.l1 if update >= last else self.l1 * update / last

    def penalties_at(self, update: int, chosen: float | None = None) -> Penalties:
        """Return the penalties of an update; parameters as in `l1_at`."""
        l1 = self.l1_at(update, chosen)
        return Penalties(l1, self.l2, self.l1_by_unit, released=self.released_at(update))

    def checkpoint_updates(self) -> list[int]:
        """Return the updates after which a checkpoint is kept: log-spaced, and the last.

        Where the L1 penalty is chosen, one is kept after each trial, and the others come after
        them: the first a trial's length later, and log-spaced by the updates since.
        """
        count, trials = self.checkpoints, self.trial_updates
        after = self.updates - trials
        first = min(self.trial_length, after) if trials else 1
        steps = (
            {after}
            if count == 1
            else {
                round(first * (after / first) ** (number / (count - 1))) for number in range(count)
            }
        )
        ends = set(range(self.trial_length, trials + 1, self.trial_length))
        return sorted({trials + step for step in steps} | ends)

    def digest(self) -> str:
        """Return the SHA-256 of the plan as hexadecimal text."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


PRESETS: dict[str, dict[str, Any]] = {
    "binary": {
        "hidden": 100,
        "updates": 2000,
        "batch": 1000,
        "chains": 500,
        "sweeps": 5,
        "learning_rate": 0.5,
        "final_learning_rate": 0.02,
        "l2": 0.002,
        "averaging": 0.99,
        "score_every": 100,
        "checkpoints": 26,
        "ais_chains": 300,
        "ais_rungs": 300,
    },
    "bereux2026": {
        "hidden": 100,
        "updates": 10_000,
        "batch": 2000,
        "chains": 2000,
        "sweeps": 100,
        "learning_rate": 0.01,
        "checkpoints": 50,
        "ais_chains": 1000,
        "ais_rungs": 5000,
    },
    "compositional": {
        "hidden": 100,
        "hidden_kind": "drelu",
        "normalised": True,
        "release": 0.5,
        "weights_from": "data",
        "updates": 6000,
        "batch": 400,
        "chains": 100,
        "sweeps": 15,
        "optimizer": "rmsprop",
        "learning_rate": 5e-3,
        "final_learning_rate": 2e-4,
        "potential_rate": 5.0,
        "longest_step": 3.0,
        "averaging": 0.998,
        "l1": 6e-3,
        "l1_by_unit": True,
        "l1_warmup": 0.2,
        "l1_choices": (6e-3, 0.01, 0.016),
        "l1_trial": 0.04,
        "checkpoints": 10,
        "late_restarts": 2,
        "score_every": 100,
        "ais_chains": 200,
        "ais_rungs": 300,
    },
    "vanderplas2023": {
        "hidden": 200,
        "hidden_kind": "drelu",
        "normalised": True,
        "updates": 200_000,
        "batch": 100,
        "chains": 100,
        "sweeps": 15,
        "optimizer": "rmsprop",
        "learning_rate": 5e-3,
        "final_learning_rate": 1e-5,
        "l1": 0.02,
        "checkpoints": 50,
        "score_every": 100,
    },
}
"""Recipe name to the fields in which it differs from the defaults of `TrainingPlan`."""


def make_plan(preset: str = "binary", **overrides: Any) -> TrainingPlan:
    """Return a recipe with some of its hyperparameters replaced.

    Parameters
    ----------
    preset
        One of `PRESETS`.
    overrides
        Fields of `TrainingPlan`; those that are None keep the recipe's value, the word "none"
        stands for None itself.

    Raises
    ------
    InputError
        If a name is unknown or a value out of range.

    Examples
    --------
    >>> make_plan("binary", hidden=50).hidden
    50
    """
    one_of("preset", preset, PRESETS)
    given = {
        name: None if value == "none" else value
        for name, value in overrides.items()
        if value is not None
    }
    known = TrainingPlan.model_fields
    for name in given:
        if name not in known:
            raise bad_input(
                name, "be a hyperparameter of the plan", name, suggestion=closest(name, known)
            )
    try:
        recipe = _rescaled(PRESETS[preset], given)
        if "l1" in given and "l1_choices" not in given:
            # who gives the penalty does not want another
            recipe = {**recipe, "l1_choices": None}
        return TrainingPlan(**{**recipe, **given, "preset": preset})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "plan"
        raise bad_input(name, _requirement(first["msg"]), first["input"]) from None


def _rescaled(recipe: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Keep the recipe's ratio of the last to the first learning rate where only one is given."""
    last, first = recipe.get("final_learning_rate"), given.get("learning_rate")
    if last is None or "final_learning_rate" in given or not isinstance(first, (int, float, str)):
        return recipe
    try:
        return {**recipe, "final_learning_rate": last * float(first) / recipe["learning_rate"]}
    except ValueError:
        return recipe


def _requirement(message: str) -> str:
    """Turn pydantic's 'Input should be ...' into the end of 'NAME must ...'."""
    return message.replace("Input should be", "be", 1).replace("Value error, ", "", 1)
