"""Ladders of models that the compiled loops take in one call, by pair of unit kinds.

The sampling of ladders knows no kind and asks here. States and log-weights are those of the models
one by one, bit for bit: draws, sums and log-partitions are the same, only fewer calls.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.cpu.doubles.sweeps import CACHED
from boltzbrain.kernels.cpu.ladders.binary import BinaryRungs
from boltzbrain.kernels.cpu.ladders.pairs import Pairs
from boltzbrain.kernels.cpu.ladders.rectified import RectifiedRungs
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.layers.layer import Layer
from boltzbrain.model.layers.rectified import DReLU, ReLU

_MOST = 1 << 23
"""Weights of all rungs above which laying them out is not what a step takes, but much memory."""

Parts = tuple[Layer, Layer, Tensor]
"""Visible layer, hidden layer and weights of a model."""


class Rungs(ABC):
    """The rungs of a ladder, of binary visible units, laid out for one call.

    Parameters
    ----------
    rungs
        Lowest first.
    """

    def __init__(self, rungs: Sequence[Parts]) -> None:
        self._hidden = [hidden for _, hidden, _ in rungs]
        self._weights = [weights for _, _, weights in rungs]
        fields = [visible.parameters()["field"] for visible, _, _ in rungs]
        self._fields = torch.stack(fields)
        moves = any(one is not fields[0] for one in fields)
        self._pairs = Pairs(self._weights, self._fields[:-1] - self._fields[1:] if moves else None)

    @abstractmethod
    def sweep(self, visible: Tensor, sweeps: int, generator: Generator) -> Tensor | None:
        """Return visible states (rung, chain, visible) after `sweeps` sweeps of every rung in turn.

        None, and the generator not moved, where one call does not serve.
        """

    def log_weights(self, visible: Tensor, lower: int) -> Tensor:
        """Return F of the lower less F of the upper rung of every second pair, from `lower` on.

        Parameters
        ----------
        visible
            (rung, chain, visible) uint8.
        lower
            Lower rung of the first pair, 0 or 1.

        Returns
        -------
        Tensor
            (pair, 2, chain) float64, of the states of the lower and of the upper rung.
        """
        inputs, changes = self._pairs.inputs(visible, lower)
        gammas = self._partitions(inputs, lower).to(torch.float64).sum(dim=-1)
        found: Tensor = gammas[:, 1] - (changes + gammas[:, 0])
        return found.reshape(len(found), 2, visible.shape[1])

    @abstractmethod
    def _partitions(self, inputs: Tensor, lower: int) -> Tensor:
        """Return the hidden units' log-partitions, both (pair, 2, state, hidden)."""


class _BinaryRungs(Rungs):
    def __init__(self, rungs: Sequence[Parts]) -> None:
        super().__init__(rungs)
        fields = torch.stack([hidden.parameters()["field"] for hidden in self._hidden])
        self._loops = BinaryRungs(self._fields, fields, self._weights, self._pairs.tiles)

    def sweep(self, visible: Tensor, sweeps: int, generator: Generator) -> Tensor:
        first = generator.take(2 * sweeps * len(visible))
        return self._loops.sweep(visible, sweeps, generator.key, first)

    def _partitions(self, inputs: Tensor, lower: int) -> Tensor:
        # rung by rung, as PyTorch rounds the last few numbers of an operation otherwise
        for pair, sides in enumerate(inputs):
            for side, rows in enumerate(sides):
                rows.copy_(self._hidden[lower + 2 * pair + side].log_partition(rows))
        return inputs


class _RectifiedRungs(Rungs):
    def __init__(self, rungs: Sequence[Parts]) -> None:
        super().__init__(rungs)
        sides = [hidden.sides() for hidden in self._hidden if isinstance(hidden, ReLU | DReLU)]
        self._draws = len(sides[0][0]) + 1
        self._loops = RectifiedRungs(self._fields, sides, self._weights)

    def sweep(self, visible: Tensor, sweeps: int, generator: Generator) -> Tensor | None:
        moved = self._loops.sweep(visible, sweeps, generator.key, generator.counter)
        if moved is not None:
            generator.take(self._draws * sweeps * len(visible))
        return moved

    def _partitions(self, inputs: Tensor, lower: int) -> Tensor:
        return self._loops.partitions(inputs, lower)


def laid_out(rungs: Sequence[Parts]) -> Rungs | None:
    """Return the rungs laid out for one call, or None where no loops serve them or none pay."""
    visible, hidden, weights = rungs[0]
    tensors = [*visible.parameters().values(), *hidden.parameters().values(), weights]
    here = all(one.device.type == "cpu" and one.dtype == torch.float32 for one in tensors)
    followed = any(
        one.requires_grad
        for layers in rungs
        for one in (*layers[0].parameters().values(), *layers[1].parameters().values(), layers[2])
    )
    if not here or followed or not isinstance(visible, Bernoulli):
        return None
    if len(rungs) * weights.numel() > _MOST:
        return None
    if isinstance(hidden, Bernoulli):
        return _BinaryRungs(rungs)
    if isinstance(hidden, ReLU | DReLU) and weights.numel() <= CACHED:
        return _RectifiedRungs(rungs)
    return None
