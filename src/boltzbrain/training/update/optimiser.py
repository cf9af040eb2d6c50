"""Steepest ascent and Adam, in place, with soft thresholds in their metric."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from boltzbrain.kernels.dispatch import adam_step

ADAM_DECAY, ADAM_EPSILON = 0.999, 1e-6
"""beta2 and epsilon of Adam and RMSprop, as van der Plas et al. 2023 set them."""


class Optimiser:
    """What moves tensors along their gradients, and what it remembers of these.

    Parameters
    ----------
    parameters
        Name to the tensor that is moved.
    kind
        "sgd", "adam", or "rmsprop", which is Adam without a running mean of the gradient.
    momentum
        Momentum of sgd, beta1 of adam.
    longest
        Longest step of adam and rmsprop in units of the rate.
    """

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        kind: str,
        momentum: float,
        longest: float | None = None,
    ) -> None:
        self.parameters, self.adaptive = parameters, kind != "sgd"
        self.longest = math.inf if longest is None else longest
        self.momentum = 0.0 if kind == "rmsprop" else momentum
        self.count = 0
        names = list(parameters) if self.momentum else []
        self.means = {name: torch.zeros_like(parameters[name]) for name in names}
        names = list(parameters) if self.adaptive else []
        self.squares = {name: torch.zeros_like(parameters[name]) for name in names}

    def step(
        self,
        gradient: Mapping[str, Tensor],
        rates: Mapping[str, float],
        thresholds: Mapping[str, Tensor],
    ) -> None:
        """Climb by one step.

        Parameters
        ----------
        gradient
            Name to the direction of ascent.
        rates
            Name to the learning rate.
        thresholds
            Name to how far each column of the tensor is pulled to 0 after the step, in its metric,
            (column,).
        """
        self.count += 1
        for name, parameter in self.parameters.items():
            direction, rate, pulls = gradient[name], rates[name], thresholds.get(name)
            if self.adaptive:
                adam_step(
                    parameter,
                    direction,
                    self.means.get(name),
                    self.squares[name],
                    count=self.count,
                    rate=rate,
                    betas=(self.momentum, ADAM_DECAY),
                    epsilon=ADAM_EPSILON,
                    longest=self.longest,
                    thresholds=pulls,
                )
                continue
            if name in self.means:
                direction = self.means[name].mul_(self.momentum).add_(direction)
            parameter.add_(direction, alpha=rate)
            if pulls is not None:
                parameter.copy_(parameter.sign() * (parameter.abs() - pulls).clamp_(min=0.0))

    def spread(self, name: str) -> Tensor | None:
        """Return the root of the mean square of the gradient of late, None where it is not kept."""
        if not self.adaptive or not self.count:
            return None
        return (self.squares[name] / (1.0 - ADAM_DECAY**self.count)).sqrt()

    def tensors(self) -> dict[str, Tensor]:
        """Return the state as flat tensors, name to tensor."""
        return {
            "all/count": torch.tensor(float(self.count)),
            **{f"{name}/mean": value for name, value in self.means.items()},
            **{f"{name}/square": value for name, value in self.squares.items()},
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `tensors` gave."""
        self.count = int(tensors["all/count"])
        for kind, kept in (("mean", self.means), ("square", self.squares)):
            for name, value in kept.items():
                value.copy_(tensors[f"{name}/{kind}"])
