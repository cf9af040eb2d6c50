"""One gradient step of the log-likelihood: moments of data against moments of chains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from boltzbrain.model.layers import Layer
from boltzbrain.model.rbm import RBM, Moments
from boltzbrain.training.normalisation import Constraint, retracted, tangent_gradient
from boltzbrain.training.plan import TrainingPlan

ADAM_DECAY, ADAM_EPSILON = 0.999, 1e-6
"""beta2 and epsilon of Adam and RMSprop, as van der Plas et al. 2023 set them."""
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
    model: RBM, data: Moments, chains: Moments, *, centred: bool
) -> dict[str, Tensor]:
    """Return the ascent direction of the mean log-likelihood, by parameter name.

    With `centred` it is the centred gradient (Melchior, Fischer and Wiskott, JMLR 17:99, 2016):
    the weights see v - mu and h - lambda, with mu and lambda the data means, and the fields are
    corrected so that the step is the one of the centred parametrisation,

        dW = <(v - mu)(h - lambda)>_data - <(v - mu)(h - lambda)>_chains
        db = <v>_data - <v>_chains - dW lambda,   dc = <h>_data - <h>_chains - dW^T mu.

    A layer whose field is not one parameter says by `Layer.input_shift` how a shift of its input
    enters them.
    """
    weights = data.products - chains.products
    visible = {name: value - chains.visible[name] for name, value in data.visible.items()}
    hidden = {name: value - chains.hidden[name] for name, value in data.hidden.items()}
    if centred:
        mu, lam = data.mean_visible, data.mean_hidden
        weights = (
            weights
            - torch.outer(data.mean_visible - chains.mean_visible, lam)
            - torch.outer(mu, data.mean_hidden - chains.mean_hidden)
        )
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
        tensors = list(self.parameters.values())
        rate, momentum = self.plan.learning_rate, self.plan.momentum
        self.optimizer: torch.optim.Optimizer
        if self.plan.optimizer == "sgd":
            self.optimizer = torch.optim.SGD(tensors, lr=rate, momentum=momentum, maximize=True)
        else:
            beta1 = momentum if self.plan.optimizer == "adam" else 0.0
            self.optimizer = torch.optim.Adam(
                tensors, lr=rate, betas=(beta1, ADAM_DECAY), eps=ADAM_EPSILON, maximize=True
            )

    def hold(self, batch: Tensor, gain: float) -> Constraint:
        """Move the potentials towards mean 0 and variance 1 on a batch; return what binds them."""
        inputs = self.model.inputs_to_hidden(batch)
        layer = retracted(self.model.hidden, Constraint.of(self.model.hidden, inputs), gain)
        for name, value in layer.parameters().items():
            self.parameters[f"hidden.{name}"].copy_(value)
        return Constraint.of(self.model.hidden, inputs)

    def step(self, batch: Tensor, chains: Tensor, update: int) -> None:
        """Move the parameters by the gradient of one batch of data against the chains.

        Parameters
        ----------
        batch, chains
            (bin, visible) and (chain, visible) states.
        update
            Number of this update, counted from 1: sets the learning rate and the L1 penalty.
        """
        plan, rate = self.plan, self.plan.rate_at(update)
        constraint = self.hold(batch, max(0.1, 1.0 / update)) if plan.normalised else None
        data, model = self.model.moments(batch), self.model.moments(chains)
        # holding the activity at mean 0 centres the hidden side already
        centred = plan.centred and constraint is None
        gradient = log_likelihood_gradient(self.model, data, model, centred=centred)
        if constraint is not None:
            gradient = tangent_gradient(self.model, batch, constraint, gradient)
        if plan.l2:
            gradient["weights"] = gradient["weights"] - plan.l2 * self.model.weights
        for name, tensor in self.parameters.items():
            tensor.grad = gradient[name]
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        for name in self.model.hidden.positive:
            self.parameters[f"hidden.{name}"].clamp_(min=LEAST_PRECISION)
        if plan.l1:
            self._shrink(rate * plan.l1_at(update))

    def _shrink(self, threshold: float) -> None:
        """Soft-threshold the weights in the metric of the optimiser, which gives exact zeros."""
        weights = self.parameters["weights"]
        state = self.optimizer.state[weights]
        reach: float | Tensor = threshold
        if "exp_avg_sq" in state:
            seen = 1.0 - ADAM_DECAY ** int(state["step"])
            reach = threshold / ((state["exp_avg_sq"] / seen).sqrt() + ADAM_EPSILON)
        weights.copy_(weights.sign() * (weights.abs() - reach).clamp_min(0.0))

    def optimizer_tensors(self) -> dict[str, Tensor]:
        """Return the state of the optimiser as flat tensors, name to tensor."""
        state = self.optimizer.state_dict()["state"]
        names = list(self.parameters)
        return {
            f"{names[number]}/{key}": torch.as_tensor(value)
            for number, entries in state.items()
            for key, value in entries.items()
            if value is not None
        }

    def restore_optimizer(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `optimizer_tensors` gave."""
        names = list(self.parameters)
        state: dict[int, dict[str, Tensor]] = {}
        for path, value in tensors.items():
            name, key = path.rsplit("/", 1)
            state.setdefault(names.index(name), {})[key] = value
        whole = self.optimizer.state_dict()
        whole["state"] = state
        self.optimizer.load_state_dict(whole)
