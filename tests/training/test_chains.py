"""What moves the chains of a training: two patterns behind a barrier, rungs, resuming, the plan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.progress import Progress
from boltzbrain.foundations.random import Generator
from boltzbrain.model.independent import independent_field
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.enumeration import exact_log_partition, exact_samples
from boltzbrain.sampling.gibbs import Chains, start_chains
from boltzbrain.training.chains.choice import mover_of
from boltzbrain.training.chains.trajectory import ENOUGH, LEAST_ACCEPTANCE, Rungs, acceptance
from boltzbrain.training.plan import make_plan
from boltzbrain.training.run.checkpoints import read_checkpoint, write_checkpoint
from boltzbrain.training.run.past_plans import past_plan, plan_to_go_on
from boltzbrain.training.train import resume, train
from boltzbrain.training.update.directions import (
    DIRECTIONS,
    UNITS,
    exact_chains,
    model_along_directions,
)
from boltzbrain.training.update.gradient import parameters_of
from boltzbrain.training.update.state import State
from helpers.activities import activity_of
from helpers.barrier import NEURONS, UPPER, two_patterns

STEEP = 4.5


def share_of_upper(by: str, steps: int, left_out: int) -> float:
    """The share of the upper pattern, of chains that all begin at the lower one."""
    plan = make_plan(chains_by=by, hidden=1, chains=2000, sweeps=1)
    model = two_patterns(0.0)
    data = torch.zeros((10, NEURONS), dtype=torch.uint8)
    mover = mover_of(plan, data, model.visible.parameters()["field"])
    chains = mover.begin(model, start_chains(model, plan.chains, Generator.from_seed(0)))
    for update in range(60):
        model = two_patterns(STEEP * (update + 1) / 60)
        chains = mover.move(model, chains, update)
    chains = Chains(torch.zeros_like(chains.visible), chains.hidden, chains.generator)
    upper = 0.0
    for step in range(steps):
        chains = mover.move(model, chains, 60 + step)
        if step >= left_out:
            upper += float((chains.visible.sum(dim=1) > NEURONS / 2).double().mean())
    return upper / (steps - left_out)


@pytest.mark.parametrize(("by", "steps", "left_out"), [("moves", 40, 10), ("trajectory", 260, 120)])
def test_two_patterns_behind_a_barrier_have_their_weights(
    by: str, steps: int, left_out: int
) -> None:
    # autocorrelation times of 0.5 and 4 steps: the errors are .002 and .0026, the limit seven
    assert abs(share_of_upper(by, steps, left_out) - UPPER) < 0.02


def test_gibbs_does_not_cross_the_barrier() -> None:
    assert share_of_upper("gibbs", 60, 0) < 0.01


def patterns(seed: int = 0) -> tuple[torch.Tensor, np.ndarray, np.ndarray]:
    """Bins that are near one of three patterns of 60 neurons, the patterns, their shares."""
    rng = np.random.default_rng(seed)
    places = rng.random((3, 60)) < 0.4
    which = rng.choice(3, 1200, p=(0.5, 0.3, 0.2))
    states = rng.random((1200, 60)) < np.where(places[which], 0.88, 0.12)
    share = np.bincount(which) / 1200
    return torch.from_numpy(states.astype(np.uint8)), places, share


def state_of(states: torch.Tensor, **options: object) -> State:
    plan = make_plan(**{"hidden": 6, "batch": 400, "chains": 200, "updates": 300, **options})
    return State(plan, states, independent_field(states), None)


def off_by(by: str) -> float:
    """How far the share of a pattern is off at most, by exact samples of a trained model."""
    states, places, share = patterns(3)
    state = state_of(states, chains_by=by, final_learning_rate=0.005)
    for _ in range(300):
        state.step()
    drawn = exact_samples(state.model, 4000, Generator.from_seed(1)).numpy()
    nearest = (drawn[:, None] != places[None]).sum(axis=2).argmin(axis=1)
    return float(np.abs(np.bincount(nearest, minlength=3) / 4000 - share).max())


def test_a_training_on_clustered_data_passes_by_moves_and_along_the_trajectory_alone() -> None:
    # .13 by sweeps; the error of the samples is .008, three of seeds 0 to 3 fail by .05 at least
    assert off_by("gibbs") > 0.1
    assert off_by("moves") < 0.04
    assert off_by("trajectory") < 0.04


def same(first: State, second: State) -> bool:
    pairs = [(parameters_of(a), parameters_of(b)) for a, b in (
        (first.model, second.model), (first.live, second.live))]  # fmt: skip
    mine, others = first.mover.tensors(), second.mover.tensors()
    return (
        all(torch.equal(one, b[name]) for a, b in pairs for name, one in a.items())
        and torch.equal(first.chains.visible, second.chains.visible)
        and mine.keys() == others.keys()
        and all(torch.equal(one, others[name]) for name, one in mine.items())
    )


@pytest.mark.parametrize(
    "options",
    [
        {"chains_by": "trajectory"},
        {"chains_by": "moves"},
        {"chains_by": "moves", "hidden_kind": "drelu", "learning_rate": 0.05},
        {"chains_by": "trajectory", "hidden_kind": "drelu", "learning_rate": 0.05},
        {"chains_by": "trajectory", "weights_from": "directions"},
    ],
    ids=lambda one: "-".join(str(value) for value in one.values()),
)
def test_a_checkpoint_holds_all_that_moves_the_chains(
    options: dict[str, object], tmp_path: Path
) -> None:
    states = patterns()[0]
    state = state_of(states, chains=40, **options)
    for _ in range(31):
        state.step()
    write_checkpoint(tmp_path / "one.h5", state.checkpoint({}, 0.0))
    other = State(
        state.plan, states, independent_field(states), read_checkpoint(tmp_path / "one.h5")
    )
    before = state.mover.tensors()
    for _ in range(60):
        state.step()
        other.step()
    assert same(state, other)
    if options["chains_by"] == "trajectory" and "weights_from" not in options:
        # the rungs were added to meanwhile
        assert len(state.mover.tensors()) > len(before)


def grown(strengths: list[float], chains: int = 500) -> Rungs:
    """Rungs from the model without weights, one made of each strength in turn."""
    generator = Generator.from_seed(2)
    first = two_patterns(0.0)
    states = exact_samples(first, chains, generator)
    rungs = Rungs([first], states[None])
    for strength in strengths:
        model = two_patterns(strength)
        states = exact_samples(model, chains, generator)
        gains = (Pair(rungs, model).gain(one) for one in (rungs.visible[-1], states))
        rungs.grow(model, states, acceptance(*gains), generator)
    return rungs


class Pair:
    """The last rung and a model above it."""

    def __init__(self, rungs: Rungs, model: RBM) -> None:
        self.below, self.above = rungs.models[-1], model

    def gain(self, states: torch.Tensor) -> torch.Tensor:
        """F of the one minus F of the other."""
        return (self.below.free_energy(states) - self.above.free_energy(states)).double()


def accepted(rungs: Rungs) -> list[float]:
    """Exact acceptance of every pair of neighbours."""
    generator, found = Generator.from_seed(3), []
    for below, above in zip(rungs.models[:-1], rungs.models[1:], strict=True):
        pair = Pair(Rungs([below], rungs.visible[:1]), above)
        states = (exact_samples(one, 2000, generator) for one in (below, above))
        found.append(acceptance(*map(pair.gain, states)))
    return found


def test_a_model_far_from_the_last_rung_is_reached_over_others() -> None:
    rungs = grown([1.6])
    assert len(rungs) > 2
    assert min(accepted(rungs)) > LEAST_ACCEPTANCE / 2
    # negative control: nothing is put between neighbours
    assert len(grown([0.3])) == 2


def test_a_rung_whose_neighbours_exchange_without_it_is_left_out() -> None:
    rungs = grown([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
    assert len(rungs) < 6
    assert float(rungs.models[-1].weights[0, 0]) == pytest.approx(0.8)
    assert min(accepted(rungs)) > ENOUGH - 0.1


def test_a_training_along_the_trajectory_is_resumed_bit_for_bit(tmp_path: Path) -> None:
    activity = activity_of(patterns()[0].numpy())
    plan = make_plan(
        chains_by="trajectory", hidden=3, updates=60, chains=30, batch=200, checkpoints=3,
        ais_chains=20, ais_rungs=20,
    )  # fmt: skip

    def interrupt(progress: Progress) -> None:
        if progress.done == 40:
            raise KeyboardInterrupt

    whole = train(activity, plan, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(activity, plan, tmp_path / "parts", [interrupt])
    parts = resume(tmp_path / "parts")
    mine, others = (parameters_of(one.best) for one in (whole, parts))
    assert all(torch.equal(one, others[name]) for name, one in mine.items())
    assert whole.info["convergence"] == parts.info["convergence"]
    assert whole.plan.chains_by == whole.info["plan"]["chains_by"] == "trajectory"
    assert "models of the training" in whole.info["convergence"]["sampler"]


def test_what_moves_the_chains_follows_from_the_recipe() -> None:
    assert make_plan("binary").chains_by == make_plan("compositional").chains_by == "gibbs"
    assert make_plan("assemblies").chains_by == "moves"
    # who asks for the trajectory is not handed over to a recipe that moves chains itself
    assert not make_plan("compositional", chains_by="trajectory").assemblies
    assert make_plan("compositional", chains_by="moves").assemblies


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "assemblies", "chains_by": "gibbs"}, "be moves where weights_from is"),
        ({"assemblies": True, "chains_by": "trajectory"}, "be gibbs or moves where the recipe"),
        ({"context": "past", "chains_by": "moves"}, "be gibbs with a context"),
        ({"chains_by": "hops"}, "chains_by must be"),
        ({"weights_from": "directions", "hidden_kind": "relu"}, "hidden_kind must be bernoulli"),
        ({"weights_from": "directions", "context": "past"}, "weights_from must be noise or data"),
    ],
)
def test_what_cannot_be_had_together_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_plan(**options)


def test_a_run_of_before_had_moves_with_the_recipe_of_assemblies_alone() -> None:
    for preset, by in (("assemblies", "moves"), ("compositional", "gibbs")):
        told = make_plan(preset).model_dump(mode="json")
        del told["chains_by"]
        assert past_plan(told, "run.json").chains_by == by
        assert plan_to_go_on(told, "0.2.0", "run.json").chains_by == by


def test_a_model_along_the_directions_has_every_pattern_before_its_training() -> None:
    states, places, share = patterns(3)
    plan = make_plan(hidden=12, weights_from="directions", l2=0.0)
    model = model_along_directions(plan, states, independent_field(states))
    assert model.weights.shape == (60, 12)
    # three directions, and the small weights of the units beyond
    sizes = torch.linalg.svdvals(model.weights[:, :UNITS])
    assert float(sizes[DIRECTIONS] / sizes[0]) < 1e-5
    assert float(model.weights[:, UNITS:].abs().max()) < 0.1
    visible = exact_chains(model, 4000, Generator.from_seed(1)).visible.numpy()
    nearest = (visible[:, None] != places[None]).sum(axis=2).argmin(axis=1)
    # the error of the samples is .008
    assert np.abs(np.bincount(nearest, minlength=3) / 4000 - share).max() < 0.04
    # likelier than the law that made the bins, as it is fitted to them
    chance = np.where(places, 0.88, 0.12)
    given = np.where(states.numpy()[:, None] > 0, np.log(chance), np.log(1 - chance)).sum(axis=2)
    process = np.logaddexp.reduce(given + np.log([0.5, 0.3, 0.2]), axis=1).mean()
    part = RBM(
        model.visible,
        Bernoulli(model.hidden.parameters()["field"][:UNITS]),
        model.weights[:, :UNITS].contiguous(),
    )
    score = float((-part.free_energy(states)).double().mean()) - exact_log_partition(part)
    assert 0.0 < score - process < 0.2


def test_without_directions_in_the_data_the_first_weights_are_small() -> None:
    states = (torch.rand(300, 20, generator=torch.Generator().manual_seed(0)) < 0.2).to(torch.uint8)
    plan = make_plan(hidden=12, weights_from="directions")
    model = model_along_directions(plan, states, independent_field(states))
    assert float(model.weights.abs().max()) < 0.1


def test_the_rung_of_the_directions_is_drawn_exactly_at_every_update() -> None:
    model = two_patterns(STEEP)
    for exact in (True, False):
        lower = torch.zeros((2, 2000, NEURONS), dtype=torch.uint8)
        rungs = Rungs([two_patterns(0.0), model], lower, exact=exact)
        rungs.exchanged(model, lower[0], Generator.from_seed(4))
        upper = float((rungs.visible[1].sum(dim=1) > NEURONS / 2).double().mean())
        # the error of the share is .011; a sweep does not cross
        assert abs(upper - (UPPER if exact else 0.0)) < 0.05
