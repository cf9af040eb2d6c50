"""One suite that every unit kind passes; a new kind is tested by entering `KINDS`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.model import KINDS, RBM, Bernoulli, DReLU, Gaussian, Ising, Layer, ReLU
from boltzbrain.model.layers.fused_sweeps import fused_sweep

ALL_KINDS = sorted(KINDS)
BINARY_KINDS = ["bernoulli", "ising"]
UNITS = 7


def drawn(kind: str, seed: int = 0, dtype: torch.dtype = torch.float64) -> Layer:
    generator = Generator.from_seed(seed, "layer", kind)
    parameters = {
        name: generator.normal((1, UNITS), dtype)[0]
        if name not in KINDS[kind].positive
        else 0.3 + generator.uniform((1, UNITS), dtype)[0]
        for name in KINDS[kind].parameter_names()
    }
    return KINDS[kind](**parameters)


def inputs_of(size: int = 5, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return 2 * Generator.from_seed(seed, "inputs").normal((size, UNITS), dtype)


def test_every_kind_is_known_by_name() -> None:
    for kind in (Bernoulli, Ising, Gaussian, ReLU, DReLU):
        assert KINDS[kind.kind] is kind


@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_answer_has_its_shape_and_type(kind: str, dtype: torch.dtype) -> None:
    layer, inputs = drawn(kind, dtype=dtype), inputs_of(dtype=dtype)
    assert len(layer) == UNITS
    assert layer.dtype == dtype
    for answer in (layer.log_partition(inputs), layer.mean(inputs), layer.variance(inputs)):
        assert answer.shape == inputs.shape
        assert answer.dtype == dtype
    states = layer.sample(inputs, Generator(1))
    assert states.shape == inputs.shape
    assert states.dtype == (layer.state_dtype or dtype)
    assert layer.energy(states).shape == (len(inputs),)
    assert layer.energy(states).dtype == torch.float64
    for statistics in (layer.statistics(states), layer.mean_statistics(inputs)):
        assert list(statistics) == list(layer.parameter_names())
        for value in statistics.values():
            assert value.shape == inputs.shape
            assert value.dtype == dtype
    other = layer.to(torch.float32 if dtype == torch.float64 else torch.float64)
    assert other.dtype != dtype
    assert layer.dtype == dtype


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_closed_forms_are_each_others_derivatives(kind: str) -> None:
    """d Gamma/d parameter = <T>, d Gamma/d I = <x>, d <x>/d I = Var x, also where formulas meet."""
    inputs = torch.cat([inputs_of(), torch.zeros(1, UNITS), torch.full((1, UNITS), -60.0)])
    inputs = inputs.to(torch.float64).requires_grad_()
    layer = drawn(kind)
    leaves = {name: value.clone().requires_grad_() for name, value in layer.parameters().items()}
    live = layer.with_parameters(leaves)
    gamma_by_input, *by_parameter = torch.autograd.grad(
        live.log_partition(inputs).sum(), [inputs, *leaves.values()]
    )
    assert torch.allclose(gamma_by_input, layer.mean(inputs), rtol=1e-9, atol=1e-12)
    for (name, statistic), derivative in zip(
        layer.mean_statistics(inputs).items(), by_parameter, strict=True
    ):
        assert torch.allclose(derivative, statistic.sum(dim=0), rtol=1e-9, atol=1e-12), name
    (mean_by_input,) = torch.autograd.grad(layer.mean(inputs).sum(), inputs)
    assert torch.allclose(mean_by_input, layer.variance(inputs), rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_mean_statistics_are_means_of_statistics(kind: str) -> None:
    """5.5 standard errors of up to 28 means per kind: a false-alarm rate of 5e-6 for the suite.

    The control takes the means at inputs that are 0.2 too high.
    """
    # inputs near 0 leave no half of a unit so rare that its mean is not yet normal
    layer, inputs = drawn(kind), 0.1 * inputs_of(1)
    size = 40_000
    states = layer.sample(inputs.expand(size, UNITS), Generator.from_seed(3, kind))
    observed = layer.statistics(states)

    def deviation(means: dict[str, Tensor]) -> float:
        errors = [
            (value.mean(0) - means[name][0]).abs() / value.std(0)
            for name, value in observed.items()
        ]
        return float(torch.stack(errors).max()) * math.sqrt(size)

    assert deviation(layer.mean_statistics(inputs)) < 5.5
    assert deviation(layer.mean_statistics(inputs + 0.2)) > 5.5


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_energy_is_linear_in_the_parameters(kind: str) -> None:
    first, second = drawn(kind, 1), drawn(kind, 2)
    states = first.sample(inputs_of(), Generator(5))
    for t in (0.0, 0.3, 1.0):
        mixed = (1 - t) * first.energy(states) + t * second.energy(states)
        assert torch.allclose(first.mixed(second, t).energy(states), mixed, rtol=1e-12)
    end = first.mixed(second, 1.0)
    assert torch.equal(end.log_partition(inputs_of()), second.log_partition(inputs_of()))
    other = next(name for name in ALL_KINDS if name != kind)
    with pytest.raises(InputError, match=f"be of one kind \\({kind}\\); got {other}"):
        first.mixed(drawn(other), 0.5)


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_energy_of_float32_states_is_summed_in_float64(kind: str) -> None:
    layer = drawn(kind, dtype=torch.float32)
    states = layer.sample(inputs_of(dtype=torch.float32), Generator(5))
    assert torch.equal(layer.energy(states), layer.to(torch.float64).energy(states))


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_input_shift_says_how_a_constant_input_enters(kind: str) -> None:
    layer, inputs = drawn(kind), inputs_of()
    shift = inputs_of(1, seed=9)[0]
    moved = layer.with_parameters(
        {
            name: value + layer.input_shift.get(name, 0.0) * shift
            for name, value in layer.parameters().items()
        }
    )
    assert torch.allclose(moved.log_partition(inputs), layer.log_partition(inputs + shift))
    assert torch.allclose(moved.mean(inputs), layer.mean(inputs + shift))


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_flipped_units_mirror_their_law(kind: str) -> None:
    layer, inputs = drawn(kind), inputs_of()
    units = torch.arange(UNITS) % 2 == 0
    flipped = layer.flipped(units)
    if flipped is None:
        states = layer.all_states()
        assert kind == "relu" or (states is not None and 0 in states)
        return
    signs = torch.where(units, -1.0, 1.0)
    assert torch.equal(flipped.log_partition(signs * inputs), layer.log_partition(inputs))
    assert torch.allclose(flipped.mean(signs * inputs), signs * layer.mean(inputs))
    states = layer.sample(inputs, Generator(2))
    assert torch.allclose(flipped.energy(signs * states), layer.energy(states))


@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.parametrize("precision", [1e-4, 1.0, 1e4])
def test_extreme_inputs_stay_finite_in_float32(kind: str, precision: float) -> None:
    inputs = torch.tensor([-1e4, -300.0, -1.0, 0.0, 1.0, 300.0, 1e4]).expand(3, UNITS)
    parameters = {
        name: torch.full((UNITS,), precision if name in KINDS[kind].positive else 0.5)
        for name in KINDS[kind].parameter_names()
    }
    layer = KINDS[kind](**parameters)
    states = layer.sample(inputs, Generator(4))
    answers = [layer.log_partition(inputs), layer.mean(inputs), layer.variance(inputs)]
    answers += [*layer.mean_statistics(inputs).values(), *layer.statistics(states).values()]
    for answer in answers:
        assert torch.isfinite(answer).all()
    assert (layer.variance(inputs) >= 0).all()
    if kind in ("relu", "drelu", "gaussian"):
        assert (layer.variance(inputs) > 0).all()
    assert torch.isfinite(layer.energy(states)).all()
    # the mean rises with the input
    assert (layer.mean(inputs).diff(dim=1) >= 0).all()
    if kind == "relu":
        assert (layer.mean(inputs) > 0).all()
        assert (states >= 0).all()


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_draws_depend_on_the_generator_alone(kind: str) -> None:
    layer, inputs = drawn(kind), inputs_of(50)
    before = inputs.clone()
    generator = Generator.from_seed(7, kind)
    first, second = layer.sample(inputs, generator), layer.sample(inputs, generator)
    assert generator.counter >= 2
    assert not torch.equal(first, second)
    again = Generator.from_seed(7, kind)
    assert torch.equal(first, layer.sample(inputs, again))
    assert torch.equal(second, layer.sample(inputs, again))
    assert torch.equal(inputs, before)


@pytest.mark.parametrize("kind", ["relu", "drelu"])
def test_kernels_of_rectified_units_follow_their_formulas(kind: str) -> None:
    """float32 on the CPU takes the kernels, float64 and autograd the formulas: the same draws.

    Inputs run over both sides of every change of formula: x from -1e6 to 1e6.
    """
    names = KINDS[kind].parameter_names()
    cases = torch.cartesian_prod(
        torch.cat([torch.linspace(-20, 20, 81), torch.tensor([-1e4, -300.0, 300.0, 1e4])]),
        torch.tensor([1e-4, 0.3, 1.0, 50.0, 1e4]),
    )
    parameters = {
        name: cases[:, 1].clone() if name in KINDS[kind].positive else torch.full((425,), 0.4)
        for name in names
    }
    if "precision_minus" in parameters:
        parameters["precision_minus"] = cases[:, 1].roll(1)
    layer, inputs = KINDS[kind](**parameters), cases[:, 0].expand(64, 425)
    exact = layer.to(torch.float64)
    wanted = exact.log_partition(inputs.to(torch.float64))
    got = layer.log_partition(inputs).to(torch.float64)
    assert ((got - wanted).abs() <= 1e-7 * wanted.abs() + 1e-10).all()
    kernel, formula = Generator(11), Generator(11)
    draws = layer.sample(inputs, kernel)
    wanted = exact.sample(inputs.to(torch.float64), formula)
    assert kernel.counter == formula.counter
    assert draws.dtype == torch.float32
    # of 27,200 draws none lies within 1e-8 of the odds of the two halves
    width = layer.variance(inputs).to(torch.float64).sqrt()
    error = (draws.to(torch.float64) - wanted).abs()
    assert (error <= 1e-6 * width + 1.2e-7 * wanted.abs()).all()
    live = layer.with_parameters(
        {name: value.clone().requires_grad_() for name, value in layer.parameters().items()}
    )
    assert live.log_partition(inputs).requires_grad


@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_inputs_of_a_diverged_chain_do_no_harm(kind: str, value: float) -> None:
    """No answer raises, and none invents a number for an input that is none."""
    inputs = torch.full((3, UNITS), value)
    layer = drawn(kind, dtype=torch.float32)
    states = layer.sample(inputs, Generator(1))
    assert states.shape == inputs.shape
    if math.isnan(value):
        assert layer.log_partition(inputs).isnan().all()
        assert layer.mean(inputs).isnan().all()
        assert states.dtype == torch.uint8 or kind == "ising" or states.isnan().all()


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_standard_layer_is_the_neutral_start(kind: str) -> None:
    layer = KINDS[kind].standard(UNITS)
    for name, value in layer.parameters().items():
        assert (value == (1.0 if name in layer.positive else 0.0)).all()
        assert value.shape == (UNITS,)


BAD: list[tuple[Any, str]] = [
    (torch.tensor([1.0, float("nan")]), "be finite.*got nan at unit 1"),
    (torch.tensor([float("inf"), 1.0]), "be finite.*got inf at unit 0"),
    (torch.tensor([1, 2]), "be a tensor of float32 or float64; got torch.int64"),
    ([1.0, 2.0], "be a tensor of float32 or float64; got list"),
    (torch.ones(1, 2), r"have shape .*; got shape \(1, 2\)"),
]


@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.parametrize(("value", "message"), BAD)
def test_bad_parameters_are_refused_by_name(kind: str, value: Any, message: str) -> None:
    names = KINDS[kind].parameter_names()
    good = {name: torch.ones(2) for name in names}
    for name in names:
        with pytest.raises(InputError, match=f"^{KINDS[kind].__name__}.{name} must {message}"):
            KINDS[kind](**{**good, name: value})


@pytest.mark.parametrize("kind", [kind for kind in ALL_KINDS if KINDS[kind].positive])
def test_parameters_that_do_not_fit_each_other_are_refused(kind: str) -> None:
    *others, last = KINDS[kind].parameter_names()
    good = {name: torch.ones(2) for name in others}
    label = f"{KINDS[kind].__name__}.{last}"
    for value, message in [
        (torch.ones(3), r"have shape \(2,\); got shape \(3,\)"),
        (torch.ones(2, dtype=torch.float64), "be of torch.float32 like the others"),
        (torch.tensor([1.0, 0.0]), "be finite and above 0; got 0 at unit 1"),
        (torch.tensor([-2.0, 1.0]), "be finite and above 0; got -2 at unit 0"),
    ]:
        with pytest.raises(InputError, match=f"^{label} must {message}"):
            KINDS[kind](**good, **{last: value})


def test_unknown_parameter_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="did you mean 'field_plus'"):
        drawn("drelu").with_parameters({"feild_plus": torch.zeros(UNITS)})


@pytest.mark.parametrize("visible", BINARY_KINDS)
@pytest.mark.parametrize("hidden", ALL_KINDS)
def test_fused_kernel_gives_the_states_of_the_layers_own_samplers(
    visible: str, hidden: str
) -> None:
    model = RBM(drawn(visible), drawn(hidden), 0.5 * inputs_of(UNITS))
    start = model.visible.sample(inputs_of(40), Generator(8))
    kept = start.clone()
    swept, states = model.sweep(start, Generator(9), 3)
    generator, now = Generator(9), start
    for _ in range(3):
        h = model.sample_hidden(now, generator)
        now = model.sample_visible(h, generator)
    assert torch.equal(swept, now)
    assert torch.equal(states, h)
    assert torch.equal(start, kept)
    if (visible, hidden) == ("bernoulli", "bernoulli"):
        assert fused_sweep(model.visible, model.hidden) is not None


@pytest.fixture
def ternary() -> Iterator[type[Layer]]:
    """Define a kind that the package has never seen: states -1, 0 and 1."""

    @dataclass(frozen=True, eq=False)
    class Ternary(Layer):
        kind: ClassVar[str] = "ternary"
        input_shift: ClassVar = {"field": 1.0}
        field: Tensor

        def statistics(self, states: Tensor) -> dict[str, Tensor]:
            return {"field": states.to(self.dtype)}

        def mean_statistics(self, inputs: Tensor) -> dict[str, Tensor]:
            return {"field": self.mean(inputs)}

        def log_partition(self, inputs: Tensor) -> Tensor:
            return torch.logsumexp(self._exponents(inputs), dim=0)

        def mean(self, inputs: Tensor) -> Tensor:
            shares = self._exponents(inputs).softmax(dim=0)
            return shares[2] - shares[0]

        def variance(self, inputs: Tensor) -> Tensor:
            shares = self._exponents(inputs).softmax(dim=0)
            return shares[2] + shares[0] - self.mean(inputs) ** 2

        def sample(self, inputs: Tensor, generator: Generator) -> Tensor:
            shares = self._exponents(inputs).softmax(dim=0)
            u = generator.uniform((len(inputs), len(self)), self.dtype)
            return (u > shares[0]).to(self.dtype) + (u > shares[0] + shares[1]).to(self.dtype) - 1

        def all_states(self) -> Tensor:
            return torch.tensor([-1.0, 0.0, 1.0], dtype=self.dtype)

        def _exponents(self, inputs: Tensor) -> Tensor:
            total = inputs + self.field
            return torch.stack([-total, torch.zeros_like(total), total])

    yield Ternary
    del KINDS["ternary"]


def test_a_new_kind_needs_no_other_file(ternary: type[Layer], tmp_path: Any) -> None:
    """It sweeps, has a free energy and moments, is mixed, saved and loaded."""
    hidden = ternary(field=torch.zeros(UNITS, dtype=torch.float64))  # type: ignore[call-arg]
    model = RBM(drawn("bernoulli"), hidden, inputs_of(UNITS))
    visible, states = model.sweep(torch.zeros(20, UNITS, dtype=torch.uint8), Generator(3), 4)
    assert set(states.unique().tolist()) <= {-1.0, 0.0, 1.0}
    assert torch.isfinite(model.free_energy(visible)).all()
    assert model.moments(visible).products.shape == (UNITS, UNITS)
    half = model.independent().mixed(model, 0.5)
    assert torch.allclose(half.weights, 0.5 * model.weights)
    model.save(tmp_path / "model.h5")
    assert RBM.load(tmp_path / "model.h5").hidden.kind == "ternary"
