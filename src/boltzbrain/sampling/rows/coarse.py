"""log Z of many rows: all annealed coarsely, some of them finely, and the first told by the second.

Few chains on few rungs err low by much the same in every row, and follow what differs between rows.
A line through rows that are drawn at random and annealed finely as well maps one to the other, as
in `sampling.rows.reference` (two levels, as Giles, Operations Research 56:607, 2008). Unlike there,
many neurons may be moved together, and nothing is shared between rows.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.progress import SILENT, Teller
from boltzbrain.foundations.random import Generator
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.rows.annealed import RowPaths, annealed_rows
from boltzbrain.sampling.rows.estimate import RowPartitions, told_by_some

COARSE = (4, 100)
"""Chains and rungs of the rows that are annealed coarsely."""

FINE = (20, 300)
"""Of those that are annealed finely."""


def coarse_and_fine(
    model: RBM,
    offsets: Offsets,
    generator: Generator,
    *,
    rows: int = 200,
    coarse: tuple[int, int] = COARSE,
    fine: tuple[int, int] = FINE,
    visible_field: Tensor | None = None,
    foot: Tensor | None = None,
    samples: Tensor | None = None,
    tell: Teller = SILENT,
) -> RowPartitions:
    """Estimate log Z of every row by annealing all coarsely and some finely.

    Parameters
    ----------
    model, offsets, visible_field, foot, samples
        As of `annealed_rows`.
    generator
        Moves on.
    rows
        Rows to anneal finely, drawn at random, at least 20.
    coarse, fine
        Chains of a row, and rungs.
    tell
        Told the rows, those annealed finely included.

    Raises
    ------
    InputError
        If an option is out of range or something does not fit the model.
    """
    if not 20 <= rows <= len(offsets):
        raise bad_input("rows", f"be at least 20 and at most those there are, {len(offsets)}", rows)
    total = len(offsets) + rows
    paths = RowPaths(model, offsets, visible_field, foot)
    chains, nothing = coarse[0], torch.empty(0, dtype=torch.int64)
    ts = paths.schedule(generator, coarse[1])
    log_weights, _ = paths.climb_all(chains, ts, generator, nothing, tell.part(0, total))
    # the bias is nearly the same in every row; to take it away would add to the noise
    rough = torch.logsumexp(log_weights, dim=1)
    drawn = torch.from_numpy(generator.permutation(len(offsets))[:rows])
    some = annealed_rows(
        model,
        offsets[drawn],
        generator,
        chains=fine[0],
        rungs=fine[1],
        visible_field=visible_field,
        foot=None if foot is None else foot[drawn],
        samples=None if samples is None else samples[drawn],
        tell=tell.part(len(offsets), total),
    )
    columns = torch.stack([torch.ones_like(rough), rough - rough.mean()], dim=1)
    told = told_by_some(columns, drawn, some.values, some.errors)
    return RowPartitions(
        told.values,
        told.errors,
        math.sqrt(told.variance),
        "coarse",
        annealed=rows,
        effective_share=some.effective_share,
        spread=told.spread,
        gap=some.gap,
        gap_stderr=some.gap_stderr,
    )
