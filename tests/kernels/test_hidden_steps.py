"""Steps of hidden units: the fast loop decides as its plain twin does."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from boltzbrain.foundations.random import Generator
from boltzbrain.kernels import dispatch, reference


def case(units: int, share: float, chains: int = 30, hidden: int = 12) -> tuple[Tensor, ...]:
    generator = Generator.from_seed(units, "steps")
    weights = 0.3 * generator.normal((units, hidden))
    weights[generator.uniform((units, hidden)) > share] = 0.0
    inputs = 4.0 * generator.normal((chains, units)) - 2.0
    steps = generator.normal((chains, hidden))
    least = 3.0 * generator.normal((chains, hidden), torch.float64)
    return inputs, weights, steps, least, torch.from_numpy(generator.permutation(hidden))


@pytest.mark.parametrize("share", [0.0, 0.05, 1.0])
@pytest.mark.parametrize("units", [1, 15, 16, 17, 333, 5000])
def test_steps_are_taken_where_the_reference_takes_them(units: int, share: float) -> None:
    given = case(units, share)
    expected = reference.take_steps(*given)
    assert bool((dispatch.take_steps(*given) == expected).all())
    assert 0 < expected.to(torch.float32).mean() < 1


def test_far_inputs_and_large_steps_keep_their_gain() -> None:
    # beyond |x| = 64 softplus is the line itself; a gain of +-200 and of 0 must be told apart
    inputs = torch.tensor([[-300.0, 100.0, 0.0]]).repeat(3, 1)
    weights = torch.tensor([[1.0], [1.0], [0.0]])
    steps = torch.tensor([[100.0], [-100.0], [400.0]])
    exact = torch.tensor([[100.0], [-100.0 + 0.6931472], [500.0]], dtype=torch.float64)
    order = torch.tensor([0])
    for shift, wanted in ((-1e-3, True), (1e-3, False)):
        taken = dispatch.take_steps(inputs, weights, steps, exact + shift, order)
        assert bool((taken == wanted).all())


def test_steps_do_not_depend_on_the_number_of_threads() -> None:
    given, before = case(5000, 0.4), torch.get_num_threads()
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found.append(dispatch.take_steps(*given))
    torch.set_num_threads(before)
    assert bool((found[0] == found[1]).all())


def test_what_is_given_stays_as_it_is() -> None:
    given = case(333, 0.5)
    copies = [one.clone() for one in given]
    dispatch.take_steps(*given)
    assert all(bool((one == copy).all()) for one, copy in zip(given, copies, strict=True))
