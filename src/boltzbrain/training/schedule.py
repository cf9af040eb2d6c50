"""When along a training checkpoints are kept."""

from __future__ import annotations


def kept_updates(updates: int, count: int, trials: int, length: int) -> list[int]:
    """Return the updates after which a checkpoint is kept, see `TrainingPlan.checkpoint_updates`.

    Parameters
    ----------
    updates
        Of the whole training.
    count
        Checkpoints after the trials.
    trials
        Updates that choose the L1 penalty.
    length
        Those of one trial.

    Examples
    --------
    >>> kept_updates(1000, 4, 0, 50), kept_updates(1000, 2, 100, 50)
    ([1, 10, 100, 1000], [50, 100, 150, 1000])
    """
    after = updates - trials
    first = min(length, after) if trials else 1
    steps = (
        {after}
        if count == 1
        else {round(first * (after / first) ** (number / (count - 1))) for number in range(count)}
    )
    ends = set(range(length, trials + 1, length))
    return sorted({trials + step for step in steps} | ends)
