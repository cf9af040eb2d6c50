"""A first model along the principal directions of the data, fitted and sampled exactly.

The weights of a few binary hidden units are W = U A, U the directions of greatest variance (neuron,
direction) and A free. All states of so few units can be summed, so the likelihood has no error, its
gradient needs no chains, and samples are independent: a training that starts there has its main
clusters, and their probabilities, before its chains ever have to cross between them (after the
low-rank RBM of Béreux, Decelle, Furtlehner, Rosset and Seoane, ICLR 2025, who sum over a grid along
the directions).
"""

from __future__ import annotations

import torch
from torch import Tensor

from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.layers.layer import Layer
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.enumeration import all_states, exact_samples
from boltzbrain.sampling.gibbs import Chains
from boltzbrain.training.plan import TrainingPlan
from boltzbrain.training.update.first_weights import component_slopes

DIRECTIONS, UNITS = 3, 9
"""Most directions, and units whose weights lie along them."""
_STEPS = 80
_BINS = 5000
"""About so many bins are fitted."""


def model_along_directions(plan: TrainingPlan, data: Tensor, field: Tensor) -> RBM:
    """Return a model of the whole number of hidden units, all but the first few of small weights.

    Parameters
    ----------
    plan
        With binary hidden units.
    data
        (bin, neuron) uint8 training states.
    field
        (neuron,) visible fields of the independent model.
    """
    noise = plan.weight_std * Generator.from_seed(plan.seed, "weights").normal(
        (len(field), plan.hidden)
    )
    hidden = torch.zeros(plan.hidden)
    slopes = component_slopes(data.cpu(), DIRECTIONS, plan.seed)
    if slopes.shape[1]:
        some = data.cpu()[:: max(1, len(data) // _BINS)].to(torch.float64)
        first = fitted(some, torch.from_numpy(slopes), field.cpu(), min(UNITS, plan.hidden), plan)
        units = len(first.hidden)
        noise[:, :units] = first.weights
        hidden[:units] = first.hidden.parameters()["field"]
        field = first.visible.parameters()["field"]
    visible = Bernoulli(field.to(torch.float32))
    return RBM(visible, Bernoulli(hidden), noise).to(data.device)


def fitted(
    states: Tensor, directions: Tensor, field: Tensor, units: int, plan: TrainingPlan
) -> RBM:
    """Return the likeliest model whose weights lie along directions, by exact gradients.

    Parameters
    ----------
    states
        (bin, neuron) float64 in {0, 1}.
    directions
        (neuron, direction) float64.
    field
        (neuron,) visible fields to begin with.
    units
        Number of binary hidden units.
    plan
        Its L2 penalty holds here, too, and its seed.
    """
    inputs = states @ directions
    spread = inputs.std(dim=0).clamp(min=1e-9)
    along = directions / spread
    inputs, mean = inputs / spread, states.mean(dim=0)
    # units of one direction begin at thresholds of their own
    turn = torch.arange(units) % directions.shape[1]
    noise = Generator.from_seed(plan.seed, "directions").normal((len(spread), units))
    first = 0.1 * noise.to(torch.float64)
    first[turn, torch.arange(units)] += 1.0
    level = torch.linspace(0.2, 0.9, units, dtype=torch.float64)
    cuts = torch.stack([torch.quantile(inputs[:, k], q) for k, q in zip(turn, level, strict=True)])
    values = [field.to(torch.float64).clone(), -cuts.clone(), first]
    for value in values:
        value.requires_grad_(True)
    every = all_states(Bernoulli(torch.zeros(units))).to(torch.float64)

    def loss() -> Tensor:
        b, c, mixing = values
        fields = every @ (along @ mixing).T + b
        log_z = (every @ c + torch.nn.functional.softplus(fields).sum(dim=1)).logsumexp(dim=0)
        answers = torch.nn.functional.softplus(inputs @ mixing + c).sum(dim=1).mean()
        penalty = plan.l2 / 2 * (along @ mixing).square().sum()
        return log_z - mean @ b - answers + penalty

    steps = torch.optim.LBFGS(values, max_iter=_STEPS, line_search_fn="strong_wolfe")

    def climbed() -> Tensor:
        steps.zero_grad()
        told = loss()
        told.backward()
        return told

    steps.step(climbed)
    b, c, mixing = (value.detach() for value in values)
    return RBM(
        Bernoulli(b.to(torch.float32)),
        Bernoulli(c.to(torch.float32)),
        (along @ mixing).to(torch.float32),
    )


def without_small(model: RBM) -> RBM:
    """Return a copy of the model in which no unit but those along the directions has weights."""
    weights = model.weights.detach().clone()
    weights[:, UNITS:] = 0.0
    return RBM(_copied(model.visible), _copied(model.hidden), weights)


def exact_chains(model: RBM, n: int, generator: Generator) -> Chains:
    """Return chains, each at an exact sample of the model of the units along the directions.

    The stream is for them alone: they continue it from a copy.
    """
    stream, weights = generator.copy(), model.weights[:, :UNITS]
    field = model.hidden.parameters()["field"][:UNITS]
    part = RBM(model.visible, Bernoulli(field), weights.contiguous())
    visible = exact_samples(part, n, stream).to(torch.uint8)
    return Chains(visible, model.sample_hidden(visible, stream), stream)


def _copied(layer: Layer) -> Layer:
    return layer.with_parameters({name: one.clone() for name, one in layer.parameters().items()})
