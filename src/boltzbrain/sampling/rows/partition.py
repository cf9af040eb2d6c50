"""log Z of every row of offsets, by whichever way is exact or affordable."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from boltzbrain.foundations.progress import SILENT, Teller
from boltzbrain.foundations.random import Generator
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.enumeration import exact_log_partitions, terms_of_rows
from boltzbrain.sampling.rows.annealed import annealed_rows
from boltzbrain.sampling.rows.coarse import coarse_and_fine
from boltzbrain.sampling.rows.estimate import RowPartitions
from boltzbrain.sampling.rows.reference import FEWEST, by_reference

PRODUCTS = 1.5e12
"""Products of a chain's states with weights that may be spent: a minute or two on two cores."""

_RUNGS, _CHAINS = 300, (20, 10)
_COARSE = 4 * 100
"""Chains times rungs of a row that is annealed coarsely."""
_ROWS, _ROWS_BY_REFERENCE = 200, 100
"""Rows that are annealed finely where not all can be."""

_REFERENCE_CHAINS = (200, 1000)
"""Of the reference: the more, for models of up to a million weights, and fewer in proportion."""

TERMS = 2e9
"""Terms up to which log Z of every row is summed over the states of a layer: tens of seconds."""


def log_partitions_of_rows(
    model: RBM,
    offsets: Offsets,
    generator: Generator,
    *,
    visible_field: Tensor | None = None,
    foot: Tensor | None = None,
    samples: Tensor | None = None,
    tell: Teller = SILENT,
) -> RowPartitions:
    """Estimate log Z of every row of offsets.

    Exactly, where a layer has so few two-valued units that `TERMS` are not passed. Else every
    row is annealed, by 20 chains or, of many rows, by 10, as long as that takes no more than
    `PRODUCTS`: 2,700 and 5,400 bins of 900 neurons and 100 hidden units. Beyond, 200 rows drawn at
    random are, and all coarsely, up to some 38,000 such bins; then 100 rows, from the samples of a
    reference. The choice depends on sizes alone.

    Parameters
    ----------
    model, offsets
        The model, and a row for each.
    generator
        Moves on.
    visible_field, foot, samples
        As of `annealed_rows`; a reference has no use for the last two.
    tell
        Told the rows.

    Raises
    ------
    InputError
        If something does not fit the model.
    """
    if terms_of_rows(model, offsets) <= TERMS:
        values = exact_log_partitions(model, offsets).cpu()
        return RowPartitions(values, torch.zeros_like(values), 0.0, "exact")
    each, rows = float(model.weights.numel()), len(offsets)
    foundation: dict[str, Any] = {"visible_field": visible_field, "tell": tell}
    known: dict[str, Any] = {**foundation, "foot": foot, "samples": samples}
    for chains in _CHAINS:
        if chains * _RUNGS * rows * each <= PRODUCTS or rows < FEWEST:
            return annealed_rows(model, offsets, generator, chains=chains, rungs=_RUNGS, **known)
    some = min(_ROWS, rows)
    if (_COARSE * rows + _CHAINS[0] * _RUNGS * some) * each <= PRODUCTS:
        return coarse_and_fine(
            model,
            offsets,
            generator,
            rows=some,
            fine=(_CHAINS[0], _RUNGS),
            **known,
        )
    few, many = _REFERENCE_CHAINS
    return by_reference(
        model,
        offsets,
        generator,
        rows=min(_ROWS_BY_REFERENCE, rows),
        reference_chains=min(many, max(few, round(many * 1e6 / each))),
        **foundation,
    )
