"""Contexts of labelled bins: the place in the trial, and the epoch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.random import Generator
from boltzbrain.foundations.showing.told import counted, listed
from boltzbrain.model.context.context import Context, Running
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM


def rows_of(table: Tensor, label: Tensor) -> Tensor:
    """Return the rows of labels (bin,), zeros where a label is -1, (bin, unit)."""
    whole = torch.cat([table, table.new_zeros((1, table.shape[1]))])
    return whole[label.to(table.device)]


@dataclass(frozen=True, eq=False, repr=False)
class Tabled(Context):
    """Every label has offsets of its own; a bin without a label has none.

    Attributes
    ----------
    visible
        (label, neuron) float32.
    prior
        (neuron,) float32, what draws the visible offsets to 0: the curvature of the log of their
        Gaussian prior.
    hidden
        (label, hidden) float32; None where labels move the visible fields only.
    names
        Names of the labels.
    """

    learnt: ClassVar[tuple[str, ...]] = ("visible", "hidden")

    visible: Tensor
    prior: Tensor
    hidden: Tensor | None = None
    names: tuple[str, ...] = ()

    def rows_of(self, label: Tensor, rbm: RBM) -> Offsets:
        """Return the offsets of bins of these labels, (bin,) int64."""
        hidden = None if self.hidden is None else rows_of(self.hidden, label).to(rbm.weights)
        return Offsets(rows_of(self.visible, label).to(rbm.weights), hidden)

    def tensors(self) -> dict[str, Tensor]:
        """Return the offsets of the labels."""
        hidden = {} if self.hidden is None else {"hidden": self.hidden}
        return {"visible": self.visible, "prior": self.prior, **hidden}

    def facts(self) -> dict[str, Any]:
        """Return the names of the labels."""
        return {"names": list(self.names)}

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> Self:
        """Return the context that `tensors` and `facts` gave."""
        hidden = tensors.get("hidden")
        return cls(tensors["visible"], tensors["prior"], hidden, tuple(facts["names"]))

    def flipped(self, units: Tensor) -> Self:
        """Return the offsets of hidden units in their new signs."""
        if self.hidden is None:
            return self
        return self.moved({"hidden": torch.where(units, -self.hidden, self.hidden)})


class Labelled(Tabled):
    """The labels of bins are known."""

    @abstractmethod
    def labels(self, given: Sequences) -> NDArray[np.int64]:
        """Return the label of every bin, (bin,), -1 where it has none."""

    def offsets(self, given: Sequences, rbm: RBM) -> Offsets:
        """Return the offsets of the labels of the bins."""
        return self.rows_of(torch.from_numpy(self.labels(given)), rbm)

    def running(self, layout: Sequences, rbm: RBM, pieces: int, generator: Generator) -> Running:
        """Return the offsets of the labels of the layout."""
        return _RunningLabels(self, torch.from_numpy(self.labels(layout)), rbm)


@dataclass(frozen=True, eq=False)
class _RunningLabels:
    """Labels of a layout, whatever is generated in it."""

    context: Labelled
    label: Tensor
    rbm: RBM

    def offsets(self, bins: NDArray[np.int64]) -> Offsets:
        return self.context.rows_of(self.label[torch.from_numpy(bins)], self.rbm)

    def see(self, states: Tensor) -> None:
        """Nothing follows from it."""


@dataclass(frozen=True, eq=False, repr=False)
class PlaceInTrial(Labelled):
    """The label of a bin is its place in its segment; beyond the longest one known it has none."""

    name: ClassVar[str] = "trial"

    def labels(self, given: Sequences) -> NDArray[np.int64]:
        """Return the place of every bin in its segment."""
        place = given.place if given.in_segment is None else given.in_segment
        return np.where(place < len(self.visible), place, -1).astype(np.int64)

    def words(self) -> str:
        """Say how many places there are."""
        return f"{counted(len(self.visible), 'bin')} of a trial"


@dataclass(frozen=True, eq=False, repr=False)
class OfEpoch(Labelled):
    """The label of a bin is its epoch."""

    name: ClassVar[str] = "epoch"

    def labels(self, given: Sequences) -> NDArray[np.int64]:
        """Return the epoch of every bin.

        Raises
        ------
        InputError
            If the bins do not tell it.
        """
        if given.epoch is None:
            raise bad_input("the bins", "tell their epochs", "none")
        return given.epoch

    def words(self) -> str:
        """Name the epochs."""
        return listed(list(self.names))
