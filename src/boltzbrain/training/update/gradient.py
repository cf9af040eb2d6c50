"""One gradient step of the log-likelihood: moments of data against moments of chains."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from boltzbrain.kernels.dispatch import contrast
from boltzbrain.model.layers.layer import Layer
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM, Moments
from boltzbrain.training.plan import TrainingPlan
from boltzbrain.training.update.anchored import mixed, moments_of_hidden
from boltzbrain.training.update.normalisation import Constraint, retracted, tangent_pull
from boltzbrain.training.update.optimiser import Optimiser

HOLD = 0.1
"""Share of the distance to mean 0 and variance 1, over one batch, that an update takes back."""
LEAST_PRECISION = 1e-3
"""Floor under the precisions of hidden units, far below those of normalised activity."""


def parameters_of(model: RBM) -> dict[str, Tensor]:
    """Return all parameters of a model by name: visible.*, hidden.*, weights."""
    return {
        **{f"visible.{name}": value for name, value in model.visible.parameters().items()},
        **{f"hidden.{name}": value for name, value in model.hidden.parameters().items()},
        "weights": model.weights,
    }


def with_parameters(model: RBM, parameters: Mapping[str, Tensor]) -> RBM:
    """Return a model of the same kinds that holds the given tensors."""

    def layer(part: Layer, prefix: str) -> Layer:
        return part.with_parameters({name: parameters[prefix + name] for name in part.parameters()})

    return RBM(
        layer(model.visible, "visible."), layer(model.hidden, "hidden."), parameters["weights"]
    )


def log_likelihood_gradient(
    model: RBM,
    data: Moments,
    chains: Moments,
    *,
    centred: bool,
    pull: Tensor | None = None,
    anchored: tuple[Moments, float] | None = None,
    out: Tensor | None = None,
) -> dict[str, Tensor]:
    """Return the ascent direction of the mean log-likelihood, by parameter name.

    With `centred` it is the centred gradient (Melchior, Fischer and Wiskott, JMLR 17:99, 2016):
    the weights see v - mu and h - lambda, with mu and lambda the data means, and the fields are
    corrected so that the step is the one of the centred parametrisation,

        dW = <(v - mu)(h - lambda)>_data - <(v - mu)(h - lambda)>_chains
           = <v (h - lambda - <h>_data + <h>_chains)>_data - <v (h - lambda)>_chains
        db = <v>_data - <v>_chains - dW lambda,   dc = <h>_data - <h>_chains - dW^T mu.

    The second line is how it is formed: no product of means and no matrix but dW itself. A layer
    whose field is not one parameter says by `Layer.input_shift` how a shift of its input enters
    them.

    Parameters
    ----------
    model, data, chains
        Moments of the model given data and chains.
    centred
        Whether to centre.
    pull
        (bin, hidden) values that are added to <h> given each bin of the data, in the weights only;
        centred, they see v - mu.
    anchored
        Moments of hidden samples and their share of the objective; `data` has the means of both
        then (`anchored.mixed`).
    out
        Where to put the gradient of the weights, if it is there.
    """
    visible = {name: value - chains.visible[name] for name, value in data.visible.items()}
    hidden = {name: value - chains.hidden[name] for name, value in data.hidden.items()}
    of_data, of_chains = data.means, chains.means
    if pull is not None:
        of_data = of_data + pull
    centre = 2.0 * data.mean_hidden - chains.mean_hidden
    if centred:
        of_data = of_data - centre
        of_chains = of_chains - data.mean_hidden
    if anchored is not None:
        of_data = (1.0 - anchored[1]) * of_data
    weights = contrast(
        data.states,
        of_data / len(of_data),
        chains.states,
        of_chains / len(of_chains),
        out,
    )
    if anchored is not None:
        samples, share = anchored
        of_samples = samples.means - centre if centred else samples.means
        weights.add_(samples.states.T @ of_samples, alpha=share / len(of_samples))
    if centred and pull is not None:
        weights.sub_(torch.outer(data.mean_visible, pull.mean(dim=0)))
    if centred:
        mu, lam = data.mean_visible, data.mean_hidden
        for layer, gradient, shift in (
            (model.visible, visible, weights @ lam),
            (model.hidden, hidden, mu @ weights),
        ):
            for name, sign in layer.input_shift.items():
                gradient[name] = gradient[name] - sign * shift
    return {
        **{f"visible.{name}": value for name, value in visible.items()},
        **{f"hidden.{name}": value for name, value in hidden.items()},
        "weights": weights,
    }


Through = Callable[[Moments, Moments], tuple[Tensor, dict[str, Tensor]]]


@dataclass
class Ascent:
    """Live parameters and the optimiser that moves them; penalties act on the weights only."""

    model: RBM
    plan: TrainingPlan

    def __post_init__(self) -> None:
        """Take copies of the parameters and make the optimiser over them."""
        self.parameters = {
            name: value.detach().clone() for name, value in parameters_of(self.model).items()
        }
        self.model = with_parameters(self.model, self.parameters)
        plan = self.plan
        self.optimiser = Optimiser(
            self.parameters, plan.optimizer, plan.momentum, plan.longest_step
        )
        self.gradient_of_weights = torch.empty_like(self.parameters["weights"])
        self._idle: Tensor | None = None

    def step(
        self,
        batch: Tensor,
        chains: Tensor,
        update: int,
        *,
        rate_divisor: float = 1.0,
        l1: float | None = None,
        offsets: Offsets | None = None,
        through: Through | None = None,
        anchor: tuple[Tensor, float] | None = None,
    ) -> tuple[Moments, Moments]:
        """Move the parameters by the gradient of one batch of data against the chains.

        Parameters
        ----------
        batch, chains
            (bin, visible) and (chain, visible) states.
        update
            Number of this update, counted from 1: sets the learning rate and the L1 penalty.
        rate_divisor
            What the learning rate of the plan is divided by.
        l1
            The L1 penalty that was chosen, if one was.
        offsets
            A row for every bin, and for the chain of each; as many chains as bins then.
        through
            What the gradient gains by later bins, where hidden units move those: (bin, hidden) to
            add to <h> given each bin, in the weights only, and what to add to the gradient of
            hidden parameters by name.
        anchor
            (sample, hidden) hidden samples to climb the log-probability of as well, and their share
            of the objective.

        Returns
        -------
        Moments
            Those of the data and of the chains, before the step.
        """
        plan = self.plan
        rate = plan.rate_at(update) / rate_divisor
        rates = dict.fromkeys(self.parameters, rate)
        hidden, inputs = self.model.hidden, self.model.inputs_to_hidden(batch, offsets)
        constraint: Constraint | None = None
        if plan.holds_at(update):
            responses = hidden.responses(inputs)
            answers, constraint = responses.answers, Constraint.of(hidden, responses)
        else:
            answers = hidden.answers(inputs)
        data = self.model.moments(batch, answers)
        model = self.model.moments(chains, offsets=offsets)
        pull: Tensor | None = None
        bound: dict[str, Tensor] = {}
        if constraint is not None:
            plain = {name: value - model.hidden[name] for name, value in data.hidden.items()}
            pull, bound = tangent_pull(hidden, constraint, plain)
        elif through is not None:
            pull, bound = through(data, model)
        beside: tuple[Moments, float] | None = None
        if anchor is not None:
            beside = moments_of_hidden(self.model, anchor[0]), anchor[1]
            data = mixed(data, *beside)
        # activity at mean 0 is centred already; and where a penalty keeps dW from 0, the correction
        # of the fields by dW^T mu would leave <h> of model and data apart by as much
        gradient = log_likelihood_gradient(
            self.model,
            data,
            model,
            centred=plan.centred and not plan.normalised,
            pull=pull,
            anchored=beside,
            out=self.gradient_of_weights,
        )
        for name, change in bound.items():
            gradient[f"hidden.{name}"] = gradient[f"hidden.{name}"] + change
        penalties, weights = plan.penalties_at(update, l1), self.model.weights
        if penalties.l2:
            gradient["weights"].add_(weights, alpha=-penalties.l2)
        if plan.fixed_precisions or (plan.normalised and constraint is None):
            # nothing else fixes the scale of h
            for name in hidden.positive:
                gradient[f"hidden.{name}"].zero_()
        thresholds: dict[str, Tensor] = {}
        if penalties.l1 and penalties.released:
            if self._idle is None:
                self._idle = weights == 0
        elif penalties.l1:
            # soft thresholds, in the metric of the optimiser, give exact zeros
            thresholds["weights"] = rate * penalties.l1_of_units(weights)
        if plan.potential_rate is None:
            self.optimiser.step(gradient, rates, thresholds)
        else:
            faster = plan.potential_rate * rate
            rates |= {f"hidden.{name}": faster for name in hidden.parameters()}
            self._move(gradient, rates, thresholds)
        if penalties.released and self._idle is not None:
            # after the step, since running means of the gradient would go on moving them
            weights.masked_fill_(self._idle, 0.0)
        if constraint is not None:
            # the step keeps to the condition where it was linearised; this goes nearer to it
            for name, value in retracted(hidden, constraint, HOLD).parameters().items():
                self.parameters[f"hidden.{name}"].copy_(value)
        for name in self.model.hidden.positive:
            self.parameters[f"hidden.{name}"].clamp_(min=LEAST_PRECISION)
        return data, model

    def _move(
        self,
        gradient: Mapping[str, Tensor],
        rates: Mapping[str, float],
        thresholds: Mapping[str, Tensor],
    ) -> None:
        """Step in natural units of the hidden parameters: the logarithm of those above 0.

        Adaptive steps have the rate as their length, whatever the unit of the gradient; those of
        steepest ascent have the gradient by the natural unit.
        """
        hidden = self.model.hidden
        sizes, before = hidden.step_sizes(), {}
        if not self.optimiser.adaptive:
            natural = {
                f"hidden.{name}": size * gradient[f"hidden.{name}"] for name, size in sizes.items()
            }
            gradient = {**gradient, **natural}
        for name in sizes:
            value = self.parameters[f"hidden.{name}"]
            before[name] = value.clone()
            value.zero_()
        self.optimiser.step(gradient, rates, thresholds)
        for name, size in sizes.items():
            value = self.parameters[f"hidden.{name}"]
            if name in hidden.positive:
                value.exp_().mul_(before[name])
            else:
                value.mul_(size).add_(before[name])

    def idle_weights(
        self, mean: Tensor, update: int, *, rate_divisor: float = 1.0, l1: float | None = None
    ) -> Tensor:
        """Return which weights the L1 penalty holds at 0, (visible, hidden) bool.

        The noise of batches lifts them off 0 again and again. Steps of size rate g / s with noise
        of spread s and the pull l1 back give |w| the law of mean rate s / (2 l1), and a weight
        counts as held whose running mean lies within that.

        Parameters
        ----------
        mean
            Running mean of the weights, or the weights.
        update, rate_divisor, l1
            As in `step`.
        """
        spread, weights = self.optimiser.spread("weights"), self.model.weights
        if spread is None:
            return weights == 0
        penalties = self.plan.penalties_at(update, l1)
        rate = self.plan.rate_at(update) / rate_divisor
        return mean.abs() <= rate * spread / (2.0 * penalties.l1_of_units(weights))

    def optimizer_tensors(self) -> dict[str, Tensor]:
        """Return the state of the optimiser as flat tensors, name to tensor."""
        return self.optimiser.tensors()

    def restore_optimizer(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `optimizer_tensors` gave."""
        self.optimiser.restore(tensors)
