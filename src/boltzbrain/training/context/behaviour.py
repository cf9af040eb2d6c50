"""Levels of a covariate, or of a column of the trials, that the fields of a model may follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.data.activity import Activity
from boltzbrain.data.behaviour.of_bins import BehaviourOfBins
from boltzbrain.foundations.checks import bad_input
from boltzbrain.model.context.of_behaviour import MOST_LEVELS, OfBehaviour, known_of
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.training.context.names import BEHAVIOUR

PART_S, MOST_PARTS = 0.1, 25
"""Seconds of a trial in which a level has offsets of its own, longer if there were more parts."""


def require_followed(activity: Activity, name: str) -> None:
    """Refuse a covariate or a column of the trials that the fields cannot follow.

    Raises
    ------
    InputError
        If there is none of this name, it is missing somewhere, or the training bins hold one level
        of it.
    """
    where, told = activity.source.path, f"context {BEHAVIOUR}{name}"
    whole = BehaviourOfBins(activity.covariates, activity.trials, np.arange(activity.n_bins))
    known = known_of(whole, name, file=where)
    values = known.values(name)
    inside = np.ones(len(values), dtype=np.bool_)
    if known.of_trials(name):
        inside = known.places() >= 0
        if not inside.any():
            raise bad_input(told, "be of trials that hold bins", "none", file=where)
    missing = _missing(values) & inside
    if missing.any():
        must = "have a value in every bin (bins outside of trials need none)"
        got = f"none in {missing.sum() / inside.sum():.1%} of them"
        others = [one for one in known.names if one != name]
        if others:
            must += f"; there are also {', '.join(others)}"
        raise bad_input(told, must, got, file=where)
    train = np.zeros(len(values), dtype=np.bool_)
    train[activity.bins_of("train")] = True
    names, edges = _levels(values[train & inside])
    if len(names) + (0 if edges is None else len(edges) + 1) < 2:
        must = "take two values or more in the training bins"
        raise bad_input(told, must, "one", file=where)


def following(
    name: str,
    number: int,
    train: Sequences,
    tables: Callable[[int], tuple[Tensor, Tensor, Tensor | None]],
) -> OfBehaviour:
    """Return a context of one covariate or column of the trials, its offsets 0.

    Parameters
    ----------
    name
        The covariate or column, as `require_followed` lets it pass.
    number
        Its place among those of the model.
    train
        The training bins.
    tables
        Gives offsets of 0 of so many labels: visible, their prior, hidden.
    """
    known = known_of(train.behaviour, name)
    values, places = known.values(name), None
    if known.of_trials(name):
        place = known.places()
        values = values[place >= 0]
        longest = int(place.max()) + 1
        width = max(round(PART_S / train.bin_width_s), 1, -(-longest // MOST_PARTS))
        places = (width, -(-longest // width))
    names, edges = _levels(values)
    levels = len(names) if edges is None else len(edges) + 1
    return OfBehaviour(
        *tables(levels * (1 if places is None else places[1])),
        names=names,
        follows=name,
        number=number,
        edges=None if edges is None else torch.from_numpy(edges),
        places=places,
    )


def _missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = ~np.isfinite(values) if values.dtype.kind == "f" else values == ""
    return found


def _levels(values: NDArray[Any]) -> tuple[tuple[str, ...], NDArray[np.float64] | None]:
    """Return the names of labels; or, of numbers, the edges between levels, and no names."""
    if values.dtype.kind != "f":
        return tuple(sorted({str(one) for one in values})), None
    found = np.unique(values)
    if len(found) <= MOST_LEVELS:
        return (), (found[1:] + found[:-1]) / 2
    return (), np.unique(np.quantile(values, np.arange(1, MOST_LEVELS) / MOST_LEVELS))
