"""Moves of single hidden units: they leave the law alone, and cross where Gibbs does not."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numba
import numpy as np
import pytest
import torch
from torch import Tensor

from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.layers.layer import KINDS
from boltzbrain.model.layers.rectified import DReLU
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.enumeration import exact_log_partition, exact_samples
from boltzbrain.sampling.gibbs import Chains, advance
from boltzbrain.sampling.moves.annealing import annealed_back_by_moves, annealed_by_moves
from boltzbrain.sampling.moves.hidden import advance_by_moves, move_hidden
from boltzbrain.sampling.moves.proposal import Proposal, proposal_from
from boltzbrain.sampling.moves.samples import chains_apart, sample_by_moves
from boltzbrain.sampling.synthetic import random_model
from helpers.drift import distance_over_floor

KIND_NAMES = sorted(KINDS)
REAL = [kind for kind in KIND_NAMES if KINDS[kind].scale_powers]
UNITS, SAMPLES = 6, 40_000


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Small arrays lose more to waking threads than they win."""
    before = numba.get_num_threads(), torch.get_num_threads()
    numba.set_num_threads(1)
    torch.set_num_threads(1)
    yield
    numba.set_num_threads(before[0])
    torch.set_num_threads(before[1])


def exact_chains(kind: str) -> tuple[RBM, Chains, Proposal | None]:
    """Return a model, chains drawn exactly from it, and proposals from states of another law."""
    generator = Generator.from_seed(0, "moves", kind)
    model = random_model(kind, UNITS, 4, generator, weight_std=0.8)
    known = model.hidden.parameters()
    shift = 1.5 if model.hidden.signed else 0.0
    rarely = {name: known[name] - shift * s for name, s in model.hidden.input_shift.items()}
    model = RBM(model.visible, model.hidden.with_parameters(rarely), model.weights)
    others = torch.ones((500, UNITS), dtype=torch.uint8)
    others[:100] = exact_samples(model, 100, generator)
    proposal = proposal_from(model, others, generator)
    visible = exact_samples(model, SAMPLES, generator)
    return model, Chains(visible, model.sample_hidden(visible, generator), generator), proposal


def moved(
    model: RBM, chains: Chains, proposal: Proposal | None, times: int = 5
) -> tuple[Tensor, Tensor]:
    """Return the hidden states after moves alone, and visible states drawn given them."""
    stream, hidden = chains.generator.copy(), chains.hidden
    for _ in range(times):
        hidden = move_hidden(model, hidden, proposal, stream)
    return hidden, model.sample_visible(hidden, stream)


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_moves_alone_do_not_drift(kind: str) -> None:
    # false alarm below 1e-12, as in test_samplers.py
    model, chains, proposal = exact_chains(kind)
    hidden, visible = moved(model, chains, proposal)
    assert distance_over_floor(model, visible) < 4
    assert bool((hidden != chains.hidden).any(dim=0).all()), "a unit never moved"


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_moves_between_gibbs_sweeps_do_not_drift(kind: str) -> None:
    model, chains, proposal = exact_chains(kind)
    assert distance_over_floor(model, advance_by_moves(model, chains, proposal, 3).visible) < 4


@pytest.mark.parametrize("kind", REAL)
def test_without_the_ratio_of_the_proposals_moves_drift(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # negative control
    model, chains, proposal = exact_chains(kind)
    monkeypatch.setattr(Proposal, "log_probability", lambda _, hidden: 0.0 * hidden.double())
    assert distance_over_floor(model, moved(model, chains, proposal)[1]) > 6


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_moves_that_forget_the_visible_inputs_drift(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # negative control: the neurons do not weigh in
    model, chains, proposal = exact_chains(kind)

    def blind(inputs: Tensor, _w: Tensor, steps: Tensor, least: Tensor, _o: Tensor) -> Tensor:
        return least < 0

    monkeypatch.setattr("boltzbrain.sampling.moves.hidden.take_steps", blind)
    assert distance_over_floor(model, moved(model, chains, proposal)[1]) > 8


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_visible_states_from_before_a_move_are_stale(kind: str) -> None:
    # the mean of v W h under the joint law, in standard errors: within 5 with visible states drawn
    # anew (false alarm 1e-6), far off with those that the hidden units were drawn from
    model, chains, proposal = exact_chains(kind)
    hidden, visible = moved(model, chains, proposal)

    def interaction(v: Tensor, h: Tensor) -> Tensor:
        return (model.inputs_to_hidden(v) * h).sum(dim=1).to(torch.float64)

    before = interaction(chains.visible, chains.hidden)
    error = math.sqrt(2 * float(before.var()) / SAMPLES)
    assert abs(float(interaction(visible, hidden).mean() - before.mean())) < 5 * error
    assert abs(float(interaction(chains.visible, hidden).mean() - before.mean())) > 10 * error


def two_states(kind: str) -> tuple[RBM, float]:
    """Return a model of one hidden unit that drives 400 neurons, and how often it is on."""
    field = torch.full((400,), -3.0)
    weights = torch.full((400, 1), 3.0 if kind == "bernoulli" else 1.5)
    if kind == "bernoulli":
        rise = 400 * math.log(2 / (1 + math.e**-3))
        odds = math.log(0.3 / 0.7)
        return RBM(Bernoulli(field), Bernoulli(torch.tensor([odds - rise])), weights), 0.3
    h = torch.linspace(-4, 4, 8_001, dtype=torch.float64)[:, None]
    low, high = -2000.0, 2000.0
    while True:
        # both sides as stiff as 400 neurons; the field of one decides how often the unit is on
        parameters = ((low + high) / 2, 400.0, 600.0, 400.0)
        hidden = DReLU(*(torch.tensor([one]) for one in parameters))
        model = RBM(Bernoulli(field + 1.5), hidden, weights)
        law = torch.softmax(-model.to(torch.float64).free_energy_of_hidden(h), dim=0)
        share = float(law[h[:, 0] > 0].sum())
        if 0.2 < share < 0.4:
            return model, share
        low, high = (low, (low + high) / 2) if share > 0.4 else ((low + high) / 2, high)


@pytest.mark.parametrize("kind", ["bernoulli", "drelu"])
def test_moves_cross_between_two_states_that_gibbs_does_not_leave(kind: str) -> None:
    # 2 % of the share is 8 and more standard errors of some 50,000 independent states
    model, share = two_states(kind)
    assert 0.1 < share < 0.9
    generator = Generator.from_seed(2)
    ends = torch.tensor([[0.0 if kind == "bernoulli" else -1.0], [1.0]]).repeat(500, 1)
    data = model.sample_visible(ends, generator)
    chains = Chains(data, model.sample_hidden(data, generator), generator)
    gibbs = advance(model, chains, 300)
    crossed = (gibbs.hidden[:, 0] > 0) != (chains.hidden[:, 0] > 0)
    assert not bool(crossed.any())
    proposal = proposal_from(model, data, generator)
    found = []
    for step in range(120):
        chains = advance_by_moves(model, chains, proposal)
        if step >= 20:
            found.append((chains.hidden[:, 0] > 0).to(torch.float64).mean())
    measured = float(torch.stack(found).mean())
    assert abs(measured - share) < 0.02 * min(share, 1 - share)


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_inputs_of_a_chain_are_fields_of_its_own_model(kind: str) -> None:
    generator = Generator.from_seed(3, kind)
    model = random_model(kind, 20, 5, generator, dtype=torch.float64)
    states = exact_samples(model, 60, generator)
    proposal, hidden = (
        proposal_from(model, states, generator),
        model.sample_hidden(states, generator),
    )
    visible_input, hidden_input = (
        torch.linspace(-2, 2, 20).double(),
        torch.linspace(-2, 2, 5).double(),
    )
    other = model.with_fields_moved(Offsets(visible_input[None], hidden_input[None]))
    here = torch.arange(60)[:, None] % 2 == 0
    offsets = Offsets(torch.where(here, visible_input, 0.0), torch.where(here, hidden_input, 0.0))
    found = move_hidden(model, hidden, proposal, generator.copy(), offsets=offsets)
    wanted = (move_hidden(one, hidden, proposal, generator.copy()) for one in (other, model))
    assert bool((found == torch.where(here, *wanted)).all())


def test_proposals_reach_beyond_the_data_and_no_unit_leaves_its_range() -> None:
    for kind in REAL:
        model, chains, proposal = exact_chains(kind)
        assert proposal is not None
        drawn = proposal.draw(20_000, Generator.from_seed(4), torch.float64)
        edges = proposal.edges
        assert bool((edges.diff(dim=1) > 0).all())
        assert bool(((drawn >= edges[:, 0]) & (drawn <= edges[:, -1])).all())
        if kind == "relu":
            assert bool((drawn >= 0).all())
        # the density is that of the draws: its mean over them is the integral of its square
        density = proposal.log_probability(drawn).exp().mean(dim=0)
        exact = ((2 * proposal.log_density).exp() * edges.diff(dim=1)).sum(dim=1)
        torch.testing.assert_close(density, exact, rtol=0.1, atol=0)
        # outside the range there is no way back by a move
        far = chains.hidden[:50].clone()
        far[:, 0] = float(edges[0, -1]) + 1.0
        after = move_hidden(model, far, proposal, Generator.from_seed(5))
        assert bool((after[:, 0] == far[:, 0]).all())


def test_splitting_steps_changes_nothing_and_what_is_given_stays() -> None:
    model, chains, proposal = exact_chains("drelu")
    chains = Chains(chains.visible[:50], chains.hidden[:50], chains.generator)
    before = chains.visible.clone(), chains.hidden.clone(), chains.generator.copy()
    at_once = advance_by_moves(model, chains, proposal, 5)
    halves = advance_by_moves(model, advance_by_moves(model, chains, proposal, 2), proposal, 3)
    assert bool((at_once.visible == halves.visible).all())
    assert bool((at_once.hidden == halves.hidden).all())
    assert at_once.generator == halves.generator
    assert bool((chains.visible == before[0]).all() and (chains.hidden == before[1]).all())
    assert chains.generator == before[2]


def test_chains_apart_have_units_of_different_bins() -> None:
    model = random_model("bernoulli", 30, 8, Generator.from_seed(6), weight_std=3.0)
    bins = torch.zeros((2, 30), dtype=torch.uint8)
    bins[1] = 1
    pool = model.mean_hidden(bins).round()
    chains = chains_apart(model, bins, 500, Generator.from_seed(7))
    like_a_bin = (chains.hidden == pool[:, None]).all(dim=2).any(dim=0).to(torch.float64).mean()
    # two bins give two of 2**8 patterns
    assert float(like_a_bin) < 0.1
    different = int((pool[0] != pool[1]).sum())
    assert different > 4
    assert np.unique(chains.hidden.numpy(), axis=0).shape[0] > 2 ** (different - 1)


def test_samples_by_moves_say_how_they_mix() -> None:
    model, chains, _ = exact_chains("drelu")
    told: list[int] = []
    found = sample_by_moves(
        model, chains.visible, 5000, Generator.from_seed(8), chains=100, warm_up=5, thin=2
    )
    assert found.samples.shape == (5000, UNITS)
    assert found.steps == 100
    assert found.independent_samples is not None
    assert 1000 < found.independent_samples <= 10_000
    assert distance_over_floor(model, found.samples) < 4
    assert not told


def test_what_moves_cannot_take_is_refused() -> None:
    generator = Generator.from_seed(9)
    ising = random_model("drelu", 5, 3, generator, visible_kind="ising")
    with pytest.raises(InputError, match="visible units must be bernoulli for moves"):
        move_hidden(ising, torch.zeros(2, 3), None, generator)
    model = random_model("drelu", 5, 3, generator)
    with pytest.raises(InputError, match="proposal must be there for drelu units"):
        move_hidden(model, torch.zeros(2, 3), None, generator)
    with pytest.raises(InputError, match="steps"):
        advance_by_moves(model, chains_apart(model, torch.zeros(1, 5), 2, generator), None, 0)


@pytest.mark.parametrize("kind", REAL)
def test_annealing_by_moves_agrees_with_enumeration(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # within 5 of their own errors, from both ends: false alarm some 1e-5
    generator = Generator.from_seed(10, kind)
    model = random_model(kind, 8, 4, generator, weight_std=0.8)
    states = exact_samples(model, 2000, generator)
    exact = exact_log_partition(model)
    hidden = model.sample_hidden(states[:500], generator)
    forward = annealed_by_moves(model, states, generator, chains=500, rungs=60)
    backward = annealed_back_by_moves(model, states, hidden, generator, rungs=60)
    for found in (forward, backward):
        assert found.stderr < 0.1
        assert abs(found.value - exact) < 5 * found.stderr + 1e-3
    # negative control: the density of the law that chains begin at is forgotten
    monkeypatch.setattr(Proposal, "log_probability", lambda _, h: 0.0 * h.double())
    wrong = annealed_by_moves(model, states, generator, chains=500, rungs=60)
    assert abs(wrong.value - exact) > 20 * forward.stderr


def test_annealing_by_moves_finds_both_states_where_sweeps_find_one() -> None:
    model, share = two_states("drelu")
    generator = Generator.from_seed(11)
    data = model.sample_visible(torch.tensor([[-1.0], [1.0]]).repeat(500, 1), generator)
    h = torch.linspace(-4, 4, 8001, dtype=torch.float64)[:, None]
    law = -model.to(torch.float64).free_energy_of_hidden(h)
    exact = float(torch.logsumexp(law, dim=0)) + math.log(8 / 8000)
    found = annealed_by_moves(model, data, generator, chains=2000, rungs=60)
    assert found.effective_sample_size > 1000
    assert abs(found.value - exact) < 0.05
    # one state alone would be off by log(share) or log(1 - share)
    assert min(-math.log(share), -math.log(1 - share)) > 0.2


def test_two_valued_units_have_no_law_to_anneal_from() -> None:
    model = random_model("bernoulli", 5, 3, Generator.from_seed(12))
    states = torch.zeros((4, 5), dtype=torch.uint8)
    with pytest.raises(InputError, match="hidden units must be real-valued"):
        annealed_by_moves(model, states, Generator.from_seed(13), chains=20, rungs=5)
