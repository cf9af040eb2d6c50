"""Ladders of models with ReLU or dReLU hidden units: all rungs in one call."""

# numba infers the types of the loops, so they carry none.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from boltzbrain.kernels.compiling import compiled
from boltzbrain.kernels.cpu.arrays import WORD, flat
from boltzbrain.kernels.cpu.doubles.rectified import law_of, partitions_of_row, room_to_draw
from boltzbrain.kernels.cpu.doubles.sweeps import sweep_through, worth
from boltzbrain.kernels.cpu.few_chains import SAMPLES, length_of_stretches, whole_vectors
from boltzbrain.kernels.cpu.products import padded_samples
from boltzbrain.kernels.cpu.rectified import QUANTILES, TABLE
from boltzbrain.kernels.cpu.threads import share


@compiled
def _sweep_rungs(
    weights, units, length, fields, laws, sweeps, begin, samples, stride, key, draw, states, drawn,
    sums, part, turned, inputs, listed, room, many_room, tables, nothing,
):  # fmt: skip
    """Sweep the samples from `begin` on, rung after rung; `states` are (rung, chain visible)."""
    hidden_fields, roots, log_roots, two_sided, inverses = laws
    number = np.uint64(draw)
    for rung in range(len(weights)):
        law = hidden_fields[rung], roots[rung], log_roots[rung], two_sided, inverses[rung]
        sweep_through(
            weights[rung], units, length, fields[rung], 0, nothing, law, sweeps, begin, samples,
            stride, key, number, states[rung], drawn, sums, part, turned, inputs, listed, room,
            many_room, tables,
        )  # fmt: skip
        number += np.uint64(sweeps) * (np.uint64(2) + np.uint64(two_sided))


@compiled
def _partitions(inputs, laws, table, lower, first, samples, result):
    """Find the log-partitions of some states of every pair; see `RectifiedRungs.partitions`."""
    fields, roots, log_roots, two_sided, inverses = laws
    room, units = room_to_draw(), fields.shape[2]
    for pair in range(len(inputs)):
        for side in range(2):
            rung = lower + 2 * pair + side
            law = fields[rung], roots[rung], log_roots[rung], two_sided, inverses[rung]
            given, found = inputs[pair, side], result[pair, side]
            for sample in range(first, first + samples):
                partitions_of_row(given, sample * units, law, table, room, found)


class RectifiedRungs:
    """Models of one size in float32 with ReLU or dReLU hidden units, laid out for one call.

    Parameters
    ----------
    visible_fields
        (rung, visible).
    sides
        Fields and roots of the precisions of each rung, as `kernels.cpu.doubles.rectified` takes
        them.
    weights
        (visible, hidden) of each rung.
    """

    def __init__(
        self,
        visible_fields: Tensor,
        sides: Sequence[tuple[Tensor, Tensor]],
        weights: Sequence[Tensor],
    ) -> None:
        self._units, self._others = weights[0].shape
        self._fields = visible_fields.contiguous().numpy()
        self._weights = np.stack([flat(one) for one in weights])
        *parts, two_sided, inverses = zip(*(law_of(*one) for one in sides), strict=True)
        self._laws = *(np.stack(part) for part in parts), two_sided[0], np.stack(inverses)
        self._any = weights[0]

    def sweep(self, visible: Tensor, sweeps: int, key: int, draw: int) -> Tensor | None:
        """Sweep every rung as `kernels.cpu.doubles.sweeps.sweep_rectified` does, one after another.

        Parameters
        ----------
        visible
            (rung, chain, visible) uint8; left as they are.
        sweeps
            How many of every rung.
        key, draw
            Random state.

        Returns
        -------
        Tensor or None
            (rung, chain, visible) uint8; None where one call does not pay.
        """
        rungs, chains, units = visible.shape
        if not worth(chains, self._any):
            return None
        states = visible.reshape(rungs, -1).clone(memory_format=torch.contiguous_format)
        # long enough to be read a word at a time
        room_of_words = pad(states, (0, max(0, WORD - states.shape[1]))).contiguous()
        moved, hidden = room_of_words.numpy(), np.empty(chains * self._others, np.float32)
        width, length = whole_vectors(self._others), length_of_stretches(units)

        def task(first: int, count: int) -> None:
            stride = padded_samples(count)
            _sweep_rungs(
                self._weights,
                units,
                length,
                self._fields,
                self._laws,
                sweeps,
                first,
                count,
                stride,
                np.uint64(key),
                np.uint64(draw),
                moved,
                hidden,
                torch.empty(count * width).numpy(),
                torch.empty(count * width).numpy(),
                torch.zeros(self._others * stride).numpy(),
                torch.empty(4 * stride).numpy(),
                np.empty(self._others, np.int64),
                torch.zeros(4 * width).numpy(),
                torch.zeros(WORD * width).numpy(),
                (TABLE, QUANTILES),
                np.empty(0, np.float32),
            )

        share(task, chains, least=1 + 2000 // (rungs * (units + self._others)), most=SAMPLES)
        return room_of_words[:, : states.shape[1]].reshape(visible.shape)

    def partitions(self, inputs: Tensor, lower: int) -> Tensor:
        """Return the log-partitions of hidden units, inputs and result as of `pairs.Pairs.inputs`.

        They are those of `kernels.cpu.doubles.rectified.log_partition_rectified`.
        """
        pairs, _, samples, _ = inputs.shape
        result = torch.empty(inputs.shape)
        rows = inputs.reshape(pairs, 2, -1).numpy(), result.reshape(pairs, 2, -1).numpy()

        def task(first: int, count: int) -> None:
            _partitions(rows[0], self._laws, TABLE, lower, first, count, rows[1])

        share(task, samples, least=1 + 500 // (pairs * self._others), most=samples + 1)
        return result
