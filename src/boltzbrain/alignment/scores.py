r"""Scores of a student that can fail.

**Blind half.** Half of the receiver's neurons start without weights. After the training their
learnt weights are correlated with the teacher's map at their places, unit by unit. Where the two
brains do not correspond it is 0, whatever the likelihood says; on the neurons that were started it
measures the start. **Spatial correlation.** Test bins of the teacher are told in the receiver's
neurons and correlated, bin by bin over places, with the teacher's own activity around them, the
mean of every place taken out, minus the same with bins permuted. Log-likelihood, the law of the
hidden units and all moments are as good for a student of shuffled positions: they are told, and
prove nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.alignment.register import Floats, Neurons, Register
from boltzbrain.alignment.starts import smoothing
from boltzbrain.data.clusters import Clusters, clustered_stderr
from boltzbrain.foundations.checks import Undefined
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.assemblies.returning import unit_columns

FOUND_ERRORS, BEST_ERRORS = 3.0, 2.0
"""A unit was found where its learnt weights correlate with its own map by more than so many errors,
those of unrelated weights, and by no fewer than so many less than with the map that they fit best:
maps of a smooth brain overlap, and two units may share an assembly."""
_PERMUTATIONS = 5
_FEWEST_PLACES = 5
_FEWEST_NEURONS = 5


def value_of(value: float | Undefined, error: float | Undefined | None) -> dict[str, Any]:
    """Return a figure with its standard error, null with a reason where there is none."""
    if isinstance(value, Undefined):
        return nothing(value.reason)
    return {"value": float(value), "stderr": None if isinstance(error, Undefined) else error}


def nothing(reason: str) -> dict[str, Any]:
    """Return a figure that does not exist."""
    return {"value": None, "stderr": None, "reason": reason}


def blind_scores(
    learnt: Floats, maps: Floats, blind: NDArray[np.bool_]
) -> tuple[dict[str, Any], dict[str, Any], list[float | None], list[bool]]:
    """Correlate learnt weights of blind neurons with the teacher's map at their places.

    Parameters
    ----------
    learnt
        (neuron, hidden) weights of the student.
    maps
        (neuron, hidden) what the start of every neuron would have been.
    blind
        (neuron,) which neurons had none.

    Returns
    -------
    same, other
        Mean over units of the correlation with the unit's own map, its error that of the mean over
        units, and with the maps of other units.
    units
        The correlation of every unit, None where a map is constant.
    found
        Whether the unit was found, see `FOUND_ERRORS`.
    """
    units = learnt.shape[1]
    if blind.sum() < _FEWEST_NEURONS:
        reason = f"fewer than {_FEWEST_NEURONS} blind neurons have a place in the teacher"
        return nothing(reason), nothing(reason), [None] * units, [False] * units
    one, other = (unit_columns(table[blind]) for table in (learnt, maps))
    # rows: learnt units, columns: maps
    table = one.T @ other
    live = np.square(one).sum(axis=0) * np.square(other).sum(axis=0) > 0
    if not live.any():
        reason = "no unit of the teacher has weights at places of the receiver"
        return nothing(reason), nothing(reason), [None] * units, [False] * units
    own = table.diagonal()
    apart = ~np.eye(units, dtype=np.bool_) & live[:, None] & live[None]
    others = table[apart]
    chance = 1.0 / np.sqrt(blind.sum())
    best = table.max(axis=1)
    found = live & (own > FOUND_ERRORS * chance) & (own >= best - BEST_ERRORS * chance)
    values = own[live]
    error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
    beside = (
        value_of(float(others.mean()), float(others.std(ddof=1) / np.sqrt(len(others))))
        if others.size > 1
        else nothing("there is one unit")
    )
    told = [float(value) if one else None for value, one in zip(own, live, strict=True)]
    return value_of(float(values.mean()), error), beside, told, found.tolist()


class Places:
    """Values of the neurons of two animals brought to common places.

    Parameters
    ----------
    register
        By what the animals are in register.
    giver, taker
        Their neurons.
    width_um
        Of the smoothing, by positions.
    """

    def __init__(
        self, register: Register, giver: Neurons, taker: Neurons, width_um: float | None
    ) -> None:
        self.matrices: tuple[Any, Any]
        if register.way == "positions":
            at = taker.xyz_um[taker.placed]
            width = width_um or 1.0
            self.matrices = (
                _over(smoothing(giver.xyz_um[giver.placed], at, width), giver.placed),
                _over(smoothing(at, at, width), taker.placed),
            )
        else:
            names, tables = _tables(register, giver, taker)
            self.matrices = tables
            assert len(names) == len(tables[0])

    def __len__(self) -> int:
        """Return the number of places."""
        return int(self.matrices[0].shape[0])

    def of_giver(self, values: NDArray[Any]) -> Floats:
        """Return values (bin, neuron) at the places, (bin, place)."""
        return np.asarray(self.matrices[0] @ values.T.astype(np.float64)).T

    def of_taker(self, values: NDArray[Any]) -> Floats:
        """Return values of the taker's neurons at the places."""
        return np.asarray(self.matrices[1] @ values.T.astype(np.float64)).T


def _over(matrix: Any, placed: NDArray[np.bool_]) -> Any:
    """Return a matrix over placed neurons as one over all."""
    whole = np.zeros((matrix.shape[0], len(placed)))
    whole[:, placed] = matrix.toarray()
    return whole


def _tables(
    register: Register, giver: Neurons, taker: Neurons
) -> tuple[list[str], tuple[Floats, Floats]]:
    """Return common names or regions, and the means over the neurons of each, (place, neuron)."""
    labels = []
    for one in (giver, taker):
        if register.way == "names":
            labels.append(one.names)
        else:
            assert one.regions is not None
            labels.append(one.regions.labels())
    names = sorted(set(labels[0].tolist()) & set(labels[1].tolist()) - {""})
    tables = []
    for mine in labels:
        table = (mine[None] == np.array(names, dtype=np.str_)[:, None]).astype(np.float64)
        tables.append(table / np.maximum(table.sum(axis=1, keepdims=True), 1.0))
    return names, (tables[0], tables[1])


def spatial_correlation(
    places: Places,
    states: NDArray[np.uint8],
    rates: NDArray[Any],
    clusters: Clusters,
    generator: Generator,
) -> dict[str, Any]:
    """Correlate bins of the teacher with their translation, place by place (module docstring).

    Parameters
    ----------
    places
        Common places.
    states
        (bin, neuron) of the teacher.
    rates
        (bin, neuron) of the receiver, the translation of these bins.
    clusters
        Of the bins: what the error is taken over.
    generator
        Permutes the bins.
    """
    if len(places) < _FEWEST_PLACES:
        return nothing(f"the animals have fewer than {_FEWEST_PLACES} places in common")
    if not len(states):
        return nothing("the test fold has no bins")
    own, told = (_rows(table) for table in (places.of_giver(states), places.of_taker(rates)))
    live = np.square(own).sum(axis=1) * np.square(told).sum(axis=1) > 0
    if not live.any():
        return nothing("no bin differs from the mean at the common places")
    chance = np.mean(
        [(own * told[generator.permutation(len(told))]).sum(axis=1) for _ in range(_PERMUTATIONS)],
        axis=0,
    )
    values = (own * told).sum(axis=1) - chance
    kept = Clusters(np.unique(clusters.label[live], return_inverse=True)[1], "segment", None)
    return value_of(float(values[live].mean()), clustered_stderr(values[live], kept))


def _rows(table: Floats) -> Floats:
    """Return bins with the mean of every place taken out, each of mean 0 and length 1."""
    result: Floats = unit_columns((table - table.mean(axis=0)).T).T
    return result
