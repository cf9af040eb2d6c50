"""The past as a context: the visible fields follow what the earlier bins of the piece tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.foundations.random import Generator
from boltzbrain.foundations.showing.told import counted
from boltzbrain.model.context.context import Context, Running
from boltzbrain.model.context.from_past import FromThePast
from boltzbrain.model.context.past import Past, RunningTraces
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM


@dataclass(eq=False)
class _RunningPast:
    """The past of pieces that are generated."""

    law: FromThePast
    traces: RunningTraces
    rbm: RBM
    begins: bool = True

    def offsets(self, bins: NDArray[np.int64]) -> Offsets:
        begins = torch.full((len(bins),), self.begins)
        odds = self.law.odds_of(self.traces.traces(len(bins)), begins)
        return Offsets(odds.to(self.rbm.weights))

    def see(self, states: Tensor) -> None:
        self.begins = False
        self.traces.see(states.cpu())


@dataclass(frozen=True, eq=False, repr=False)
class FollowingPast(Context):
    """The offsets of the visible fields are those of a regression on the past.

    Attributes
    ----------
    law
        What the past adds to the log-odds of every neuron.
    """

    name: ClassVar[str] = "past"

    law: FromThePast

    def offsets(self, given: Sequences, rbm: RBM) -> Offsets:
        """Return the offsets of the visible fields."""
        return Offsets(self.law.odds(given).to(rbm.weights))

    def running(self, layout: Sequences, rbm: RBM, pieces: int, generator: Generator) -> Running:
        """Return the offsets of pieces by their own bins."""
        return _RunningPast(self.law, RunningTraces(self.law.past, pieces, layout.bin_width_s), rbm)

    def tensors(self) -> dict[str, Tensor]:
        """Return units and axes of the traces, and the weights on them."""
        law, past = self.law, self.law.past
        return {
            "mean": past.mean,
            "spread": past.spread,
            "axes": past.axes,
            "first": law.first,
            "own": law.own,
            "weights": law.weights,
        }

    def facts(self) -> dict[str, Any]:
        """Return the time constants."""
        return {"seconds": list(self.law.past.seconds), "lags": self.law.past.lags}

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> Self:
        """Return the context that `tensors` and `facts` gave."""
        seconds = tuple(float(one) for one in facts["seconds"])
        # a model of an earlier version saw one
        lags = int(facts.get("lags", 1))
        past = Past(tensors["mean"], tensors["spread"], tensors["axes"], seconds, lags)
        own = tensors["own"]
        law = FromThePast(
            past, tensors["first"], own, tensors["weights"], torch.zeros((1, *own.shape))
        )
        return cls(law)

    def words(self) -> str:
        """Say along how many axes the past is seen."""
        past = self.law.past
        seconds = ", ".join(f"{1000 * one:g}" for one in past.seconds)
        axes = counted(self.law.past.axes.shape[1], "axis").replace("axiss", "axes")
        alone = f" and each of the last {past.lags} bins" if past.lags > 1 else ""
        return f"traces of {seconds} ms (0: the last bin){alone} along {axes}"
