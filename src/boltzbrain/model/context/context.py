"""A context: what gives every bin an offset of the fields, while the weights are shared.

P(v_t | context) = exp((b + o_t) v + sum_a Gamma_a(q_t + v W)) / Z_t with offsets o_t of the visible
and q_t of the hidden fields, that follow from what is known before the bin: earlier bins of its
piece (Taylor and Hinton, ICML 2009, have such an RBM), its place in the trial, its epoch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.foundations.random import Generator
from boltzbrain.foundations.showing.told import Brief
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM


class Running(Protocol):
    """The offsets of pieces that are generated bin by bin, side by side."""

    def offsets(self, bins: NDArray[np.int64]) -> Offsets:
        """Return the offsets of the next bin of the first pieces, as many as `bins`.

        These are the numbers of the bins of the layout that they come to.
        """
        ...

    def see(self, states: Tensor) -> None:
        """Take in that bin, (piece, visible) uint8."""
        ...


CONTEXTS: dict[str, type[Context]] = {}
"""Every context by name; a class that subclasses `Context` enters itself."""


class Context(Brief, ABC):
    """What gives every bin an offset of the fields; a frozen dataclass.

    Fields that are tensors are parameters and are kept in files, with `facts`.
    """

    name: ClassVar[str]
    learnt: ClassVar[tuple[str, ...]] = ()
    """Names of the parameters that a training moves; the others are fitted beforehand."""

    @property
    def key(self) -> str:
        """Its name among the contexts of a model."""
        return self.name

    def __init_subclass__(cls) -> None:
        """Enter the context into `CONTEXTS`."""
        if "name" in cls.__dict__:
            CONTEXTS[cls.name] = cls

    @abstractmethod
    def offsets(self, given: Sequences, rbm: RBM) -> Offsets:
        """Return the offsets of every bin, in the type and on the device of the RBM."""

    @abstractmethod
    def running(self, layout: Sequences, rbm: RBM, pieces: int, generator: Generator) -> Running:
        """Return what gives offsets while bins are generated in the pieces of a layout.

        Its labels are known, its states are not looked at; what is hidden is drawn.
        """

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """Return every parameter by name."""

    def facts(self) -> dict[str, Any]:
        """Return what a file keeps beside the parameters, in the types of JSON."""
        return {}

    @classmethod
    @abstractmethod
    def of(cls, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> Self:
        """Return the context that `tensors` and `facts` gave."""

    @abstractmethod
    def words(self) -> str:
        """Say in some words what it holds."""

    def moved(self, parameters: Mapping[str, Tensor]) -> Self:
        """Return the context with other values of what is learnt."""
        return replace(self, **parameters)  # type: ignore[type-var]

    def flipped(self, units: Tensor) -> Self:
        """Return the context of the RBM whose hidden units in `units` (hidden,) changed sign."""
        return self
