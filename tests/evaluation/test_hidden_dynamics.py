"""Hidden units in time: two states, periods, co-active units, against known truths."""

from __future__ import annotations

import numpy as np
import pytest

from boltzbrain.evaluation.dynamics.hidden_units import (
    active_units,
    hidden_dynamics,
    median_periods,
    phase,
    two_states,
)
from boltzbrain.evaluation.results import plain


def switching(bins, units, dwell, seed=0):
    """Return two-state traces, (bin, unit) bool, whose states last `dwell` bins on average."""
    generator = np.random.default_rng(seed)
    return np.cumsum(generator.random((bins, units)) < 1 / dwell, axis=0) % 2 == 1


def test_two_planted_peaks_are_found_and_one_is_not_called_two():
    generator = np.random.default_rng(0)
    on = generator.random((6000, 3)) < (0.2, 0.5, 0.8)
    noise = generator.normal(scale=0.3, size=(6000, 3))
    activity = np.column_stack((np.where(on, 2.0, -1.0) + noise, generator.normal(size=6000)))
    found = two_states(activity.astype(np.float32))
    np.testing.assert_allclose(found.lower[:3], -1, atol=0.05)
    np.testing.assert_allclose(found.upper[:3], 2, atol=0.05)
    np.testing.assert_allclose(found.transition[:3], 0.5, atol=0.05)
    np.testing.assert_allclose(found.share_upper[:3], (0.2, 0.5, 0.8), atol=0.02)
    assert found.inactive[[0, 2]] == pytest.approx([-1, 2], abs=0.05)
    assert found.bimodal.tolist() == [True, True, True, False]


def test_a_unit_that_never_varies_has_one_state():
    found = two_states(np.full((50, 1), 0.25, np.float32))
    assert (found.lower[0], found.upper[0], found.bimodal[0]) == (0.25, 0.25, False)


def test_periods_are_times_between_onsets_within_a_segment():
    on = np.zeros((40, 2), dtype=bool)
    for first in (2, 6, 10, 14, 18, 22, 26, 30, 34):
        on[first : first + 2, 0] = True
    on[:, 1] = True
    segment = np.repeat([0, 1], 20).astype(np.int32)
    medians, numbers = median_periods(on, segment)
    # five onsets in the first segment and four in the second, where bin 20 begins nothing
    assert numbers.tolist() == [7, 0]
    assert medians[0] == 4
    assert np.isnan(medians[1])


def test_the_time_constant_of_a_known_switching_process_is_recovered():
    on = switching(60_000, 4, 25)
    medians, _ = median_periods(on, np.zeros(len(on), np.int32))
    # a period is the sum of two geometric times of mean 25, whose median is 1.678 * 25
    np.testing.assert_allclose(medians, 1.678 * 25, rtol=0.12)


def test_as_many_units_as_are_active_count():
    activity = np.zeros((3, 10), np.float32)
    activity[0, :4] = 2.0
    activity[1, 3] = 5.0
    np.testing.assert_allclose(active_units(activity, np.zeros(10)), [4, 1, 0])
    np.testing.assert_allclose(active_units(activity + 1, np.ones(10)), [4, 1, 0])


def test_the_phase_is_named_by_the_number_of_active_units():
    assert [phase(one, 100) for one in (1.2, 8, 60)] == [
        "ferromagnetic", "compositional", "spin glass",
    ]  # fmt: skip


def test_groups_of_hidden_units_are_sorted_together_and_slower_than_neurons():
    generator = np.random.default_rng(1)
    drivers = switching(4000, 2, 30)
    which = np.array([0, 1, 0, 1, 0, 1])
    activity = (drivers[:, which] + generator.normal(scale=0.2, size=(4000, 6))).astype(np.float32)
    states = (generator.random((4000, 20)) < 0.05 + 0.3 * drivers[:, [0] * 20]).astype(np.uint8)
    found = hidden_dynamics(activity, states, np.zeros(4000, np.int32))
    groups = which[found.order]
    assert np.count_nonzero(np.diff(groups)) == 1
    np.testing.assert_allclose(found.correlation, np.corrcoef(activity, rowvar=False), atol=1e-4)
    values = np.linalg.eigvalsh(np.corrcoef(activity, rowvar=False))[::-1]
    np.testing.assert_allclose(found.explained, np.cumsum(values) / 6, atol=1e-4)
    assert found.explained[1] > 0.9
    summary = plain(found.summary(0.1))
    assert summary["bimodal_fraction"] == 1
    assert summary["time_constant_s"] == pytest.approx(1.678 * 30 * 0.1, rel=0.4)
    assert summary["time_constant_s"] > 2 * summary["neuron_time_constant_s"]
    assert summary["slower_than_neurons_p"] < 0.01
    assert summary["phase"] in ("ferromagnetic", "compositional", "spin glass")
