"""Counts of activity, over any number of bins."""

from __future__ import annotations

import numpy as np
import pytest

from boltzbrain.data.activity import active_bins


@pytest.mark.parametrize("bins", [0, 1, 254, 255, 256, 1000])
def test_active_bins_are_the_sums_of_columns_where_all_are_active_too(bins):
    states = (np.random.default_rng(bins).random((bins, 7)) < 0.6).astype(np.uint8)
    states[:, 0] = 1
    assert active_bins(states).tolist() == states.sum(axis=0, dtype=np.int64).tolist()
