"""Several simulated animals with the same assemblies, each with neurons of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from boltzbrain.data.recording import Recording, neuron_table, no_epochs
from boltzbrain.data.regions import Regions
from boltzbrain.data.signals import Binned
from boltzbrain.data.steps import Source
from boltzbrain.foundations.checks import bad_input, number_in, whole_number_in
from boltzbrain.foundations.random import Generator
from boltzbrain.sampling.synthetic import ROWS

Floats = NDArray[np.float64]

BOX_UM = 400.0
"""Edge of the cube that neurons lie in."""
CUBES = "cubes"
"""Atlas of the simulated animals: the cube in 27 equal cubes."""
_SEGMENT = 50
"""Bins of a segment."""
_MOST_ASSEMBLIES = 12
_REACH = 2.0
"""Radii at which an assembly ends."""


@dataclass(frozen=True, eq=False)
class SimulatedAnimal:
    """One animal: where its neurons are, what drives them, and what they do.

    Attributes
    ----------
    xyz_um
        (neuron, 3) places.
    names
        (neuron,) names; those that several animals have are the same neuron.
    weights
        (neuron, assembly) what an assembly that is on adds to the log-odds of a spike.
    field
        (neuron,) log-odds of a spike with no assembly on.
    on
        (bin, assembly) bool, of its own recording.
    states
        (bin, neuron) uint8, its recording.
    paired
        (bin, neuron) uint8: bins in which every animal has the same assemblies on.
    """

    xyz_um: Floats
    names: tuple[str, ...]
    weights: Floats
    field: Floats
    on: NDArray[np.bool_]
    states: NDArray[np.uint8]
    paired: NDArray[np.uint8]

    def recording(self, bin_width_s: float = 0.05) -> Recording:
        """Return its recording, in segments of 50 bins, with places, names and cubes."""
        bins = len(self.states)
        thirds = np.minimum(self.xyz_um / BOX_UM * 3, 2).astype(int)
        cubes = [f"cube{x}{y}{z}" for x, y, z in thirds.tolist()]
        place = np.arange(bins) % _SEGMENT
        segment = (np.arange(bins) // _SEGMENT).astype(np.int32)
        return Recording(
            neuron_table(list(self.names), self.xyz_um),
            {CUBES: Regions.from_labels(cubes)},
            Binned(self.states, bin_width_s, segment, bin_width_s * place.astype(np.float64)),
            no_epochs(),
            Source("simulated", "", "", {}),
        )

    def rates(self, on: Floats) -> Floats:
        """Return the probability of a spike given assemblies, (bin, neuron); on is (bin, unit)."""
        told: Floats = expit(self.field + on @ self.weights.T)
        return told


@dataclass(frozen=True, eq=False)
class SimulatedAnimals:
    """Animals with the same assemblies.

    Attributes
    ----------
    animals
        Name to animal.
    centres_um
        (assembly, 3) places of the assemblies.
    probability
        Of an assembly to be on in a bin.
    """

    animals: Mapping[str, SimulatedAnimal]
    centres_um: Floats
    probability: float

    def translated(self, teacher: str, receiver: str) -> Floats:
        """Return the rates of a receiver given the paired bins of a teacher, (bin, neuron), exact.

        The mean over all states of the assemblies, each with its probability given the bin.
        """
        giver, taker = self.animals[teacher], self.animals[receiver]
        units = giver.weights.shape[1]
        every = (np.arange(1 << units)[:, None] >> np.arange(units)) & 1
        odds = giver.field + every @ giver.weights.T
        silence = -np.logaddexp(0.0, odds).sum(axis=1)
        prior = every.sum(axis=1) * logit(self.probability)
        score = giver.paired.astype(np.float64) @ odds.T + silence + prior
        chance = np.exp(score - score.max(axis=1, keepdims=True))
        chance /= chance.sum(axis=1, keepdims=True)
        told: Floats = chance @ taker.rates(every.astype(np.float64))
        return told

    def score(self, teacher: str, receiver: str, rates: Floats) -> float:
        """Return how well rates of the receiver tell its own paired bins from those of the teacher.

        Mean log-probability of a bin, put so that mean rates have 0 and the true models 1.

        Parameters
        ----------
        teacher, receiver
            Names.
        rates
            (bin, neuron) probabilities of a spike in the paired bins.
        """
        states = self.animals[receiver].paired
        mean = np.broadcast_to(self.animals[receiver].states.mean(axis=0), states.shape)
        sizes = [_log_probability(one, states) for one in (rates, mean)]
        best = _log_probability(self.translated(teacher, receiver), states)
        return float((sizes[0] - sizes[1]) / (best - sizes[1]))


def _log_probability(rates: NDArray[Any], states: NDArray[np.uint8]) -> float:
    inside = np.clip(np.asarray(rates, dtype=np.float64), 1e-6, 1 - 1e-6)
    return float(np.where(states > 0, np.log(inside), np.log1p(-inside)).sum(axis=1).mean())


def simulate_animals(
    generator: Generator,
    *,
    neurons: Sequence[int] = (150, 200),
    assemblies: int = 6,
    bins: int = 3000,
    paired: int = 500,
    radius: float = 0.2,
    strength: float = 3.5,
    probability: float = 0.15,
    rate: float = 0.05,
    named: float = 0.0,
    elsewhere: Sequence[int] = (),
    lacking: Mapping[int, Sequence[int]] | None = None,
) -> SimulatedAnimals:
    """Simulate animals whose neurons lie in one cube, with assemblies in it that are on or off.

    Every animal draws the places of its own neurons, more of them towards large x, so that a mirror
    image is another brain. An assembly drives the neurons around its centre. The assemblies are the
    same in all animals; when they are on is drawn anew for each, and once for all in the paired
    bins.

    Parameters
    ----------
    generator
        Moves on.
    neurons
        Of every animal; they are called "a", "b" and so on.
    assemblies
        At most 12.
    bins, paired
        Of the recording of each, and of the paired bins.
    radius
        Of an assembly in edges of the cube: weights fall off as a Gaussian of this width, to 0 at
        two radii.
    strength
        Mean weight of a neuron at the centre; between half and three halves of it.
    probability
        Of an assembly to be on.
    rate
        Median probability of a spike with no assembly on.
    named
        Share of the neurons of the smallest animal that every animal has, by name and place.
    elsewhere
        Numbers of animals whose assemblies lie at other places.
    lacking
        Number of an animal to the assemblies that do not drive it.

    Raises
    ------
    InputError
        If a number is out of range.

    Examples
    --------
    >>> two = simulate_animals(Generator.from_seed(0), neurons=(30, 40), bins=100, paired=50)
    >>> {name: one.states.shape for name, one in two.animals.items()}
    {'a': (100, 30), 'b': (100, 40)}
    >>> round(two.score("a", "b", two.translated("a", "b")), 6)
    1.0
    """
    whole_number_in("assemblies", assemblies, low=1, high=_MOST_ASSEMBLIES)
    for name, value in (("probability", probability), ("rate", rate), ("named", named)):
        number_in(name, value, low=0.0, high=1.0)
    if not 1 <= len(neurons) <= 26:
        raise bad_input("neurons", "hold between 1 and 26 animals", len(neurons))
    centres = _apart(generator, assemblies, radius)
    common = round(named * min(neurons))
    shared = _places(generator, common), _drives(generator, common, assemblies, strength)
    together = generator.uniform((paired, assemblies)).numpy() < probability
    found = {}
    for number, count in enumerate(neurons):
        name = chr(ord("a") + number)
        own = generator.child("animal", number)
        mine = _apart(own, assemblies, radius) if number in elsewhere else centres
        places = np.vstack([shared[0], _places(own, count - common)])
        drives = np.vstack([shared[1], _drives(own, count - common, assemblies, strength)])
        distance = np.linalg.norm(places[:, None] - mine[None], axis=2)
        near = np.exp(-0.5 * (distance / radius) ** 2)
        weights = np.where(distance < _REACH * radius, drives * near, 0.0)
        weights[:, list((lacking or {}).get(number, ()))] = 0.0
        spread = 0.5 * own.normal((1, count)).numpy()[0].astype(np.float64)
        field = logit(rate) + spread
        on = own.uniform((bins, assemblies)).numpy() < probability
        names = tuple(f"n{k}" if k < common else f"{name}{k}" for k in range(count))
        states = [_drawn(own, field, weights, one) for one in (on, together)]
        found[name] = SimulatedAnimal(BOX_UM * places, names, weights, field, on, *states)
    return SimulatedAnimals(found, BOX_UM * centres, probability)


def _places(generator: Generator, count: int) -> Floats:
    """Return places in the unit cube, (neuron, 3), more of them towards large x."""
    places = generator.uniform((max(count, 1), 3)).numpy().astype(np.float64)[:count]
    places[:, 0] = np.sqrt(places[:, 0])
    return places


def _drives(generator: Generator, count: int, assemblies: int, strength: float) -> Floats:
    uniform = generator.uniform((max(count, 1), assemblies)).numpy()[:count]
    drives: Floats = strength * (0.5 + uniform.astype(np.float64))
    return drives


def _apart(generator: Generator, count: int, radius: float) -> Floats:
    """Return centres in the unit cube, as far from each other as can be drawn."""
    low, high = radius, 1.0 - radius
    drawn = low + (high - low) * generator.uniform((60 * count, 3)).numpy().astype(np.float64)
    centres = [drawn[0]]
    for number in range(1, count):
        some = drawn[60 * number : 60 * (number + 1)]
        # mirror images of one another would hide a mirrored animal
        every = np.array([*centres, *(one * [-1, 1, 1] + [1, 0, 0] for one in centres)])
        nearest = np.linalg.norm(some[:, None] - every[None], axis=2).min(axis=1)
        centres.append(some[int(nearest.argmax())])
    return np.array(centres)


def _drawn(
    generator: Generator, field: Floats, weights: Floats, on: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    states = np.empty((len(on), len(field)), dtype=np.uint8)
    for first in range(0, len(on), ROWS):
        some = on[first : first + ROWS].astype(np.float64)
        uniform = generator.uniform((len(some), len(field))).numpy()
        states[first : first + ROWS] = uniform < expit(field + some @ weights.T)
    return states
