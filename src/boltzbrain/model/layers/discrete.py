"""The kinds of binary unit: Bernoulli in {0, 1} and Ising in {-1, +1}."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import softplus

from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.cpu.annealed.binary import climb_bernoulli
from boltzbrain.kernels.dispatch import (
    draw_bernoulli,
    mean_states,
    sum_active_rows,
    sweep_bernoulli,
)
from boltzbrain.model.layers.fused_sweeps import (
    fields_at_ends,
    register_climb,
    register_sweep,
    with_rows,
)
from boltzbrain.model.layers.layer import Layer
from boltzbrain.model.offsets import Offsets


@dataclass(frozen=True, eq=False, repr=False)
class Bernoulli(Layer):
    """Binary units in {0, 1} with E(x) = -field x.

    Gamma(I) = log(1 + exp(field + I)); mean = sigmoid(field + I).
    """

    kind: ClassVar[str] = "bernoulli"
    state_dtype: ClassVar[torch.dtype | None] = torch.uint8
    input_shift: ClassVar[Mapping[str, float]] = {"field": 1.0}

    field: Tensor

    def energy(self, states: Tensor) -> Tensor:
        """Return -states @ field, (sample,) float64."""
        if states.dtype != torch.uint8:
            return super().energy(states)
        return -sum_active_rows(states, self.field.to(torch.float64)[:, None])[:, 0]

    def mean_of_statistics(self, states: Tensor) -> dict[str, Tensor]:
        """Return the mean states."""
        if states.dtype != torch.uint8:
            return super().mean_of_statistics(states)
        return {"field": mean_states(states, self.dtype)}

    def statistics(self, states: Tensor) -> dict[str, Tensor]:
        """Return the states."""
        return {"field": states.to(self.dtype)}

    def mean_statistics(self, inputs: Tensor) -> dict[str, Tensor]:
        """Return the means."""
        return {"field": self.mean(inputs)}

    def log_partition(self, inputs: Tensor) -> Tensor:
        """Return softplus(field + inputs)."""
        return softplus(inputs + self.field, threshold=80.0)

    def mean(self, inputs: Tensor) -> Tensor:
        """Return sigmoid(field + inputs)."""
        return torch.sigmoid(inputs + self.field)

    def variance(self, inputs: Tensor) -> Tensor:
        """Return p (1 - p)."""
        total = inputs + self.field
        return torch.sigmoid(total) * torch.sigmoid(-total)

    def sample(self, inputs: Tensor, generator: Generator) -> Tensor:
        """Draw states, uint8."""
        return draw_bernoulli(inputs, self.field, generator.key, generator.take())

    def all_states(self) -> Tensor:
        """Return 0 and 1."""
        return torch.tensor([0.0, 1.0], dtype=self.dtype, device=self.device)


def _sweep_bernoulli(
    visible_layer: Layer,
    hidden_layer: Layer,
    weights: Tensor,
    visible: Tensor,
    sweeps: int,
    generator: Generator,
    offsets: Offsets | None,
) -> tuple[Tensor, Tensor]:
    visible_field = visible_layer.parameters()["field"]
    hidden_field = hidden_layer.parameters()["field"]
    if offsets is not None:
        visible_field = with_rows(visible_field, offsets.visible)
        hidden_field = with_rows(hidden_field, offsets.hidden)
    first = generator.take(2 * sweeps)
    return sweep_bernoulli(
        visible, visible_field, hidden_field, weights, sweeps, generator.key, first
    )


register_sweep(Bernoulli.kind, Bernoulli.kind, _sweep_bernoulli)


def _climb_bernoulli(
    ends: tuple[Layer, Layer],
    hidden_layer: Layer,
    weights: Tensor,
    visible: Tensor,
    ts: list[float],
    generator: Generator,
    foot: Tensor | None,
    offsets: Offsets | None,
) -> tuple[Tensor, Tensor] | None:
    # elsewhere each rung goes by the loops of its type and device
    here = weights.device.type == "cpu" and weights.dtype == torch.float32
    if visible.dtype != torch.uint8 or not here:
        return None
    field = hidden_layer.parameters()["field"]
    places = torch.tensor(ts, dtype=torch.float64)
    first = generator.take(2 * (len(ts) - 2))
    return climb_bernoulli(
        visible,
        fields_at_ends(ends, foot, offsets),
        field if offsets is None else with_rows(field, offsets.hidden),
        weights,
        places,
        generator.key,
        first,
    )


register_climb(Bernoulli.kind, Bernoulli.kind, _climb_bernoulli)


@dataclass(frozen=True, eq=False, repr=False)
class Ising(Layer):
    """Binary units in {-1, +1} with E(x) = -field x.

    Gamma(I) = log 2 cosh(field + I); mean = tanh(field + I).
    """

    kind: ClassVar[str] = "ising"
    input_shift: ClassVar[Mapping[str, float]] = {"field": 1.0}

    field: Tensor

    def flipped(self, units: Tensor) -> Ising:
        """Return the layer with the fields of the units in `units` of opposite sign."""
        return self.with_parameters({"field": torch.where(units, -self.field, self.field)})

    def statistics(self, states: Tensor) -> dict[str, Tensor]:
        """Return the states."""
        return {"field": states.to(self.dtype)}

    def mean_statistics(self, inputs: Tensor) -> dict[str, Tensor]:
        """Return the means."""
        return {"field": self.mean(inputs)}

    def log_partition(self, inputs: Tensor) -> Tensor:
        """Return log 2 cosh(field + inputs) as |x| + softplus(-2 |x|)."""
        size = (inputs + self.field).abs()
        return size + softplus(-2 * size, threshold=80.0)

    def mean(self, inputs: Tensor) -> Tensor:
        """Return tanh(field + inputs)."""
        return torch.tanh(inputs + self.field)

    def variance(self, inputs: Tensor) -> Tensor:
        """Return 4 p (1 - p) with p the probability of +1."""
        total = 2 * (inputs + self.field)
        return 4 * torch.sigmoid(total) * torch.sigmoid(-total)

    def sample(self, inputs: Tensor, generator: Generator) -> Tensor:
        """Draw states in {-1, +1}, in the type of the parameters."""
        ones = draw_bernoulli(2 * inputs, 2 * self.field, generator.key, generator.take())
        return 2 * ones.to(self.dtype) - 1

    def all_states(self) -> Tensor:
        """Return -1 and +1."""
        return torch.tensor([-1.0, 1.0], dtype=self.dtype, device=self.device)
