"""Starts and frames: what is copied, what is refused, and what a kernel may not do."""

from __future__ import annotations

import numpy as np
import pytest

from boltzbrain.alignment.register import Neurons, Register, require_one_frame
from boltzbrain.alignment.starts import by_names, by_positions, by_regions, kernel_of, start_of
from boltzbrain.data.regions import Regions
from boltzbrain.data.study import Frame
from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.sampling.simulated.animals import simulate_animals


@pytest.fixture(scope="module")
def animals():
    return simulate_animals(Generator.from_seed(4), neurons=(150, 200), bins=50, paired=50)


def neurons(animal, name="a", labels=None):
    regions = None if labels is None else Regions.from_labels(labels)
    return Neurons(name, animal.xyz_um, np.array(animal.names), regions)


def test_the_kernel_predicts_weights_of_neurons_elsewhere(animals):
    a, b = animals.animals["a"], animals.animals["b"]
    start = by_positions(neurons(a), a.weights, neurons(b, "b"))
    r = [np.corrcoef(start.weights[:, k], b.weights[:, k])[0, 1] for k in range(6)]
    assert min(r) > 0.6
    shuffled = neurons(b, "b").shuffled(Generator.from_seed(1))
    other = by_positions(neurons(a), a.weights, shuffled)
    none = [np.corrcoef(other.weights[:, k], b.weights[:, k])[0, 1] for k in range(6)]
    # 6 correlations of 200 neurons: one beyond 4 errors in 2,600 sets
    assert np.abs(none).max() < 4 / np.sqrt(200)


def test_weights_do_not_shrink_at_the_edge(animals):
    """A map that is the same everywhere stays the same, at the edge of the brain as well."""
    a, b = animals.animals["a"], animals.animals["b"]
    level = np.ones((150, 1))
    start = by_positions(neurons(a), level, neurons(b, "b"))
    assert np.allclose(start.weights[start.started], 1.0)
    assert start.started.mean() > 0.9


def test_the_scale_has_not_seen_the_neuron_itself(animals):
    """Weights without any map are predicted by none, where a kernel with itself would find 1."""
    a = animals.animals["a"]
    noise = Generator.from_seed(2).normal((150, 40)).numpy().astype(np.float64)
    _, beta, explained = kernel_of(a.xyz_um, noise)
    assert explained < 0.05
    assert np.median(beta) < 0.4
    width, beta, explained = kernel_of(a.xyz_um, a.weights)
    assert explained > 0.4
    assert 10 < width < 100
    assert np.all(np.abs(beta - 1) < 0.35)


def test_names_and_regions(animals):
    a = animals.animals["a"]
    order = Generator.from_seed(3).permutation(150)
    giver = neurons(a, labels=[f"r{k % 5}" for k in range(150)])
    taker = giver.permuted(order)
    assert np.array_equal(by_names(giver, a.weights, taker).weights, a.weights[order])
    start = by_regions(giver, a.weights, taker)
    assert np.allclose(start.weights[0], a.weights[order[0] % 5 :: 5].mean(axis=0))
    few = neurons(a, labels=["r0"] * 4 + ["r1"] * 140 + [""] * 6)
    start = by_regions(few, a.weights, few)
    assert start.told["regions_without_start"] == ["r0"]
    assert start.started.sum() == 140


def test_a_random_start_is_refused(animals):
    a, b = animals.animals["a"], animals.animals["b"]
    with pytest.raises(InputError, match="by must tie neurons of b to neurons of a"):
        start_of(Register.of("names"), neurons(a), a.weights, neurons(b, "b"))
    with pytest.raises(InputError, match="by must be positions, names or regions: without any"):
        Register.of("statistics")
    with pytest.raises(InputError, match="name an atlas with regions only"):
        Register.of("names:allen")


def test_a_mirror_image_and_another_unit_are_refused(animals):
    a, b = (neurons(animals.animals[name], name) for name in "ab")
    found = require_one_frame({"a": a, "b": b}, Frame(axes="RAS"))
    assert found["b"]["x"]["as_it_is"] > found["b"]["x"]["mirrored"]
    flipped = b.mirrored(0, 200.0)
    with pytest.raises(InputError, match="of b must not be the mirror image of those of a along x"):
        require_one_frame({"a": a, "b": flipped}, Frame())
    # along an axis on which animals cannot be mirrored by mistake nothing is looked for
    require_one_frame({"a": a, "b": flipped}, Frame(axes="ARS"))
    small = Neurons("b", b.xyz_um / 1000, b.names, None)
    with pytest.raises(InputError, match="of b must be in one unit with those of a"):
        require_one_frame({"a": a, "b": small}, Frame())


def test_a_frame_turns_positions_into_its_axes():
    xyz = np.array([[1.0, 2.0, 3.0]])
    assert Frame(axes="RAS").turned(xyz, "PLS").tolist() == [[-2.0, -1.0, 3.0]]
    with pytest.raises(InputError, match="axes must be three letters"):
        Frame(axes="RLS")
