"""Simulated animals: the same assemblies, neurons of their own, and a score that can fail."""

from __future__ import annotations

import numpy as np
import pytest

from boltzbrain.foundations.random import Generator
from boltzbrain.sampling.simulated.animals import BOX_UM, CUBES, simulate_animals


@pytest.fixture(scope="module")
def three():
    return simulate_animals(
        Generator.from_seed(1, "animals"),
        neurons=(60, 80, 70),
        bins=400,
        paired=400,
        named=0.5,
        elsewhere=(2,),
        lacking={1: (0,)},
        strength=4.0,
        radius=0.17,
    )


def test_named_neurons_are_the_same_neuron(three):
    a, b = three.animals["a"], three.animals["b"]
    names = set(a.names) & set(b.names)
    assert len(names) == 30
    for name in names:
        one, other = a.names.index(name), b.names.index(name)
        assert np.array_equal(a.xyz_um[one], b.xyz_um[other])
        # of the assembly that b lacks nothing is left
        assert np.array_equal(a.weights[one, 1:], b.weights[other, 1:])
    assert not b.weights[:, 0].any()
    assert a.weights[:, 0].any()


def test_assemblies_are_at_the_same_places_but_for_another_brain(three):
    for name, same in (("a", True), ("c", False)):
        one = three.animals[name]
        distance = np.linalg.norm(one.xyz_um[:, None] - three.centres_um[None], axis=2)
        assert np.array_equal(distance < 2 * 0.17 * BOX_UM, one.weights > 0) == same


def test_rates_are_those_of_the_assemblies_that_are_on(three):
    one = three.animals["a"]
    expected = one.rates(one.on.astype(np.float64))
    error = np.sqrt((expected * (1 - expected)).sum(axis=0)) / len(expected)
    apart = np.abs(one.states.mean(axis=0) - expected.mean(axis=0)) / error
    # 60 normal deviates: one beyond 4 in 260 sets
    assert apart.max() < 4.0


def test_the_score_is_one_for_the_true_models_and_less_for_others(three):
    b = three.animals["b"]
    truth, mean = three.translated("a", "b"), b.states.mean(axis=0)
    rates = np.broadcast_to(mean, b.paired.shape)
    assert three.score("a", "b", truth) == pytest.approx(1.0)
    assert three.score("a", "b", rates) == pytest.approx(0.0)
    shuffled = truth[Generator.from_seed(2).permutation(len(truth))]
    assert three.score("a", "b", shuffled) < -0.3


def test_a_recording_has_places_cubes_and_segments(three):
    recording = three.animals["a"].recording()
    assert len(recording) == 60
    assert recording.regions[CUBES].counts().sum() == 60
    # an animal drawn beside others is the same
    alone = simulate_animals(
        Generator.from_seed(1, "animals"),
        neurons=(60,),
        bins=400,
        paired=400,
        named=0.5,
        strength=4.0,
        radius=0.17,
    )
    assert np.array_equal(alone.animals["a"].states, three.animals["a"].states)
