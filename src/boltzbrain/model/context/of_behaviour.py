"""The context that behaviour gives: fields that follow a covariate, or what a trial was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.data.behaviour.of_bins import BehaviourOfBins
from boltzbrain.foundations.checks import bad_input, closest
from boltzbrain.foundations.showing.told import counted
from boltzbrain.model.context.labelled import Labelled
from boltzbrain.model.context.sequences import Sequences

MOST_LEVELS = 8
"""Values that are a level each; of more the eighths are."""


@dataclass(frozen=True, eq=False, repr=False)
class OfBehaviour(Labelled):
    """The label of a bin is the level of a covariate, or of its trial and the time since it began.

    Attributes
    ----------
    follows
        Name of the covariate or column of the trials.
    number
        Its place among those of the model.
    edges
        (level - 1,) float64 where one level of numbers ends and the next begins; None of labels,
        whose levels are `names`.
    places
        Bins of a trial that are one part of it, and the number of parts, of a column of the
        trials; what is longer is of the last part. None of a covariate.
    """

    name: ClassVar[str] = "behaviour"

    follows: str = ""
    number: int = 0
    edges: Tensor | None = None
    places: tuple[int, int] | None = None

    @property
    def key(self) -> str:
        """Its name among the contexts of a model, of which several may be behaviour."""
        return f"{self.name}.{self.number}"

    def labels(self, given: Sequences) -> NDArray[np.int64]:
        """Return the level and part of every bin, -1 outside of trials.

        Raises
        ------
        InputError
            If the bins do not tell the behaviour, or not in every bin.
        """
        known = known_of(given.behaviour, self.follows)
        level = self._levels_of(known.values(self.follows))
        if self.places is None:
            if missing := int((level < 0).sum()):
                raise bad_input(self.follows, "be known in every bin", f"missing in {missing}")
            return level
        width, parts = self.places
        place = known.places()
        part = np.minimum(np.maximum(place, 0) // width, parts - 1)
        return np.where((place < 0) | (level < 0), -1, level * parts + part)

    def _levels_of(self, values: NDArray[Any]) -> NDArray[np.int64]:
        if self.edges is None:
            known = {name: level for level, name in enumerate(self.names)}
            return np.array([known.get(str(one), -1) for one in values], dtype=np.int64)
        if values.dtype.kind != "f":
            must = "hold numbers, as where the model was trained"
            raise bad_input(self.follows, must, "labels")
        level = np.searchsorted(self.edges.numpy(), values, side="right")
        return np.where(np.isfinite(values), level, -1).astype(np.int64)

    def words(self) -> str:
        """Say how many levels there are, and in how many parts of a trial."""
        parts = 1 if self.places is None else self.places[1]
        told = f"{self.follows}: {counted(len(self.visible) // parts, 'level')}"
        return told if parts == 1 else f"{told} in each of {parts} parts of a trial"

    def tensors(self) -> dict[str, Tensor]:
        """Return the offsets of the labels, and the edges of levels."""
        edges = {} if self.edges is None else {"edges": self.edges}
        return {**super().tensors(), **edges}

    def facts(self) -> dict[str, Any]:
        """Return what it is of."""
        places = None if self.places is None else list(self.places)
        return {**super().facts(), "follows": self.follows, "number": self.number, "places": places}

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> Self:
        """Return the context that `tensors` and `facts` gave."""
        places = facts["places"]
        return cls(
            tensors["visible"],
            tensors["prior"],
            tensors.get("hidden"),
            tuple(facts["names"]),
            str(facts["follows"]),
            int(facts["number"]),
            tensors.get("edges"),
            None if places is None else (int(places[0]), int(places[1])),
        )


def known_of(
    behaviour: BehaviourOfBins | None, name: str, *, file: object = None
) -> BehaviourOfBins:
    """Return the behaviour of bins, which must tell this name.

    Raises
    ------
    InputError
        If it does not; the message names what there is.
    """
    names = () if behaviour is None else behaviour.names
    if behaviour is None or name not in names:
        must = "name a column of the trials or a covariate"
        there = f"be one of: {', '.join(names)}" if names else f"{must} (the recording has none)"
        raise bad_input(
            f"context behaviour:{name}", there, name, suggestion=closest(name, names), file=file
        )
    return behaviour
