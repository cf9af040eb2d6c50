"""States in memory as an activity with folds, for tests of the training."""

from __future__ import annotations

import numpy as np

from boltzbrain.data.activity import Activity
from boltzbrain.data.recording import neuron_table
from boltzbrain.data.steps import Source


def activity_of(states: np.ndarray, *, segment_bins: int | None = None) -> Activity:
    """Return (bin, neuron) states, three fifths to train on, in segments of so many bins or one."""
    bins, neurons = states.shape
    fold = np.repeat(np.array([0, 1, 2], dtype=np.int8), [bins - 2 * (bins // 5), *[bins // 5] * 2])
    return Activity(
        states=states,
        bin_width_s=0.02,
        segment=np.arange(bins, dtype=np.int32) // (segment_bins or bins),
        fold=fold,
        neurons=neuron_table([str(number) for number in range(neurons)]),
        regions={},
        steps=(),
        source=Source("memory", "memory", ""),
    )
