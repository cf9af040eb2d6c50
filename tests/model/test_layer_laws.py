"""Every unit kind against its definition: sums, quadrature, exact distribution functions."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import torch
from scipy.stats import binom, kstwo
from torch import Tensor

from boltzbrain.foundations.numerics import half_normal, half_normal_quantile, log_psi
from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.layer import KINDS, Layer
from helpers.quadrature import distribution_function, law, statistics_of

ALL_KINDS = sorted(KINDS)
REAL_KINDS = [kind for kind in ALL_KINDS if KINDS[kind].positive]
BINARY_KINDS = [kind for kind in ALL_KINDS if not KINDS[kind].positive]

INPUTS = [-1e4, -300.0, -8.1, -2.0, -0.05, 0.0, 0.7, 7.9, 40.0, 1e4]
PRECISIONS = [1e-4, 0.03, 1.0, 40.0, 1e4]
FIELDS = [-2.5, 0.0, 1.5]


def cases(kind: str) -> list[dict[str, float]]:
    """Return settings of one unit, `input` among them: a grid, or 150 drawn points for dReLU."""
    names = KINDS[kind].parameter_names()
    grid = [PRECISIONS if name in KINDS[kind].positive else FIELDS for name in names]
    everything = [
        dict(zip([*names, "input"], values, strict=True)) for values in product(*grid, INPUTS)
    ]
    if len(everything) <= 150:
        return everything
    order = Generator.from_seed(0, "cases", kind).permutation(len(everything))
    return [everything[number] for number in order[:150]]


def built(kind: str, settings: list[dict[str, float]], dtype: torch.dtype) -> tuple[Layer, Tensor]:
    """Return a layer with one unit per setting, and its inputs, (1, unit)."""
    parameters = {
        name: torch.tensor([setting[name] for setting in settings], dtype=dtype)
        for name in KINDS[kind].parameter_names()
    }
    inputs = torch.tensor([[setting["input"] for setting in settings]], dtype=dtype)
    return KINDS[kind](**parameters), inputs


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_moments_and_gradients_are_those_of_the_quadrature(kind: str) -> None:
    """1e-8 of the natural scale of each figure, which is within 1e-6 of max(1, |value|).

    The scale is max(1, |Gamma|) for the log-partition, the variance itself, and <|T|> for the mean
    of a statistic T, so that values of 1e-8 in the tails count as well.
    """
    settings = cases(kind)
    layer, inputs = built(kind, settings, torch.float64)
    gamma, mean = layer.log_partition(inputs)[0], layer.mean(inputs)[0]
    variance = layer.variance(inputs)[0]
    gradients = layer.mean_statistics(inputs)
    for number, setting in enumerate(settings):
        parameters = {name: value for name, value in setting.items() if name != "input"}
        want = law(kind, parameters, setting["input"])
        scale = max(1.0, abs(want.log_partition))
        assert abs(gamma[number] - want.log_partition) <= 1e-8 * scale, setting
        assert abs(mean[number] - want.mean) <= 1e-8 * want.size, setting
        assert abs(variance[number] - want.variance) <= 1e-8 * want.variance + 1e-300, setting
        for name, (value, size) in want.statistics.items():
            error = abs(gradients[name][0, number] - value)
            assert error <= 1e-8 * size + 1e-250, (name, setting)


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_float32_answers_are_within_3e_7_of_max_1_value(kind: str) -> None:
    """The bound holds at |input| = 1e4 and precisions 1e-4 to 1e4, against float64 on the same.

    Real-valued kinds compute in float64 and round once, so 1e-7 of the value itself holds too,
    but for the log-partition, which the kernels of the rectified kinds know to 1e-10.
    """
    layer, inputs = built(kind, cases(kind), torch.float32)
    exact, exact_inputs = layer.to(torch.float64), inputs.to(torch.float64)
    answers = {
        "log_partition": (layer.log_partition(inputs), exact.log_partition(exact_inputs)),
        "mean": (layer.mean(inputs), exact.mean(exact_inputs)),
        "variance": (layer.variance(inputs), exact.variance(exact_inputs)),
    }
    wanted = exact.mean_statistics(exact_inputs)
    for name, value in layer.mean_statistics(inputs).items():
        answers[name] = (value, wanted[name])
    for name, (got, want) in answers.items():
        assert got.dtype == torch.float32, name
        assert torch.isfinite(got).all(), name
        error = (got.to(torch.float64) - want).abs()
        assert (error <= 3e-7 * want.abs().clamp(min=1.0)).all(), name
        if kind in REAL_KINDS:
            # below 1e-38 float32 has subnormal numbers of few digits
            floor = 1e-10 if name == "log_partition" else 1e-38
            assert (error <= 1e-7 * want.abs() + floor).all(), name


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_energy_is_minus_parameters_times_statistics(kind: str) -> None:
    layer, _ = built(kind, cases(kind)[:5], torch.float64)
    values = layer.all_states()
    states = torch.tensor([[0.3, 2.0, 0.0, 1.1, 5.0], [0.1, 0.2, 4.0, 0.0, 1.0]]).to(torch.float64)
    if kind in ("gaussian", "drelu"):
        states = states * torch.tensor([1.0, -1.0, 1.0, -1.0, -1.0])
    if values is not None:
        states = values[(states > 1).to(torch.int64)].to(layer.state_dtype or torch.float64)
    parts = [
        sum(
            -float(layer.parameters()[name][unit]) * statistic
            for name, statistic in statistics_of(kind)(float(states[sample, unit])).items()
        )
        for sample, unit in product(range(2), range(5))
    ]
    want = torch.tensor(parts, dtype=torch.float64).reshape(2, 5).sum(dim=1)
    assert torch.allclose(layer.energy(states), want, rtol=1e-12)


# input, then the parameters; for ReLU and dReLU x = -(input + field) / sqrt(precision) runs from
# -1e6 to 1e6, on both sides of numerics.FAR
SAMPLED: list[tuple[str, tuple[float, ...]]] = [
    ("gaussian", (0.0, 0.5, 2.0)),
    ("gaussian", (-1e4, 0.0, 1e-4)),
    ("gaussian", (1e4, 1.0, 1e4)),
    ("relu", (0.0, 0.0, 1.0)),
    ("relu", (3.0, 0.0, 2.0)),
    ("relu", (-3.0, 0.0, 2.0)),
    ("relu", (-7.9, 0.0, 1.0)),
    ("relu", (-8.1, 0.0, 1.0)),
    ("relu", (-30.0, 0.0, 1.0)),
    ("relu", (-1e4, 0.0, 1e-4)),
    ("relu", (1e4, 0.0, 1e-4)),
    ("drelu", (0.0, 0.0, 0.0, 1.0, 1.0)),
    ("drelu", (0.5, 3.0, 2.0, 1.0, 2.0)),
    ("drelu", (0.2, -9.0, -9.0, 0.5, 1.0)),
    ("drelu", (-1e4, 1.0, 2.0, 1e-4, 1e4)),
    ("drelu", (1e4, 1.0, 2.0, 1e-4, 1.0)),
    ("drelu", (0.0, -1e4, -1e4, 1e-4, 1e-4)),
]
DRAWS = 20_000
FALSE_ALARM = 1e-7
"""Of each test of a sample; with some 40 samples the suite's false-alarm rate is 4e-6."""


def ks_p_value(draws: Tensor, kind: str, parameters: dict[str, float], input: float) -> float:
    """Return the p-value of the two-sided one-sample Kolmogorov-Smirnov test."""
    ordered = np.sort(draws.to(torch.float64).numpy())
    below = distribution_function(kind, parameters, input)(ordered)
    rank = np.arange(len(ordered))
    distance = max((below - rank / DRAWS).max(), ((rank + 1) / DRAWS - below).max())
    return float(kstwo.sf(distance, len(ordered)))


@pytest.mark.parametrize(("kind", "setting"), SAMPLED)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_samples_follow_the_exact_distribution_function(
    kind: str, setting: tuple[float, ...], dtype: torch.dtype
) -> None:
    parameters = dict(zip(KINDS[kind].parameter_names(), setting[1:], strict=True))
    layer, inputs = built(kind, [{**parameters, "input": setting[0]}], dtype)
    parameters = {name: float(value) for name, value in layer.parameters().items()}
    if float(layer.mean(inputs).abs()) > 1e5 * float(layer.variance(inputs)) ** 0.5:
        # float32 has too few values there for a continuous law to be tested
        layer, inputs = layer.to(torch.float64), inputs.to(torch.float64)
    draws = layer.sample(inputs.expand(DRAWS, 1), Generator.from_seed(1, kind))[:, 0]
    assert ks_p_value(draws, kind, parameters, setting[0]) > FALSE_ALARM
    # negative control: draws that are spread a third too wide
    wide = draws.mean() + 1.33 * (draws - draws.mean())
    wide = wide.abs() if kind == "relu" else wide
    assert ks_p_value(wide, kind, parameters, setting[0]) < FALSE_ALARM


@pytest.mark.parametrize("kind", BINARY_KINDS)
@pytest.mark.parametrize("total", [-4.0, -0.3, 0.0, 2.0])
def test_binary_samples_have_the_exact_probability(kind: str, total: float) -> None:
    """Two-sided binomial test; the control's log-odds are ten standard errors off."""
    layer, inputs = built(kind, [{"field": 0.4, "input": total - 0.4}], torch.float64)
    size = 400_000
    draws = layer.sample(inputs.expand(size, 1), Generator.from_seed(2, kind))
    count = int((draws == 1).sum())
    odds = 2 * total if kind == "ising" else total

    def p_value(log_odds: float) -> float:
        chance = binom(size, 1 / (1 + math.exp(-log_odds)))
        return 2 * min(chance.cdf(count), chance.sf(count - 1))

    assert p_value(odds) > FALSE_ALARM
    share = 1 / (1 + math.exp(-odds))
    assert p_value(odds + 10 / math.sqrt(size * share * (1 - share))) < FALSE_ALARM


def test_half_normal_functions_meet_where_their_formulas_change() -> None:
    """log Psi, mean, variance and quantile are continuous at 0 and at `FAR`; ends stay finite."""
    edges = torch.tensor([0.0, 8.0], dtype=torch.float64)
    width = 1e-9
    for function in (log_psi, lambda x: half_normal(x).mean, lambda x: half_normal(x).variance):
        jump = (function(edges + width) - function(edges - width)).abs()
        assert (jump < 1e-8).all()
    middle = torch.full_like(edges, 0.3)
    below = half_normal_quantile(edges - width, middle)
    assert torch.allclose(below, half_normal_quantile(edges + width, middle), rtol=1e-8)
    far = torch.tensor([-1e8, 1e8], dtype=torch.float64)
    for survival in (2.0**-33, 1 - 2.0**-33):
        z = half_normal_quantile(far, torch.full_like(far, survival))
        assert (torch.isfinite(z) & (z >= 0)).all()
