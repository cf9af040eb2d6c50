"""The interface of a layer of units: what every kind answers.

A layer is a product of independent units given the input from the other layer. Its energy is linear
in its natural parameters, E(x) = -sum_k lambda_k T_k(x), so its log-partition
Gamma(I) = log integral exp(-E(x) + I x) dx is their cumulant function: d Gamma / d lambda_k = <T_k>
and d Gamma / d I = <x>. `inputs` are always the weighted sums from the other layer; the layer adds
its own field.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import ClassVar, NamedTuple, Self

import torch
from torch import Tensor

from boltzbrain.foundations.checks import bad_input, closest
from boltzbrain.foundations.random import Generator
from boltzbrain.foundations.showing.told import Brief

_STEP = 1e-3
"""Distance of the central differences of `Layer.responses`."""


class Answers(NamedTuple):
    """What the gradient of a likelihood takes of a layer, given inputs.

    Attributes
    ----------
    mean
        <h> given each input, (sample, unit).
    statistics
        Parameter name to its mean statistic, averaged over the samples, (unit,).
    """

    mean: Tensor
    statistics: dict[str, Tensor]


class Responses(NamedTuple):
    """How <h> and <h**2> of a layer move with its inputs and its parameters.

    Attributes
    ----------
    answers
        The layer's means themselves.
    by_input
        Derivatives of <h> and <h**2> by the input, (2, sample, unit).
    moments
        Averages over the samples of <h> and <h**2>, (2, unit) float64.
    by_shift
        Averages over the samples of `by_input`, (2, unit) float64.
    by_scale
        Averages of `by_input` times the input, (2, unit) float64.
    by_parameter
        Parameter name to the average derivatives by the parameter, (2, unit) float64.
    """

    answers: Answers
    by_input: Tensor
    moments: Tensor
    by_shift: Tensor
    by_scale: Tensor
    by_parameter: dict[str, Tensor]


KINDS: dict[str, type[Layer]] = {}
"""Every unit kind by name; a class that subclasses `Layer` enters itself."""


@dataclass(frozen=True, eq=False, repr=False)
class Layer(Brief, ABC):
    """Independent units of one kind; every field of the dataclass is a natural parameter (unit,).

    Values are checked when a layer is built from tensors, not when one is made from another layer
    (`to`, `mixed`, `with_parameters`): a trainer finds its own NaN and says so in its own words.

    Raises
    ------
    InputError
        If a parameter is not a finite floating tensor with one axis, if the shapes or types differ,
        or if one of `positive` is not above 0.
    """

    kind: ClassVar[str]
    state_dtype: ClassVar[torch.dtype | None] = None
    """Type of the states; None means that of the parameters."""
    input_shift: ClassVar[Mapping[str, float]]
    """How a constant added to every input enters the parameters: name to sign."""
    positive: ClassVar[frozenset[str]] = frozenset()
    """Names of the parameters that must be above 0 for the law to be normalised."""
    scale_powers: ClassVar[Mapping[str, int]] = {}
    """Powers p such that parameters divided by s**p are those of s x; empty for binary units."""
    signed: ClassVar[bool] = True
    """Whether states take both signs, so that a shift of the input can bring the mean to 0."""

    def __init_subclass__(cls) -> None:
        """Enter the kind into `KINDS`."""
        if "kind" in cls.__dict__:
            KINDS[cls.kind] = cls

    def __post_init__(self) -> None:
        """Refuse parameters of the wrong type, shape or value."""
        self._check_shapes()
        for name, value in self.parameters().items():
            positive = name in self.positive
            good = value.isfinite() & (value > 0) if positive else value.isfinite()
            if not bool(good.all()):
                first = int((~good).nonzero()[0])
                must = "be finite and above 0" if positive else "be finite"
                got = f"{value[first].item():g} at unit {first}"
                raise bad_input(f"{type(self).__name__}.{name}", must, got)

    def _check_shapes(self) -> None:
        first: Tensor | None = None
        for name, value in self.parameters().items():
            label = f"{type(self).__name__}.{name}"
            if not isinstance(value, Tensor) or not value.is_floating_point():
                got = str(value.dtype) if isinstance(value, Tensor) else type(value).__name__
                raise bad_input(label, "be a tensor of float32 or float64", got)
            if value.ndim != 1 or (first is not None and value.shape != first.shape):
                wanted = "(unit,)" if first is None else f"{tuple(first.shape)}"
                raise bad_input(label, f"have shape {wanted}", f"shape {tuple(value.shape)}")
            if first is not None and value.dtype != first.dtype:
                raise bad_input(label, f"be of {first.dtype} like the others", str(value.dtype))
            first = value

    @classmethod
    @cache
    def parameter_names(cls) -> tuple[str, ...]:
        """Return the names of the natural parameters of this kind."""
        return tuple(item.name for item in fields(cls))

    def parameters(self) -> dict[str, Tensor]:
        """Return the natural parameters by name, (unit,) each."""
        return {name: getattr(self, name) for name in self.parameter_names()}

    def with_parameters(self, parameters: Mapping[str, Tensor]) -> Self:
        """Return a layer of this kind with the given parameters in place of its own.

        Raises
        ------
        InputError
            If this kind has no parameter of a given name, or a shape or type does not fit.
        """
        known = self.parameters()
        other = copy.copy(self)
        for name, value in parameters.items():
            if name not in known:
                must = f"be a parameter of {self.kind} units: " + ", ".join(known)
                raise bad_input("parameter", must, name, suggestion=closest(name, known))
            object.__setattr__(other, name, value)
        other._check_shapes()
        return other

    def __len__(self) -> int:
        """Return the number of units."""
        return int(next(iter(self.parameters().values())).shape[0])

    @property
    def dtype(self) -> torch.dtype:
        """Floating type of the parameters."""
        return next(iter(self.parameters().values())).dtype

    @property
    def device(self) -> torch.device:
        """Device of the parameters."""
        return next(iter(self.parameters().values())).device

    def to(self, target: torch.dtype | torch.device | str) -> Self:
        """Return this layer in another floating type or on another device."""
        return self.with_parameters(
            {name: value.to(target) for name, value in self.parameters().items()}
        )

    def mixed(self, other: Self, t: float) -> Self:
        """Return the layer with parameters (1 - t) of this one plus t of the other.

        Raises
        ------
        InputError
            If the other layer is of another kind.
        """
        if type(other) is not type(self):
            raise bad_input("mixed layers", f"be of one kind ({self.kind})", other.kind)
        theirs = other.parameters()
        return self.with_parameters(
            {
                name: value if value is theirs[name] else (1 - t) * value + t * theirs[name]
                for name, value in self.parameters().items()
            }
        )

    def shifted(self, inputs: Tensor) -> Self:
        """Return the layer that behaves at input 0 as this one does at `inputs` (unit,)."""
        known = self.parameters()
        return self.with_parameters(
            {name: known[name] + sign * inputs for name, sign in self.input_shift.items()}
        )

    def flipped(self, units: Tensor) -> Self | None:
        """Return the layer of -x for the units where `units` (unit,) is True, and of x elsewhere.

        With the signs of these units' weights turned as well, an RBM keeps the law of its other
        layer. None if -x is not a state of this kind.
        """
        return None

    @classmethod
    def standard(cls, size: int, dtype: torch.dtype = torch.float32) -> Self:
        """Return the layer that a training starts from: no fields, precisions 1, (size,) units."""
        return cls(
            **{
                item.name: torch.full((size,), float(item.name in cls.positive), dtype=dtype)
                for item in fields(cls)
            }
        )

    def step_sizes(self) -> dict[str, Tensor]:
        """Return a length for a step of each parameter, (unit,): about 1 / sqrt(its information).

        A step of so many of these lengths means the same whatever the scale of the states; units
        without a scale have 1.
        """
        return {name: torch.ones_like(value) for name, value in self.parameters().items()}

    def energy(self, states: Tensor) -> Tensor:
        """Return -sum over units and parameters of parameter times statistic, (sample,) float64."""
        exact = self.to(torch.float64)
        statistics = exact.statistics(states)
        total = torch.zeros(len(states), dtype=torch.float64, device=states.device)
        for name, value in exact.parameters().items():
            total = total - statistics[name] @ value
        return total

    @abstractmethod
    def statistics(self, states: Tensor) -> dict[str, Tensor]:
        """Return -dE/dparameter, the sufficient statistics by name, (sample, unit) each."""

    @abstractmethod
    def mean_statistics(self, inputs: Tensor) -> dict[str, Tensor]:
        """Return d log_partition/dparameter, the mean statistics, (sample, unit) each."""

    @abstractmethod
    def log_partition(self, inputs: Tensor) -> Tensor:
        """Return Gamma(inputs) per unit, same shape as `inputs` (sample, unit)."""

    @abstractmethod
    def mean(self, inputs: Tensor) -> Tensor:
        """Return the mean state of each unit given inputs, same shape as `inputs`."""

    @abstractmethod
    def variance(self, inputs: Tensor) -> Tensor:
        """Return the variance of each unit given inputs, same shape as `inputs`."""

    def mean_of_statistics(self, states: Tensor) -> dict[str, Tensor]:
        """Return the mean over the samples of `statistics`, (unit,) each."""
        return {name: value.mean(dim=0) for name, value in self.statistics(states).items()}

    def answers(self, inputs: Tensor) -> Answers:
        """Return the means given inputs, and the mean statistics averaged over them."""
        statistics = self.mean_statistics(inputs)
        return Answers(
            self.mean(inputs), {name: value.mean(dim=0) for name, value in statistics.items()}
        )

    def responses(self, inputs: Tensor) -> Responses:
        """Return how <h> and <h**2> move with inputs (sample, unit) and parameters.

        By central differences of the means; kinds that know them in closed form say so. The
        derivatives by a parameter are the covariances of its statistic T with h and h**2,
        cov(T, h) = T' and cov(T, h**2) = T'' + 2 <h> T' with ' the derivative by the input.
        """
        exact, here = self.to(torch.float64), inputs.to(torch.float64)
        below, above = here - _STEP, here + _STEP
        low, centre, high = (exact.mean_statistics(place) for place in (below, here, above))
        mean = exact.mean(here)
        squares = [exact.variance(place) + exact.mean(place) ** 2 for place in (below, here, above)]
        by_input = torch.stack([exact.variance(here), (squares[2] - squares[0]) / (2 * _STEP)])
        by_parameter = {}
        for name in exact.parameters():
            slope = (high[name] - low[name]) / (2 * _STEP)
            bend = (high[name] - 2 * centre[name] + low[name]) / _STEP**2
            by_parameter[name] = torch.stack([slope, bend + 2 * mean * slope]).mean(dim=1)
        return Responses(
            self.answers(inputs),
            by_input.to(self.dtype),
            torch.stack([mean, squares[1]]).mean(dim=1),
            by_input.mean(dim=1),
            (here * by_input).mean(dim=1),
            by_parameter,
        )

    @abstractmethod
    def sample(self, inputs: Tensor, generator: Generator) -> Tensor:
        """Draw a state of each unit given inputs (sample, unit), in `state_dtype`."""

    @abstractmethod
    def all_states(self) -> Tensor | None:
        """Return the values that one unit can take, (value,), or None for a continuous unit."""
