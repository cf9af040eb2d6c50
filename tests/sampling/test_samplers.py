"""One contract for every sampler: states drawn exactly from the model are left so distributed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numba
import pytest
import torch
from torch import Tensor

from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.layers.layer import KINDS
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.annealing import AnnealedPath
from boltzbrain.sampling.enumeration import exact_samples
from boltzbrain.sampling.exchange import exchange_step, replicas_from
from boltzbrain.sampling.gibbs import Chains, advance, start_chains
from boltzbrain.sampling.ladder import Ladder
from boltzbrain.sampling.running import RunningLogPartition, resample
from boltzbrain.sampling.synthetic import random_model
from helpers.drift import distance_over_floor

KIND_NAMES = sorted(KINDS)
VISIBLE_KINDS = ["bernoulli", "ising"]
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


def ladder_of(kind: str, visible_kind: str) -> Ladder:
    """Three unlike models of one kind; the lowest without weights."""
    generator = Generator.from_seed(0, "ladder", kind, visible_kind)
    models = [
        random_model(kind, UNITS, 4, generator, visible_kind=visible_kind, weight_std=std)
        for std in (0.0, 0.25, 0.5)
    ]
    return Ladder(tuple(models), "trajectory")


def gibbs(ladder: Ladder, generator: Generator) -> list[Tensor]:
    visible = exact_samples(ladder.model, SAMPLES, generator)
    hidden = ladder.model.sample_hidden(visible, generator)
    return [advance(ladder.model, Chains(visible, hidden, generator), 3).visible]


def annealed_rung(ladder: Ladder, generator: Generator) -> list[Tensor]:
    path = AnnealedPath(ladder.model.independent(), ladder.model)
    visible = exact_samples(path.base.mixed(path.model, 0.6), SAMPLES, generator)
    return [path.sweep(path.model.inputs_to_hidden(visible), 0.6, generator)]


def exchanged(ladder: Ladder, generator: Generator, sweeps: int) -> list[Tensor]:
    visible = torch.stack([exact_samples(rung, SAMPLES, generator) for rung in ladder.rungs])
    replicas = replicas_from(visible, generator)
    for _ in range(2):
        replicas, _ = exchange_step(ladder, replicas, sweeps=sweeps)
    return list(replicas.visible)


def exchange_alone(ladder: Ladder, generator: Generator) -> list[Tensor]:
    return exchanged(ladder, generator, 0)


def exchange_and_sweep(ladder: Ladder, generator: Generator) -> list[Tensor]:
    return exchanged(ladder, generator, 1)


Sampler = Callable[[Ladder, Generator], list[Tensor]]
SAMPLERS: dict[str, Sampler] = {
    "gibbs": gibbs,
    "annealed rung": annealed_rung,
    "exchange alone": exchange_alone,
    "exchange and sweep": exchange_and_sweep,
}


def targets(name: str, ladder: Ladder) -> list[RBM]:
    if name.startswith("exchange"):
        return list(ladder.rungs)
    if name == "annealed rung":
        return [ladder.model.independent().mixed(ladder.model, 0.6)]
    return [ladder.model]


@pytest.mark.parametrize("visible_kind", VISIBLE_KINDS)
@pytest.mark.parametrize("kind", KIND_NAMES)
@pytest.mark.parametrize("name", SAMPLERS)
def test_no_drift(name: str, kind: str, visible_kind: str) -> None:
    # the distance of exact samples is within 30 % of the floor; 4 floors are never reached by
    # chance (below 1e-12), and the defects below lie at 9 and more
    ladder = ladder_of(kind, visible_kind)
    generator = Generator.from_seed(1, name, kind, visible_kind)
    states = SAMPLERS[name](ladder, generator)
    for model, visible in zip(targets(name, ladder), states, strict=True):
        assert distance_over_floor(model, visible) < 4


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_exchange_by_the_tempered_energy_of_the_top_drifts(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # negative control, a defect of a published package: t F(v) of the highest rung in place of each
    # rung's own free energy
    ladder = ladder_of(kind, "bernoulli")

    def wrong(self: Ladder, rung: int, visible: Tensor) -> Tensor:
        return -self.model.free_energy(visible) / (len(self) - 1)

    monkeypatch.setattr(Ladder, "log_weight", wrong)
    states = exchange_alone(ladder, Generator.from_seed(2, kind))
    distances = [
        distance_over_floor(model, visible)
        for model, visible in zip(ladder.rungs, states, strict=True)
    ]
    assert max(distances) > 8


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_a_sweep_with_a_wrong_hidden_field_drifts(kind: str) -> None:
    # negative control: the hidden units are drawn with fields that are 2 too large
    model = ladder_of(kind, "bernoulli").model
    generator = Generator.from_seed(3, kind)
    known = model.hidden.parameters()
    larger = {name: known[name] + 2 * sign for name, sign in model.hidden.input_shift.items()}
    wrong = RBM(model.visible, model.hidden.with_parameters(larger), model.weights)
    visible, _ = wrong.sweep(exact_samples(model, SAMPLES, generator), generator, 3)
    assert distance_over_floor(model, visible) > 8


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_a_built_rung_and_a_rung_of_the_path_are_one(kind: str) -> None:
    model = random_model(kind, 9, 5, Generator.from_seed(4, kind), dtype=torch.float64)
    field = torch.linspace(-1, 1, 9, dtype=torch.float64)
    path = AnnealedPath(model.independent(field), model)
    visible = exact_samples(model, 50, Generator.from_seed(5))
    lower, upper = path.base.mixed(model, 0.3), path.base.mixed(model, 0.7)
    built = lower.free_energy(visible) - upper.free_energy(visible)
    inputs = model.inputs_to_hidden(visible)
    torch.testing.assert_close(path.log_weight(visible, inputs, 0.3, 0.7), built)
    swept, _ = upper.sweep(visible, Generator.from_seed(6))
    assert bool((path.sweep(inputs, 0.7, Generator.from_seed(6)) == swept).all())


def test_samplers_leave_what_they_are_given_alone() -> None:
    ladder = ladder_of("bernoulli", "bernoulli")
    chains = start_chains(ladder.model, 20, Generator.from_seed(7))
    before = chains.visible.clone(), chains.generator.copy()
    first, second = (advance(ladder.model, chains, 2) for _ in range(2))
    assert bool((chains.visible == before[0]).all())
    assert chains.generator == before[1]
    assert bool((first.visible == second.visible).all())
    assert first.generator == second.generator
    assert first.sweeps == 2
    states = torch.stack([exact_samples(rung, 20, Generator.from_seed(8)) for rung in ladder.rungs])
    replicas = replicas_from(states, Generator.from_seed(9))
    copied = replicas.visible.clone(), replicas.replica.clone(), replicas.last_end.clone()
    moved = [exchange_step(ladder, replicas)[0] for _ in range(2)]
    assert bool((moved[0].visible == moved[1].visible).all())
    assert bool((replicas.visible == copied[0]).all())
    assert bool((replicas.replica == copied[1]).all())
    assert bool((replicas.last_end == copied[2]).all())


def test_splitting_sweeps_changes_nothing() -> None:
    # resume must continue where the stream stood
    model = random_model("bernoulli", 30, 10, Generator.from_seed(10))
    chains = start_chains(model, 8, Generator.from_seed(11))
    at_once = advance(model, chains, 5)
    in_parts = advance(model, advance(model, chains, 2), 3)
    assert bool((at_once.visible == in_parts.visible).all())
    assert bool((at_once.hidden == in_parts.hidden).all())
    assert at_once.generator == in_parts.generator
    assert len(at_once) == 8


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_chains_start_and_advance_under_fields_of_their_own(kind: str) -> None:
    model = random_model(kind, UNITS, 4, Generator.from_seed(0, kind), dtype=torch.float64)
    hidden = torch.linspace(-2, 2, 8).double().reshape(2, 4)
    row = torch.arange(60) % 2
    offsets = Offsets(2 * torch.eye(UNITS).double()[:2], hidden)[row]
    chains = start_chains(model, 60, Generator(3), offsets)
    chains = advance(model, chains, 2, offsets)
    for number in (0, 1):
        moved = model.with_fields_moved(offsets[number : number + 1])
        wanted = advance(moved, start_chains(moved, 60, Generator(3)), 2)
        for name in ("visible", "hidden"):
            found, expected = (getattr(one, name)[row == number] for one in (chains, wanted))
            torch.testing.assert_close(found, expected, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("visible_kind", VISIBLE_KINDS)
@pytest.mark.parametrize("kind", KIND_NAMES)
def test_chains_of_the_running_estimate_follow_the_model(kind: str, visible_kind: str) -> None:
    # weighted states, resampled, are states of the new model; the unweighted control is not
    generator = Generator.from_seed(12, kind, visible_kind)
    old, new = (
        random_model(kind, UNITS, 4, generator, visible_kind=visible_kind, weight_std=std)
        for std in (0.2, 0.4)
    )
    start = exact_samples(old, SAMPLES, generator)
    zeros = torch.zeros(SAMPLES, dtype=torch.float64)
    state = RunningLogPartition(old, start, zeros, generator, 0.0).update(new, steps=1)
    # resampled, or still weighted: the weights are those before the sweep, which keeps the law
    drawn = state.visible[resample(state.log_weights, generator)]
    # drawn states repeat, so fewer of them are independent
    assert distance_over_floor(new, drawn) < 8
    assert distance_over_floor(new, start) > 12


def test_chains_that_do_not_fit_are_refused() -> None:
    model = RBM(Bernoulli(torch.zeros(3)), Bernoulli(torch.zeros(2)), torch.zeros(3, 2))
    chains = start_chains(model, 4, Generator.from_seed(0))
    other = RBM(Bernoulli(torch.zeros(5)), Bernoulli(torch.zeros(2)), torch.zeros(5, 2))
    with pytest.raises(InputError, match=r"chains\.visible must have shape"):
        advance(other, chains, 1)
    with pytest.raises(InputError, match="sweeps"):
        advance(model, chains, 0)
    with pytest.raises(InputError, match="lowest rung must have no weights"):
        Ladder((RBM(model.visible, model.hidden, torch.ones(3, 2)), model), "trajectory")
    ladder = Ladder((model, model), "annealing")
    with pytest.raises(InputError, match=r"replicas\.visible"):
        exchange_step(ladder, replicas_from(torch.zeros(3, 4, 3), Generator.from_seed(0)))
