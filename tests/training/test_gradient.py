"""The training gradient against the parametrisation that it claims to follow."""

import pytest
import torch

from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.layers.layer import KINDS
from boltzbrain.model.rbm import RBM
from boltzbrain.training.plan import make_plan
from boltzbrain.training.update.gradient import Ascent, log_likelihood_gradient, parameters_of


def random_model(hidden_kind: str, seed: int) -> RBM:
    generator = Generator.from_seed(seed, "test")
    visible = Bernoulli(generator.normal((1, 5), torch.float64)[0])
    hidden = KINDS[hidden_kind].standard(3, torch.float64)
    return RBM(visible, hidden, 0.5 * generator.normal((5, 3), torch.float64))


def random_states(bins: int, seed: int) -> torch.Tensor:
    return (Generator.from_seed(seed, "states").uniform((bins, 5)) < 0.4).to(torch.uint8)


@pytest.mark.parametrize("hidden_kind", sorted(KINDS))
def test_plain_gradient_is_the_derivative_of_the_free_energies(hidden_kind: str) -> None:
    model = random_model(hidden_kind, 1)
    data, chains = random_states(40, 2), random_states(30, 3)
    tensors = {name: value.clone().requires_grad_() for name, value in parameters_of(model).items()}
    visible, hidden = (
        layer.with_parameters({name: tensors[f"{side}.{name}"] for name in layer.parameters()})
        for side, layer in (("visible", model.visible), ("hidden", model.hidden))
    )
    objective = torch.zeros(())
    for states, sign in ((data, 1.0), (chains, -1.0)):
        dense = states.to(torch.float64)
        gamma = hidden.log_partition(dense @ tensors["weights"]).sum(dim=1)
        statistics = visible.statistics(states)
        energy = -sum(statistics[name] @ value for name, value in visible.parameters().items())
        objective = objective + sign * (gamma - energy).mean()
    objective.backward()
    gradient = log_likelihood_gradient(
        model, model.moments(data), model.moments(chains), centred=False
    )
    for name, value in tensors.items():
        assert value.grad is not None
        assert torch.allclose(gradient[name], value.grad, atol=1e-10), name


@pytest.mark.parametrize("hidden_kind", sorted(KINDS))
def test_centred_step_is_the_step_of_the_centred_parametrisation(hidden_kind: str) -> None:
    """In the centred parametrisation the input shifts are W lambda and mu W, held fixed."""
    model = random_model(hidden_kind, 4)
    data, chains = model.moments(random_states(40, 5)), model.moments(random_states(30, 6))
    mu, lam = data.mean_visible, data.mean_hidden
    plain = log_likelihood_gradient(model, data, chains, centred=False)
    centred = log_likelihood_gradient(model, data, chains, centred=True)
    weights = (
        plain["weights"]
        - torch.outer(mu, data.mean_hidden - chains.mean_hidden)
        - torch.outer(data.mean_visible - chains.mean_visible, lam)
    )
    assert torch.allclose(centred["weights"], weights, atol=1e-12)
    rate = 1e-3
    before = model.hidden
    after = before.with_parameters(
        {
            name: value + rate * centred[f"hidden.{name}"]
            for name, value in before.parameters().items()
        }
    )
    own = before.with_parameters(
        {
            name: value + rate * plain[f"hidden.{name}"]
            for name, value in before.parameters().items()
        }
    )
    # a fixed offset mu: the hidden input is (v - mu) W, so v W acts on a layer shifted by -mu dW
    inputs = torch.linspace(-2, 2, 7, dtype=torch.float64)[:, None].expand(7, 3)
    shifted = own.log_partition(inputs - rate * (mu @ weights))
    difference = after.log_partition(inputs) - shifted
    constant = difference - difference.mean(dim=0)
    assert float(constant.abs().max()) < 1e-9


def test_l1_step_gives_exact_zeros_and_leaves_fields_alone() -> None:
    model = random_model("bernoulli", 7)
    plan = make_plan("binary", l1=1e3, learning_rate=0.01, hidden=3)
    ascent = Ascent(model, plan)
    ascent.step(random_states(20, 8), random_states(20, 8), 1)
    assert bool((ascent.model.weights == 0).all())
    assert torch.equal(ascent.parameters["visible.field"], parameters_of(model)["visible.field"])


def test_optimizer_state_round_trip_continues_identically() -> None:
    model = random_model("bernoulli", 9)
    plan = make_plan("binary", optimizer="adam", momentum=0.9, hidden=3)
    batches = [random_states(20, seed) for seed in range(4)]
    straight = Ascent(model, plan)
    for update, batch in enumerate(batches, start=1):
        straight.step(batch, batches[0], update)
    first = Ascent(model, plan)
    for update, batch in enumerate(batches[:2], start=1):
        first.step(batch, batches[0], update)
    second = Ascent(first.model, plan)
    second.restore_optimizer(first.optimizer_tensors())
    for update, batch in enumerate(batches[2:], start=3):
        second.step(batch, batches[0], update)
    for name, value in straight.parameters.items():
        assert torch.equal(value, second.parameters[name]), name
