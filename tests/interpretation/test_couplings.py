"""Effective couplings against enumeration, closed formulas and independent quadrature."""

import itertools

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.couplings.all_pairs import field_differences, pair_differences
from boltzbrain.interpretation.couplings.couplings import (
    ReferenceWarning,
    couplings,
    sign_disagreement,
)
from boltzbrain.interpretation.couplings.exact import (
    all_mixed_differences,
    orders,
    pair_matrix,
    places,
)
from boltzbrain.interpretation.couplings.normal_inputs import (
    InputLaw,
    relative_error,
    tuple_differences,
)
from boltzbrain.interpretation.marginal import Marginal
from boltzbrain.model.layers.discrete import Bernoulli, Ising
from boltzbrain.model.layers.layer import KINDS, Layer
from boltzbrain.model.rbm import RBM
from helpers.enumeration import exact_distribution

# Ising visible units are covered by their own test
HIDDEN_KINDS = sorted(KINDS)


def random_layer(kind: str, size: int, generator: Generator) -> Layer:
    """Every kind through its own declaration: precisions log-normal, the rest normal."""
    layer = KINDS[kind].standard(size, torch.float64)
    return layer.with_parameters(
        {
            name: torch.exp(0.4 * generator.normal((1, size), torch.float64)[0])
            if name in layer.positive
            else generator.normal((1, size), torch.float64)[0]
            for name in layer.parameters()
        }
    )


def field_of(layer: Layer) -> torch.Tensor:
    return layer.parameters()["field"]


def random_model(kind: str, neurons: int, hidden: int, spread: float, seed: int) -> RBM:
    generator = Generator.from_seed(seed, "couplings")
    visible = Bernoulli(generator.normal((1, neurons), torch.float64)[0])
    weights = spread * generator.normal((neurons, hidden), torch.float64)
    return RBM(visible, random_layer(kind, hidden, generator), weights)


def tuples_of(neurons: int, order: int) -> np.ndarray:
    return np.array(list(itertools.combinations(range(neurons), order)))


MEANS = {
    "uniform": np.full(8, 0.5),
    "silent": np.zeros(8),
    "product": np.array([0.02, 0.1, 0.3, 0.5, 0.05, 0.9, 0.2, 0.07]),
}


@pytest.mark.parametrize("reference", sorted(MEANS))
@pytest.mark.parametrize("kind", HIDDEN_KINDS)
def test_all_orders_together_rebuild_the_log_probability(kind: str, reference: str) -> None:
    model = random_model(kind, 8, 4, 1.0, 1)
    marginal = Marginal.of(model)
    means = MEANS[reference]
    differences = all_mixed_differences(marginal, means)
    states, log_probability = exact_distribution(model)
    # f is sum over A of D_A prod (v - m), written out for every state
    total = np.zeros(len(states))
    for number, difference in enumerate(differences):
        members = [neuron for neuron in range(8) if number >> neuron & 1]
        total += difference * np.prod(states.numpy()[:, members] - means[members], axis=1)
    constant = total - log_probability.numpy()
    assert np.abs(constant - constant.mean()).max() < 1e-10


@pytest.mark.parametrize("kind", HIDDEN_KINDS)
def test_spin_formula_of_every_order_agrees_with_the_transform(kind: str) -> None:
    """J_A = 2**-n sum over signs of their product times E Gamma over uniform spins of the rest."""
    model = random_model(kind, 7, 3, 1.2, 2)
    weights = model.weights.numpy()
    gamma = model.hidden.log_partition
    for order in (1, 2, 3, 4):
        for members in tuples_of(7, order)[::6]:
            rest = [neuron for neuron in range(7) if neuron not in members]
            spins = np.array(list(itertools.product((-1, 1), repeat=len(rest))))
            want = float(field_of(model.visible)[members[0]]) / 2 if order == 1 else 0.0
            middle = weights.sum(axis=0) / 2 + spins @ weights[rest] / 2
            for signs in itertools.product((-1, 1), repeat=order):
                inputs = torch.from_numpy(middle + np.array(signs) @ weights[members] / 2)
                mean = gamma(inputs).sum(dim=1).mean()
                want += np.prod(signs) * float(mean) / 2**order
            got = couplings(model, order, tuples=[members], method="exact")[0]
            assert abs(got - want) < 1e-12


def test_log_cosh_form_of_bernoulli_hidden_units() -> None:
    model = random_model("bernoulli", 7, 3, 1.0, 3)
    weights = model.weights.numpy() / 2
    theta = field_of(model.hidden).numpy() + weights.sum(axis=0)

    def log_cosh(x: np.ndarray) -> np.ndarray:
        result: np.ndarray = np.logaddexp(x, -x) - np.log(2.0)
        return result

    fields = couplings(model, 1)
    pairs = couplings(model, 2, check=False)
    for i, j in tuples_of(7, 2):
        rest = [k for k in range(7) if k not in (i, j)]
        x = np.array(list(itertools.product((-1, 1), repeat=5))) @ weights[rest] + theta
        up, down = weights[i] + weights[j], weights[i] - weights[j]
        want = (
            0.25
            * (
                log_cosh((x + up) / 2)
                + log_cosh((x - up) / 2)
                - log_cosh((x + down) / 2)
                - log_cosh((x - down) / 2)
            )
            .mean(axis=0)
            .sum()
        )
        assert abs(pairs[i, j] - want) < 1e-12
    for i in range(7):
        rest = [k for k in range(7) if k != i]
        x = np.array(list(itertools.product((-1, 1), repeat=6))) @ weights[rest] + theta
        want = field_of(model.visible)[i].item() / 2 + weights[i].sum() / 2
        bend = log_cosh((x + weights[i]) / 2) - log_cosh((x - weights[i]) / 2)
        assert abs(fields[i] - want - 0.5 * bend.mean(axis=0).sum()) < 1e-12


def test_lattice_gas_of_the_silent_reference_is_the_sum_with_signs_over_subsets() -> None:
    model = random_model("drelu", 6, 3, 1.0, 4)
    marginal = Marginal.of(model)

    def f(members: tuple[int, ...]) -> float:
        state = np.zeros((1, 6), dtype=np.uint8)
        state[0, list(members)] = 1
        return float(marginal.log_weight(state)[0])

    for order in (1, 2, 3):
        for members in itertools.combinations(range(6), order):
            want = sum(
                (-1) ** (order - size) * f(subset)
                for size in range(order + 1)
                for subset in itertools.combinations(members, size)
            )
            for method in ("exact", "gaussian"):
                got = couplings(
                    model, order, "silent", "lattice_gas", tuples=[members], method=method
                )[0]
                # without variance nothing is approximated, but the table of Gamma rounds
                assert abs(got - want) < (1e-12 if method == "exact" else 1e-11)


def test_spins_as_visible_units_give_the_couplings_of_the_same_law() -> None:
    """v = (s + 1) / 2: weights double, and the hidden field takes a shift."""
    spin = random_model("bernoulli", 6, 3, 0.7, 5)
    spin = RBM(Ising(field_of(spin.visible)), spin.hidden, spin.weights)
    hidden = Bernoulli(field_of(spin.hidden) - spin.weights.sum(dim=0))
    plain = RBM(Bernoulli(2 * field_of(spin.visible)), hidden, 2 * spin.weights)
    for order in (1, 2):
        one, two = (couplings(model, order, check=False) for model in (spin, plain))
        assert np.abs(one - two).max() < 1e-13


# Figures of 4.4 of the formulas, relative root mean square error of order 1, 2, 3 for weights of
# standard deviation 1, and for 0.5 (Bernoulli; half of them asked of the others). Plain: no weight
# enumerated.
FIGURES = {
    ("bernoulli", 1.0): (0.003, 0.008, 0.043),
    ("bernoulli", 0.5): (0.0005, 0.002, 0.004),
    ("ising", 1.0): (0.015, 0.021, 0.093),
    ("ising", 0.5): (0.0075, 0.0105, 0.0465),
    ("drelu", 1.0): (0.001, 0.005, 0.016),
    ("drelu", 0.5): (0.0005, 0.0025, 0.008),
    ("relu", 1.0): (0.001, 0.005, 0.016),
    ("relu", 0.5): (0.0005, 0.0025, 0.008),
}


@pytest.mark.parametrize(("kind", "spread"), sorted(FIGURES))
def test_nearly_normal_inputs_are_as_good_as_measured(kind: str, spread: float) -> None:
    marginal = Marginal.of(random_model(kind, 10, 6, spread, 6))
    means = np.full(10, 0.5)
    differences = all_mixed_differences(marginal, means)
    law = InputLaw.of(marginal, means)
    for order, figure in zip((1, 2, 3), FIGURES[kind, spread], strict=True):
        tuples = tuples_of(10, order)[:: 1 if order < 3 else 5]
        want = differences[places(tuples)]
        assert relative_error(tuple_differences(law, tuples), want) <= figure


def test_quadratic_hidden_units_have_exact_pairs_and_no_higher_order() -> None:
    marginal = Marginal.of(random_model("gaussian", 10, 6, 1.0, 7))
    law = InputLaw.of(marginal, np.full(10, 0.5), most_outliers=0)
    precision = marginal.hidden.parameters()["precision"].numpy()
    want = (marginal.weights / precision) @ marginal.weights.T
    np.fill_diagonal(want, 0.0)
    assert np.abs(pair_differences(law) - want).max() < 1e-8
    assert np.abs(tuple_differences(law, tuples_of(10, 3)[::10])).max() < 1e-9


def test_one_large_weight_among_many_small_ones_is_enumerated() -> None:
    """A hidden input with one large term is not normal; the plain approximation fails."""
    generator = Generator.from_seed(8, "outlier")
    weights = 0.3 * generator.normal((12, 1), torch.float64)
    weights[4] = 6.0
    layer = Bernoulli(torch.tensor([-1.0], dtype=torch.float64))
    model = RBM(Bernoulli(torch.zeros(12, dtype=torch.float64)), layer, weights)
    marginal, means = Marginal.of(model), np.full(12, 0.5)
    want = pair_matrix(all_mixed_differences(marginal, means), 12)
    others = np.array([neuron for neuron in range(12) if neuron != 4])
    block = np.ix_(others, others)
    small = want[block][want[block] != 0]
    errors = {}
    for most in (0, 6):
        got = pair_differences(InputLaw.of(marginal, means, most_outliers=most))
        errors[most] = np.abs(got[block][want[block] != 0] / small - 1).mean()
        if most:
            assert np.abs(got - want).max() < 1e-3 * np.abs(want).max()
    assert errors[6] < 1e-3
    assert errors[0] > 0.2


@pytest.mark.parametrize("sigma", [0.05, 0.1, 0.5, 2.0, 4.0, 8.0, 15.0, 40.0])
@pytest.mark.parametrize("kind", ["bernoulli", "ising", "relu"])
def test_quadrature_holds_at_any_spread_of_the_input(kind: str, sigma: float) -> None:
    """200 equal weights of standard deviation sigma in all, and two neurons to couple."""
    count = 200
    weight = 2.0 * sigma / np.sqrt(count)
    weights = torch.full((count + 2, 1), weight, dtype=torch.float64)
    weights[0], weights[1] = 0.6, 0.4
    layer = KINDS[kind].standard(1, torch.float64)
    shift = torch.tensor([0.3 - float(weights.sum()) / 2], dtype=torch.float64)
    layer = layer.with_parameters({"field": shift})
    model = RBM(Bernoulli(torch.zeros(count + 2, dtype=torch.float64)), layer, weights)

    def second(z: float) -> float:
        corners = np.array([0.5, 0.1, -0.1, -0.5])[:, None] + sigma * z + 0.3 - shift.item()
        gamma = layer.log_partition(torch.from_numpy(corners))[:, 0].numpy()
        density = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
        return float(density * (gamma @ [1.0, -1.0, -1.0, 1.0]))

    near = 0.3 / sigma
    breaks = [-near - 8 / sigma, -near, -near + 8 / sigma]
    want, _ = quad(second, -9, 9, points=[b for b in breaks if abs(b) < 9], epsabs=1e-13, limit=400)
    law = InputLaw.of(Marginal.of(model), np.full(count + 2, 0.5), most_outliers=0)
    got = tuple_differences(law, np.array([[0, 1]]))[0]
    assert abs(got / want - 1) < 1e-6
    if sigma >= 8 and kind == "bernoulli":
        z = np.linspace(-5, 5, 20)
        coarse = sum(second(node) for node in z) * (z[1] - z[0])
        assert abs(coarse / want - 1) > 0.01


@pytest.mark.parametrize("kind", HIDDEN_KINDS)
@pytest.mark.parametrize(("spread", "mean"), [(0.1, 0.5), (1.0, 0.5), (1.0, 0.04), (1.5, 0.0)])
def test_all_pairs_at_once_agree_with_one_at_a_time(kind: str, spread: float, mean: float) -> None:
    marginal = Marginal.of(random_model(kind, 40, 4, spread, 9))
    law = InputLaw.of(marginal, np.full(40, mean))
    pairs = tuples_of(40, 2)[::13]
    got = pair_differences(law)
    assert np.array_equal(got, got.T)
    assert not np.diag(got).any()
    assert relative_error(got[pairs[:, 0], pairs[:, 1]], tuple_differences(law, pairs)) < 2e-5
    fields = tuple_differences(law, np.arange(40)[:, None])
    assert relative_error(field_differences(law), fields) < 1e-6


def test_units_with_few_or_no_weights() -> None:
    """Nothing smooth is left of a unit with two weights, and nothing at all of one with none."""
    model = random_model("bernoulli", 20, 3, 1.0, 10)
    weights = model.weights.clone()
    weights[:, 1] = 0.0
    weights[2:, 2] = 0.0
    model = RBM(model.visible, model.hidden, weights)
    got = couplings(model, 2, method="gaussian", check=False)
    only = RBM(model.visible, model.hidden, torch.where(torch.arange(3) == 2, weights, 0.0))
    want = couplings(only, 2, tuples=[[0, 1]], method="exact")[0]
    first = RBM(model.visible, model.hidden, torch.where(torch.arange(3) == 0, weights, 0.0))
    alone = couplings(first, 2, method="gaussian", check=False)
    rest = np.ones((20, 20), dtype=bool)
    rest[0, 1] = rest[1, 0] = False
    assert np.abs(got - alone)[rest].max() < 1e-12
    assert abs(got[0, 1] - alone[0, 1] - want) < 1e-10


def test_small_models_agree_between_methods_and_keep_the_model_as_it_is() -> None:
    model = random_model("drelu", 16, 4, 0.5, 11).to(torch.float32)
    before = model.weights.clone()
    exact = couplings(model, method="exact", check=False)
    assert relative_error(couplings(model, method="gaussian", check=False), exact) < 1e-3
    assert torch.equal(model.weights, before)
    order = orders(4)
    assert order.tolist() == [0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4]


def test_references_that_disagree_on_strong_pairs_are_told() -> None:
    """One unit per pair couples it negatively; one that wakes at half activity turns all pairs."""
    pairs = tuples_of(5, 2)
    weights = torch.zeros((5, 11), dtype=torch.float64)
    for unit, (i, j) in enumerate(pairs):
        weights[i, unit], weights[j, unit] = 2.0, -2.0
    weights[:, 10] = 4.0
    field = torch.zeros(11, dtype=torch.float64)
    field[10] = -10.0
    model = RBM(Bernoulli(torch.zeros(5, dtype=torch.float64)), Bernoulli(field), weights)
    with pytest.warns(ReferenceWarning, match="100% of the 10 strongest pairs change sign"):
        uniform = couplings(model)
    with pytest.warns(ReferenceWarning, match="'data'"):
        couplings(model, data=np.zeros((3, 5), dtype=np.uint8))
    silent = couplings(model, reference="silent", check=False)
    off = ~np.eye(5, dtype=bool)
    assert uniform[off].min() > 0 > silent[off].max()
    assert sign_disagreement(model, pairs, "uniform", "silent") == 1.0
    # where the couplings do not depend on the reference nothing is said: warnings are errors here
    couplings(random_model("gaussian", 30, 3, 0.3, 12))


def test_bad_requests_are_refused_before_any_work() -> None:
    model = random_model("bernoulli", 30, 2, 0.5, 13)
    for match, arguments in {
        "reference must be one of": {"reference": "unifrom"},
        "convention must be one of": {"convention": "spin"},
        "method must be one of": {"method": "fast"},
        "data must be given": {"reference": "product"},
        "tuples must be given": {"order": 3},
        "distinct": {"tuples": [[1, 1]]},
        "neurons from 0 to 29": {"tuples": [[1, 30]]},
        "whole numbers": {"tuples": [[0.5, 1.0]]},
        "memory_limit_gb": {"memory_limit_gb": 1e-9},
        "gaussian or auto": {"method": "exact"},
        "under the data reference": {"method": "taylor"},
        "0 and 1 only": {"reference": "data", "data": np.full((5, 30), 2)},
    }.items():
        with pytest.raises(InputError, match=match):
            couplings(model, **arguments)  # type: ignore[arg-type]
    gaussian = random_layer("gaussian", 3, Generator.from_seed(0))
    with pytest.raises(InputError, match="two values"):
        couplings(RBM(gaussian, gaussian, torch.zeros((3, 3), dtype=torch.float64)))
