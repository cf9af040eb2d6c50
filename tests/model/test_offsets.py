"""Fields that differ from chain to chain: every row is a model with fields of its own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.layer import KINDS
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.annealing import AnnealedPath
from boltzbrain.sampling.enumeration import exact_samples
from boltzbrain.sampling.synthetic import random_model
from helpers.drift import distance_over_floor

ALL_KINDS = sorted(KINDS)
VISIBLE_KINDS = ["bernoulli", "ising"]
VISIBLE, HIDDEN, ROWS, SAMPLES = 6, 4, 3, 12_000


def model_of(visible: str, hidden: str) -> tuple[RBM, Offsets]:
    """Return a model, and three rows that change it much."""
    generator = Generator.from_seed(0, "offsets", visible, hidden)
    model = random_model(
        hidden, VISIBLE, HIDDEN, generator, visible_kind=visible, weight_std=0.6
    ).to(torch.float64)
    rows = (1.2 * generator.normal((ROWS, size), torch.float64) for size in (VISIBLE, HIDDEN))
    return model, Offsets(*rows)


@pytest.mark.parametrize("visible", VISIBLE_KINDS)
@pytest.mark.parametrize("hidden", ALL_KINDS)
@pytest.mark.parametrize("layers", ["both", "visible", "hidden"])
def test_every_row_answers_as_the_model_with_its_fields(layers, hidden, visible):
    model, both = model_of(visible, hidden)
    offsets = {"both": both, "visible": Offsets(both.visible), "hidden": Offsets(None, both.hidden)}
    rows = offsets[layers]
    generator = Generator(3)
    v = model.sample_visible(torch.zeros(ROWS, HIDDEN), generator)
    h = model.sample_hidden(v, generator)
    asked = {
        "energy": (v, h),
        "free_energy": (v,),
        "free_energy_of_hidden": (h,),
        "mean_hidden": (v,),
        "mean_visible": (h,),
    }
    for row in range(ROWS):
        here = slice(row, row + 1)
        moved = model.with_fields_moved(rows[here])
        for name, states in asked.items():
            found = getattr(model, name)(*states, offsets=rows)[here]
            wanted = getattr(moved, name)(*(one[here] for one in states))
            torch.testing.assert_close(found, wanted, atol=1e-10, rtol=1e-10)
        means = model.moments(v, offsets=rows).means[here]
        torch.testing.assert_close(means, moved.moments(v[here]).means, atol=1e-10, rtol=1e-10)
        # the draws of one row are those of its model, given the same words
        for draw, states in (("sample_hidden", v), ("sample_visible", h)):
            found = getattr(model, draw)(states, Generator(5), offsets=rows)[here]
            wanted = getattr(moved, draw)(states, Generator(5))[here]
            torch.testing.assert_close(found, wanted, atol=1e-9, rtol=1e-9)


def exact_chains(model: RBM, offsets: Offsets, generator: Generator) -> Tensor:
    """Return as many exact samples of each row's model, one row after the other."""
    models = [model.with_fields_moved(offsets[row : row + 1]) for row in range(ROWS)]
    return torch.cat([exact_samples(one, SAMPLES, generator) for one in models])


def distances(model: RBM, offsets: Offsets, states: Tensor) -> list[float]:
    """Return how far the states of each row are from the law of its model, in floors."""
    return [
        distance_over_floor(model.with_fields_moved(offsets[row : row + 1]), part)
        for row, part in enumerate(states.split(SAMPLES))
    ]


@pytest.mark.parametrize("visible", VISIBLE_KINDS)
@pytest.mark.parametrize("hidden", ALL_KINDS)
def test_sweeps_leave_every_row_its_own_law(hidden, visible):
    # exact samples lie within 30 % of the floor, and never reach 4 floors by chance (below 1e-12);
    # under a neighbour's row they do
    model, offsets = model_of(visible, hidden)
    start = exact_chains(model, offsets, Generator.from_seed(1, visible, hidden))
    for dtype in (torch.float64, torch.float32):
        rounded, rows = model.to(dtype), offsets.to(dtype).repeated(SAMPLES)
        begin = start.to(rounded.visible.state_dtype or dtype)
        kept = begin.clone()
        moved, _ = rounded.sweep(begin, Generator(7), 3, rows)
        assert torch.equal(begin, kept)
        assert max(distances(model, offsets, moved)) < 4
        neighbours = Offsets(rows.visible.roll(SAMPLES, 0), rows.hidden.roll(SAMPLES, 0))
        wrong, _ = rounded.sweep(begin, Generator(7), 3, neighbours)
        assert min(distances(model, offsets, wrong)) > 8


@pytest.mark.parametrize("hidden", ALL_KINDS)
def test_rungs_leave_every_row_its_own_law(hidden):
    # as above; halfway up, the visible rows are half those at the foot
    model, offsets = model_of("bernoulli", hidden)
    foot = offsets.visible.flip(0)
    halfway = Offsets(0.4 * foot + 0.6 * offsets.visible, offsets.hidden)
    rung = model.independent().mixed(model, 0.6)
    generator = Generator.from_seed(2, hidden)
    start = exact_chains(rung, halfway, generator)
    single, rows = model.to(torch.float32), offsets.to(torch.float32).repeated(SAMPLES)
    feet = foot.to(torch.float32).repeat_interleave(SAMPLES, dim=0)
    for number, place in ((0, feet), (1, feet.roll(SAMPLES, 0))):
        path = AnnealedPath(single.independent(), single, rows, place)
        moved, _ = path.climb(start, [0.5999, 0.6, 0.6001], generator)
        found = distances(rung, halfway, moved)
        assert (max(found) > 8) == bool(number)
        assert number or max(found) < 4


@pytest.mark.parametrize("hidden", ALL_KINDS)
def test_offsets_of_nothing_draw_what_none_draw(hidden):
    model, offsets = model_of("bernoulli", hidden)
    states = exact_samples(model, 50, Generator(2))
    nothing = offsets[torch.zeros(50, dtype=torch.int64)].scaled(0.0)
    found = model.sweep(states, Generator(4), 2, nothing)
    wanted = model.sweep(states, Generator(4), 2)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-9, rtol=1e-9)


def test_rows_that_do_not_fit_are_refused():
    model, offsets = model_of("bernoulli", "relu")
    states = torch.zeros(ROWS + 1, VISIBLE, dtype=torch.uint8)
    with pytest.raises(InputError, match=r"^offsets.hidden must have shape \(state, unit\)"):
        model.mean_hidden(states, Offsets(None, offsets.hidden))
    with pytest.raises(InputError, match=r"^offsets.visible must have shape"):
        model.sweep(states[:ROWS], Generator(0), 1, Offsets(offsets.hidden, offsets.hidden))
    with pytest.raises(InputError, match=r"^offsets must be of torch.float64 like the model"):
        model.free_energy(states[:ROWS], offsets.to(torch.float32))
    with pytest.raises(InputError, match=r"^offsets must have rows for"):
        Offsets()
    with pytest.raises(InputError, match=r"^offsets.hidden must have shape \(row, unit\)"):
        Offsets(hidden=torch.zeros(3))
    with pytest.raises(InputError, match=r"^offsets.visible must be a tensor of float32"):
        Offsets(torch.zeros((2, 3), dtype=torch.int64))
    with pytest.raises(InputError, match=r"^offsets must have as many rows of one type"):
        Offsets(torch.zeros(2, 3), torch.zeros(3, 3))
