"""Every hyperparameter of a training in one validated, hashable object, and the named recipes."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import field_validator, model_validator

from boltzbrain.foundations.checks import bad_input, one_of
from boltzbrain.foundations.options import Options, setting
from boltzbrain.training.anchor import Anchor, require_no_other
from boltzbrain.training.chains.names import require_together, with_what_moves
from boltzbrain.training.context.names import in_order, require_fitting, with_number_of_states
from boltzbrain.training.kinds import hidden_kinds, require_scale
from boltzbrain.training.presets import PRESETS as PRESETS
from boltzbrain.training.schedule import RATES, decayed, kept_updates, last_rate

if TYPE_CHECKING:
    from boltzbrain.training.update.penalties import Penalties


class TrainingPlan(Options):
    """What `training.train` does, from the first update to the last.

    It is the recipe that it names: a field that is not given has the recipe's value. Where only the
    first learning rate is given, the recipe's ratio of the last to the first holds; where `l1` is
    given, no other penalty is tried. Rates and penalties are per update of the mean log-likelihood
    of a bin (nats). The L1 and L2 penalties apply to the weights only:
    l1 * sum |w| + l2 / 2 * sum w**2.
    """

    noun: ClassVar[str] = "a hyperparameter of the plan"
    group: ClassVar[str] = "Model and training"
    takes_text: ClassVar[bool] = True

    preset: str = setting(
        "binary",
        f"recipe that the plan starts from: {', '.join(f'`{name}`' for name in PRESETS)}",
        flag="--preset",
        metavar="NAME",
    )
    hidden: int = setting(100, "number of hidden units", flag="--hidden", metavar="N", ge=1)
    hidden_kind: str = setting("bernoulli", "kind of the hidden units", names=hidden_kinds)
    anchor: Anchor | None = setting(
        None,
        "hidden samples of another model that those of this one are drawn to, see `Anchor`",
        none="none",
    )
    fixed_precisions: bool = setting(False, "precisions of hidden units stay as they begin")
    context: str | None = setting(
        None,
        "what gives every bin an offset of the fields: `past`, `trial`, `epoch`, `assemblies`, "
        "`behaviour:NAME` (a column of the trials or a covariate), or several with commas; or "
        "`states:K`, K hidden states",
        none="nothing",
        flag="--context",
        metavar="NAME,...",
    )
    context_hidden: bool = setting(
        False, "let epochs, places in the trial and behaviour move the hidden fields, too"
    )
    states: int = setting(
        8, "number of hidden states, with the context `states` (`states:8` says both)", ge=1, le=64
    )
    past_lags: int = setting(
        1, "last bins that the context `past` sees one by one", unit="bins", ge=1, le=20
    )
    past_s: float | None = setting(
        0.1, "time constant of the running mean that it sees beside", unit="s", none="none", gt=0
    )
    past_axes: int | None = setting(
        None,
        "axes of greatest variance along which it sees all neurons",
        none="30; up to 300 neurons the validation bins choose these or all",
        ge=1,
    )
    self_history: int | None = setting(
        None,
        "own bins that move a neuron's field beside the context `assemblies`",
        unit="bins",
        none="2 of calcium traces, else 0",
        flag="--self-history",
        metavar="K",
        ge=0,
        le=100,
    )
    window: int = setting(
        50,
        "bins in a row that the gradient goes back through, with the context `assemblies`",
        unit="bins",
        flag="--window",
        metavar="L",
        ge=2,
    )
    seed: int = setting(0, "seed of every random stream", ge=0, lt=2**63)
    updates: int = setting(2000, "number of gradient steps at most", flag="--updates", ge=1)
    batch: int = setting(1000, "training bins per update", unit="bins", flag="--batch", ge=1)
    chains: int = setting(
        500, "persistent chains (with a context one for every bin)", flag="--chains", ge=2
    )
    sweeps: int = setting(5, "Gibbs sweeps of every chain per update", flag="--sweeps", ge=1)
    chains_by: Literal["gibbs", "moves", "trajectory"] = setting(
        "gibbs",
        "what moves the chains: `gibbs` sweeps, `moves` of single hidden units with all neurons "
        "beside them, or exchange with models along the `trajectory` of the training",
        flag="--chains-by",
        metavar="WHAT",
    )
    optimizer: Literal["sgd", "adam", "rmsprop"] = setting("sgd", "gradient rule")
    learning_rate: float = setting(0.5, "learning rate at the start", flag="--learning-rate", gt=0)
    final_learning_rate: float | None = setting(
        0.02,
        "rate at the last update, reached geometrically",
        none="constant",
        gt=0,
    )
    decay_from: float = setting(0.25, "share of updates before the decay", ge=0, le=1)
    potential_rate: float | None = setting(
        None,
        "learning rate of hidden potentials over that of weights, in steps of their natural size",
        none="that of weights, in plain steps",
        gt=0,
    )
    longest_step: float | None = setting(
        None,
        "longest step of a parameter in units of the learning rate, with adam and rmsprop",
        none="any",
        gt=0,
    )
    momentum: float = setting(0.0, "momentum of sgd, beta1 of adam", ge=0, lt=1)
    centred: bool = setting(True, "centred gradient")
    l1: float = setting(0.0, "L1 penalty on the weights", unit="nats per bin", flag="--l1", ge=0)
    l1_by_unit: bool = setting(
        False,
        "L1 penalty of a hidden unit in proportion to the sum of its absolute weights",
    )
    l1_warmup: float = setting(
        0.0,
        "share of updates over which the L1 penalty rises from 0",
        ge=0,
        le=1,
    )
    l1_choices: tuple[float, ...] | None = setting(
        None,
        "L1 penalties, rising, of which the validation fold chooses one",
        unit="nats per bin",
        none="`l1`",
    )
    l1_trial: float = setting(0.05, "share of updates with each of `l1_choices`", gt=0, lt=1)
    l2: float = setting(0.002, "L2 penalty on the weights", unit="nats per bin", flag="--l2", ge=0)
    normalised: bool = setting(
        False,
        "hold the activity of real-valued hidden units at mean 0, variance 1",
    )
    release: float = setting(
        0.0,
        "share of updates, the last, in which L1 holds weights at 0 but shrinks none, activity is "
        "not held and precisions rest",
        ge=0,
        le=1,
    )
    weights_from: Literal["noise", "data", "directions", "assemblies"] = setting(
        "noise",
        "first weights: noise, the independent components of the data, a few units fitted exactly "
        "along its principal directions, or the components that are on or off",
    )
    assemblies: bool = setting(
        False,
        "train by the recipe `assemblies` where enough of what is significant is on or off",
    )
    averaging: float = setting(
        0.99,
        "decay per update of the running mean of the parameters",
        ge=0,
        lt=1,
    )
    weight_std: float = setting(0.01, "standard deviation of the first weights", ge=0)
    checkpoints: int = setting(26, "number of log-spaced checkpoints", ge=1, le=10_000)
    score_every: int | None = setting(
        100,
        "updates between two running validation scores",
        unit="updates",
        none="no running ones",
        ge=1,
    )
    late_restarts: int = setting(
        0,
        "times that a training which has not converged at its end goes back to half of it, with "
        "smaller steps",
        ge=0,
    )
    patience: int | None = setting(
        None,
        "updates without a better validation score before the end",
        unit="updates",
        none="to the last update",
        ge=1,
    )
    ais_chains: int = setting(300, "chains of the likelihood estimate", ge=10)
    ais_rungs: int = setting(300, "rungs of the likelihood estimate", ge=2)

    @model_validator(mode="before")
    @classmethod
    def _as_the_recipe(cls, given: Any) -> Any:
        """Fill in what the recipe says of the fields that are not given."""
        if not isinstance(given, dict):
            return given
        given = with_number_of_states(given)
        recipe = dict(PRESETS.get(str(given.get("preset")), {}))
        usual = {name: cls.model_fields[name].default for name in RATES}
        recipe |= last_rate({**usual, **recipe}, given)
        if "l1" in given:
            # who gives the penalty does not want another
            recipe["l1_choices"] = None
        if given.get("context") is not None:
            # there is no one log Z to follow
            recipe["score_every"] = None
            # with neurons as many as that, its moves know no context
            recipe["assemblies"] = False
        return {**with_what_moves(recipe, given), **given}

    @field_validator("context")
    @classmethod
    def _known_contexts(cls, value: str | None) -> str | None:
        return None if value is None else in_order(value)

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
    def _fit_together(self) -> Self:
        if self.normalised:
            require_scale(self.hidden_kind)
        if self.anchor is not None:
            require_no_other(self.model_dump())
        if self.context is not None:
            usual = type(self).model_fields["chains"].default
            require_fitting(self.model_dump(), PRESETS.get(self.preset, {}).get("chains", usual))
        require_together(self.model_dump())
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

    @property
    def contexts(self) -> tuple[str, ...]:
        """Names of the contexts, in the order in which they are fitted."""
        return () if self.context is None else tuple(self.context.split(","))

    @property
    def context_told(self) -> str | None:
        """The context as it is typed, the number of hidden states with it."""
        return f"states:{self.states}" if self.context == "states" else self.context

    def rate_at(self, update: int) -> float:
        """Return the learning rate of an update, counted from 1."""
        first = max(self.decay_from * self.updates, self.trial_updates)
        if self.final_learning_rate is None or update <= first:
            return self.learning_rate
        share = (update - first) / max(self.updates - first, 1.0)
        return decayed(self.learning_rate, self.final_learning_rate, share)

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
        from boltzbrain.training.update.penalties import Penalties

        l1 = self.l1_at(update, chosen)
        return Penalties(l1, self.l2, self.l1_by_unit, released=self.released_at(update))

    def checkpoint_updates(self) -> list[int]:
        """Return the updates after which a checkpoint is kept: log-spaced, and the last.

        Where the L1 penalty is chosen, one is kept after each trial, and the others come after
        them: the first a trial's length later, and log-spaced by the updates since.
        """
        return kept_updates(self.updates, self.checkpoints, self.trial_updates, self.trial_length)

    def require(self, **overrides: Any) -> Self:
        """Return this plan; refuse hyperparameters beside it that say something else.

        Parameters
        ----------
        overrides
            As in `make_plan`.

        Raises
        ------
        InputError
            If one is unknown, or has another value than the plan.
        """
        given = _given(overrides)
        other = type(self)(**{**self.model_dump(), **given})
        for name in given:
            mine, its = getattr(self, name), getattr(other, name)
            if mine != its:
                raise bad_input(
                    name, f"be left out beside a plan, or be what the plan says ({mine})", its
                )
        return self

    def digest(self) -> str:
        """Return the SHA-256 of the plan as hexadecimal text."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def make_plan(preset: str | None = None, **overrides: Any) -> TrainingPlan:
    """Return a recipe with some of its hyperparameters replaced.

    Parameters
    ----------
    preset
        One of `PRESETS`; that of the defaults of `TrainingPlan` if None.
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
    given = _given({"preset": preset, **overrides})
    if "preset" in given:
        one_of("preset", given["preset"], PRESETS)
    return TrainingPlan(**given)


def _given(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was given; the word "none" stands for None itself."""
    return {
        name: None if isinstance(value, str) and value == "none" else value
        for name, value in overrides.items()
        if value is not None
    }
