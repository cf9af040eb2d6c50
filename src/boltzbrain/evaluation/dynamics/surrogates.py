"""Controls for dynamics: recordings whose order in time is destroyed in a known way."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import stretches
from boltzbrain.data.clusters import ENOUGH
from boltzbrain.foundations.checks import Undefined
from boltzbrain.foundations.random import Generator


def time_shuffled(bins: int, generator: Generator) -> NDArray[np.int64]:
    """Return bins in random order: simultaneous activity stays, its order in time goes."""
    return generator.permutation(bins)


def trial_shuffled(
    segment: NDArray[np.int32], generator: Generator
) -> NDArray[np.int64] | Undefined:
    """Return bins exchanged among segments at the same place within the segment.

    What a stimulus at a fixed time imposes stays; what one bin of a trial tells of the next bin of
    the same trial beyond that goes.

    Parameters
    ----------
    segment
        (bin,) segment of each bin. At least 20 segments of one length, as trials have, are needed.
    generator
        Moves on.
    """
    first, length = stretches(segment)
    lengths = np.unique(length)
    if len(first) < ENOUGH or len(lengths) > 1 or lengths[0] < 2:
        return Undefined(
            f"trials are at least {ENOUGH} segments of one length; there are {len(first)} segments "
            f"of {int(lengths[0])} to {int(lengths[-1])} bins"
        )
    table = first[:, None] + np.arange(lengths[0])[None, :]
    columns = [table[generator.permutation(len(first)), place] for place in range(lengths[0])]
    return np.stack(columns, axis=1).reshape(-1)
