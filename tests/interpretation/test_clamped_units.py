"""Hidden units clamped one after the other, against sums over all states and against `perturb`."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.file import Interpretation
from boltzbrain.interpretation.in_silico import clamped_units
from boltzbrain.interpretation.in_silico.clamped_units import clamp_units, low_and_high
from boltzbrain.interpretation.in_silico.kept_clamps import (
    clamp_entries,
    find_clamps,
    kept_clamps,
)
from boltzbrain.interpretation.in_silico.perturb import Clamp, perturb
from boltzbrain.model.layers.layer import KINDS
from boltzbrain.sampling.enumeration import exact_samples
from boltzbrain.sampling.synthetic import random_model

NEURONS, HIDDEN = 8, 3


def model_of(kind, seed=0):
    return random_model(
        kind, NEURONS, HIDDEN, Generator.from_seed(seed, "clamped", kind),
        weight_std=1.0, dtype=torch.float64,
    )  # fmt: skip


def states_of(model, count):
    return exact_samples(model, count, Generator.from_seed(1, "states")).to(torch.uint8).numpy()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_small_models_are_summed_as_the_perturbation_sums_them(kind):
    model = model_of(kind)
    states = states_of(model, 500)
    values = low_and_high(model, states)
    found = clamp_units(model, values, states, Generator.from_seed(0))
    assert found.exact
    for unit in range(HIDDEN):
        for side in (0, 1):
            truth = perturb(
                model, Clamp(hidden={unit: float(values[unit, side])}), Generator.from_seed(0)
            )
            np.testing.assert_allclose(found.change[unit, side], truth.change, atol=1e-6)
            np.testing.assert_allclose(found.before, truth.before.mean, atol=1e-12)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_resampled_states_give_the_exact_probabilities_within_their_errors(kind, monkeypatch):
    model = model_of(kind)
    states = states_of(model, 4000)
    values = low_and_high(model, states)
    truth = clamp_units(model, values, states, Generator.from_seed(0))
    monkeypatch.setattr(clamped_units, "_EXACT_TERMS", 0)
    found = clamp_units(model, values, states, Generator.from_seed(0))
    assert not found.exact
    assert (found.support > 30).all()
    z = (found.change - truth.change) / found.stderr
    # 48 values that vary together; chance of one beyond 5 below 1e-4
    assert np.abs(z).max() < 5
    assert found.stderr.max() < 0.1
    # the negative control: other values give other probabilities
    other = clamp_units(model, values[:, ::-1], states, Generator.from_seed(0))
    assert np.abs((other.change - truth.change) / other.stderr).max() > 10


def test_both_values_of_two_valued_units_and_the_rare_and_common_ones_of_others():
    states = states_of(model_of("bernoulli"), 300)
    assert low_and_high(model_of("bernoulli"), states).tolist() == [[0, 1]] * HIDDEN
    assert low_and_high(model_of("ising"), states).tolist() == [[-1, 1]] * HIDDEN
    gaussian = low_and_high(model_of("gaussian"), states)
    assert (gaussian[:, 0] < gaussian[:, 1]).all()


def test_one_hidden_unit_can_be_clamped():
    model = random_model("bernoulli", NEURONS, 1, Generator.from_seed(0, "one"), weight_std=1.0)
    states = states_of(model, 1000)
    found = clamp_units(model, np.array([[0.0, 1.0]]), states, Generator.from_seed(0))
    truth = torch.sigmoid(model.visible.field + model.weights[:, 0]).numpy()
    np.testing.assert_allclose(found.before + found.change[0, 1], truth, atol=1e-6)


@pytest.mark.parametrize("summed", [True, False])
def test_what_a_reading_keeps_of_clamps_comes_back_within_a_step(summed, monkeypatch):
    if not summed:
        monkeypatch.setattr(clamped_units, "_EXACT_TERMS", 0)
    model = model_of("bernoulli")
    states = states_of(model, 500)
    clamps = find_clamps(model, states, states, Generator.from_seed(0))
    entries, told = clamp_entries(clamps)
    found = Interpretation(entries, {"clamped": told})
    kept = kept_clamps(found)
    assert kept is not None
    assert (kept.support is None) is summed
    assert kept.generated
    oriented = model.in_sign_gauge()
    values = low_and_high(oriented, states)
    truth = clamp_units(oriented, values, states, Generator.from_seed(0))
    np.testing.assert_array_equal(kept.values, values)
    np.testing.assert_allclose(kept.before, truth.before, atol=1e-6)
    change = kept.change * kept.step[:, :, None]
    np.testing.assert_allclose(change, truth.told(), atol=0.51 * kept.step.max())
    # a reading of an older version holds none
    assert kept_clamps(Interpretation({}, {})) is None
