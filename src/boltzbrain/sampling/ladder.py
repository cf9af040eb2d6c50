"""Ladders of models: from an independent model up to the model of interest.

A ladder is a list of RBMs. Energies are linear in the natural parameters, so whatever lies between
two models is again an RBM, and the three ladders differ only in the corners of the line on which
their rungs lie: the independent model and the model (annealing), the model without fields and
weights and the model (temperature), or the independent model and the checkpoints of a training
(trajectory; Béreux, Decelle, Furtlehner, Rosset and Seoane, ICLR 2025). Precisions of continuous
units stay as they are: one that goes to 0 has no base measure.

Rungs stand at equal distances, measured by the standard deviation s of the difference of free
energy between neighbours: if that difference is normal, neighbours exchange with probability
2 Phi(-s / sqrt 2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor

from boltzbrain.foundations.checks import bad_input, number_in, whole_number_in
from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.layer import Layer
from boltzbrain.model.layers.rungs import Rungs, laid_out
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.annealing import log_weight

_PILOT_CHAINS, _PILOT_STEPS = 100, 100
_LEAST_ACCEPTANCE, _MOST_ACCEPTANCE = 1e-4, 0.99


@dataclass(frozen=True, eq=False)
class Ladder:
    """Models of equal kinds and sizes, neighbours alike.

    Attributes
    ----------
    rungs
        Lowest first: the first has no weights, the last is the model of interest.
    method
        "annealing", "temperature" or "trajectory".

    Raises
    ------
    InputError
        If there are fewer than two rungs, or the first has weights.
    """

    rungs: tuple[RBM, ...]
    method: str

    def __post_init__(self) -> None:
        """Refuse a ladder whose lowest rung cannot be sampled and normalised exactly."""
        whole_number_in("rungs", len(self.rungs), low=2)
        largest = float(self.rungs[0].weights.abs().max())
        if largest > 0:
            raise bad_input("the lowest rung", "have no weights", f"weights up to {largest:g}")

    def __len__(self) -> int:
        """Return the number of rungs."""
        return len(self.rungs)

    @property
    def model(self) -> RBM:
        """The highest rung."""
        return self.rungs[-1]

    @cached_property
    def at_once(self) -> Rungs | None:
        """The rungs laid out for one call, as they are when this is first asked for, if any can."""
        return laid_out([(rung.visible, rung.hidden, rung.weights) for rung in self.rungs])

    def log_weight(self, rung: int, visible: Tensor) -> Tensor:
        """Return F(v) of a rung minus F(v) of the next one, (chain,) float64.

        It is the importance weight from the one to the other, and the difference of two of them is
        the logarithm of the exchange ratio.
        """
        return log_weight(self.rungs[rung], self.rungs[rung + 1], visible)


def distance_of(acceptance: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Return the distance of neighbours that exchange with a given probability."""
    clipped = np.clip(acceptance, _LEAST_ACCEPTANCE, _MOST_ACCEPTANCE)
    return np.asarray(-math.sqrt(2) * ndtri(clipped / 2), dtype=np.float64)


def annealing_ladder(
    model: RBM,
    generator: Generator,
    *,
    acceptance: float = 0.4,
    visible_field: Tensor | None = None,
    rungs: int | None = None,
) -> Ladder:
    """Build a ladder from the independent model, weights t W and visible fields (1 - t) b0 + t b.

    Parameters
    ----------
    model
        The highest rung.
    generator
        Moves on: a pilot run measures where rungs must stand.
    acceptance
        Probability, in (0, 1), with which neighbours shall exchange.
    visible_field
        Field of the independent model, (visible,); the model's own where None.
    rungs
        Number of rungs in place of the one that `acceptance` asks for.

    Raises
    ------
    InputError
        If an option is out of range.
    """
    corners = (model.independent(visible_field), model)
    return _placed(corners, "annealing", generator, acceptance, rungs)


def temperature_ladder(
    model: RBM, generator: Generator, *, acceptance: float = 0.4, rungs: int | None = None
) -> Ladder:
    """Build a ladder of inverse temperatures t from 0 to 1: weights t W and all fields t b, t c.

    Parameters
    ----------
    model, generator, acceptance, rungs
        As in `annealing_ladder`.

    Raises
    ------
    InputError
        If an option is out of range.
    """
    hottest = RBM(
        _fieldless(model.visible), _fieldless(model.hidden), torch.zeros_like(model.weights)
    )
    return _placed((hottest, model), "temperature", generator, acceptance, rungs)


def trajectory_ladder(
    checkpoints: Sequence[RBM],
    generator: Generator,
    *,
    acceptance: float = 0.4,
    visible_field: Tensor | None = None,
    rungs: int | None = None,
) -> Ladder:
    """Build a ladder along the checkpoints of a training, the last of them the model of interest.

    Rungs stand on the straight lines between neighbouring checkpoints, the lowest being the
    independent model.

    Parameters
    ----------
    checkpoints
        Models in the order of training, at least one.
    visible_field
        Field of the independent model, (visible,), best that of the data's rates; that of the first
        checkpoint where None.
    generator, acceptance, rungs
        As in `annealing_ladder`.
    """
    if not checkpoints:
        raise bad_input("checkpoints", "hold at least one model", "none")
    corners = (checkpoints[0].independent(visible_field), *checkpoints)
    return _placed(corners, "trajectory", generator, acceptance, rungs)


def respaced(ladder: Ladder, accepted: NDArray[np.float64], *, acceptance: float = 0.4) -> Ladder:
    """Add and drop rungs so that all neighbours exchange at one rate.

    Parameters
    ----------
    ladder
        A ladder that was run.
    accepted
        (pair,) fraction of accepted exchanges between neighbours.
    acceptance
        The rate to reach.

    Raises
    ------
    InputError
        If there is not one fraction per pair.
    """
    if len(accepted) != len(ladder) - 1:
        raise bad_input("accepted", f"hold {len(ladder) - 1} pairs", len(accepted))
    count = _count(distance_of(accepted), acceptance)
    places = _equidistant(np.arange(len(ladder)), distance_of(accepted), count)
    return Ladder(tuple(_between(ladder.rungs, place) for place in places), ladder.method)


def _fieldless(layer: Layer) -> Layer:
    """Return a layer whose fields are 0, its other parameters as they are."""
    zeros = {name: torch.zeros_like(layer.parameters()[name]) for name in layer.input_shift}
    return layer.with_parameters(zeros)


def _between(corners: Sequence[RBM], place: float) -> RBM:
    """Return the model at a place on the line through the corners 0, 1, 2 and so on."""
    corner = min(int(place), len(corners) - 1)
    if place == corner:
        return corners[corner]
    return corners[corner].mixed(corners[corner + 1], place - corner)


def _count(distances: NDArray[np.float64], acceptance: float) -> int:
    """Return the number of rungs for which neighbours exchange at a rate."""
    number_in("acceptance", acceptance, low=0.0, high=0.98, include_low=False, include_high=True)
    return max(2, 1 + math.ceil(float(distances.sum()) / float(distance_of(acceptance))))


def _equidistant(places: NDArray[Any], distances: NDArray[np.float64], count: int) -> list[float]:
    """Return `count` places at equal distances, the first and the last kept exactly."""
    # the small length keeps the places apart where neighbours are the same model
    lengths = distances + 1e-6 * (distances.mean() + 1e-300)
    travelled = np.concatenate([[0.0], np.cumsum(lengths)])
    wanted = np.linspace(0.0, travelled[-1], count)
    result = np.interp(wanted, travelled, np.asarray(places, dtype=np.float64))
    return [float(places[0]), *result[1:-1].tolist(), float(places[-1])]


def _placed(
    corners: Sequence[RBM], method: str, generator: Generator, acceptance: float, rungs: int | None
) -> Ladder:
    """Place rungs on the line through the corners by a pilot run of chains carried along it."""
    number_in("acceptance", acceptance, low=0.0, high=0.98, include_low=False)
    if rungs is not None:
        whole_number_in("rungs", rungs, low=2)
    sections = len(corners) - 1
    steps = sections * max(2, math.ceil(_PILOT_STEPS / sections))
    places = np.arange(steps + 1) * (sections / steps)
    distances = np.empty(steps)
    here = corners[0]
    zeros = here.weights.new_zeros((_PILOT_CHAINS, len(here.visible)))
    visible = here.visible.sample(zeros, generator)
    for step in range(steps):
        there = _between(corners, float(places[step + 1]))
        distances[step] = float(log_weight(here, there, visible).std())
        visible, _ = there.sweep(visible, generator)
        here = there
    count = _count(distances, acceptance) if rungs is None else rungs
    return Ladder(
        tuple(_between(corners, place) for place in _equidistant(places, distances, count)), method
    )
