"""Couplings over recorded bins, in factors, and beyond pairs."""

import itertools

import numpy as np
import pytest
import torch

from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.couplings import beyond_pairs, norms
from boltzbrain.interpretation.couplings.beyond_pairs import conditional_spread
from boltzbrain.interpretation.couplings.couplings import couplings, low_rank_couplings
from boltzbrain.interpretation.couplings.exact import all_mixed_differences, orders
from boltzbrain.interpretation.couplings.low_rank import top_partners
from boltzbrain.interpretation.couplings.normal_inputs import relative_error
from boltzbrain.interpretation.couplings.norms import coupling_norms, sampled_triplets
from boltzbrain.interpretation.marginal import Marginal
from boltzbrain.model.layers.layer import KINDS
from boltzbrain.model.rbm import RBM
from interpretation.test_couplings import HIDDEN_KINDS, random_model, tuples_of


def random_states(bins: int, neurons: int, rate: float, seed: int) -> np.ndarray:
    uniform = Generator.from_seed(seed, "states").uniform((bins, neurons)).numpy()
    return (uniform < rate).astype(np.uint8)


def mean_mixed_difference(model: RBM, members: np.ndarray, states: np.ndarray) -> float:
    """Eq. 15 and 16 of van der Plas et al. by setting the neurons of the tuple in every bin."""
    marginal = Marginal.of(model)
    total = np.zeros(len(states))
    for corner in itertools.product((0, 1), repeat=len(members)):
        changed = states.copy()
        changed[:, members] = corner
        total += (-1) ** (len(members) - sum(corner)) * marginal.log_weight(changed)
    return float(total.mean())


@pytest.mark.parametrize("spread", [0.3, 1.5])
@pytest.mark.parametrize("kind", HIDDEN_KINDS)
def test_data_reference_is_the_mean_over_bins(kind: str, spread: float) -> None:
    model = random_model(kind, 12, 4, spread, 21)
    states = random_states(40, 12, 0.3, 22)
    options = {"reference": "data", "convention": "lattice_gas", "data": states}
    pairs = couplings(model, 2, check=False, **options)  # type: ignore[arg-type]
    fields = couplings(model, 1, **options)  # type: ignore[arg-type]
    chosen = tuples_of(12, 2)[::7]
    want = np.array([mean_mixed_difference(model, pair, states) for pair in chosen])
    assert relative_error(pairs[chosen[:, 0], chosen[:, 1]], want) < 1e-5
    one = couplings(model, 2, tuples=chosen, **options)  # type: ignore[arg-type]
    assert np.abs(one - want).max() < 1e-10
    alone = np.array([mean_mixed_difference(model, np.array([i]), states) for i in range(12)])
    assert relative_error(fields, alone) < 1e-5
    three = tuples_of(12, 3)[::50]
    triple = couplings(model, 3, tuples=three, **options)  # type: ignore[arg-type]
    told = [mean_mixed_difference(model, members, states) for members in three]
    assert np.abs(triple - told).max() < 1e-10


def test_taylor_form_is_exact_for_quadratic_units_and_only_near_for_others() -> None:
    states = random_states(60, 12, 0.2, 23)
    for kind, bound in {"gaussian": 1e-6, "drelu": 0.2, "bernoulli": 0.6}.items():
        model = random_model(kind, 12, 4, 0.7, 24)
        exact = couplings(model, reference="data", data=states, check=False)
        taylor = couplings(model, reference="data", data=states, method="taylor", check=False)
        thin = low_rank_couplings(model, "data", data=states)
        assert relative_error(taylor, exact) < bound
        assert relative_error(thin.dense(), taylor) < 1e-6
        if kind == "bernoulli":
            assert relative_error(taylor, exact) > 0.01


def sparse_model(kind: str, neurons: int, hidden: int, seed: int) -> RBM:
    """Half of the weights 0, and a few of every unit large enough to be enumerated."""
    model = random_model(kind, neurons, hidden, 0.3, seed)
    generator = Generator.from_seed(seed, "sparse")
    keep = generator.uniform((neurons, hidden)) < 0.5
    weights = torch.where(keep, model.weights, 0.0)
    weights[:3] *= 8.0
    return RBM(model.visible, model.hidden, weights)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"relu"}))
@pytest.mark.parametrize("reference", ["uniform", "product"])
def test_factors_hold_the_same_couplings_as_the_array(kind: str, reference: str) -> None:
    model = sparse_model(kind, 50, 6, 25)
    data = random_states(200, 50, 0.06, 26)
    dense = couplings(model, 2, reference, data=data, check=False)
    thin = low_rank_couplings(model, reference, data=data)
    assert thin.rows.nnz > 0
    assert thin.pairs.nnz > 0
    assert relative_error(thin.dense(), dense) < 2e-4
    assert relative_error(thin.row_block(7, 19).astype(np.float64), dense[7:19]) < 2e-4
    vectors = Generator.from_seed(27).normal((50, 2), torch.float64).numpy()
    assert relative_error(thin.times(vectors), dense @ vectors) < 5e-4
    values, vectors = thin.spectrum(5)
    all_values = np.linalg.eigvalsh(thin.dense())
    want = all_values[np.argsort(-np.abs(all_values))][:5]
    assert np.abs(values - want).max() < 1e-5 * np.abs(want).max()
    assert np.abs(thin.times(vectors) - values * vectors).max() < 1e-6 * np.abs(want).max()


def test_dropped_modes_stay_within_the_tolerance() -> None:
    model = random_model("bernoulli", 300, 20, 0.2, 28)
    dense = couplings(model, check=False)
    ranks = []
    for tolerance in (1e-6, 1e-3, 1e-1):
        thin = low_rank_couplings(model, tolerance=tolerance)
        ranks.append(thin.modes.shape[1])
        assert relative_error(thin.dense(), dense) < max(2 * tolerance, 1e-6)
    assert ranks[0] > ranks[1] >= 20 > ranks[2]


def test_top_partners_are_those_of_a_loop() -> None:
    model = sparse_model("bernoulli", 40, 5, 29)
    dense = couplings(model, check=False)
    for pairs in (dense, low_rank_couplings(model, tolerance=1e-7)):
        partners, values = top_partners(pairs, 6)
        for neuron in range(40):
            sizes = sorted(
                (abs(dense[neuron, other]) for other in range(40) if other != neuron), reverse=True
            )
            assert len(set(partners[neuron].tolist()) - {neuron}) == 6
            assert np.abs(np.abs(values[neuron]) - sizes[:6]).max() < 1e-5
            assert np.abs(values[neuron] - dense[neuron, partners[neuron]]).max() < 1e-5
    partners, _ = top_partners(np.zeros((5, 5)), 4)
    assert all(neuron not in partners[neuron] for neuron in range(5))


@pytest.mark.parametrize("kind", HIDDEN_KINDS)
def test_spread_of_conditional_couplings_is_the_norm_of_the_higher_orders(kind: str) -> None:
    model = random_model(kind, 9, 4, 0.9, 30)
    differences = all_mixed_differences(Marginal.of(model), np.full(9, 0.5))
    squares = np.square(differences / 2.0 ** orders(9))
    spread = conditional_spread(model)
    assert spread.exact
    for i, j in tuples_of(9, 2):
        above = [
            number
            for number in range(1 << 9)
            if number >> i & 1 and number >> j & 1 and number.bit_count() > 2
        ]
        want = np.sqrt(squares[above].sum())
        assert abs(spread.deviation[i, j] - want) < 1e-7 + 1e-9 * want
    pairs = couplings(model, check=False)
    assert np.abs(spread.mean - pairs).max() < 1e-10


def test_sampled_spread_agrees_with_the_exact_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six standard errors: a false alarm in far less than one run in a million."""
    model = random_model("bernoulli", 12, 5, 0.9, 31)
    exact = conditional_spread(model)
    monkeypatch.setattr(beyond_pairs, "ENUMERATED_NEURONS", 0)
    count = 1000
    sampled = conditional_spread(model, samples=count, generator=Generator.from_seed(32))
    off = ~np.eye(12, dtype=bool)
    error = exact.deviation[off] / np.sqrt(count)
    assert (np.abs(sampled.mean - exact.mean)[off] < 6 * error).all()
    assert relative_error(sampled.deviation[off], exact.deviation[off]) < 0.15
    pair = conditional_spread(
        model, tuples=[[3, 8]], samples=count, generator=Generator.from_seed(32)
    )
    assert pair.deviation[0] == pytest.approx(sampled.deviation[3, 8], rel=1e-3)
    assert pair.mean[0] == pytest.approx(sampled.mean[3, 8], rel=1e-3)


def test_data_spread_is_that_over_the_bins() -> None:
    model = random_model("drelu", 10, 4, 0.9, 33)
    states = random_states(70, 10, 0.2, 34)
    spread = conditional_spread(model, "data", "lattice_gas", data=states, samples=1000)
    for pair in tuples_of(10, 2)[::11]:
        values = [mean_mixed_difference(model, pair, states[row : row + 1]) for row in range(70)]
        assert spread.mean[tuple(pair)] == pytest.approx(np.mean(values), rel=1e-3, abs=1e-4)
        want = np.std(values, ddof=1)
        assert spread.deviation[tuple(pair)] == pytest.approx(want, rel=1e-2, abs=1e-4)


@pytest.mark.parametrize("mean", [0.5, 0.2])
@pytest.mark.parametrize("kind", ["bernoulli", "drelu"])
def test_norms_of_orders_and_what_they_explain(
    kind: str, mean: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = random_model(kind, 13, 5, 0.5, 35)
    states = np.zeros((10, 13), dtype=np.uint8)
    states[: round(10 * mean)] = 1
    options = {"reference": "product", "data": states}
    exact = coupling_norms(model, **options)  # type: ignore[arg-type]
    marginal = Marginal.of(model)
    everything = all_mixed_differences(marginal, np.full(13, mean))
    weight = (mean * (1 - mean)) ** orders(13)
    variance = float((np.square(everything) * weight)[1:].sum())
    assert exact.variance == pytest.approx(variance, rel=1e-12)
    assert exact.explained is not None
    assert exact.explained <= 1.0
    monkeypatch.setattr(norms, "ENUMERATED_NEURONS", 0)
    sampled = coupling_norms(
        model,
        triplets=20_000,
        samples=2000,
        generator=Generator.from_seed(36),
        **options,  # type: ignore[arg-type]
    )
    assert sampled.fields == pytest.approx(exact.fields, rel=1e-3)
    assert sampled.pairs == pytest.approx(exact.pairs, rel=1e-2)
    assert sampled.triplets == pytest.approx(
        exact.triplets, abs=6 * sampled.triplets_stderr + 0.05 * exact.triplets
    )
    assert abs(sampled.variance - exact.variance) < 6 * sampled.variance_stderr
    assert sampled.explained is not None
    assert sampled.explained_stderr is not None
    assert abs(sampled.explained - exact.explained) < 6 * sampled.explained_stderr


def test_uniform_norms_are_those_of_the_ising_couplings() -> None:
    model = random_model("bernoulli", 9, 4, 0.8, 37)
    found = coupling_norms(model)
    for order, norm in ((1, found.fields), (2, found.pairs), (3, found.triplets)):
        values = couplings(model, order, tuples=tuples_of(9, order))
        assert norm == pytest.approx(np.sqrt(np.square(values).sum()), rel=1e-12)


@pytest.mark.parametrize("kind", HIDDEN_KINDS)
def test_sampled_triplets_are_near_the_direct_ones_and_drawn_evenly(kind: str) -> None:
    model = sparse_model(kind, 30, 4, 38)
    triplets = sampled_triplets(model, 3000, Generator.from_seed(39))
    assert (np.diff(triplets.tuples, axis=1) > 0).all()
    some = slice(0, 60)
    want = couplings(model, 3, tuples=triplets.tuples[some], method="gaussian")
    size = max(np.sqrt(np.square(want).mean()), 1e-9)
    assert np.abs(triplets.values[some] - want).max() < 0.1 * size + 1e-9
    # 3000 draws of 3 among 30 neurons: each is in 300, standard deviation 16
    times = np.bincount(triplets.tuples.ravel(), minlength=30)
    assert np.abs(times - 300).max() < 6 * 16.5


def test_what_is_missing_is_asked_for() -> None:
    model = random_model("bernoulli", 20, 2, 0.5, 40)
    for call in (
        lambda: conditional_spread(model),
        lambda: coupling_norms(model),
        lambda: conditional_spread(model, "data"),
    ):
        with pytest.raises(InputError, match="must be given"):
            call()
