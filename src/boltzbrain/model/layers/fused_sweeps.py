"""Fused kernels by pair of unit kinds, of Gibbs sweeps and of annealing.

The RBM and its annealing know no kind and look one up here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from boltzbrain.foundations.random import Generator
from boltzbrain.model.offsets import Offsets

if TYPE_CHECKING:
    from boltzbrain.model.layers.layer import Layer


class SweepKernel(Protocol):
    """Block Gibbs sweeps of one pair of kinds.

    A kernel takes from the generator what the two layers' own `sample` would take, h then v in each
    sweep, so that a model gives the same states with and without it.
    """

    def __call__(
        self,
        visible_layer: Layer,
        hidden_layer: Layer,
        weights: Tensor,
        visible: Tensor,
        sweeps: int,
        generator: Generator,
        offsets: Offsets | None,
    ) -> tuple[Tensor, Tensor]:
        """Return visible and hidden states after `sweeps` sweeps, the given states left alone.

        Offsets have a row for every chain.
        """
        ...


_KERNELS: dict[tuple[str, str], SweepKernel] = {}


def register_sweep(visible_kind: str, hidden_kind: str, kernel: SweepKernel) -> None:
    """Use `kernel` in place of the two layers' own samplers for this pair of kinds."""
    _KERNELS[visible_kind, hidden_kind] = kernel


def fused_sweep(visible: Layer, hidden: Layer) -> SweepKernel | None:
    """Return the kernel registered for the kinds of these layers, or None."""
    return _KERNELS.get((visible.kind, hidden.kind))


def with_rows(field: Tensor, rows: Tensor | None) -> Tensor:
    """Return a field (unit,), or one for every chain, (chain, unit), where there are rows."""
    return field if rows is None else field + rows


def fields_at_ends(
    ends: tuple[Layer, Layer], foot: Tensor | None, offsets: Offsets | None
) -> tuple[Tensor, Tensor]:
    """Return the visible fields at 0 and at 1, both of one shape, and one where nothing moves.

    Parameters are those of `ClimbKernel`.
    """
    start, end = (layer.parameters()["field"] for layer in ends)
    rows = None if offsets is None else offsets.visible
    if start is end and foot is None:
        return (with_rows(start, rows),) * 2
    start, end = with_rows(start, rows if foot is None else foot), with_rows(end, rows)
    shape = torch.broadcast_shapes(start.shape, end.shape)
    return start.expand(shape), end.expand(shape)


class ClimbKernel(Protocol):
    """Annealing of one pair of kinds along many rungs; see `sampling.annealing.AnnealedPath.climb`.

    A kernel takes from the generator what sweeps rung by rung would take, so that the states are
    the same but for the rounding of inputs.
    """

    def __call__(
        self,
        ends: tuple[Layer, Layer],
        hidden_layer: Layer,
        weights: Tensor,
        visible: Tensor,
        ts: list[float],
        generator: Generator,
        foot: Tensor | None,
        offsets: Offsets | None,
    ) -> tuple[Tensor, Tensor] | None:
        """Return states and log-weights, or None where it does not serve.

        `ends` are the visible layers at 0 and at 1. Offsets have a row for every chain; `foot` are
        rows of the visible units at 0 in place of theirs.
        """
        ...


_CLIMBS: dict[tuple[str, str], ClimbKernel] = {}


def register_climb(visible_kind: str, hidden_kind: str, kernel: ClimbKernel) -> None:
    """Use `kernel` for annealing this pair of kinds."""
    _CLIMBS[visible_kind, hidden_kind] = kernel


def fused_climb(visible: Layer, hidden: Layer) -> ClimbKernel | None:
    """Return the annealing registered for the kinds of these layers, or None."""
    return _CLIMBS.get((visible.kind, hidden.kind))
