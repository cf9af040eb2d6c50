"""What real-valued units share, and the Gaussian unit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.cpu.backend import FEW
from boltzbrain.kernels.dispatch import (
    draw_and_sum,
    has_real_kernels,
    sum_active_rows,
    sweep_real,
)
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.layers.fused_sweeps import register_sweep, with_rows
from boltzbrain.model.layers.layer import Layer, Responses
from boltzbrain.model.offsets import Offsets


class RealLayer(Layer):
    """What the real-valued kinds share: they compute in float64 and round the answer."""

    def _round(self, value: Tensor, inputs: Tensor) -> Tensor:
        return value.to(torch.promote_types(self.dtype, inputs.dtype))

    def all_states(self) -> None:
        """Return None: the unit is continuous."""
        return

    def step_sizes(self) -> dict[str, Tensor]:
        """Return powers of the precision on the same side.

        A normal law of this precision has the information 1 / precision on its field and, about its
        mean, 1 / (2 precision**2) on the precision.
        """
        sides = {
            name: getattr(self, name.replace("field", "precision")) for name in self.scale_powers
        }
        return {name: sides[name] ** (power / 2) for name, power in self.scale_powers.items()}


@dataclass(frozen=True, eq=False, repr=False)
class Gaussian(RealLayer):
    """Real units with E(h) = precision h**2 / 2 - field h.

    Gamma(I) = (I + field)**2 / (2 precision) + log(2 pi / precision) / 2;
    mean = (I + field) / precision; variance = 1 / precision.
    """

    kind: ClassVar[str] = "gaussian"
    input_shift: ClassVar = {"field": 1.0}
    positive: ClassVar = frozenset({"precision"})
    scale_powers: ClassVar = {"field": 1, "precision": 2}

    field: Tensor
    precision: Tensor

    def statistics(self, states: Tensor) -> dict[str, Tensor]:
        """Return h for the field and -h**2 / 2 for the precision."""
        values = states.to(self.dtype)
        return {"field": values, "precision": -0.5 * values * values}

    def mean_statistics(self, inputs: Tensor) -> dict[str, Tensor]:
        """Return <h> and -<h**2> / 2."""
        mean = self._mean(inputs)
        square = mean * mean + 1.0 / self.precision.to(torch.float64)
        return {
            "field": self._round(mean, inputs),
            "precision": self._round(-0.5 * square, inputs),
        }

    def log_partition(self, inputs: Tensor) -> Tensor:
        """Return (inputs + field)**2 / (2 precision) + log(2 pi / precision) / 2."""
        precision = self.precision.to(torch.float64)
        total = inputs.to(torch.float64) + self.field
        gamma = 0.5 * (total * total / precision + math.log(2.0 * math.pi) - torch.log(precision))
        return self._round(gamma, inputs)

    def mean(self, inputs: Tensor) -> Tensor:
        """Return (inputs + field) / precision."""
        return self._round(self._mean(inputs), inputs)

    def variance(self, inputs: Tensor) -> Tensor:
        """Return 1 / precision."""
        return self._round((1.0 / self.precision.to(torch.float64)).expand_as(inputs), inputs)

    def responses(self, inputs: Tensor) -> Responses:
        """Return (I + field) / precision and its derivatives, of h and of h**2."""
        mean = self._mean(inputs)
        width = 1.0 / self.precision.to(torch.float64)
        square = width + mean * mean
        by_input = torch.stack([width.expand_as(mean), 2.0 * mean * width])
        of_square = torch.stack([-mean * width, -width * width - 2.0 * mean * mean * width])
        return Responses(
            self.answers(inputs),
            self._round(by_input, inputs),
            torch.stack([mean, square]).mean(dim=1),
            by_input.mean(dim=1),
            (inputs.to(torch.float64) * by_input).mean(dim=1),
            {"field": by_input.mean(dim=1), "precision": of_square.mean(dim=1)},
        )

    def sample(self, inputs: Tensor, generator: Generator) -> Tensor:
        """Draw from the normal law, in the type of the parameters."""
        noise = generator.normal((len(inputs), len(self)), torch.float64, inputs.device)
        width = self.precision.to(torch.float64).rsqrt()
        return (self._mean(inputs) + noise * width).to(self.dtype)

    def flipped(self, units: Tensor) -> Gaussian:
        """Return the layer with the fields of the units in `units` of opposite sign."""
        return self.with_parameters({"field": torch.where(units, -self.field, self.field)})

    def _mean(self, inputs: Tensor) -> Tensor:
        return (inputs.to(torch.float64) + self.field) / self.precision


def sweep_fused(
    visible_layer: Layer,
    hidden_layer: Layer,
    weights: Tensor,
    visible: Tensor,
    sweeps: int,
    generator: Generator,
    offsets: Offsets | None,
) -> tuple[Tensor, Tensor]:
    """Sweep binary visible and real hidden units, the weights read once per sweep on the CPU."""
    visible_field, rows = visible_layer.parameters()["field"], None
    if offsets is not None:
        visible_field, rows = with_rows(visible_field, offsets.visible), offsets.hidden
        if offsets.visible is not None and len(visible) <= FEW:
            # the chains side by side, as the loop of few chains reads them in every sweep
            visible_field = visible_field.T.contiguous().T
    kernels = hidden_layer.dtype == torch.float32 and has_real_kernels(hidden_layer.device)
    # those of a GPU have one field for all chains
    if offsets is not None or not kernels:
        inputs, hidden = sum_active_rows(visible, weights), torch.empty(0)
        for _ in range(sweeps):
            hidden = hidden_layer.sample(inputs if rows is None else inputs + rows, generator)
            draw = generator.take()
            visible, inputs = draw_and_sum(hidden, weights, visible_field, generator.key, draw)
        return visible, hidden
    exact = hidden_layer.to(torch.float64).parameters()
    fields, precisions = (
        torch.stack([value for name, value in exact.items() if name.startswith(prefix)])
        for prefix in ("field", "precision")
    )
    first = generator.take(sweeps * (len(fields) + 1))
    return sweep_real(
        hidden_layer.kind,
        visible,
        visible_field,
        fields,
        precisions.sqrt(),
        weights,
        sweeps,
        generator.key,
        first,
    )


register_sweep(Bernoulli.kind, Gaussian.kind, sweep_fused)
