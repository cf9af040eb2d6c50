"""How much of the couplings was common drive: what is gone of them when the context is given.

Two neurons that follow one stimulus are coupled in a model that does not know of it. Where the
fields follow the stimulus, or behaviour, such couplings have nothing to explain (noise
correlations, Cohen and Kohn, Nature Neuroscience 2011, in the words of couplings). So the sizes of
the couplings of a model with a context stand beside those of the run that its training began with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity
from boltzbrain.data.regions import Regions
from boltzbrain.foundations.checks import Undefined, bad_input
from boltzbrain.foundations.disk.folders import given_path
from boltzbrain.interpretation.choices import Choices
from boltzbrain.interpretation.couplings.couplings import (
    couplings,
    low_rank_couplings,
    pair_memory_gb,
)
from boltzbrain.interpretation.couplings.low_rank import Couplings, row_blocks
from boltzbrain.interpretation.file import Entries, Entry
from boltzbrain.interpretation.regions.maps import large_regions
from boltzbrain.model.rbm import RBM
from boltzbrain.training.run.repeated import repeats_of
from boltzbrain.training.run.run import TrainingRun
from boltzbrain.training.run.started_from import started_from

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

GROUPS = 10
"""Groups of neurons, each of which is left out once for the error."""
REMAINS = 0.5
"""Share of its weights along the former ones from which on an assembly is said to remain."""
TOTALS = ("all", "within", "between")
"""Pairs of neurons that totals are of: all, and those of one region and of two."""
_EVERYWHERE = "all neurons"


@dataclass(frozen=True, eq=False)
class CommonDrive:
    """Sizes of couplings with and without a context.

    Attributes
    ----------
    names
        Regions, or "all neurons" where none has enough.
    pairs
        (region, region) ordered pairs of different neurons.
    without, given
        (region, region) mean |J| without the context, and given it, nats.
    share, stderr
        (region, region) share of |J| that is gone, and its error over neurons (a tenth left out at
        a time) and over trainings where there are repeats; 0 where there are no pairs.
    totals
        Of `TOTALS`, each share and error; None where there are no such pairs.
    repeats
        Number of other trainings with the context that the errors know of.
    """

    names: tuple[str, ...]
    pairs: NDArray[np.int64]
    without: Floats
    given: Floats
    share: Floats
    stderr: Floats
    totals: dict[str, tuple[float, float] | None]
    repeats: int


def compare_couplings(
    without: Couplings,
    given: Sequence[Couplings],
    regions: Regions | None,
    *,
    min_neurons: int = 5,
) -> CommonDrive:
    """Compare the sizes of couplings by region.

    Parameters
    ----------
    without
        (neuron, neuron) couplings of the model without the context.
    given
        Those of the model with it, those of its repeats behind.
    regions
        Membership; None for all neurons as one.
    min_neurons
        Regions of fewer are left out.

    Examples
    --------
    >>> apart = np.array([[0.0, 1.0, 0.5], [1.0, 0.0, 0.5], [0.5, 0.5, 0.0]])
    >>> found = compare_couplings(apart, [apart / 4], None)
    >>> found.share.tolist(), found.totals["between"]
    ([[0.75]], None)
    """
    neurons = len(without)
    names, member = _membership(regions, neurons, min_neurons)
    # neighbours of a region lie in different groups, so that none loses much at once
    order = np.argsort(member.argmax(axis=1), kind="stable")
    group = np.empty(neurons, dtype=np.int64)
    group[order] = np.arange(neurons) % min(GROUPS, neurons)
    sums = [_sums(one, member, group) for one in (without, *given)]
    counts = _pairs(member, group)
    whole = [one.sum(axis=(1, 3)) for one in sums]
    pairs = counts.sum(axis=(1, 3))
    share, stderr = _shares(sums)
    safe = np.maximum(pairs, 1)
    same = np.eye(len(names), dtype=bool)[:, None, :, None]
    everyone = np.ones((neurons, 1))
    of = {
        "all": [_sums(one, everyone, group) for one in (without, *given)],
        "within": [_summed(one * same) for one in sums],
        "between": [_summed(one * ~same) for one in sums],
    }
    totals: dict[str, tuple[float, float] | None] = {}
    for name in TOTALS:
        value, error = _shares(of[name])
        there = of[name][0].sum() > 0
        totals[name] = (float(value[0, 0]), float(error[0, 0])) if there else None
    return CommonDrive(
        names,
        np.round(pairs).astype(np.int64),
        whole[0] / safe,
        whole[1] / safe,
        share,
        stderr,
        totals,
        len(given) - 1,
    )


def _membership(
    regions: Regions | None, neurons: int, min_neurons: int
) -> tuple[tuple[str, ...], Floats]:
    kept = [] if regions is None else large_regions(regions, min_neurons).tolist()
    if regions is None or not kept:
        return (_EVERYWHERE,), np.ones((neurons, 1))
    member = regions.membership[:, kept].toarray().astype(np.float64)
    return tuple(regions.names[one] for one in kept), member


def _sums(matrix: Couplings, member: Floats, group: NDArray[np.int64]) -> Floats:
    """Return sums of |J| of different neurons, (region, group, region, group)."""
    fine = _fine(member, group)
    total = np.zeros((fine.shape[1], fine.shape[1]))
    for first, block in row_blocks(matrix):
        size = np.abs(np.asarray(block, dtype=np.float64))
        rows = np.arange(len(size))
        size[rows, first + rows] = 0.0
        total += fine[first : first + len(size)].T @ (size @ fine)
    return _apart(total, member, group)


def _summed(values: Floats) -> Floats:
    """Return sums over regions of (region, group, region, group), as of one region."""
    total: Floats = values.sum(axis=(0, 2))[None, :, None, :]
    return total


def _pairs(member: Floats, group: NDArray[np.int64]) -> Floats:
    fine = _fine(member, group)
    counts = fine.sum(axis=0)
    return _apart(np.outer(counts, counts) - fine.T @ fine, member, group)


def _fine(member: Floats, group: NDArray[np.int64]) -> Floats:
    one = group[:, None] == np.arange(group.max() + 1)
    fine: Floats = (member[:, :, None] * one[:, None, :]).reshape(len(group), -1)
    return fine


def _apart(values: Floats, member: Floats, group: NDArray[np.int64]) -> Floats:
    size = (member.shape[1], int(group.max()) + 1)
    return values.reshape(*size, *size)


def _shares(sums: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Return the share that is gone and its error, both (region, region).

    Parameters
    ----------
    sums
        (region, group, region, group) without the context, given it, and given it in repeats.
    """
    groups = sums[0].shape[1]

    def share(before: Floats, after: Floats) -> Floats:
        found: Floats = np.where(before > 0, 1 - after / np.where(before > 0, before, 1.0), 0.0)
        return found

    whole = [one.sum(axis=(1, 3)) for one in sums]
    value = share(whole[0], whole[1])
    less = []
    for one in range(groups if groups > 1 else 0):
        kept = np.arange(groups) != one
        less.append(share(*(part[:, kept][..., kept].sum(axis=(1, 3)) for part in sums[:2])))
    square = np.zeros_like(value)
    if less:
        square = (groups - 1) * np.var(less, axis=0)
    if len(sums) > 2:
        again = [share(whole[0], one) for one in whole[1:]]
        square = square + np.var(again, axis=0, ddof=1)
    return value, np.sqrt(square)


def couplings_beside(
    run: TrainingRun,
    without: RBM,
    activity: Activity,
    choices: Choices,
    *,
    repeats: bool = True,
) -> CommonDrive:
    """Compare the couplings of a run with a context, at its mean, with those of a model without.

    Parameters
    ----------
    run
        With a context.
    without
        Of the same neurons.
    activity, choices
        Those of the run, and how to read it. Couplings are those of the data reference.
    repeats
        Whether the error knows of repeats of the run.
    """
    states = activity.states_of("train")
    dense = pair_memory_gb(activity.n_neurons) <= choices.memory_limit_gb

    def of(model: RBM) -> Couplings:
        options: dict[str, Any] = {"data": states, "bins": choices.bins}
        if not dense:
            return low_rank_couplings(model, "data", **options)
        limit = choices.memory_limit_gb
        return couplings(model, 2, "data", check=False, memory_limit_gb=limit, **options)

    runs = [run, *(repeats_of(run) if repeats else [])]
    return compare_couplings(
        of(without),
        [of(one.at_mean_context()) for one in runs],
        choices.regions_of(activity),
        min_neurons=choices.min_neurons,
    )


def remaining(before: RBM, after: RBM) -> Floats:
    """Return how much of every unit's weights remains along the former ones, (hidden,).

    1 for weights as they were or larger along the same neurons, 0 for none or others.
    """
    old = before.weights.double().cpu().numpy()
    new = after.weights.double().cpu().numpy()
    length = np.square(old).sum(axis=0)
    found: Floats = np.abs((old * new).sum(axis=0)) / np.where(length > 0, length, np.inf)
    return np.minimum(found, 1.0)


def find_common_drive(
    run: TrainingRun, activity: Activity, choices: Choices
) -> tuple[Entries, dict[str, Any] | None, dict[str, str]]:
    """Return what interpretation.h5 holds of common drive, its summary, and why there is none."""
    began = started_from(run, activity)
    if isinstance(began, Undefined):
        return {}, None, {"common_drive": began.reason}
    before, model = began
    found = couplings_beside(run, model, activity, choices)
    left = remaining(model, run.in_context().rbm)
    entries = {
        "common_drive/names": Entry(np.array(found.names, dtype=object), "(region,) names"),
        "common_drive/pairs": Entry(
            found.pairs, "(region, region) ordered pairs of different neurons"
        ),
        "common_drive/without": Entry(
            found.without,
            "(region, region) mean |J_ij| without context, data reference",
            "nats",
        ),
        "common_drive/given": Entry(
            found.given, "(region, region) mean |J_ij| given the context, data reference", "nats"
        ),
        "common_drive/share": Entry(
            found.share, "(region, region) share of |J_ij| that is gone given the context"
        ),
        "common_drive/share_stderr": Entry(
            found.stderr, "(region, region) its error over neurons, and trainings if repeated"
        ),
        "common_drive/remaining": Entry(
            left,
            "(hidden,) how much of the weights remains along those without context, 0 to 1",
        ),
    }
    summary = {
        "beside": {"run": before.id, "folder": str(before.folder)},
        "context": run.plan.context_told,
        "totals": {
            name: None if one is None else {"value": one[0], "stderr": one[1]}
            for name, one in found.totals.items()
        },
        "repeats": found.repeats,
        "assemblies": len(left),
        "remaining": int((left >= REMAINS).sum()),
        "remains_from": REMAINS,
    }
    return entries, summary, {}


def common_drive(
    run: TrainingRun | str | Path,
    without: TrainingRun | str | Path | None = None,
    *,
    atlas: str | None = None,
    min_neurons: int = 10,
) -> pd.DataFrame:
    """Return how much of the couplings between regions is gone when the context is given.

    Parameters
    ----------
    run
        A finished run with a context.
    without
        Another of the same neurons, without a context, or with one whose labels mean nothing; that
        which the training began with (`--from`) if None.
    atlas
        Which regions; the first atlas if None.
    min_neurons
        Regions of fewer neurons are left out.

    Returns
    -------
    DataFrame
        A row for each pair of regions: ``first``, ``second``, ``pairs`` of neurons, ``without`` and
        ``given`` (mean |J| in nats, data reference), ``share`` that is gone, and its ``stderr``
        over neurons and, where the run was repeated, over trainings.

    Raises
    ------
    InputError
        If the run has no context, or there is nothing to compare it with.
    """
    import pandas as pd

    run = _opened("run", run)
    if run.plan.context is None:
        must = "have a context (boltzbrain fit --context), whose part in the couplings is asked"
        raise bad_input("run", must, "none", file=run.folder)
    activity = run.activity()
    choices = Choices(atlas=atlas, min_neurons=min_neurons)
    if without is None:
        began = started_from(run, activity)
        if isinstance(began, Undefined):
            raise bad_input("without", "be a run without a context", began.reason, file=run.folder)
        model = began[1]
    else:
        other = _opened("without", without)
        model = other.at_mean_context()
        if other.activity().neurons["id"].tolist() != activity.neurons["id"].tolist():
            must = "be of the same neurons, in one order"
            raise bad_input("without", must, other.folder, file=run.folder)
    found = couplings_beside(run, model, activity, choices)
    first, second = np.triu_indices(len(found.names))
    return pd.DataFrame(
        {
            "first": [found.names[one] for one in first],
            "second": [found.names[one] for one in second],
            "pairs": found.pairs[first, second] // np.where(first == second, 2, 1),
            "without": found.without[first, second],
            "given": found.given[first, second],
            "share": found.share[first, second],
            "stderr": found.stderr[first, second],
        }
    )


def _opened(name: str, run: TrainingRun | str | Path) -> TrainingRun:
    return TrainingRun.open(run.folder if isinstance(run, TrainingRun) else given_path(name, run))
