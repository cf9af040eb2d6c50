"""What `fit` is given: an activity with folds, or a recording to make one of."""

from __future__ import annotations

import warnings

from boltzbrain.data.activity import Activity
from boltzbrain.data.recording import Recording
from boltzbrain.foundations.checks import bad_input
from boltzbrain.preparing.bins.binarize import binarize
from boltzbrain.preparing.folds.split import split


def activity_of(given: Activity | Recording, seed: int) -> Activity:
    """Return an activity as it is; a recording binned and split as by default.

    Parameters
    ----------
    given
        One or the other.
    seed
        Of the folds.

    Raises
    ------
    InputError
        If it is neither.
    """
    if isinstance(given, Recording):
        return split(binarize(given), seed=seed)
    if not isinstance(given, Activity):
        must = "be an activity or a recording (from_states makes one of an array, read of a file)"
        raise bad_input("activity", must, type(given).__name__)
    if given.step("split") is None:
        warnings.warn(
            "the activity has no folds (see Activity.split): every bin trains, the last checkpoint "
            "is chosen, and there is no held-out score",
            stacklevel=3,
        )
    return given
