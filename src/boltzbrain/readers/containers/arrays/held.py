"""What a file of arrays holds that may be activity, by name and shape, and which of it is meant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.foundations.checks import bad_input, closest
from boltzbrain.readers.containers.arrays.matrix import AXES, TRIAL_AXES

SPIKE_AXES = ("neuron", "trial,neuron", "neuron,trial")
"""What the cells of a list of spike trains are: one per neuron, or per trial and neuron."""

_SHOWN = 8


@dataclass(frozen=True)
class Held:
    """An array of a file, or a list of arrays (the cells of MATLAB, an object array of NumPy).

    Attributes
    ----------
    name
        As the user types it.
    shape
        As its user sees it; of a list, that of the list.
    dtype
        Of the numbers; None of a list.
    load
        Returns the `Matrix`, or an object array of arrays of numbers.
    turned
        Whether the matrix is stored the other way round than its user sees it.
    neurons
        Names of the neurons, None where the file has none.
    told
        How a table was read, for the source of the recording.
    trains
        Of a list: whether its arrays are lists of numbers, so no matrices; None where they were not
        looked at.
    members
        Of a list: the names under which its arrays are held on their own as well.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any] | None
    load: Callable[[], Any]
    turned: bool = False
    neurons: list[str] | None = None
    told: Mapping[str, Any] = field(default_factory=dict)
    trains: bool | None = None
    members: frozenset[str] = frozenset()

    def axes(self) -> tuple[str, ...]:
        """Return what its axes may be said to be."""
        if self.dtype is None:
            several = len([size for size in self.shape if size > 1]) > 1
            if several:
                return SPIKE_AXES[1:]
            matrices, trains = self.trains is not True, self.trains is not False
            return (*(TRIAL_AXES if matrices else ()), *(SPIKE_AXES[:1] if trains else ()))
        return AXES if len(self.shape) == 2 else TRIAL_AXES

    def __str__(self) -> str:
        """Return it in words."""
        if self.dtype is None:
            return f"{self.name} ({' x '.join(map(str, self.shape))} cells)"
        return f"{self.name} {self.shape}"


@dataclass(frozen=True)
class Arrays:
    """What an open file holds.

    Attributes
    ----------
    where
        The file, for messages.
    held
        What may be activity.
    others
        What may not, in words.
    numbers
        Returns an array of numbers by its name, for times.
    in_memory
        Whether it is no file, but an object in Python.
    """

    where: str
    held: tuple[Held, ...]
    others: tuple[str, ...]
    numbers: Callable[[str], NDArray[Any]]
    in_memory: bool = False

    def fitting(self, name: str | None, axes: str | None) -> list[Held]:
        """Return what may be meant: one, or several where neither name nor axes tell it.

        Raises
        ------
        InputError
            If there is nothing of that name, or nothing in the file has such axes.
        """
        if name is not None:
            found = [one for one in self.held if _plain(one.name) == _plain(name)]
            if not found:
                known = [one.name for one in self.held]
                raise bad_input(
                    "name", f"be an array of the file: {self.shown()}", name,
                    suggestion=closest(name, known), file=self.where,
                )  # fmt: skip
            return found
        if not self.held:
            must = "hold a matrix of numbers, an array of trials, or cells of them"
            raise bad_input("the file", must, self.shown(), file=self.where)
        if axes is None:
            listed = frozenset().union(*(one.members for one in self.held))
            return [one for one in self.held if one.name not in listed]
        return [one for one in self.held if axes in one.axes()] or list(self.held)

    def shown(self) -> str:
        """Return what the file holds in words: what may be activity, and then the rest."""
        every = [*map(str, self.held), *self.others]
        more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
        return ", ".join(every[:_SHOWN]) + more or "none"


def _plain(name: str) -> str:
    """Return a name however its parts are joined: 'data.spikes' and '/data/spikes' are one."""
    return name.strip("/").replace("/", ".")


def numbers_only(values: Any, name: str, where: str) -> NDArray[Any]:
    """Return an array of numbers or booleans.

    Raises
    ------
    InputError
        If it is anything else.
    """
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
        got = f"dtype {values.dtype}" if isinstance(values, np.ndarray) else "something else"
        raise bad_input(name, "hold numbers", got, file=where)
    return values


def cells_of(values: Any, shape: tuple[int, ...], name: str, where: str) -> NDArray[np.object_]:
    """Return a flat list of arrays of numbers as an object array of that shape.

    Raises
    ------
    InputError
        If one of them is anything else.
    """
    result = np.empty(len(values), dtype=object)
    for number, one in enumerate(values):
        result[number] = numbers_only(one, f"cell {number} of {name}", where)
    return result.reshape(shape)


def is_meant(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    """Return whether an array of this shape and type may be activity."""
    return len(shape) in (2, 3) and dtype.kind in "biuf" and 0 not in shape


def in_words(name: str, shape: tuple[int, ...], kind: object) -> str:
    """Return an array that is no activity in words."""
    return f"{name} {shape} {kind}"
