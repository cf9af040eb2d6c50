"""Fields that differ from chain to chain, or from bin to bin, of one model with its weights shared.

With rows b and c of offsets the energy of a chain is E(v, h) - b v - c h. An offset is one more
input of its unit, so every unit kind takes one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.showing.told import Brief

Rows = slice | Tensor
"""What picks rows: a slice, or int64 numbers or bools, (row,)."""


@dataclass(frozen=True, eq=False, repr=False)
class Offsets(Brief):
    """What is added to the inputs of both layers, one row per chain or bin.

    Attributes
    ----------
    visible
        (row, visible), or None where the visible units have no offset.
    hidden
        (row, hidden), or None likewise.

    Raises
    ------
    InputError
        If both are None, or are no floating tensors of two axes, of one type and as many rows.

    Examples
    --------
    >>> offsets = Offsets(hidden=torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
    >>> len(offsets), offsets[1:].scaled(0.5).hidden
    (2, tensor([[0., 1.]]))
    """

    visible: Tensor | None = None
    hidden: Tensor | None = None

    def __post_init__(self) -> None:
        """Refuse rows that do not belong together."""
        present = {name: value for name, value in self._parts().items() if value is not None}
        if not present:
            raise bad_input("offsets", "have rows for the visible or the hidden units", None)
        for name, value in present.items():
            if not isinstance(value, Tensor) or not value.is_floating_point():
                got = str(value.dtype) if isinstance(value, Tensor) else type(value).__name__
                raise bad_input(f"offsets.{name}", "be a tensor of float32 or float64", got)
            if value.ndim != 2:
                got = f"shape {tuple(value.shape)}"
                raise bad_input(f"offsets.{name}", "have shape (row, unit)", got)
        if len({(len(value), value.dtype) for value in present.values()}) > 1:
            got = ", ".join(f"{len(value)} of {value.dtype}" for value in present.values())
            raise bad_input("offsets", "have as many rows of one type for both layers", got)

    def _parts(self) -> dict[str, Tensor | None]:
        return {"visible": self.visible, "hidden": self.hidden}

    def _some(self) -> Tensor:
        found = self.hidden if self.visible is None else self.visible
        assert found is not None
        return found

    def _each(self, change: Callable[[Tensor], Tensor]) -> Offsets:
        return Offsets(
            **{name: None if one is None else change(one) for name, one in self._parts().items()}
        )

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._some())

    @property
    def dtype(self) -> torch.dtype:
        """Floating type of the rows."""
        return self._some().dtype

    def __getitem__(self, rows: Rows) -> Offsets:
        """Return the offsets of some rows."""
        return self._each(lambda one: one[rows])

    def rows(self) -> Iterator[Offsets]:
        """Give the rows one by one."""
        return (self[row : row + 1] for row in range(len(self)))

    def to(self, target: torch.dtype | torch.device | str) -> Offsets:
        """Return these offsets in another floating type or on another device."""
        return self._each(lambda one: one.to(target))

    def scaled(self, t: float) -> Offsets:
        """Return t times these offsets."""
        return self._each(lambda one: t * one)

    def repeated(self, times: int) -> Offsets:
        """Return every row `times` times, one beside the other."""
        return self._each(lambda one: one.repeat_interleave(times, dim=0))

    def mean(self) -> Offsets:
        """Return one row, the mean of all."""
        return self._each(lambda one: one.mean(dim=0, keepdim=True))

    def centred(self) -> Offsets:
        """Return these offsets less their mean."""
        return self._each(lambda one: one - one.mean(dim=0, keepdim=True))

    def visible_term(self, states: Tensor) -> Tensor | float:
        """Return b v of visible states, (row,) float64; 0 where they have no offset."""
        return _inner(self.visible, states)

    def hidden_term(self, states: Tensor) -> Tensor | float:
        """Return c h of hidden states, (row,) float64; 0 where they have no offset."""
        return _inner(self.hidden, states)

    def require(self, rows: int, weights: Tensor) -> None:
        """Raise unless there is a row for each of so many states of a model with such weights.

        Raises
        ------
        InputError
            If a size or the type differs.
        """
        for (name, value), units in zip(self._parts().items(), weights.shape, strict=True):
            if value is not None and tuple(value.shape) != (rows, units):
                must = f"have shape (state, unit) = {(rows, units)}"
                raise bad_input(f"offsets.{name}", must, f"shape {tuple(value.shape)}")
        if self.dtype != weights.dtype:
            raise bad_input("offsets", f"be of {weights.dtype} like the model", str(self.dtype))


def _inner(rows: Tensor | None, states: Tensor) -> Tensor | float:
    if rows is None:
        return 0.0
    return (rows.to(torch.float64) * states.to(torch.float64)).sum(dim=1)
