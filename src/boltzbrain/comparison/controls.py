"""What the past may seem to tell and does not: controls of a gain with time, each fitted anew.

A stimulus at a fixed time passes for a state, and a slow state for a coupling to the last bin.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from boltzbrain.baselines.in_time.history import PENALTIES, RANK, fit_history
from boltzbrain.baselines.in_time.labels import LabelledBins, fit_labels
from boltzbrain.comparison.score import Figures, TestScorer
from boltzbrain.data.activity import Activity, stretches
from boltzbrain.data.clusters import ENOUGH
from boltzbrain.foundations.checks import Undefined
from boltzbrain.foundations.progress import SILENT, Teller
from boltzbrain.foundations.random import Generator
from boltzbrain.model.context.sequences import Sequences


def time_controls(
    activity: Activity,
    seed: int,
    *,
    penalties: Sequence[float] = PENALTIES,
    tell: Teller = SILENT,
) -> dict[str, Any]:
    """Fit the controls of models with time, and score them on the test bins.

    Parameters
    ----------
    activity
        States and folds; hyperparameters are chosen on the validation bins.
    seed
        Seed of what is drawn.
    penalties
        Of the regressions on the past, see `baselines.in_time.history.fit_history`.
    tell
        Told the steps.

    Returns
    -------
    dict
        Each with ``gain``, nats per test bin over independent neurons. ``history``: the regression
        on the past along 30 axes that the next two are controls of. ``other_segment``: with the
        past of another segment of the same fold at the same place; what is left is locked to the
        place. ``shuffled_in_segment``: bins of every segment in random order; what is left is slow,
        and ``share`` is it over that of ``history``. ``place_in_trial``: independent neurons with a
        rate for each place in the segment.
    """
    folds = [Sequences.of_fold(activity, fold) for fold in ("train", "validation", "test")]
    generator = Generator.from_seed(seed, "controls")
    scorer = TestScorer(activity, seed)
    steps = 4
    tell(0, steps)
    plain = _history(folds, penalties, scorer)
    tell(1, steps)
    if min(len(one.edges) for one in folds) > 2:
        donated = [one.hearing(_other_piece(one, generator)) for one in folds]
        other = scorer.mean(_history(donated, penalties, scorer))
    else:
        few = Undefined("a fold holds one segment, and no other to take the past from")
        other = {"value": few, "stderr": few}
    tell(2, steps)
    mixed = [one.taking(_within_pieces(one, generator)) for one in folds]
    # the bins of a segment stay in it, and so in its cluster where clusters are segments
    slow = _history(mixed, penalties, scorer)
    tell(3, steps)
    place = _by_place(activity, scorer)
    tell(4, steps)
    gain = float(plain.mean())
    share = float(slow.mean()) / gain if gain > 0 else Undefined("the past tells nothing")
    return {
        "history": {"gain": scorer.mean(plain)},
        "other_segment": {"gain": other},
        "shuffled_in_segment": {"gain": scorer.mean(slow), "share": share},
        "place_in_trial": place,
    }


def _history(
    folds: Sequence[Sequences],
    penalties: Sequence[float],
    scorer: TestScorer,
) -> Figures:
    """Return the gain of every test bin, of a regression fitted anew."""
    train, validation, test = folds
    ranks = (min(RANK, 2 * train.states.shape[1]),)
    nobody = Generator.from_seed(0)
    model = fit_history(train, validation, nobody, penalties=penalties, ranks=ranks)
    return model.predictive(test) - scorer.base_of(test.states)


def _other_piece(given: Sequences, generator: Generator) -> NDArray[np.int64]:
    """Return for every bin the one at the same place of another piece, or its last before that."""
    sizes = np.diff(given.edges)
    order = generator.permutation(len(sizes))
    donor = np.empty(len(sizes), dtype=np.int64)
    donor[order] = np.roll(order, 1)
    piece = np.repeat(np.arange(len(sizes)), sizes)
    found: NDArray[np.int64] = given.edges[donor[piece]] + np.minimum(
        given.place, sizes[donor[piece]] - 1
    )
    return found


def _within_pieces(given: Sequences, generator: Generator) -> NDArray[np.int64]:
    """Return bins in random order within each piece."""
    chance = generator.uniform((1, len(given)))[0].numpy()
    return np.lexsort((chance, given.label)).astype(np.int64)


def _by_place(activity: Activity, scorer: TestScorer) -> dict[str, Any]:
    """Return the gain of independent neurons with a rate for each place in the segment."""
    first, length = stretches(activity.segment)
    if len(first) < ENOUGH or int(length.max()) < 2:
        few = Undefined(
            f"places are those of at least {ENOUGH} segments of two bins or more; there are "
            f"{len(first)} of at most {int(length.max())}"
        )
        return {"gain": {"value": few, "stderr": few}}
    place = torch.from_numpy(np.arange(activity.n_bins) - np.repeat(first, length))
    train, validation, test = (
        LabelledBins(torch.from_numpy(activity.states[bins]), place[bins])
        for bins in (activity.bins_of(fold) for fold in ("train", "validation", "test"))
    )
    table, pseudo = fit_labels(train, validation, scorer.field, int(place.max()) + 1)
    return {
        "gain": scorer.mean(test.scores(scorer.field, table).numpy() - scorer.base),
        "pseudo_trials": pseudo,
    }
