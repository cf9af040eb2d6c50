"""Experiments in silico: hold neurons or hidden units, and see what the others do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from boltzbrain.data.regions import Regions
from boltzbrain.foundations.checks import has_shape, whole_number_in
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.in_silico.conditioned import (
    NOTHING,
    Clamp,
    Conditioned,
    condition,
    silence,
)
from boltzbrain.interpretation.marginal import Floats
from boltzbrain.model.layers.layer import Layer
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.enumeration import all_states, exact_samples

__all__ = [
    "NOTHING",
    "Clamp",
    "Perturbation",
    "Probabilities",
    "condition",
    "perturb",
    "probabilities",
    "sample_conditioned",
    "silence",
]

EXACT_UNITS = 16
"""A model with a layer of at most this many two-valued units is summed exactly."""


@dataclass(frozen=True, eq=False)
class Probabilities:
    """P(active) of every neuron under a clamp.

    Attributes
    ----------
    mean
        (neuron,) probability to be active; 0 or 1 for clamped neurons.
    stderr
        (neuron,) standard error over chains; 0 if exact.
    region_mean, region_stderr
        (region,) mean over the neurons of each region and its standard error, which knows that
        neurons of a region vary together; empty without regions. 0 for empty regions.
    exact
        Whether all states were summed.
    """

    mean: Floats
    stderr: Floats
    region_mean: Floats
    region_stderr: Floats
    exact: bool


@dataclass(frozen=True, eq=False)
class Perturbation:
    """The change of activity that a clamp makes.

    Attributes
    ----------
    before, after
        Probabilities under the baseline and under the clamp.
    change, stderr
        (neuron,) after - before and its standard error.
    region_change, region_stderr
        (region,) likewise, of the mean over each region's neurons.
    """

    before: Probabilities
    after: Probabilities

    @property
    def change(self) -> Floats:
        """Change of every neuron's probability, (neuron,)."""
        return self.after.mean - self.before.mean

    @property
    def stderr(self) -> Floats:
        """Standard error of the change, (neuron,)."""
        result: Floats = np.hypot(self.after.stderr, self.before.stderr)
        return result

    @property
    def region_change(self) -> Floats:
        """Change of the mean probability of every region, (region,)."""
        return self.after.region_mean - self.before.region_mean

    @property
    def region_stderr(self) -> Floats:
        """Standard error of the change of every region, (region,)."""
        result: Floats = np.hypot(self.after.region_stderr, self.before.region_stderr)
        return result


def sample_conditioned(
    model: RBM,
    clamp: Clamp,
    n: int,
    generator: Generator,
    *,
    sweeps: int = 500,
    anneal: int = 100,
) -> Tensor:
    """Draw states of all neurons given the clamped units, (n, neuron).

    One chain each, with `sweeps` and `anneal` as in `RBM.sample`; small models are drawn exactly.
    """
    whole_number_in("n", n, low=1)
    given = condition(model, clamp)
    return given.whole(_samples(given.model, n, generator, sweeps, anneal))


def _samples(model: RBM, n: int, generator: Generator, sweeps: int, anneal: int) -> Tensor:
    if is_small(model):
        return exact_samples(model, n, generator)
    # `RBM.sample` makes its own stream of a seed
    seed = int(generator.integers(1 << 31, 1)[0])
    return model.sample(n, seed=seed, sweeps=sweeps, anneal=anneal)


def is_small(model: RBM) -> bool:
    """Say whether a layer is small enough for its states to be summed one by one."""
    return any(_listed(layer) for layer in (model.visible, model.hidden))


def _listed(layer: Layer) -> bool:
    values = layer.all_states()
    return values is not None and len(values) == 2 and len(layer) <= EXACT_UNITS


def probabilities(
    model: RBM,
    clamp: Clamp,
    generator: Generator,
    *,
    regions: Regions | None = None,
    chains: int = 200,
    sweeps: int = 500,
    measured: int = 100,
) -> Probabilities:
    """Return every neuron's probability to be active under a clamp.

    Parameters
    ----------
    model, clamp
        See `conditioned`; `NOTHING` clamps nothing.
    generator
        Moves on unless the model is small enough to be summed exactly.
    regions
        Membership, for the activity of regions.
    chains
        Independent chains, at least 2; errors come from their spread.
    sweeps
        Gibbs sweeps before measuring, after annealing.
    measured
        Sweeps that are averaged, of P(active | hidden units), which is steadier than the states.
    """
    whole_number_in("chains", chains, low=2)
    whole_number_in("measured", measured, low=1)
    given = condition(model, clamp)
    size = len(model.visible)
    if regions is not None:
        has_shape("regions.membership", regions.membership, (size, None))
    if is_small(given.model):
        free = _exact_means(given)
        per_chain, exact = free[None, :], True
    else:
        per_chain, exact = _chain_means(given, generator, chains, sweeps, measured), False
    whole = np.repeat(_active(given, model)[None, :], len(per_chain), axis=0)
    whole[:, given.free] = per_chain
    mean, stderr = _over_chains(whole)
    per_region = np.zeros((len(whole), 0))
    if regions is not None:
        counts = np.maximum(regions.counts(), 1)
        per_region = np.asarray(whole @ regions.membership.astype(np.float64)) / counts
    region_mean, region_stderr = _over_chains(per_region)
    return Probabilities(mean, stderr, region_mean, region_stderr, exact)


def _over_chains(values: Floats) -> tuple[Floats, Floats]:
    if len(values) == 1:
        return values[0], np.zeros(values.shape[1])
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


def _active(given: Conditioned, model: RBM) -> Floats:
    """Return 1 for neurons clamped active and 0 for the others, (neuron,)."""
    values = model.visible.all_states()
    top = 1.0 if values is None else float(values.max())
    result: Floats = (given.states.to(torch.float64) == top).to(torch.float64).numpy()
    return result


def as_probability(layer: Layer, mean: Tensor) -> Tensor:
    """Return P(upper value) from the mean of units with two values."""
    values = layer.all_states()
    if values is None:
        return mean
    low, high = float(values.min()), float(values.max())
    if (low, high) == (0.0, 1.0):
        return mean
    return (mean - low) / (high - low)


def _exact_means(given: Conditioned) -> Floats:
    """Return P(active) of the free neurons by summing over all states of the smaller layer."""
    model = given.model.to("cpu").to(torch.float64)
    by_visible = _listed(model.visible)
    if by_visible and _listed(model.hidden):
        by_visible = len(model.visible) <= len(model.hidden)
    layer = model.visible if by_visible else model.hidden
    states = all_states(layer)
    energy = model.free_energy if by_visible else model.free_energy_of_hidden
    weights = torch.softmax(-energy(states), dim=0)
    means = states.to(torch.float64) if by_visible else model.mean_visible(states)
    result: Floats = (weights @ as_probability(model.visible, means)).numpy()
    return result


def _chain_means(
    given: Conditioned, generator: Generator, chains: int, sweeps: int, measured: int
) -> Floats:
    """Return the mean of P(active | hidden) of the free neurons in each chain, (chain, neuron)."""
    model = given.model
    visible = _samples(model, chains, generator, sweeps, 100)
    total = torch.zeros((chains, len(model.visible)), dtype=torch.float64)
    for _ in range(measured):
        hidden = model.sample_hidden(visible, generator)
        mean = as_probability(model.visible, model.mean_visible(hidden))
        total += mean.to("cpu", torch.float64)
        visible = model.sample_visible(hidden, generator)
    result: Floats = (total / measured).numpy()
    return result


def perturb(
    model: RBM,
    clamp: Clamp,
    generator: Generator,
    *,
    baseline: Clamp = NOTHING,
    regions: Regions | None = None,
    chains: int = 200,
    sweeps: int = 500,
    measured: int = 100,
) -> Perturbation:
    """Return how the activity of every neuron and region changes when units are clamped.

    Parameters
    ----------
    model
        A trained model.
    clamp
        What is held: `Clamp({3: 1})` drives a neuron, `silence([3, 4])` ablates neurons,
        `Clamp(hidden={0: 1.0})` switches an assembly on, `Clamp(removed=frozenset({0}))` takes it
        away.
    generator
        Moves on unless everything is exact.
    baseline
        What it is compared with, e.g. the same neurons silent.
    regions, chains, sweeps, measured
        As in `probabilities`. 1500 neurons and 100 hidden units take some seconds per state on 2
        cores.
    """
    options = {"chains": chains, "sweeps": sweeps, "measured": measured}
    before = probabilities(model, baseline, generator, regions=regions, **options)
    after = probabilities(model, clamp, generator, regions=regions, **options)
    return Perturbation(before, after)
