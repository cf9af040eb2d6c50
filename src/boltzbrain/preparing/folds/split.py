"""Which bins train the model, which choose it and which score it; then the neurons worth modelling.

A score is honest only if the held-out bins tell nothing that the training bins told already.
Neighbouring bins resemble each other, so bins are never drawn one by one (but for ``shuffled``, as
the Neuropixels paper did, with a warning): whole segments are, and where the recording has few of
them, blocks of time with a gap between folds.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import (
    FOLDS,
    TEST,
    TRAIN,
    VALIDATION,
    Activity,
    active_bins,
    stretches,
)
from boltzbrain.data.behaviour.by_segment import RECORDED
from boltzbrain.data.steps import Step
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.memory import slices
from boltzbrain.foundations.random import Generator
from boltzbrain.preparing.folds.blocks import block_folds, gap_of
from boltzbrain.preparing.folds.from_csv import folds_from_csv
from boltzbrain.preparing.folds.like_statistics import folds_of_like_statistics
from boltzbrain.preparing.preparation import ENOUGH_SEGMENTS, Preparation

_WITH_GAP = ("blocks", "statistics")
LEAK = (
    "bins were drawn one by one: neighbouring bins resemble each other, so the validation and test "
    "folds repeat the training fold and the scores are too good; split by segments or blocks"
)
NO_SCORE = "every bin trains the model: there is no held-out score"


class LeakageWarning(UserWarning):
    """The folds share information, so that a held-out score is too good."""


def split(
    activity: Activity,
    *,
    by: str | None = None,
    validation: float | None = None,
    test: float | None = None,
    folds: str | Path | None = None,
    gap_s: float | None = None,
    seed: int = 0,
    min_active_bins: int | None = None,
) -> Activity:
    """Divide the bins into folds; drop the neurons that are rarely or always active in training.

    Defaults and ranges are those of the fields of `preparation.Preparation`, for None.

    Parameters
    ----------
    activity
        Not split yet.
    by
        ``segments``: whole segments at random. ``blocks``: stretches of time, the held-out ones
        spread over the recording (`blocks.block_folds`); the segments are cut where the fold
        changes, so that each stretch of one fold is a segment of its own. ``statistics``: as in
        van der Plas et al. 2023, some of 10 chronological parts, chosen so that the held-out bins
        have much the same rates and covariances as the rest (`folds.like_statistics`); trials stay
        whole where there are at least 20 segments. ``shuffled``: single bins at random, which
        leaks. ``none``: every bin trains. ``auto``: segments where there are enough, else blocks.
    validation, test
        Fractions of the bins; the rest trains.
    folds
        ``FILE.csv:COLUMN``, the fold of each segment, instead of drawing them.
    gap_s
        Seconds left out between two folds, for blocks and statistics; none between trials unless
        given.
    seed
        Of the draw; its stream is ("split",).
    min_active_bins
        Neurons active in fewer training bins are dropped, and so are those active in every one,
        which carry as little; where None, a number that an older file noted at binning comes before
        the default. With 0 every neuron stays.

    Returns
    -------
    Activity
        With the steps "split" and "drop_rare_neurons", which list what was done.

    Warns
    -----
    LeakageWarning
        With ``by="shuffled"``.

    Raises
    ------
    InputError
        If an option is impossible, a fold is left without bins, or no neuron is left.
    """
    where = activity.source.path
    given: dict[str, Any] = {
        "by": by,
        "validation": validation,
        "test": test,
        "gap_s": gap_s,
        "min_active_bins": _noted(activity) if min_active_bins is None else min_active_bins,
    }
    asked = Preparation(**{name: value for name, value in given.items() if value is not None})
    by, validation, test = asked.by, asked.validation, asked.test
    if activity.step("split") is not None:
        raise bad_input(
            "split", "be called on an activity without folds", "one split already", file=where
        )
    options: dict[str, Any] = {"asked": by}
    if folds is not None:
        if by != "auto":
            raise bad_input("by", "be left out where folds come from a csv", by)
        binned = activity.step("binarize")
        dropped = binned.options.get("segments_dropped", ()) if binned else ()
        way, fold = "csv", folds_from_csv(folds, activity.segment, dropped=dropped)
        options["folds"] = str(folds)
    else:
        way = _way(activity, by)
        generator = Generator.from_seed(seed, "split")
        options["seed"] = int(seed)
        if way != "none":
            _check_shares(validation, test)
            options |= {"validation": float(validation), "test": float(test)}
        fold = np.full(activity.n_bins, TRAIN, dtype=np.int8)
        if way == "segments":
            fold = _segment_folds(activity.segment, validation, test, generator)
        elif way == "shuffled":
            fold = _shuffled_folds(activity.n_bins, validation, test, generator)
        elif way == "blocks":
            fold, made = block_folds(
                activity.n_bins,
                activity.bin_width_s,
                validation=validation,
                test=test,
                gap_s=gap_s,
                generator=generator,
            )
            options |= made
        elif way == "statistics":
            edges, gap = _edges(activity, gap_s)
            fold, made = folds_of_like_statistics(
                activity.states,
                edges,
                gap,
                validation=validation,
                test=test,
                generator=generator,
            )
            options |= made
    if gap_s is not None and way not in _WITH_GAP:
        raise bad_input("gap_s", f"be left out: folds by {way} have no gap", gap_s)
    if way != "none":
        _check_folds(fold, way, where)
    options["by"] = way
    options["bins"] = {
        **{name: int((fold == code).sum()) for name, code in FOLDS.items()},
        "gap": int((fold < TRAIN).sum()),
    }
    if way == "shuffled":
        options["warning"] = LEAK
        warnings.warn(LEAK, LeakageWarning, stacklevel=3)
    if way == "none":
        options["warning"] = NO_SCORE
    if way in _WITH_GAP:
        # behaviour and motifs go by what was recorded without a pause
        options[RECORDED] = stretches(activity.segment)[0].tolist()
        activity = replace(activity, segment=_cut(activity.segment, fold))
    return _drop_rare(activity.with_fold(fold, Step("split", options)), asked.min_active_bins)


def _noted(activity: Activity) -> int | None:
    """Return the least number of active bins that was noted at binning, before 0.2.0."""
    binned = activity.step("binarize")
    noted = binned.options.get("min_active_bins") if binned else None
    return None if noted is None else int(noted)


def _way(activity: Activity, by: str) -> str:
    if by != "auto":
        return by
    segments = len(stretches(activity.segment)[0])
    return "segments" if segments >= ENOUGH_SEGMENTS else "blocks"


def _edges(activity: Activity, gap_s: float | None) -> tuple[NDArray[np.int64], int]:
    """Return the bins at which a fold may begin or end, and the bins of a gap between folds."""
    first = stretches(activity.segment)[0]
    bins = activity.n_bins
    if len(first) >= ENOUGH_SEGMENTS:
        gap = 0 if gap_s is None else gap_of(gap_s, bins, activity.bin_width_s)
        return np.r_[first, bins], gap
    return np.arange(bins + 1), gap_of(gap_s, bins, activity.bin_width_s)


def _check_shares(validation: float, test: float) -> None:
    if validation + test >= 1.0:
        raise bad_input(
            "validation + test",
            "be below 1, so that bins are left to train",
            float(validation + test),
        )


def _check_folds(fold: NDArray[np.int8], way: str, where: str) -> None:
    for name, code in FOLDS.items():
        if not (fold == code).any():
            raise bad_input(
                f"the {name} fold", f"have at least one bin (split by {way})", "none", file=where
            )


def _segment_folds(
    segment: NDArray[np.int32], validation: float, test: float, generator: Generator
) -> NDArray[np.int8]:
    """Draw whole segments: each is taken if it brings its fold nearer to its share of the bins."""
    first, length = stretches(segment)
    if len(first) < len(FOLDS):
        fewest = f"be 'blocks' where there are fewer than {len(FOLDS)} segments"
        raise bad_input("by", fewest, f"segments for {len(first)}")
    fold = np.full(len(first), TRAIN, dtype=np.int8)
    order = generator.permutation(len(first))
    free = len(first)
    # a segment is left for every fold that comes after
    for code, fraction, others in ((TEST, test, 2), (VALIDATION, validation, 1)):
        want, have = fraction * len(segment), 0
        for one in order:
            size = int(length[one])
            nearer = abs(have + size - want) < abs(have - want)
            if fold[one] == TRAIN and nearer and free > others:
                fold[one] = code
                have += size
                free -= 1
        if have == 0:
            # every segment is longer than twice the share: the first of the order stands for it
            fold[next(one for one in order if fold[one] == TRAIN)] = code
            free -= 1
    return np.repeat(fold, length)


def _shuffled_folds(
    bins: int, validation: float, test: float, generator: Generator
) -> NDArray[np.int8]:
    order = generator.permutation(bins)
    tested, validated = round(test * bins), round(validation * bins)
    fold = np.full(bins, TRAIN, dtype=np.int8)
    fold[order[:tested]] = TEST
    fold[order[tested : tested + validated]] = VALIDATION
    return fold


def _cut(segment: NDArray[np.int32], fold: NDArray[np.int8]) -> NDArray[np.int32]:
    """Return new segments: the stretches that lie in one segment and one fold."""
    changes = (segment[1:] != segment[:-1]) | (fold[1:] != fold[:-1])
    segments: NDArray[np.int32] = np.r_[0, np.cumsum(changes)].astype(np.int32)
    return segments


def _drop_rare(activity: Activity, min_active_bins: int) -> Activity:
    training = activity.fold == TRAIN
    active = np.zeros(activity.n_neurons, dtype=np.int64)
    for part in slices(*activity.states.shape):
        active += active_bins(activity.states[part][training[part]])
    always = active == int(training.sum())
    keep = (active >= min_active_bins) & ~(always & (min_active_bins > 0))
    ids = activity.neurons["id"].to_numpy()
    step = Step(
        "drop_rare_neurons",
        {
            "min_active_bins": min_active_bins,
            "dropped": [str(name) for name in ids[~keep]],
            "kept": int(keep.sum()),
            "never_active": [str(name) for name in ids[active == 0]],
            "always_active": [str(name) for name in ids[always]],
        },
    )
    if not keep.any():
        parts, bins = ["leave at least one neuron"], int(training.sum())
        if always.any():
            parts.append(f"{int(always.sum()):,} are active in every training bin (shorter bins?)")
        if not always.all():
            one = "of the others" if always.any() else "one"
            most = int(active[~always].max())
            parts.append(f"the most active {one} is active in {most} of {bins} training bins")
        raise bad_input(
            "min_active_bins",
            "; ".join(parts),
            min_active_bins,
            file=activity.source.path,
        )
    if keep.all():
        return replace(activity, steps=(*activity.steps, step))
    return activity.select_neurons(keep, step)
