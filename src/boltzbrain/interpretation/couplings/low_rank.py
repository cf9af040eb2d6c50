"""Couplings of tens of thousands of neurons as a product of thin matrices.

J = Z diag(size) Z^T + R Z^T + Z R^T + S with Z (neuron, mode), a few modes per hidden unit, and
sparse R and S for the neurons with large weights. Rows, sums over regions, the strongest partners
and the spectrum follow without an array of neurons x neurons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, eigsh

from boltzbrain.foundations.checks import number_in, whole_number_in
from boltzbrain.foundations.memory import slices
from boltzbrain.foundations.showing.told import Brief
from boltzbrain.interpretation.couplings.all_pairs import (
    PairPiece,
    large_pairs,
    no_entries,
    pair_pieces,
)
from boltzbrain.interpretation.couplings.local import mean_curvature
from boltzbrain.interpretation.couplings.normal_inputs import InputLaw
from boltzbrain.interpretation.marginal import Floats, Indices, Marginal
from boltzbrain.interpretation.references import States

TOLERANCE = 1e-4
"""Norm of the modes that are left out, relative to that of all."""

"""Couplings held at once."""


@dataclass(frozen=True, eq=False, repr=False)
class LowRank(Brief):
    """A symmetric (neuron, neuron) array of couplings, zero on the diagonal, in factors.

    Attributes
    ----------
    modes
        Z, (neuron, mode) float32.
    sizes
        (mode,) float64.
    rows
        R, sparse (neuron, mode) float32.
    pairs
        S, sparse (neuron, neuron) float64, symmetric.
    """

    modes: NDArray[np.float32]
    sizes: Floats
    rows: sparse.csr_array
    pairs: sparse.csr_array

    def __len__(self) -> int:
        """Return the number of neurons."""
        return int(self.modes.shape[0])

    @property
    def diagonal(self) -> Floats:
        """What the factors hold on the diagonal, which is no coupling, (neuron,)."""
        squares = self.modes.astype(np.float64) ** 2 @ self.sizes
        cross = np.asarray(self.rows.multiply(self.modes).sum(axis=1)).ravel()
        result: Floats = squares + 2.0 * cross + self.pairs.diagonal()
        return result

    def row_block(self, first: int, last: int, start: int = 0) -> NDArray[np.float32]:
        """Return the couplings of neurons first to last - 1, (row, neuron), from neuron `start`."""
        part = slice(first, last)
        modes = torch.from_numpy(self.modes[start:])
        left = torch.from_numpy(self.modes[part] * self.sizes.astype(np.float32))
        result: NDArray[np.float32] = (left @ modes.T).numpy()
        if self.rows.nnz:
            mine = self.rows[part]
            if mine.nnz:
                result += mine @ self.modes[start:].T
            result += (self.rows[start:] @ np.ascontiguousarray(self.modes[part].T)).T
        if self.pairs.nnz:
            entries = self.pairs[part, start:].tocoo()
            result[entries.row, entries.col] += entries.data.astype(np.float32)
        own = np.arange(max(first, start), last)
        result[own - first, own - start] = 0.0
        return result

    def dense(self) -> Floats:
        """Return the whole array, (neuron, neuron) float64."""
        result: Floats = self.row_block(0, len(self)).astype(np.float64)
        return result

    def times(self, vectors: Floats) -> Floats:
        """Return the product with vectors (neuron, column), same shape."""
        return self._product()(vectors)

    def _product(self) -> Callable[[Floats], Floats]:
        """Return a function that multiplies by the couplings, its factors converted once."""
        modes = self.modes.astype(np.float64)
        diagonal = self.diagonal[:, None]
        turned = self.rows.T.tocsr()

        def multiply(vectors: Floats) -> Floats:
            thin = vectors.reshape(len(modes), -1)
            inner = modes.T @ thin
            result = modes @ (self.sizes[:, None] * inner + turned @ thin)
            result += self.rows @ inner + self.pairs @ thin - diagonal * thin
            answer: Floats = result.reshape(vectors.shape)
            return answer

        return multiply

    def spectrum(self, count: int = 20) -> tuple[Floats, Floats]:
        """Return the eigenvalues of largest size, falling, and their vectors (neuron, count)."""
        whole_number_in("count", count, low=1, high=len(self) - 2)
        product = self._product()
        operator = LinearOperator(
            (len(self), len(self)), matvec=product, matmat=product, dtype=np.float64
        )
        # a fixed start, so that the answer is the same every time
        start = np.cos(np.arange(len(self), dtype=np.float64))
        values, vectors = eigsh(operator, k=count, which="LM", v0=start)
        order = np.argsort(-np.abs(values), kind="stable")
        return values[order], vectors[:, order]


Couplings = Floats | LowRank
"""Pair couplings as one array or in factors."""


def row_blocks(
    couplings: Couplings, *, upper: bool = False
) -> Iterator[tuple[int, NDArray[np.floating]]]:
    """Yield (first row, rows) of all couplings, a few million numbers at a time.

    With `upper` the columns begin at the first row: the rest is known by symmetry.
    """
    count = len(couplings)
    for part in slices(count, count):
        first, last = part.start, part.stop
        start = first if upper else 0
        if isinstance(couplings, LowRank):
            yield first, couplings.row_block(first, last, start)
        else:
            yield first, couplings[first:last, start:]


def top_partners(couplings: Couplings, count: int = 100) -> tuple[Indices, Floats]:
    """Return every neuron's strongest partners and their couplings, both (neuron, count).

    Strength is the size of the coupling; partners come by falling strength.
    """
    whole_number_in("count", count, low=1, high=len(couplings) - 1)
    partners = np.empty((len(couplings), count), dtype=np.int64)
    values = np.empty((len(couplings), count))
    for first, block in row_blocks(couplings):
        rows = torch.from_numpy(np.ascontiguousarray(block))
        size = rows.abs()
        # a neuron is never its own partner, not even where all couplings are 0
        size[torch.arange(len(rows)), first + torch.arange(len(rows))] = -1.0
        chosen = torch.topk(size, count, dim=1).indices
        partners[first : first + len(rows)] = chosen.numpy()
        values[first : first + len(rows)] = rows.gather(1, chosen).numpy()
    return partners, values


def factorise(law: InputLaw, factor: float, *, tolerance: float = TOLERANCE) -> LowRank:
    """Return the couplings of all pairs under an independent reference, in factors.

    Parameters
    ----------
    law
        Model and reference.
    factor
        From a mixed difference to a coupling (`references.unit_factor`).
    tolerance
        See `TOLERANCE`.
    """
    number_in("tolerance", tolerance, low=0.0, high=1.0)
    found = [_modes(piece) for piece in pair_pieces(law, tolerance=0.01 * tolerance)]
    neurons = law.marginal.neurons
    if not found:
        modes = np.zeros((neurons, 0), dtype=np.float32)
        return LowRank(modes, np.zeros(0), no_entries((neurons, 0)), factor * large_pairs(law))
    sizes = np.concatenate([piece[1] for piece in found])
    bound = np.concatenate([piece[3] for piece in found])
    weak = np.where(bound, np.inf, np.abs(sizes))
    order = np.argsort(weak, kind="stable")
    left = np.cumsum(np.where(np.isfinite(weak[order]), weak[order], 0.0) ** 2)
    dropped = (left <= tolerance**2 * float(sizes @ sizes)) & np.isfinite(weak[order])
    kept = np.ones(len(sizes), dtype=np.bool_)
    kept[order[dropped]] = False
    first = 0
    parts: list[NDArray[np.float32]] = []
    rows_parts: list[sparse.csr_array] = []
    for part, size, rows, _ in found:
        mine = kept[first : first + len(size)]
        parts.append(part[:, mine])
        rows_parts.append(rows[:, np.flatnonzero(mine)])
        first += len(size)
    return LowRank(
        np.ascontiguousarray(np.concatenate(parts, axis=1)),
        factor * sizes[kept],
        sparse.csr_array((factor * sparse.hstack(rows_parts)).astype(np.float32)),
        factor * large_pairs(law),
    )


def _modes(
    piece: PairPiece,
) -> tuple[NDArray[np.float32], Floats, sparse.csr_array, NDArray[np.bool_]]:
    """Return orthonormal modes of each unit, their sizes, the large rows in them, and a mask.

    The mask says which modes the large rows need, whatever their size.
    """
    neurons, units, kept = piece.features.shape
    basis, triangle = torch.linalg.qr(torch.from_numpy(piece.features).permute(1, 0, 2))
    core = triangle @ torch.from_numpy(piece.core) @ triangle.transpose(1, 2)
    sizes, turns = torch.linalg.eigh(0.5 * (core + core.transpose(1, 2)))
    modes = (basis @ turns).permute(1, 0, 2).reshape(neurons, -1)
    turned = (turns.transpose(1, 2) @ triangle).numpy()
    rank = turned.shape[1]
    blocks = [
        piece.rows[:, unit * kept : (unit + 1) * kept] @ sparse.csr_array(turned[unit].T)
        for unit in range(units)
    ]
    rows = sparse.csr_array(sparse.hstack(blocks))
    bound = np.repeat([block.nnz > 0 for block in blocks], rank)
    return modes.to(torch.float32).numpy(), sizes.reshape(-1).numpy(), rows, bound


def taylor(marginal: Marginal, curvature: Floats, factor: float) -> LowRank:
    """Return W diag(curvature) W^T without its diagonal (van der Plas et al. 2023, eq. 17).

    Parameters
    ----------
    marginal
        The model.
    curvature
        (hidden,) mean of Gamma'' (`local.mean_curvature`).
    factor
        From a mixed difference to a coupling.
    """
    neurons, units = marginal.weights.shape
    return LowRank(
        marginal.weights.astype(np.float32),
        factor * curvature,
        no_entries((neurons, units)),
        no_entries((neurons, neurons)),
    )


def taylor_of_states(marginal: Marginal, states: States, factor: float) -> LowRank:
    """Return `taylor` with the curvature averaged over recorded bins."""
    return taylor(marginal, mean_curvature(marginal, states), factor)
