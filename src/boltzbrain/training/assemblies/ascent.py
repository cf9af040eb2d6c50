"""One gradient step of a model whose weights are a product of members and small corrections."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.dispatch import contrast, mean_states
from boltzbrain.model.layers.layer import Answers
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.gibbs import Chains
from boltzbrain.training.assemblies.factors import Factors
from boltzbrain.training.plan import TrainingPlan
from boltzbrain.training.update.gradient import with_parameters
from boltzbrain.training.update.optimiser import Optimiser

_FIRST_NATURAL, _LAST_NATURAL = 0.05, 0.003
"""Share of the way of a natural step, at the first and the last learning rate."""
_RIDGE, _LONGEST = 0.02, 0.3
"""Part of the variances added to the covariance of the two halves; longest natural step."""
_FORGET = 0.05
"""Share of an update in the running covariance."""
_SETTLING, _LEAST_VARIANCE = 0.1, 1e-4
"""Share of the way of a step that settles; least variance of a neuron given the units."""
_SLIGHT = 1e-4
"""Part of the variances added in the regression on halves: members add up, so little is much."""
_DATA = "members"
_SIDES = ("field_plus", "field_minus")


class FactoredAscent:
    """Live parameters and what moves them: members and fields by steps, potentials by natural ones.

    In `settle` fields take natural steps, too. Precisions rest: with the weights free, nothing else
    fixes the scale of a hidden unit.

    Parameters
    ----------
    model
        dReLU hidden units, Bernoulli visible ones.
    factors
        Those of its weights.
    plan
        Learning rates, optimiser.

    Attributes
    ----------
    parameters
        ``members`` and the parameters of both layers, moved in place; averages are taken of these.
    mixing
        (unit, unit).
    """

    def __init__(self, model: RBM, factors: Factors, plan: TrainingPlan) -> None:
        self.plan, self.mixing = plan, factors.mixing.clone()
        self.support = factors.members != 0
        visible, hidden = model.visible.parameters(), model.hidden.parameters()
        self.parameters = {
            _DATA: factors.members.clone(),
            **{f"visible.{name}": value.clone() for name, value in visible.items()},
            **{f"hidden.{name}": value.clone() for name, value in hidden.items()},
        }
        moved = {name: self.parameters[name] for name in (_DATA, "visible.field")}
        self.optimiser = Optimiser(moved, plan.optimizer, plan.momentum, plan.longest_step)
        self.covariance = torch.zeros((len(model.hidden), 2, 2), dtype=torch.float64)
        self.model = self.built(self.parameters, like=model)

    @property
    def factors(self) -> Factors:
        """The members and the mixing as they stand."""
        return Factors(self.parameters[_DATA], self.mixing)

    def built(self, parameters: Mapping[str, Tensor], like: RBM | None = None) -> RBM:
        """Return the model of such parameters at the present mixing."""
        weights = parameters[_DATA] @ self.mixing
        return with_parameters(
            self.model if like is None else like, {**parameters, "weights": weights}
        )

    def put(self, parameters: Mapping[str, Tensor]) -> None:
        """Go to such parameters at the present mixing."""
        for name, value in parameters.items():
            self.parameters[name].copy_(value)
        self.model = self.built(self.parameters)

    def step(
        self, batch: Tensor, chains: Tensor, update: int, generator: Generator, divisor: float
    ) -> None:
        """Move the parameters by the gradient of one batch of data against the chains.

        Parameters
        ----------
        batch, chains
            (bin, neuron) and (chain, neuron) uint8 states.
        update
            Number of this update, counted from 1.
        generator
            Moves on.
        divisor
            What the learning rate of the plan is divided by.
        """
        plan, hidden = self.plan, self.model.hidden
        whole = plan.rate_at(update)
        rate = whole / divisor
        inputs = tuple(self.model.inputs_to_hidden(one) for one in (batch, chains))
        data, model = (hidden.answers(one) for one in inputs)
        gradient = {
            _DATA: contrast(batch, data.mean / len(batch), chains, model.mean / len(chains)).mul_(
                self.support
            ),
            "visible.field": mean_states(batch, hidden.dtype) - mean_states(chains, hidden.dtype),
        }
        self.optimiser.step(gradient, dict.fromkeys(gradient, rate), {})
        self._move_potentials(inputs, data, model, self._natural_rate(whole), generator)

    def settle(self, batch: Tensor, chains: Chains, share: float, generator: Generator) -> None:
        """Move the fields of both layers together, members resting.

        Potentials take natural steps that do not fall; their mean is what settles. The fields of
        the neurons take theirs with all hidden units at once: what the units bring along is taken
        out of the neurons' part by the regression of <v | h> on both halves of every unit, and what
        the neurons' part adds to the law of the units is taken off their potentials. Each by itself
        would undo the other: hundreds of members add up.

        Parameters
        ----------
        batch
            (bin, neuron) uint8 states.
        chains
            Chains whose visible states were drawn given the hidden ones.
        share
            Of a whole step of the neurons' fields, from 0 to 1.
        generator
            Moves on.
        """
        model, hidden = self.model, self.model.hidden
        inputs = tuple(model.inputs_to_hidden(one) for one in (batch, chains.visible))
        data, drawn = (hidden.answers(one) for one in inputs)
        states = torch.cat([hidden.sample(inputs[0], generator), chains.hidden])
        bins = len(batch)
        given = model.mean_visible(states)
        halves = _halves(states.to(torch.float64)).flatten(1)
        brought = _regression(halves, given)
        apart = mean_states(batch, torch.float64) - given[bins:].mean(dim=0, dtype=torch.float64)
        apart -= (halves[:bins].mean(dim=0) - halves[bins:].mean(dim=0)) @ brought
        variance = (given * (1.0 - given)).mean(dim=0, dtype=torch.float64)
        step = share * _SETTLING * apart / variance.clamp(min=_LEAST_VARIANCE)
        self._add("visible.field", step)
        for side, change in zip(_SIDES, (brought @ step).reshape(-1, 2).T, strict=True):
            self._add(f"hidden.{side}", -change)
        self._move_potentials(inputs, data, drawn, _SETTLING, generator)

    def _add(self, name: str, change: Tensor) -> None:
        value = self.parameters[name]
        value.add_(change.to(value.dtype))

    def _move_potentials(
        self,
        inputs: tuple[Tensor, ...],
        data: Answers,
        model: Answers,
        rate: float,
        generator: Generator,
    ) -> None:
        """Move the potentials by what data and model answer, and build the model anew."""
        states = torch.cat([self.model.hidden.sample(one, generator) for one in inputs])
        apart = {name: data.statistics[name] - model.statistics[name] for name in data.statistics}
        self._natural_step(states.to(torch.float64), apart, rate)
        self.model = self.built(self.parameters)

    def _natural_step(self, states: Tensor, apart: Mapping[str, Tensor], rate: float) -> None:
        """Move the fields of both halves of every unit a share of their way, in their metric."""
        halves = _halves(states)
        halves = halves - halves.mean(dim=0)
        now = torch.einsum("suk,sul->ukl", halves, halves) / len(halves)
        self.covariance = (
            now if not bool(self.covariance.any()) else self.covariance.lerp(now, _FORGET)
        )
        own = torch.diagonal(self.covariance, dim1=1, dim2=2)
        metric = self.covariance + torch.diag_embed(_RIDGE * own + 1e-6)
        slope = torch.stack([apart[name] for name in _SIDES], dim=1).to(torch.float64)
        step = rate * torch.linalg.solve(metric, slope[:, :, None])[:, :, 0]
        length = torch.einsum("uk,ukl,ul->u", step, self.covariance, step).sqrt()
        step *= (_LONGEST / length.clamp(min=_LONGEST))[:, None]
        for side, name in enumerate(_SIDES):
            self._add(f"hidden.{name}", step[:, side])

    def _natural_rate(self, rate: float) -> float:
        """Return the share of the way of a natural step: it falls as the learning rate does."""
        plan = self.plan
        last = plan.learning_rate if plan.final_learning_rate is None else plan.final_learning_rate
        if last >= plan.learning_rate:
            return _FIRST_NATURAL
        fallen = (
            torch.tensor(rate / plan.learning_rate).log()
            / torch.tensor(last / plan.learning_rate).log()
        )
        return float(_FIRST_NATURAL * (_LAST_NATURAL / _FIRST_NATURAL) ** float(fallen))

    def remix(self, change: Tensor, batch: Tensor, chains: Tensor) -> dict[str, Tensor]:
        """Change the mixing, and the fields so that neither layer's mean inputs move.

        Parameters
        ----------
        change
            (unit, unit).
        batch, chains
            As of `step`.

        Returns
        -------
        dict
            What was added to each parameter.
        """
        members = self.parameters[_DATA]
        mean_hidden = self.model.mean_hidden(batch).mean(dim=0)
        to_hidden = (mean_states(chains, members.dtype) @ members) @ change
        moved = {
            "visible.field": -(members @ (change @ mean_hidden)),
            "hidden.field_plus": -to_hidden,
            "hidden.field_minus": to_hidden,
        }
        for name, value in moved.items():
            self.parameters[name].add_(value)
        self.mixing = self.mixing + change
        self.model = self.built(self.parameters)
        return moved

    def tensors(self) -> dict[str, Tensor]:
        """Return all that a checkpoint needs beside the model, name to tensor."""
        return {
            **self.optimiser.tensors(),
            "factors/members": self.parameters[_DATA],
            "factors/mixing": self.mixing,
            "natural/covariance": self.covariance,
        }

    @classmethod
    def restored(
        cls, model: RBM, tensors: Mapping[str, Tensor], plan: TrainingPlan
    ) -> FactoredAscent:
        """Put back what `tensors` gave."""
        factors = Factors(tensors["factors/members"], tensors["factors/mixing"])
        ascent = cls(model, factors, plan)
        ascent.optimiser.restore(tensors)
        ascent.covariance = tensors["natural/covariance"].clone()
        return ascent


def _halves(states: Tensor) -> Tensor:
    """Return max(h, 0) and max(-h, 0), (sample, unit, half)."""
    return torch.stack([states.clamp(min=0.0), (-states).clamp(min=0.0)], dim=-1)


def _regression(halves: Tensor, given: Tensor) -> Tensor:
    """Return the slopes of (sample, neuron) values on (sample, half) ones, (half, neuron)."""
    centred = halves - halves.mean(dim=0)
    covariance = centred.T @ centred
    covariance += torch.diag(_SLIGHT * covariance.diagonal() + 1e-6 * len(halves))
    along = centred.to(given.dtype).T @ given
    slopes: Tensor = torch.linalg.solve(covariance, along.to(torch.float64))
    return slopes
