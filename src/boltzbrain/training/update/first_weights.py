"""First weights and fields from the data: independent components of the binned activity."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigh
from torch import Tensor

from boltzbrain.foundations.memory import VALUES, rows_at_once, slices
from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.dispatch import correlate
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM

Floats = NDArray[np.float64]

_LARGEST = 3000
"""Most neurons whose covariances are diagonalised; with more, about as many bins are looked at."""
LARGEST = 0.3
"""Largest norm of a neuron's first weights. Slopes of rarely active neurons are large and
uncertain, and with large ones the model's activity feeds itself."""
_NEWTON_STEPS = 30


def component_weights(states: Tensor, hidden: int, seed: int) -> Tensor:
    """Return weights that point along the independent components of the activity.

    The assemblies of a recording show as the components of its z-scored activity whose variance is
    above the Marchenko-Pastur edge of unrelated neurons, rotated until they are independent
    (Lopes-dos-Santos, Ribeiro and Tort, Journal of Neuroscience Methods 220:149, 2013). For a
    component s of unit variance, the weight of neuron i is cov(v_i, s) / var(v_i), the slope of
    its log-odds. Components have their sign fixed so that their weights sum to a positive number.

    Parameters
    ----------
    states
        (bin, neuron) uint8.
    hidden
        Number of hidden units; those beyond the significant components take mixtures of them. Where
        no component is significant, all weights are 0.
    seed
        Seed of the rotation and of the eigenvectors.

    Returns
    -------
    Tensor
        (neuron, hidden) float32.
    """
    slopes, count = _slopes(states, hidden, seed)
    result = np.zeros((states.shape[1], hidden), dtype=np.float32)
    if count == 0:
        return torch.from_numpy(result)
    slopes *= np.sqrt(count / hidden) * np.where(slopes.sum(axis=0) < 0, -1.0, 1.0)
    sizes = np.sqrt(np.square(slopes).sum(axis=1, keepdims=True))
    result[:, : slopes.shape[1]] = slopes * np.minimum(1.0, LARGEST / np.maximum(sizes, LARGEST))
    return torch.from_numpy(result)


def component_slopes(states: Tensor, hidden: int, seed: int) -> Floats:
    """Return the slopes of `component_weights`, of significant components only, and not bounded.

    Returns
    -------
    ndarray
        (neuron, component), at most `hidden` components.
    """
    slopes, count = _slopes(states, hidden, seed)
    slopes = slopes[:, :count]
    return slopes * np.where(slopes.sum(axis=0) < 0, -1.0, 1.0)


def _looked_at(states: Tensor) -> NDArray[np.uint8]:
    """Return the bins whose components are looked for: so many that a matrix of them fits."""
    binary: NDArray[np.uint8] = states.numpy()
    if binary.shape[1] > _LARGEST:
        binary = np.ascontiguousarray(binary[:: max(1, -(-len(binary) // _LARGEST))])
    return binary


def significant_components(states: Tensor, most: int) -> tuple[NDArray[np.uint8], Floats, Floats]:
    """Return the principal components whose variance is above the Marchenko-Pastur edge.

    Parameters
    ----------
    states
        (bin, neuron) uint8.
    most
        Most components.

    Returns
    -------
    binary
        (bin, neuron) uint8: the bins that were looked at.
    spread
        (neuron,) standard deviations.
    whitened
        (bin, component) uncorrelated, of unit variance, strongest first.
    """
    binary = _looked_at(states)
    bins, neurons = binary.shape
    rates = binary.mean(axis=0, dtype=np.float64)
    spread = np.sqrt(np.maximum(rates * (1 - rates), 1.0 / bins**2))
    most = min(most, neurons - 1, bins - 1)
    if most < 1:
        return binary, spread, np.zeros((bins, 0))
    sizes, whitened = _principal(binary, rates, spread, most)
    return binary, spread, whitened[:, sizes > (1 + np.sqrt(neurons / bins)) ** 2]


def _slopes(states: Tensor, hidden: int, seed: int) -> tuple[Floats, int]:
    """Return slopes (neuron, unit) of components and mixtures, and how many are significant."""
    binary, spread, whitened = significant_components(states, hidden)
    bins, count = whitened.shape
    if count == 0:
        return np.zeros((len(spread), 0)), 0
    hidden = min(hidden, len(spread) - 1, bins - 1)
    components = independent(whitened, seed)
    if hidden > count:
        # a bin's own direction, so that units beyond the components start as different mixtures
        order = np.random.default_rng(seed).permutation(bins)[: hidden - count]
        components = np.hstack([components, whitened @ whitened[order].T])
    components = components / components.std(axis=0)
    return slopes_of(binary, components, spread), count


def independent(whitened: Floats, seed: int) -> Floats:
    """Return the rotation of whitened components (bin, component) that makes them independent."""
    if whitened.shape[1] < 2:
        return whitened
    # here, as it takes a second that most commands need not wait for
    from sklearn.decomposition import FastICA
    from sklearn.exceptions import ConvergenceWarning

    rotation = FastICA(whiten=False, random_state=seed, max_iter=400, tol=1e-3)
    with warnings.catch_warnings():
        # components that would still turn are as good a start: training goes on from them
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.asarray(rotation.fit_transform(whitened))


def slopes_of(binary: NDArray[np.uint8], components: Floats, spread: Floats) -> Floats:
    """Return cov(v_i, s) / var(v_i) of components s of unit variance, (neuron, component)."""
    by_bin = torch.from_numpy(components.astype(np.float32))
    products = correlate(torch.from_numpy(binary), by_bin)
    return np.asarray(products.numpy() / len(binary) / spread[:, None] ** 2)


def at_rates(
    model: RBM,
    states: Tensor,
    rates: Tensor,
    generator: Generator,
    offsets: Offsets | None = None,
) -> RBM:
    """Return the model with fields at which its neurons keep their rates, hidden units given data.

    A hidden unit that varies raises the rate of a neuron that it drives, so that the fields of
    independent neurons would be too high, and the chains would leave the data at once. Newton steps
    on the mean of sigmoid(field + W h) over h drawn given the states.

    Parameters
    ----------
    model
        Bernoulli visible units.
    states
        (bin, neuron) uint8.
    rates
        (neuron,) probabilities to hold, in the open interval (0, 1).
    generator
        Moves on.
    offsets
        A row for every bin.
    """
    weights = model.weights
    hidden = model.sample_hidden(states, generator, offsets).to(weights.dtype)
    beside = None if offsets is None else offsets.visible
    first = model.visible.parameters()["field"]
    field = fields_at_rates(weights, hidden, rates, first, beside)
    return replace(model, visible=model.visible.with_parameters({"field": field}))


def fields_at_rates(
    weights: Tensor, hidden: Tensor, rates: Tensor, first: Tensor, beside: Tensor | None = None
) -> Tensor:
    """Return the fields at which the mean of sigmoid(field + W h) over samples is each rate.

    By Newton steps of at most 1: without that bound they leave for good where a slope is small.

    Parameters
    ----------
    weights
        (neuron, hidden).
    hidden
        (sample, hidden), in the type of the weights.
    rates
        (neuron,) in the open interval (0, 1).
    first
        (neuron,) fields to begin with.
    beside
        (sample, neuron) to be added to the inputs.
    """
    fields = []
    # neurons do not wait for each other, and the inputs of all at once would take gigabytes
    size = rows_at_once(len(hidden), VALUES)
    place = 0
    parts = (weights, rates, first)
    for some, wanted, start in zip(*(one.split(size) for one in parts), strict=True):
        inputs, field = (hidden @ some.T).to(torch.float64), start.to(torch.float64)
        if beside is not None:
            inputs = inputs + beside[:, place : place + len(some)]
        place += len(some)
        for _ in range(_NEWTON_STEPS):
            active = torch.sigmoid(inputs + field)
            mean, slope = active.mean(dim=0), (active * (1 - active)).mean(dim=0)
            field = field + ((wanted - mean) / slope).clamp(-1.0, 1.0)
        fields.append(field.to(weights.dtype))
    return torch.cat(fields)


def _principal(
    binary: NDArray[np.uint8], rates: Floats, spread: Floats, count: int
) -> tuple[Floats, Floats]:
    """Return the largest variances of z-scored activity and their components of unit variance.

    The smaller of the two matrices, (neuron, neuron) or (bin, bin), is formed and diagonalised.

    Returns
    -------
    variances
        (component,), largest first.
    components
        (bin, component).
    """
    bins, neurons = binary.shape
    by_bins = bins < neurons
    size = min(bins, neurons)
    matrix = np.zeros((size, size))
    for part in slices(max(bins, neurons), size, 2 * VALUES):
        cut = (slice(None), part) if by_bins else (part, slice(None))
        of = cut[1]
        scored = ((binary[cut] - rates[of]) / spread[of]).astype(np.float32)
        matrix += scored @ scored.T if by_bins else scored.T @ scored
    top = [size - count, size - 1]
    sizes, vectors = eigh(matrix / bins, subset_by_index=top, overwrite_a=True)
    sizes, vectors = sizes[::-1], vectors[:, ::-1]
    if by_bins:
        return sizes, vectors * np.sqrt(bins)
    turned = (vectors / spread[:, None]).astype(np.float32)
    components = np.empty((bins, count))
    for part in slices(bins, size, 2 * VALUES):
        components[part] = binary[part] @ turned
    components -= rates @ turned
    return sizes, components / np.sqrt(np.maximum(sizes, np.finfo(np.float64).tiny))
