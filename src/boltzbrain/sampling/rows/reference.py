"""log Z of many rows from one reference, a cheap surrogate for each row, and a few annealed ones.

The reference is the model at the mean offset: one log Z and samples of it. In a row the offsets
differ from the mean by beta (visible) and delta (hidden), and with averages over the reference

    log Z_t - log Z_ref = log < exp{ beta v + sum_a Gamma_a(I_a + delta_a) - Gamma_a(I_a) } >.

Were the units independent, this would be a sum over units of the logs of their own averages; what
they share is to second order half the variance of beta v + delta <h | v> less those of its terms.
The three (hidden units, visible units, what they share) are computed for every row. A few rows,
drawn at random, are annealed from samples of the reference along s (beta, delta) at full weights,
s from 0 to 1, and tell the others by the three (`sampling.rows.estimate.told_by_some`). Visible
offsets of many neurons that move together leave much untold: 4 nats a row, where the last bin of
900 neurons moved log Z by 14. `sampling.rows.coarse` serves there.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import torch
from torch import Tensor

from boltzbrain.foundations.checks import bad_input, whole_number_in
from boltzbrain.foundations.memory import slices
from boltzbrain.foundations.progress import SILENT, Teller
from boltzbrain.foundations.random import Generator
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.annealing import AnnealedPath, schedule_along
from boltzbrain.sampling.partition import (
    LogPartition,
    bootstrap_log_mean,
    effective_sample_size,
    log_mean_exp,
)
from boltzbrain.sampling.rows.estimate import (
    RowPartitions,
    effective_shares,
    jackknifed,
    told_by_some,
)
from boltzbrain.sampling.running import resample

_SWEEPS = 40
"""Sweeps of the reference's samples after they were annealed to it."""

FEWEST = 20
"""Fewest rows from which three slopes are fitted."""

_NODES = 33
"""Places at which the average of a hidden unit over the reference is computed."""

_CELLS = 1 << 22
"""Values of a layer of all chains that are annealed at once."""


def by_reference(
    model: RBM,
    offsets: Offsets,
    generator: Generator,
    *,
    rows: int = 100,
    chains: int = 10,
    rungs: int = 20,
    reference_chains: int = 1000,
    reference_rungs: int = 1000,
    visible_field: Tensor | None = None,
    tell: Teller = SILENT,
) -> RowPartitions:
    """Estimate log Z of every row from a reference and some annealed rows.

    Parameters
    ----------
    model, offsets
        The model, and at least `rows` rows.
    generator
        Moves on.
    rows, chains, rungs
        Rows to anneal, at least 20, chains of each, at least 2, and rungs from the reference to it.
    reference_chains, reference_rungs
        Of the annealing to the reference, at least 10 and 2; its chains are the samples.
    visible_field
        Field of the independent units from which the reference is annealed, (visible,); the
        reference's own where None.
    tell
        Told the rows.

    Raises
    ------
    InputError
        If an option is out of range or the offsets do not fit the model.
    """
    offsets.require(len(offsets), model.weights)
    whole_number_in("rows", rows, low=FEWEST)
    whole_number_in("chains", chains, low=2)
    whole_number_in("rungs", rungs, low=2)
    whole_number_in("reference_chains", reference_chains, low=10)
    if len(offsets) < rows:
        raise bad_input("offsets", f"have at least {rows} rows", len(offsets))
    reference, change = model.with_fields_moved(offsets.mean()), offsets.centred()
    estimate, states = _annealed_reference(
        reference, visible_field, generator, reference_chains, reference_rungs
    )
    surrogate = surrogates(reference, states, change)
    drawn = torch.from_numpy(generator.permutation(len(offsets))[:rows])
    found = []
    for part in slices(rows, chains * sum(model.weights.shape), _CELLS):
        tell(part.start, rows)
        moving = change[drawn[part]].repeated(chains)
        start = states[torch.from_numpy(generator.integers(len(states), len(moving)))]
        gains = _carried(reference, start, moving, rungs, generator)
        found.append(gains.cpu().reshape(-1, chains))
    tell(rows, rows)
    log_weights = torch.cat(found)
    measured, noise = jackknifed(log_weights)
    told = told_by_some(surrogate, drawn, measured, noise)
    return RowPartitions(
        told.values + estimate.value,
        told.errors,
        math.sqrt(told.variance + estimate.stderr**2),
        "reference",
        shared=estimate.stderr,
        annealed=rows,
        effective_share=float(effective_shares(log_weights).mean()),
        spread=told.spread,
        doubts=() if estimate.warning is None else (estimate.warning,),
    )


def surrogates(reference: RBM, states: Tensor, change: Offsets) -> Tensor:
    """Return what tells log Z of a row cheaply, (row, column) float64: ones, then up to three.

    Of the hidden units, of the visible units, and of what all share, as at the top; columns that
    are the same in every row are left out.

    Parameters
    ----------
    reference
        The model at the mean offset.
    states
        (sample, visible) states of it.
    change
        The rows less their mean.
    """
    columns = [torch.ones(len(change), dtype=torch.float64)]
    terms: list[tuple[Tensor, Tensor]] = []
    if change.hidden is not None:
        columns.append(_of_hidden(reference, states, change.hidden))
        terms.append((change.hidden, reference.mean_hidden(states)))
    if change.visible is not None:
        columns.append(_of_visible(reference, states, change.visible))
        terms.append((change.visible, states.to(change.visible.dtype)))
    columns.append(_shared(terms, len(change)))
    return torch.stack([columns[0], *(one for one in columns[1:] if float(one.std()) > 0)], dim=1)


def _of_hidden(reference: RBM, states: Tensor, rows: Tensor) -> Tensor:
    """Return sum_a log < exp(Gamma_a(I_a + delta_a) - Gamma_a(I_a)) >, (row,) float64.

    The average is a smooth function of delta, of which each unit has a table; a cubic runs through
    its nodes.
    """
    inputs = reference.inputs_to_hidden(states)
    start = reference.hidden.log_partition(inputs).to(torch.float64)
    # a row or two suffice: nothing moves where all are alike
    low, high = rows.amin(dim=0), rows.amax(dim=0)
    width = (high - low).clamp(min=1e-6)
    table = torch.stack(
        [
            torch.logsumexp(
                reference.hidden.log_partition(inputs + low + width * node / (_NODES - 1)) - start,
                dim=0,
            )
            for node in range(_NODES)
        ]
    ) - math.log(len(states))
    place = ((rows - low) / width * (_NODES - 1)).to(torch.float64)
    node = place.floor().clamp(0, _NODES - 2).to(torch.int64)
    t = place - node
    at = [table.gather(0, (node + step).clamp(0, _NODES - 1)) for step in (-1, 0, 1, 2)]
    rise, next_rise = (at[2] - at[0]) / 2, (at[3] - at[1]) / 2
    # at an end the rise is that of the only neighbour
    rise = torch.where(node == 0, at[2] - at[1], rise)
    next_rise = torch.where(node == _NODES - 2, at[2] - at[1], next_rise)
    jump = at[2] - at[1]
    bend, twist = 3 * jump - 2 * rise - next_rise, rise + next_rise - 2 * jump
    return (at[1] + t * (rise + t * (bend + t * twist))).sum(dim=1).cpu()


def _of_visible(reference: RBM, states: Tensor, rows: Tensor) -> Tensor:
    """Return sum_i log < exp(beta_i v_i) >, (row,) float64."""
    values = reference.visible.all_states()
    change = rows.to(torch.float64)
    if values is None:
        given = states.to(torch.float64)
        parts = [torch.logsumexp(row * given, dim=0).sum() for row in change]
        return torch.stack(parts).cpu() - change.shape[1] * math.log(len(states))
    low, high = values.to("cpu", torch.float64).tolist()
    # half a sample on either side, so that no unit is sure
    share = ((states == high).sum(dim=0, dtype=torch.float64) + 0.5) / (len(states) + 1)
    both = torch.logaddexp(share.log() + high * change, (1 - share).log() + low * change)
    return both.sum(dim=1).cpu()


def _shared(terms: list[tuple[Tensor, Tensor]], rows: int) -> Tensor:
    """Return half the variance of the sum of all terms less those of each, (row,) float64."""
    total, alone = [], torch.zeros(rows, dtype=torch.float64)
    for change, values in terms:
        centred = values - values.mean(dim=0)
        total.append((change, centred))
        own = change.to(torch.float64).square() @ centred.to(torch.float64).square().mean(dim=0)
        alone += own.cpu()
    together = torch.zeros(rows, dtype=torch.float64)
    for part in slices(rows, len(terms[0][1])):
        sums = sum(change[part] @ centred.T for change, centred in total)
        together[part] = torch.as_tensor(sums).to(torch.float64).square().mean(dim=1).cpu()
    return 0.5 * (together - alone)


def _annealed_reference(
    reference: RBM, visible_field: Tensor | None, generator: Generator, chains: int, rungs: int
) -> tuple[LogPartition, Tensor]:
    """Return log Z of the reference, and samples of it, (chain, visible)."""
    path = AnnealedPath(reference.independent(visible_field), reference)
    ts = schedule_along(path, generator, rungs)
    states, gains = path.climb(path.start(chains, generator), ts, generator)
    log_weights = path.log_partition_start() + gains.sum(dim=0).cpu()
    estimate = LogPartition(
        log_mean_exp(log_weights),
        bootstrap_log_mean(log_weights, generator),
        effective_sample_size(log_weights),
        log_weights,
        "forward",
    )
    states = states[resample(log_weights, generator)]
    return estimate, reference.sweep(states, generator, _SWEEPS)[0]


def _carried(
    reference: RBM, states: Tensor, change: Offsets, rungs: int, generator: Generator
) -> Tensor:
    """Carry samples of the reference to the rows, and return their log-weights, (chain,)."""
    total = torch.zeros(len(states), dtype=torch.float64, device=states.device)
    for here, there in itertools.pairwise(_rungs(rungs)):
        before = reference.free_energy(states, change.scaled(here))
        total += before - reference.free_energy(states, change.scaled(there))
        if there < 1:
            states, _ = reference.sweep(states, generator, 1, change.scaled(there))
    return total


def _rungs(count: int) -> Iterator[float]:
    return (step / count for step in range(count + 1))
