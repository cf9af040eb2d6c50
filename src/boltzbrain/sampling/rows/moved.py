"""Every row of offsets annealed by moves of hidden units, where sweeps do not switch assemblies."""

from __future__ import annotations

import torch
from torch import Tensor

from boltzbrain.foundations.checks import whole_number_in
from boltzbrain.foundations.memory import slices
from boltzbrain.foundations.progress import SILENT, Teller
from boltzbrain.foundations.random import Generator
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.moves.annealing import climb_by_moves, law_to_start_from
from boltzbrain.sampling.rows.estimate import RowPartitions, effective_shares, jackknifed

_CELLS = 1 << 22
"""Values of a layer of all chains that move at once."""


def annealed_rows_by_moves(
    model: RBM,
    offsets: Offsets,
    states: Tensor,
    generator: Generator,
    *,
    chains: int = 10,
    rungs: int = 100,
    tell: Teller = SILENT,
) -> RowPartitions:
    """Estimate log Z of every row by annealing hidden units; see `sampling.moves.annealing`.

    Parameters
    ----------
    model
        Visible units of {0, 1}, real-valued hidden units.
    offsets
        The rows.
    states
        (row, visible) states, each under its row, e.g. a fold: the hidden units given them say
        from where all chains start.
    generator
        Moves on.
    chains
        Chains of a row, at least 2.
    rungs
        Steps from there to the model, at least 2.
    tell
        Told the rows.

    Raises
    ------
    InputError
        If an option is out of range, something does not fit the model, or the hidden units have two
        values.
    """
    whole_number_in("chains", chains, low=2)
    whole_number_in("rungs", rungs, low=2)
    offsets.require(len(states), model.weights)
    base = law_to_start_from(model, states, generator, offsets)
    found = []
    for part in slices(len(offsets), chains * sum(model.weights.shape), _CELLS):
        tell(part.start, len(offsets))
        rows = offsets[part].repeated(chains)
        log_weights = climb_by_moves(model, base, len(rows), rungs, generator, rows)
        found.append(log_weights.reshape(-1, chains))
    tell(len(offsets), len(offsets))
    values, errors = jackknifed(torch.cat(found))
    return RowPartitions(
        values,
        errors,
        float(errors.square().sum().sqrt()) / len(values),
        "annealed",
        annealed=len(values),
        effective_share=float(effective_shares(torch.cat(found)).mean()),
    )
