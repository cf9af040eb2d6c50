"""Verdicts on dynamics: each level is reached, and says what it rests on."""

from __future__ import annotations

import pytest

from boltzbrain.pages.verdicts import dynamics as time_verdicts


def found(count, overlap, alone=0.1):
    def curve(value):
        return {
            "recorded": {"integrated": 0.12},
            "gibbs": {"shape_explained": value, "shape_rms": 0.05},
            "glauber": {"shape_explained": value - 0.2, "shape_rms": 0.1},
            "controls": {"independent_gibbs": {"shape_explained": alone}},
        }

    return {
        "dynamics": {
            "time_scale": {kind: {"seconds_per_sweep": 0.01} for kind in ("gibbs", "glauber")},
            "stationary": {"count": curve(count), "overlap": curve(overlap)},
            "from_high": {"count": curve(count), "overlap": curve(overlap)},
            "from_low": None,
            "hidden": {
                "median_active": 8.0, "hidden": 100, "phase": "compositional",
                "bimodal_fraction": 0.9, "time_constant_s": 0.4, "neuron_time_constant_s": 0.1,
                "slower_than_neurons_p": 1e-4, "mean_absolute_correlation": 0.1,
                "variance_first_components": {"10": 0.6},
            },
        }
    }  # fmt: skip


@pytest.mark.parametrize(
    ("figures", "level"),
    [((0.95, 0.93), "good"), ((0.95, 0.7), "fair"), ((0.95, 0.3), "poor"),
     ((0.95, 0.93, 0.96), "fair")],
)  # fmt: skip
def test_memory_is_as_good_as_the_worse_of_count_and_overlap(figures, level):
    verdict = time_verdicts.memory(found(*figures))
    assert verdict.level == level
    assert "95%" in verdict.text
    assert "block Gibbs" in verdict.text


def test_relaxation_and_hidden_units_are_judged():
    good = found(0.9, 0.9)
    assert time_verdicts.relaxation(good, "from_high").level == "good"
    assert time_verdicts.relaxation(good, "from_low").level == "unknown"
    assert time_verdicts.hidden_periods(good).level == "good"
    assert time_verdicts.hidden_correlations(good).level == "good"
    assert time_verdicts.bimodality(good).level == "good"
    assert "compositional" in time_verdicts.phase(good).text


def test_without_dynamics_nothing_is_claimed():
    for judge in (
        time_verdicts.memory, time_verdicts.hidden_periods, time_verdicts.hidden_correlations,
        time_verdicts.bimodality, time_verdicts.phase,
    ):  # fmt: skip
        assert judge({}).level == "unknown"
