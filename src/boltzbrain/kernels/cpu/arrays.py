"""Tensors of the host as the flat arrays that compiled loops take."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn.functional import pad

WORD = 64
"""States that are packed into one word, read together."""


def flat(tensor: Tensor) -> Any:
    """Return the elements row by row; a copy only where they do not lie so."""
    return tensor.detach().contiguous().numpy().reshape(-1)


def packable(states: Tensor) -> Any:
    """Return states flat, and long enough to be read a word at a time."""
    row = states.detach().contiguous().reshape(-1)
    # to pad by nothing is to copy all
    return (row if len(row) >= WORD else pad(row, (0, WORD - len(row)))).numpy()
