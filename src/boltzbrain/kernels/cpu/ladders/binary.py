"""Ladders of Bernoulli-Bernoulli models: all rungs swept in one call, tiles as in `many_chains`.

The weights of every rung are laid out once, and not for every sweep.
"""

# numba infers the types of the loops, so they carry none.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from boltzbrain.kernels.compiling import compiled
from boltzbrain.kernels.cpu.arrays import flat
from boltzbrain.kernels.cpu.draws import whole_tiles
from boltzbrain.kernels.cpu.many_chains import (
    Workspace,
    limit,
    padded_field,
    sweep_tiled,
    tiled_transpose,
)
from boltzbrain.kernels.cpu.threads import share

_MOST = 1024
"""Chains that a thread takes at once, as in `many_chains`."""


@compiled
def _sweep_rungs(
    visible, hidden, units, wholes, limits, fields, matrices, sweeps, first, samples, key, draw,
    workspace,
):  # fmt: skip
    """Sweep the chains from `first` on, rung after rung; `visible` is (rung, chain visible)."""
    for rung in range(len(visible)):
        sweep_tiled(
            visible[rung], hidden, units, wholes, limits, (fields[0][rung], fields[1][rung]),
            (0, 0), (matrices[0][rung], matrices[1][rung]), sweeps, first, samples, key,
            draw + np.uint64(2 * sweeps * rung), workspace,
        )  # fmt: skip


class BinaryRungs:
    """Bernoulli-Bernoulli models of one size in float32, laid out to be swept in one call.

    Parameters
    ----------
    visible_fields, hidden_fields
        (rung, visible) and (rung, hidden).
    weights
        (visible, hidden) of each rung.
    tiles
        The same, as `pairs.Pairs.tiles` has them.
    """

    def __init__(
        self, visible_fields: Tensor, hidden_fields: Tensor, weights: Sequence[Tensor], tiles: Any
    ) -> None:
        self._units, self._others = weights[0].shape
        self._fields = tuple(
            padded_field(fields).reshape(len(weights), -1)
            for fields in (visible_fields, hidden_fields)
        )
        self._matrices = tiles, np.stack([tiled_transpose(one) for one in weights])

    def sweep(self, visible: Tensor, sweeps: int, key: int, draw: int) -> Tensor:
        """Sweep every rung as `kernels.reference.sweep_bernoulli` does, one after the other.

        Parameters
        ----------
        visible
            (rung, chain, visible) uint8; left as they are.
        sweeps
            How many of every rung.
        key, draw
            Random state: a rung takes two draws a sweep.

        Returns
        -------
        Tensor
            (rung, chain, visible) uint8.
        """
        rungs, chains, units = visible.shape
        whole, whole_others = whole_tiles(units), whole_tiles(self._others)
        states = pad(visible, (0, whole - units)).contiguous()
        if states.data_ptr() == visible.data_ptr():
            states = states.clone()
        moved = states.reshape(rungs, -1).numpy()
        hidden = flat(torch.zeros((chains, whole_others), dtype=torch.uint8))
        most = max(units, self._others)

        def task(first: int, count: int) -> None:
            _sweep_rungs(
                moved,
                hidden,
                (units, self._others),
                (whole, whole_others),
                (limit(units), limit(self._others)),
                self._fields,
                self._matrices,
                sweeps,
                first,
                count,
                np.uint64(key),
                np.uint64(draw),
                tuple(Workspace.of(count, most, torch.float32)),
            )

        share(task, chains, least=1 + 20_000 // (rungs * (units + self._others)), most=_MOST)
        return states[..., :units].contiguous()
