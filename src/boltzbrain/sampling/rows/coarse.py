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
from boltzbrain.sampling.rows.annealed import annealed_rows
from boltzbrain.sampling.rows.estimate import RowPartitions, told_by_some

COARSE = (2, 60)
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
    every = annealed_rows(
        model,
        offsets,
        generator,
        chains=coarse[0],
        rungs=coarse[1],
        visible_field=visible_field,
        foot=foot,
        tell=tell.part(0, total),
    )
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
    centre = float(every.values.mean())
    columns = torch.stack([torch.ones_like(every.values), every.values - centre], dim=1)
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
