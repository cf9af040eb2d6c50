"""Recordings compared field by field."""

from __future__ import annotations

import numpy as np
import pandas as pd

from boltzbrain.data.recording import Recording


def assert_same(first: Recording, second: Recording, *, atlases: bool = True) -> None:
    """Assert that two recordings are equal but for their source and the order of columns."""
    pd.testing.assert_frame_equal(first.neurons, second.neurons, check_like=True)
    pd.testing.assert_frame_equal(first.epochs, second.epochs)
    pd.testing.assert_frame_equal(first.trials, second.trials, check_like=True)
    assert set(first.covariates) == set(second.covariates)
    for name, series in first.covariates.items():
        other_series = second.covariates[name]
        np.testing.assert_array_equal(series.times, other_series.times, err_msg=name)
        np.testing.assert_array_equal(series.values, other_series.values, err_msg=name)
        assert (series.unit, series.takes) == (other_series.unit, other_series.takes)
    assert first.steps == second.steps
    one, two = first.signal, second.signal
    assert type(one) is type(two)
    for name, value in vars(one).items():
        np.testing.assert_array_equal(value, getattr(two, name), err_msg=name)
        assert np.asarray(value).dtype == np.asarray(getattr(two, name)).dtype
    if atlases:
        assert set(first.regions) == set(second.regions)
        for atlas, regions in first.regions.items():
            other = second.regions[atlas]
            assert regions.names == other.names
            assert regions.hemisphere == other.hemisphere
            np.testing.assert_array_equal(regions.membership.toarray(), other.membership.toarray())
