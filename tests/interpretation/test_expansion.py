"""The expansion of a hidden unit in the steps of neurons, against direct quadrature."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from numpy.polynomial import chebyshev

from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.couplings.expansion import (
    expand,
    second_derivative,
    step_interval,
    to_tensor,
)
from boltzbrain.interpretation.couplings.normal_inputs import InputLaw
from boltzbrain.interpretation.couplings.point_sets import (
    chebyshev_points,
    polynomials,
    to_coefficients,
)
from boltzbrain.interpretation.marginal import Marginal
from boltzbrain.model.layers.layer import KINDS
from boltzbrain.sampling.synthetic import random_model


@pytest.mark.parametrize(("order", "degree"), [(1, 5), (2, 4), (3, 4)])
def test_polynomials_of_a_sum_are_split_exactly(order, degree):
    """A polynomial of degree below `degree` in x1 + ... + xn is in the span of the products."""
    coefficients = np.random.default_rng(0).standard_normal(degree)
    points = order * chebyshev_points(order * degree)
    tensor = to_tensor(order, degree) @ chebyshev.chebval(points / order, coefficients)
    places = np.random.default_rng(1).uniform(-1, 1, (20, order))
    got = tensor.reshape((degree,) * order)
    for x in places:
        value = got
        for one in x:
            value = np.tensordot(polynomials(np.array(one), degree), value, axes=(0, 0))
        assert float(value) == pytest.approx(chebyshev.chebval(x.sum() / order, coefficients))


def test_second_derivative_and_coefficients_are_those_of_numpy():
    coefficients = np.random.default_rng(2).standard_normal(9)
    expected = chebyshev.chebder(coefficients, 2)
    np.testing.assert_allclose((second_derivative(9) @ coefficients)[:7], expected, atol=1e-9)
    assert not (second_derivative(9) @ coefficients)[7:].any()
    values = chebyshev.chebval(chebyshev_points(9), coefficients)
    np.testing.assert_allclose(to_coefficients(9) @ values, coefficients, atol=1e-12)


@pytest.mark.parametrize("mean", [0.5, 0.05])
@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_blocks_give_the_mixed_differences_of_small_steps(kind, order, mean):
    model = random_model(
        kind, 60, 3, Generator.from_seed(0, kind), weight_std=0.3, dtype=torch.float64
    )
    law = InputLaw.of(Marginal.of(model), np.full(60, mean))
    blocks, unresolved = expand(law, order)
    assert len(unresolved) == 0
    assert sorted(np.concatenate([block.units for block in blocks]).tolist()) == [0, 1, 2]
    small = [n for n in range(60) if all(n not in large for large in law.large)][: order + 3]
    tuples = np.array(list(itertools.combinations(small, order)))
    for block in blocks:
        features = block.features()
        for column, unit in enumerate(block.units.tolist()):
            assert not features[law.large[unit], column].any()
            np.testing.assert_array_equal(
                block.features(tuples[:, 0])[:, column], features[tuples[:, 0], column]
            )
            value = np.broadcast_to(
                block.tensor[column], (len(tuples), *block.tensor[column].shape)
            )
            for place in range(order):
                value = np.einsum("tp...,tp->t...", value, features[tuples[:, place], column])
            want = law.mixed_differences(np.full(len(tuples), unit), tuples)[0]
            scale = np.abs(want).max() + 1e-9
            np.testing.assert_allclose(value, want, atol=2e-3 * scale)
    middle, radius = step_interval(law, np.arange(3))
    for unit in range(3):
        others = np.setdiff1d(np.arange(60), law.large[unit])
        steps = np.concatenate(law.steps(others, np.full(len(others), unit)))
        assert (np.abs(steps - middle[unit]) <= radius[unit] + 1e-12).all()


def test_what_few_polynomials_cannot_hold_is_named():
    model = random_model("ising", 60, 2, Generator.from_seed(1), weight_std=2.0)
    law = InputLaw.of(Marginal.of(model), np.full(60, 0.02))
    blocks, unresolved = expand(law, 3, most_degree=6)
    taken = np.concatenate([block.units for block in blocks]) if blocks else np.empty(0)
    assert sorted([*taken.tolist(), *unresolved.tolist()]) == [0, 1]
    assert len(unresolved)


def test_a_unit_that_is_never_on_needs_no_polynomials():
    """What it adds is below the rounding of the others, so no triplet is summed over directly."""
    model = random_model("bernoulli", 60, 3, Generator.from_seed(2), dtype=torch.float64)
    model.hidden.field[1] = -40.0
    law = InputLaw.of(Marginal.of(model), np.full(60, 0.5))
    blocks, unresolved = expand(law, 3, most_degree=16)
    assert not len(unresolved)
    told = {int(u): block.tensor[at].any() for block in blocks for at, u in enumerate(block.units)}
    assert told == {0: True, 1: False, 2: True}
