"""The rectified units: ReLU, and the dReLU built out of two ReLUs."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from boltzbrain.foundations.numerics import half_normal_quantile
from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.cpu.annealed.rectified import climb_rectified
from boltzbrain.kernels.cpu.doubles.moments import Response, respond_rectified
from boltzbrain.kernels.cpu.doubles.rectified import log_partition_rectified
from boltzbrain.kernels.cpu.doubles.sweeps import sweep_rectified, worth
from boltzbrain.kernels.dispatch import draw_rectified, has_real_kernels
from boltzbrain.model.layers.continuous import RealLayer, sweep_fused
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.layers.fused_sweeps import (
    fields_at_ends,
    register_climb,
    register_sweep,
    with_rows,
)
from boltzbrain.model.layers.half_lines import Half, HalfMoments
from boltzbrain.model.layers.layer import Answers, Layer, Responses
from boltzbrain.model.offsets import Offsets


class _Rectified(RealLayer):
    """What ReLU and dReLU share: in float32 the fused kernels draw, and on the CPU sum.

    Elsewhere, and where autograd follows, the formulas below them serve; they specify the kernels.
    """

    def log_partition(self, inputs: Tensor) -> Tensor:
        """Return Gamma(inputs) as the class docstring gives it."""
        if self._has_kernel(inputs):
            return log_partition_rectified(inputs, *self.sides())
        return self._round(self._exact_log_partition(inputs), inputs)

    def sample(self, inputs: Tensor, generator: Generator) -> Tensor:
        """Draw by the inverse of the distribution function, in the type of the parameters."""
        if self._has_draw(inputs):
            fields, roots = self.sides()
            first = generator.take(len(fields))
            return draw_rectified(inputs, fields, roots, generator.key, first)
        return self._exact_sample(inputs, generator).to(self.dtype)

    def answers(self, inputs: Tensor) -> Answers:
        """Return means and mean statistics, on the CPU in one pass."""
        if not self._on_cpu(inputs):
            return super().answers(inputs)
        return self._answers(self._respond(inputs, deep=False))

    def responses(self, inputs: Tensor) -> Responses:
        """Return the covariances of both halves and their squares with h and h**2."""
        if not self._on_cpu(inputs):
            return super().responses(inputs)
        found = self._respond(inputs, deep=True)
        plus, minus = found.moments
        (of_plus, square_of_plus), (of_minus, square_of_minus) = found.covariances
        return Responses(
            self._answers(found),
            found.by_input,
            torch.stack([plus[0] - minus[0], plus[1] + minus[1]]),
            of_plus - of_minus,
            found.by_scale,
            self._of_halves(of_plus, of_minus, -0.5 * square_of_plus, -0.5 * square_of_minus),
        )

    def sweep(
        self,
        visible_field: Tensor,
        weights: Tensor,
        visible: Tensor,
        sweeps: int,
        generator: Generator,
        offsets: Offsets | None,
    ) -> tuple[Tensor, Tensor] | None:
        """Sweep as `fused_sweeps.SweepKernel` says in one call, or return None where none pays."""
        single = weights.dtype == visible_field.dtype == torch.float32
        if not single or not self._has_kernel(weights) or not worth(len(visible), weights):
            return None
        fields, roots = self.sides()
        first = generator.take((len(fields) + 1) * sweeps)
        rows = (None, None) if offsets is None else (offsets.visible, offsets.hidden)
        return sweep_rectified(
            visible,
            with_rows(visible_field, rows[0]),
            fields,
            roots,
            weights,
            sweeps,
            generator.key,
            first,
            rows=rows[1],
        )

    def climb(
        self,
        ends: tuple[Layer, Layer],
        weights: Tensor,
        visible: Tensor,
        ts: list[float],
        generator: Generator,
        foot: Tensor | None,
        offsets: Offsets | None,
    ) -> tuple[Tensor, Tensor] | None:
        """Anneal as `fused_sweeps.ClimbKernel` says, in float32 on the CPU."""
        if weights.dtype != torch.float32 or not self._has_kernel(weights):
            return None
        fields, roots = self.sides()
        places = torch.tensor(ts, dtype=torch.float64)
        first = generator.take((len(fields) + 1) * (len(ts) - 2))
        return climb_rectified(
            visible,
            fields_at_ends(ends, foot, offsets),
            fields,
            roots,
            weights,
            places,
            generator.key,
            first,
            rows=None if offsets is None else offsets.hidden,
        )

    def _respond(self, inputs: Tensor, *, deep: bool) -> Response:
        # rounded after all differences, which may cancel
        given = inputs.to(torch.promote_types(self.dtype, inputs.dtype))
        return respond_rectified(given, *self.sides(), deep=deep)

    def _answers(self, found: Response) -> Answers:
        plus, minus = found.moments.to(found.mean.dtype)
        statistics = self._of_halves(plus[0], minus[0], -0.5 * plus[1], -0.5 * minus[1])
        return Answers(found.mean, statistics)

    @abstractmethod
    def _of_halves(
        self, plus: Tensor, minus: Tensor, square_of_plus: Tensor, square_of_minus: Tensor
    ) -> dict[str, Tensor]:
        """Return what belongs to each parameter by name, from what belongs to the halves."""

    @abstractmethod
    def sides(self) -> tuple[Tensor, Tensor]:
        """Return fields and roots of the precisions, float64 (half, unit), h > 0 first."""

    @abstractmethod
    def _exact_log_partition(self, inputs: Tensor) -> Tensor:
        """Return Gamma(inputs) in float64."""

    @abstractmethod
    def _exact_sample(self, inputs: Tensor, generator: Generator) -> Tensor:
        """Return draws in float64."""

    def _has_kernel(self, inputs: Tensor) -> bool:
        tensors = (inputs, *self.parameters().values())
        single = all(value.dtype == torch.float32 for value in tensors)
        return single and self._on_cpu(inputs)

    def _on_cpu(self, inputs: Tensor) -> bool:
        """Whether compiled loops can follow: on the CPU, and without autograd."""
        tensors = (inputs, *self.parameters().values())
        return inputs.device.type == "cpu" and not any(value.requires_grad for value in tensors)

    def _has_draw(self, inputs: Tensor) -> bool:
        single = inputs.dtype == self.dtype == torch.float32
        return self._has_kernel(inputs) or (single and has_real_kernels(inputs.device))


@dataclass(frozen=True, eq=False, repr=False)
class ReLU(_Rectified):
    """Units on h >= 0 with E(h) = precision h**2 / 2 - field h.

    With x = -(I + field) / sqrt(precision): Gamma(I) = log Psi(x) - log(precision) / 2, and given I
    the unit is half-normal (`foundations.numerics`). Tubiana, Cocco and Monasson, eLife 8:e39397,
    2019, with field = -theta.
    """

    kind: ClassVar[str] = "relu"
    input_shift: ClassVar = {"field": 1.0}
    positive: ClassVar = frozenset({"precision"})
    signed: ClassVar = False
    scale_powers: ClassVar = {"field": 1, "precision": 2}

    field: Tensor
    precision: Tensor

    def statistics(self, states: Tensor) -> dict[str, Tensor]:
        """Return h for the field and -h**2 / 2 for the precision."""
        values = states.to(self.dtype)
        return {"field": values, "precision": -0.5 * values * values}

    def mean_statistics(self, inputs: Tensor) -> dict[str, Tensor]:
        """Return <h> and -<h**2> / 2."""
        half = self._half(inputs).moments()
        return {
            "field": self._round(half.mean, inputs),
            "precision": self._round(-0.5 * half.square, inputs),
        }

    def mean(self, inputs: Tensor) -> Tensor:
        """Return (1 / Psi(x) - x) / sqrt(precision)."""
        if self._on_cpu(inputs):
            return self._respond(inputs, deep=False).mean
        return self._round(self._half(inputs).moments().mean, inputs)

    def variance(self, inputs: Tensor) -> Tensor:
        """Return the variance of the half-normal law, divided by the precision."""
        return self._round(self._half(inputs).moments().variance, inputs)

    def _of_halves(
        self, plus: Tensor, minus: Tensor, square_of_plus: Tensor, square_of_minus: Tensor
    ) -> dict[str, Tensor]:
        return {"field": plus, "precision": square_of_plus}

    def sides(self) -> tuple[Tensor, Tensor]:
        """Return them as the compiled loops take them."""
        exact = self.to(torch.float64)
        return exact.field[None], exact.precision.sqrt()[None]

    def _exact_log_partition(self, inputs: Tensor) -> Tensor:
        return self._half(inputs).log_partition()

    def _exact_sample(self, inputs: Tensor, generator: Generator) -> Tensor:
        half = self._half(inputs)
        uniform = generator.uniform((len(inputs), len(self)), torch.float64, inputs.device)
        return half_normal_quantile(half.x, uniform) / half.root

    def _half(self, inputs: Tensor) -> Half:
        return Half.of(inputs.to(torch.float64) + self.field, self.precision)


@dataclass(frozen=True, eq=False, repr=False)
class DReLU(_Rectified):
    """Double rectified linear units: a ReLU on either side of 0, glued there.

    With h_plus = max(h, 0) and h_minus = max(-h, 0),

        E(h) = precision_plus h_plus**2 / 2 + precision_minus h_minus**2 / 2
               - field_plus h_plus - field_minus h_minus.

    Given I, h is positive with odds exp(Gamma_plus - Gamma_minus), where Gamma_plus is that of a
    ReLU (field_plus, precision_plus) at I and Gamma_minus that of a ReLU (field_minus,
    precision_minus) at -I; Gamma(I) = log(exp Gamma_plus + exp Gamma_minus). Tubiana, Cocco and
    Monasson, eLife 8:e39397, 2019; van der Plas et al., eLife 12:e83139, 2023, eq. 13, with
    field = -theta on both sides (the print's h_minus = min(h, 0) contradicts its own sign swap).
    """

    kind: ClassVar[str] = "drelu"
    input_shift: ClassVar = {"field_plus": 1.0, "field_minus": -1.0}
    positive: ClassVar = frozenset({"precision_plus", "precision_minus"})
    scale_powers: ClassVar = {
        "field_plus": 1,
        "field_minus": 1,
        "precision_plus": 2,
        "precision_minus": 2,
    }

    field_plus: Tensor
    field_minus: Tensor
    precision_plus: Tensor
    precision_minus: Tensor

    def statistics(self, states: Tensor) -> dict[str, Tensor]:
        """Return h_plus, h_minus, -h_plus**2 / 2 and -h_minus**2 / 2."""
        plus = states.to(self.dtype).clamp(min=0.0)
        minus = (-states.to(self.dtype)).clamp(min=0.0)
        return {
            "field_plus": plus,
            "field_minus": minus,
            "precision_plus": -0.5 * plus * plus,
            "precision_minus": -0.5 * minus * minus,
        }

    def mean_statistics(self, inputs: Tensor) -> dict[str, Tensor]:
        """Return the means of `statistics`: those of the two halves times their probabilities."""
        (share_plus, plus), (share_minus, minus) = self._mixture(inputs)
        return {
            "field_plus": self._round(share_plus * plus.mean, inputs),
            "field_minus": self._round(share_minus * minus.mean, inputs),
            "precision_plus": self._round(-0.5 * share_plus * plus.square, inputs),
            "precision_minus": self._round(-0.5 * share_minus * minus.square, inputs),
        }

    def mean(self, inputs: Tensor) -> Tensor:
        """Return p_plus <h>_plus - p_minus <h>_minus."""
        if self._on_cpu(inputs):
            return self._respond(inputs, deep=False).mean
        (share_plus, plus), (share_minus, minus) = self._mixture(inputs)
        return self._round(share_plus * plus.mean - share_minus * minus.mean, inputs)

    def variance(self, inputs: Tensor) -> Tensor:
        """Return the variances within the halves plus that between their means."""
        (share_plus, plus), (share_minus, minus) = self._mixture(inputs)
        within = share_plus * plus.variance + share_minus * minus.variance
        between = share_plus * share_minus * (plus.mean + minus.mean) ** 2
        return self._round(within + between, inputs)

    def flipped(self, units: Tensor) -> DReLU:
        """Return the layer in which the two halves of the units in `units` are swapped."""
        return self.with_parameters(
            {
                f"{name}_{side}": torch.where(
                    units, getattr(self, f"{name}_{other}"), getattr(self, f"{name}_{side}")
                )
                for name in ("field", "precision")
                for side, other in (("plus", "minus"), ("minus", "plus"))
            }
        )

    def _of_halves(
        self, plus: Tensor, minus: Tensor, square_of_plus: Tensor, square_of_minus: Tensor
    ) -> dict[str, Tensor]:
        return {
            "field_plus": plus,
            "field_minus": minus,
            "precision_plus": square_of_plus,
            "precision_minus": square_of_minus,
        }

    def sides(self) -> tuple[Tensor, Tensor]:
        """Return them as the compiled loops take them."""
        exact = self.to(torch.float64)
        precisions = torch.stack((exact.precision_plus, exact.precision_minus))
        return torch.stack((exact.field_plus, exact.field_minus)), precisions.sqrt()

    def _exact_log_partition(self, inputs: Tensor) -> Tensor:
        plus, minus = self._halves(inputs)
        return torch.logaddexp(plus.log_partition(), minus.log_partition())

    def _exact_sample(self, inputs: Tensor, generator: Generator) -> Tensor:
        """Draw a half, then a size on it."""
        shape = (len(inputs), len(self))
        plus, minus = self._halves(inputs)
        share_plus = torch.sigmoid(plus.log_partition() - minus.log_partition())
        positive = generator.uniform(shape, torch.float64, inputs.device) < share_plus
        x = torch.where(positive, plus.x, minus.x)
        uniform = generator.uniform(shape, torch.float64, inputs.device)
        size = half_normal_quantile(x, uniform) / torch.where(positive, plus.root, minus.root)
        return torch.where(positive, size, -size)

    def _halves(self, inputs: Tensor) -> tuple[Half, Half]:
        exact = inputs.to(torch.float64)
        return (
            Half.of(exact + self.field_plus, self.precision_plus),
            Half.of(self.field_minus - exact, self.precision_minus),
        )

    def _mixture(
        self, inputs: Tensor
    ) -> tuple[tuple[Tensor, HalfMoments], tuple[Tensor, HalfMoments]]:
        """Return (probability, moments of the size of h) of h > 0 and of h < 0."""
        plus, minus = (half.moments() for half in self._halves(inputs))
        log_odds = plus.log_partition - minus.log_partition
        return (torch.sigmoid(log_odds), plus), (torch.sigmoid(-log_odds), minus)


def _sweep_fused(
    visible_layer: Layer,
    hidden_layer: Layer,
    weights: Tensor,
    visible: Tensor,
    sweeps: int,
    generator: Generator,
    offsets: Offsets | None,
) -> tuple[Tensor, Tensor]:
    given = visible_layer, hidden_layer, weights, visible, sweeps, generator, offsets
    if not isinstance(hidden_layer, _Rectified) or visible.dtype != torch.uint8:
        return sweep_fused(*given)
    field = visible_layer.parameters()["field"]
    found = hidden_layer.sweep(field, weights, visible, sweeps, generator, offsets)
    return sweep_fused(*given) if found is None else found


def _climb_fused(
    ends: tuple[Layer, Layer],
    hidden_layer: Layer,
    weights: Tensor,
    visible: Tensor,
    ts: list[float],
    generator: Generator,
    foot: Tensor | None,
    offsets: Offsets | None,
) -> tuple[Tensor, Tensor] | None:
    if not isinstance(hidden_layer, _Rectified) or visible.dtype != torch.uint8:
        return None
    return hidden_layer.climb(ends, weights, visible, ts, generator, foot, offsets)


for _kind in (ReLU, DReLU):
    register_sweep(Bernoulli.kind, _kind.kind, _sweep_fused)
    register_climb(Bernoulli.kind, _kind.kind, _climb_fused)
