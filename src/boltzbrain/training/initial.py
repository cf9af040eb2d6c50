"""First weights from the data: independent components of the binned activity."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, svds
from sklearn.decomposition import FastICA
from torch import Tensor

from boltzbrain.kernels.dispatch import correlate, sum_active_rows


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
        Number of hidden units; those beyond the significant components keep weight 0.
    seed
        Seed of the rotation and of the eigenvectors.

    Returns
    -------
    Tensor
        (neuron, hidden) float32.
    """
    binary = states.numpy()
    bins, neurons = binary.shape
    rates = binary.mean(axis=0, dtype=np.float64)
    spread = np.sqrt(np.maximum(rates * (1 - rates), 1.0 / bins**2))
    result = np.zeros((neurons, hidden), dtype=np.float32)
    count = min(hidden, neurons - 1, bins - 1)
    if count < 1:
        return torch.from_numpy(result)

    def forward(vector: np.ndarray) -> np.ndarray:
        scaled = vector.ravel() / spread
        sums = sum_active_rows(states, torch.from_numpy(scaled.astype(np.float32))[:, None])
        return np.asarray(sums[:, 0].numpy() - float(rates @ scaled))

    def backward(vector: np.ndarray) -> np.ndarray:
        flat = vector.ravel()
        sums = correlate(states, torch.from_numpy(flat.astype(np.float32))[:, None])
        return np.asarray((sums[:, 0].numpy() - rates * flat.sum()) / spread)

    scores = LinearOperator(shape=(bins, neurons), matvec=forward, rmatvec=backward, dtype=float)
    left, sizes, _ = svds(scores, k=count, rng=np.random.default_rng(seed))
    order = np.argsort(-sizes)
    edge = (1 + np.sqrt(neurons / bins)) ** 2
    order = order[sizes[order] ** 2 / bins > edge]
    if len(order) == 0:
        return torch.from_numpy(result)
    whitened = left[:, order] * np.sqrt(bins)
    rotation = FastICA(whiten=False, random_state=seed, max_iter=400, tol=1e-3)
    components = rotation.fit_transform(whitened) if len(order) > 1 else whitened
    components = components / components.std(axis=0)
    products = correlate(states, torch.from_numpy(components.astype(np.float32)))
    slopes = products.numpy() / bins / spread[:, None] ** 2
    slopes = slopes * np.where(slopes.sum(axis=0) < 0, -1.0, 1.0)
    result[:, : slopes.shape[1]] = slopes
    return torch.from_numpy(result)
