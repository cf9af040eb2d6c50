"""Which assemblies come back: matching by weights and activity, and what a repeat trains on."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

import boltzbrain as bb
from boltzbrain.data.activity import GAP, TRAIN
from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.grid.repeats import half_of, names_of, repeat
from boltzbrain.interpretation.assemblies.returning import agreement, agreement_of_halves
from boltzbrain.interpretation.couplings.low_rank import LowRank, top_partners
from boltzbrain.interpretation.couplings.returning import find_returning_couplings
from boltzbrain.sampling.synthetic import simulate_assemblies
from boltzbrain.training.run.repeated import repeats_of

ASSEMBLIES = 4
QUICK = {"updates": 800, "batch": 200, "chains": 200, "checkpoints": 3, "weights_from": "data",
         "ais_chains": 50, "ais_rungs": 50, "score_every": None}  # fmt: skip


@pytest.fixture
def tables():
    rng = np.random.default_rng(5)
    return rng.normal(size=(200, 6)), rng.normal(size=(300, 6))


def test_units_in_another_order_and_with_other_signs_are_found_whole(tables):
    order, signs = [3, 1, 5, 0, 2, 4], np.array([1, -1, 1, -1, -1, 1])
    again = tuple(one[:, order] * signs for one in tables)
    np.testing.assert_allclose(agreement(tables, again), 1.0)
    # with fewer units the one that has no partner is not found
    fewer = tuple(one[:, :5] for one in again)
    np.testing.assert_allclose(agreement(tables, fewer), [1, 1, 1, 1, 0, 1])


def test_units_of_other_weights_or_of_opposite_activity_are_not_found(tables):
    rng = np.random.default_rng(6)
    other = tuple(rng.permutation(one) for one in tables)
    # 6 units of 200 weights and 300 bins: correlations of some .07
    assert agreement(tables, other).max() < 0.3
    np.testing.assert_allclose(agreement(tables, (tables[0], -tables[1])).max(), 0, atol=0.2)


def planted() -> bb.Activity:
    truth = simulate_assemblies(
        Generator.from_seed(3), neurons=60, assemblies=ASSEMBLIES, bins=4000, sizes=(12, 16),
        firing=0.5,
    )  # fmt: skip
    recording = bb.from_states(truth.states, bin_width_s=0.1)
    return recording.binarize().split(by="blocks", seed=0)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("repeats") / "run"
    found = bb.fit(planted(), hidden=ASSEMBLIES, out=folder, progress=False, **QUICK)
    repeat(found, 3, workers=0, progress=False)
    return found


def test_repeats_train_on_other_seeds_and_on_each_half(run):
    again = {one.folder.name: one for one in repeats_of(run)}
    assert sorted(again) == sorted(names_of(3)) == ["half-1", "half-2", "seed-1"]
    assert again["seed-1"].plan.seed == run.plan.seed + 1
    # a half that began at the weights of the run would resemble it by that alone
    assert len({run.plan.seed, *(one.plan.seed for one in again.values())}) == 4
    whole = np.flatnonzero(run.activity().fold == TRAIN)
    halves = [np.flatnonzero(again[name].activity().fold == TRAIN) for name in ("half-1", "half-2")]
    assert np.concatenate(halves).tolist() == whole.tolist()
    for one in again.values():
        assert (one.activity().states == run.activity().states).all()


def test_repeats_that_are_there_are_kept(run):
    before = {one.folder.name: one.id for one in repeats_of(run)}
    repeat(run, 3, workers=0, progress=False)
    assert {one.folder.name: one.id for one in repeats_of(run)} == before


# strong assemblies: couplings of some pairs differ between references, which is another story
@pytest.mark.filterwarnings(
    "ignore::boltzbrain.interpretation.couplings.couplings.ReferenceWarning"
)
def test_planted_assemblies_come_back(run):
    found = bb.interpret(run, progress=False)
    told = found.summary["assemblies"]["returning"]
    assert told["repeats"] == 3
    # one of two that share neurons is told differently by half of the bins
    assert np.sort(found["assemblies/agreement"])[1] > 0.8
    assert told["share_returning"] >= 0.75
    assert told["chance"] < 0.4
    assert "agreement" in found.to_dataframe("assemblies")
    told = found.summary["couplings"]["returning"]
    assert told["median_agreement"] > 0.5
    assert told["chance"] < 0.3
    table = found.to_dataframe("couplings")
    assert table["agreement"].between(0, 1).all()
    # weak ones have either sign
    assert table["agreement"][:50].min() > 0.4
    assert table["agreement"][-50:].min() < 0.1


@pytest.mark.parametrize("form", ["dense", "low rank"])
def test_the_agreement_of_a_coupling_is_its_share_in_another_training(form):
    rng = np.random.default_rng(7)
    modes = rng.normal(size=(12, 3))
    own = modes @ modes.T
    np.fill_diagonal(own, 0)
    partners, _ = top_partners(own, 4)

    def trained_again(factor):
        if form == "dense":
            return factor * own
        low = LowRank(
            modes.astype(np.float32), np.full(3, factor),
            sparse.csr_array((12, 3), dtype=np.float32), sparse.csr_array((12, 12)),
        )  # fmt: skip
        np.testing.assert_allclose(low.dense(), factor * own, atol=1e-5)
        return low

    for factors, expected in (((0.6, 0.8, 0.7), 0.7), ((2.0,), 1.0), ((-1.0,), 0.0)):
        again = [trained_again(one) for one in factors]
        entries, told = find_returning_couplings(partners, own, again, Generator.from_seed(0))
        found = entries["couplings/partner_agreement"].values
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert told["median_agreement"] == pytest.approx(expected, abs=1e-5)
    # of neurons in another order half have the other sign
    assert told["chance"] < 0.6


@pytest.mark.parametrize(("signal", "low", "high"), [(0.0, 0.0, 0.25), (6.0, 0.7, 1.0)])
def test_noise_of_the_bins_comes_back_with_other_seeds_and_not_in_the_other_half(signal, low, high):
    rng = np.random.default_rng(8)
    shared = signal * np.kron(np.eye(5), np.ones((8, 8)))

    def noise():
        found = np.triu(rng.normal(size=(40, 40)), 1)
        return found + found.T

    first, second = shared + noise(), shared + noise()
    own = (first + second) / 2
    for one in (first, second, own):
        np.fill_diagonal(one, 0)
    seeds = [own + 0.05 * noise() for _ in range(3)]
    partners, _ = top_partners(own, 7)
    generator = Generator.from_seed(0)
    every = [*seeds, first, second]
    _, told = find_returning_couplings(partners, own, every, generator, (first, second))
    assert low <= told["median_agreement"] <= high
    # negative control: without the halves noise comes back
    assert find_returning_couplings(partners, own, every, generator)[1]["median_agreement"] > 0.8


@pytest.mark.parametrize(("signal", "low", "high"), [(0.0, 0.0, 0.3), (4.0, 0.8, 1.0)])
def test_units_that_fit_noise_do_not_agree_between_halves(signal, low, high):
    rng = np.random.default_rng(9)
    neurons, shared = 200, rng.normal(size=(500, 6))
    first, second = (signal * shared + rng.normal(size=(500, 6)) for _ in range(2))
    own = (first + second) / 2
    mine, one, other = ((x[:neurons], x[neurons:]) for x in (own, first, second))
    between = agreement_of_halves(mine, one, other)
    assert low <= between.min() <= between.max() <= high
    # negative control: both halves agree with a model of all bins
    assert min(agreement(mine, one).min(), agreement(mine, other).min()) > 0.6


def test_a_half_is_left_out_and_told():
    activity = planted()
    half = half_of(activity, 1)
    assert half.steps[-1].options["left_out"] == ((half.fold == GAP) & (activity.fold != GAP)).sum()
    with pytest.raises(InputError, match="times must"):
        repeat("nowhere", 0)
