"""Principal components: read as assemblies, and as the Gaussian model that they are part of.

Probabilistic PCA (Tipping and Bishop, Journal of the Royal Statistical Society B 61:611, 1999)
gives every neuron's expectation given all others in closed form; a logistic curve of it, with two
numbers per neuron fitted to the training bins, makes a probability of a spike. So principal
components are scored as the other models are, without their having to be a model of binary states.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.baselines.pairwise.pseudo_likelihood import log_pseudo_likelihood
from boltzbrain.baselines.protocol import Baseline, Fit, Trial
from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.dispatch import mean_states, sum_active_rows
from boltzbrain.model.independent import independent_field

LATENTS = (2, 5, 10, 20, 50, 100, 200)
"""Numbers of components to try."""

_STEPS, _RIDGE = 12, 1e-3


@dataclass(frozen=True, eq=False)
class Readout:
    """A logistic curve of one number per neuron: log-odds = offset + slope (x - centre) / width.

    Attributes
    ----------
    offset, slope, centre, width
        (neuron,) float64.
    """

    offset: Tensor
    slope: Tensor
    centre: Tensor
    width: Tensor

    @classmethod
    def of(cls, values: Tensor, states: Tensor) -> Readout:
        """Fit the curves to bins by Newton's method, with a ridge on the slope.

        Parameters
        ----------
        values
            (bin, neuron).
        states
            (bin, neuron) uint8.
        """
        width, centre = torch.std_mean(values.to(torch.float64), dim=0)
        width = torch.where(width > 0, width, 1.0)
        x = ((values - centre) / width).to(torch.float32)
        offset, slope = independent_field(states), torch.zeros(values.shape[1]).to(torch.float64)
        active = states.to(torch.float32)
        for _ in range(_STEPS):
            chance = torch.sigmoid(x * slope.to(torch.float32) + offset.to(torch.float32))
            residual, weight = active - chance, chance * (1 - chance)
            steps = [
                one.sum(dim=0, dtype=torch.float64)
                for one in (residual, residual * x, weight, weight * x, weight * x * x)
            ]
            # half a spike and half a silent bin, as the independent model has them
            first = steps[0] + 0.5 - torch.sigmoid(offset)
            second = steps[1] - _RIDGE * slope
            a, b, c = steps[2] + 0.01, steps[3], steps[4] + _RIDGE
            size = (a * c - b * b).clamp_min(1e-12)
            offset = offset + ((c * first - b * second) / size).clamp(-2, 2)
            slope = slope + ((a * second - b * first) / size).clamp(-2, 2)
        return cls(offset, slope, centre, width)

    def log_odds(self, values: Tensor) -> Tensor:
        """Return the log-odds of a spike, (bin, neuron) float32."""
        scaled = (values - self.centre) / self.width
        return (self.offset + self.slope * scaled).to(torch.float32)


@dataclass(frozen=True, eq=False)
class PCA(Baseline):
    """Principal components of the covariance, and probabilistic PCA of them.

    Attributes
    ----------
    mean
        (neuron,) float64 rates.
    components
        (neuron, latent) float64, orthonormal.
    given_others, given_all
        (neuron, neuron) float32, from the activity of the neurons less their means to the
        expectation of each: given the others, and by projection on the components.
    readouts
        Of both.
    """

    name: ClassVar[str] = "pca"
    title: ClassVar[str] = "PCA"
    gives: ClassVar[frozenset[str]] = frozenset(
        {"conditional", "reconstruction", "couplings", "assemblies"}
    )

    mean: Tensor
    components: Tensor
    given_others: Tensor
    given_all: Tensor
    readouts: tuple[Readout, Readout]

    def conditional(self, states: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the log-odds of every neuron by its expectation given all others."""
        return self._read(states, self.given_others, self.readouts[0])

    def reconstruction(self, states: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the log-odds of every neuron by the projection of the bin on the components."""
        return self._read(states, self.given_all, self.readouts[1])

    def _read(
        self, states: NDArray[np.uint8], matrix: Tensor, readout: Readout
    ) -> NDArray[np.float32]:
        values = _expectation(torch.from_numpy(states), self.mean, matrix)
        result: NDArray[np.float32] = readout.log_odds(values).numpy()
        return result

    def couplings(self) -> Tensor:
        """Return the partial correlations of the Gaussian model, (neuron, neuron)."""
        product = self.given_others * self.given_others.T
        return torch.sign(self.given_others) * product.clamp_min(0.0).sqrt()

    def assemblies(self) -> NDArray[np.float64]:
        """Return the components, (neuron, latent)."""
        result: NDArray[np.float64] = self.components.numpy()
        return result


def _expectation(states: Tensor, mean: Tensor, matrix: Tensor) -> Tensor:
    shift = mean - mean @ matrix.to(torch.float64)
    return sum_active_rows(states, matrix).to(torch.float64) + shift


def _given_others(values: Tensor, vectors: Tensor, latent: int) -> Tensor:
    """Return the map to every neuron's expectation given the others, column by column.

    The covariance is the components' own plus the mean of the other eigenvalues on the diagonal; a
    neuron's expectation is minus its row of the inverse over the diagonal of that.
    """
    noise = values[latent:].mean().clamp_min(1e-6)
    part = vectors[:, :latent]
    inner = 1 / values[:latent].clamp_min(float(noise)) - 1 / noise
    precision = (part * inner) @ part.T
    precision.diagonal().add_(1 / noise)
    return -(precision / precision.diagonal()).fill_diagonal_(0.0)


def _beyond(scores: Mapping[int, float], most: int) -> list[int]:
    """Return the number of components to try next, beyond the grid where its edge is the best."""
    if len(scores) == 1:
        return []
    best = max(scores, key=lambda latent: scores[latent])
    if best == max(scores) and best < most:
        return [min(2 * best, most)]
    return [best // 2] if best == min(scores) and best > 1 else []


def fit_pca(
    train: NDArray[np.uint8],
    validation: NDArray[np.uint8],
    generator: Generator,
    *,
    latents: Sequence[int] = LATENTS,
) -> PCA:
    """Fit principal components, their number chosen on the validation fold.

    Parameters
    ----------
    train, validation
        (bin, neuron) uint8, at least one bin each.
    generator
        Not used.
    latents
        Numbers of components to try, rising; those that are not below the number of neurons are
        left out. Where the best of them is the least or the greatest, its halves or doubles are
        tried until one is worse: each costs little.
    """
    started = time.monotonic()
    states, held_out = torch.from_numpy(train), torch.from_numpy(validation)
    mean = mean_states(states, torch.float64)
    dense = states.to(torch.float32)
    covariance = (dense.T @ dense).to(torch.float64) / len(dense) - torch.outer(mean, mean)
    values, vectors = (one.flip(-1) for one in torch.linalg.eigh(covariance))
    most = max(1, len(mean) - 1)
    best: tuple[float, int, Tensor, Readout] | None = None
    scores: dict[int, float] = {}
    ahead = [latent for latent in latents if latent <= most] or [most]
    while ahead:
        latent = ahead.pop(0)
        matrix = _given_others(values, vectors, latent).to(torch.float32).contiguous()
        readout = Readout.of(_expectation(states, mean, matrix), states)
        odds = readout.log_odds(_expectation(held_out, mean, matrix))
        scores[latent] = float(log_pseudo_likelihood(odds, held_out).mean())
        if best is None or scores[latent] > best[0]:
            best = (scores[latent], latent, matrix, readout)
        if not ahead:
            ahead = _beyond(scores, most)
    assert best is not None
    _, latent, matrix, readout = best
    components = vectors[:, :latent].contiguous()
    projection = (components @ components.T).to(torch.float32)
    whole = Readout.of(_expectation(states, mean, projection), states)
    fit = Fit(
        "eigenvectors of the covariance; Newton's method for the logistic curves",
        _STEPS * (len(scores) + 1),
        time.monotonic() - started,
        {"latents": latent},
        "log-likelihood of every neuron given the others, nats per validation bin",
        tuple(Trial({"latents": number}, score) for number, score in scores.items()),
    )
    return PCA(fit, mean, components, matrix, projection, (readout, whole))
