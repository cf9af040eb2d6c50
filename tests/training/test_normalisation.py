"""The gradient through normalised hidden activity against differences of the likelihood."""

import pytest
import torch

from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.layers.layer import KINDS, Layer
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.enumeration import exact_log_partition
from boltzbrain.training.update.gradient import (
    log_likelihood_gradient,
    parameters_of,
    with_parameters,
)
from boltzbrain.training.update.normalisation import Constraint, retracted, tangent_pull

NORMALISED = sorted(kind for kind, layer in KINDS.items() if layer.scale_powers)
VISIBLE, HIDDEN = 6, 2


def every_state() -> torch.Tensor:
    numbers = torch.arange(2**VISIBLE)
    return ((numbers[:, None] >> torch.arange(VISIBLE)) & 1).to(torch.uint8)


def data() -> torch.Tensor:
    return (Generator.from_seed(1, "data").uniform((60, VISIBLE)) < 0.4).to(torch.uint8)


def constraint_of(model: RBM) -> Constraint:
    return Constraint.of(model.hidden, model.hidden.responses(model.inputs_to_hidden(data())))


def held(model: RBM) -> RBM:
    """Solve the two conditions on the data to the last digit."""
    for _ in range(60):
        constraint = constraint_of(model)
        model = RBM(model.visible, retracted(model.hidden, constraint, 1.0), model.weights)
    return model


def start(kind: str) -> RBM:
    generator = Generator.from_seed(2, kind)
    hidden: Layer = KINDS[kind].standard(HIDDEN, torch.float64)
    shaped = {
        name: value + 0.3 * generator.uniform((1, HIDDEN))[0]
        for name, value in hidden.parameters().items()
    }
    visible = Bernoulli(0.5 * generator.normal((1, VISIBLE), torch.float64)[0])
    weights = 0.4 * generator.normal((VISIBLE, HIDDEN), torch.float64)
    return held(RBM(visible, hidden.with_parameters(shaped), weights))


def likelihood(model: RBM) -> float:
    return float(-model.free_energy(data()).mean()) - exact_log_partition(model)


def exact_gradient(model: RBM) -> dict[str, torch.Tensor]:
    """Plain gradient with the model's own moments by enumeration, repeated states as weights."""
    states = every_state()
    weights = torch.exp(-model.free_energy(states) - exact_log_partition(model))
    means = model.hidden.mean(model.inputs_to_hidden(states))
    statistics = model.hidden.mean_statistics(model.inputs_to_hidden(states))
    moments = model.moments(data())
    expected = type(moments)(
        {"field": weights @ states.to(torch.float64)},
        {name: weights @ value for name, value in statistics.items()},
        weights @ states.to(torch.float64),
        weights @ means,
        states,
        # an average over these, each counted once, is the sum weighted by probability
        len(states) * weights[:, None] * means,
    )
    return log_likelihood_gradient(model, moments, expected, centred=False)


@pytest.mark.parametrize("kind", NORMALISED)
def test_newton_steps_hold_mean_and_variance(kind: str) -> None:
    model = start(kind)
    inputs = model.inputs_to_hidden(data())
    mean, variance = model.hidden.mean(inputs), model.hidden.variance(inputs)
    assert torch.allclose(
        (variance + mean**2).mean(dim=0), torch.ones(HIDDEN, dtype=torch.float64), atol=1e-9
    )
    if model.hidden.signed:
        assert float(mean.mean(dim=0).abs().max()) < 1e-9


@pytest.mark.parametrize("kind", NORMALISED)
def test_tangent_gradient_is_the_derivative_at_held_activity(kind: str) -> None:
    """Moving one parameter and solving the conditions again changes the likelihood so."""
    model = start(kind)
    plain = exact_gradient(model)
    constraint = constraint_of(model)
    names = model.hidden.parameters()
    pull, changes = tangent_pull(
        model.hidden, constraint, {name: plain[f"hidden.{name}"] for name in names}
    )
    gradient = dict(plain)
    gradient["weights"] = plain["weights"] + data().to(pull.dtype).T @ pull / len(data())
    for name, change in changes.items():
        gradient[f"hidden.{name}"] = plain[f"hidden.{name}"] + change
    step, differs = 1e-5, 0.0
    for name, value in parameters_of(model).items():
        for place in [(0,) * value.ndim, tuple(size - 1 for size in value.shape)]:
            ends = []
            for sign in (1.0, -1.0):
                moved = {key: one.clone() for key, one in parameters_of(model).items()}
                moved[name][place] += sign * step
                ends.append(likelihood(held(with_parameters(model, moved))))
            slope = (ends[0] - ends[1]) / (2 * step)
            assert float(gradient[name][place]) == pytest.approx(slope, abs=2e-6), (name, place)
            differs = max(differs, abs(float(plain[name][place]) - slope))
    assert differs > 1e-3, "the plain gradient would pass: the test has no power"
