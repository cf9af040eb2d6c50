"""A simulated fish: assemblies that overlap, last, come graded or within one another, and drift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtr

from boltzbrain.data.activity import Activity
from boltzbrain.data.recording import neuron_table
from boltzbrain.data.steps import Source, Step
from boltzbrain.foundations.checks import bad_input, number_in, whole_number_in
from boltzbrain.foundations.random import Generator
from boltzbrain.sampling.synthetic import ROWS, draw_members

Floats = NDArray[np.float64]

FRAME_S = 0.256
"""Seconds of a frame."""
_INNER = 0.5
"""Share of an assembly's members, and of its stretches, that one within it has."""
_MOST = 0.95
"""Greatest probability with which one assembly makes a member fire."""
_BEFORE = 500
"""Frames before the first one, so that assemblies do not all begin off."""


@dataclass(frozen=True, eq=False)
class SimulatedFish:
    """Activity with known assemblies, and what made it.

    Attributes
    ----------
    states
        (frame, neuron) uint8 in {0, 1}.
    amplitude
        (frame, assembly): 0 or 1 of an assembly that is on or off, between them of a graded one.
    membership
        (neuron, assembly) bool.
    firing
        (neuron, assembly) probability that the assembly at amplitude 1 makes the neuron fire; 0 but
        for its members.
    background
        (neuron,) probability to fire without any assembly.
    graded
        (assembly,) bool; these stand last.
    parent
        (assembly,) the assembly within which it lies, -1 where it lies in none.
    course, leaning
        (frame, 2) slow curves and (neuron, 2) by how much the log-odds of each neuron follow them.
    """

    states: NDArray[np.uint8]
    amplitude: Floats
    membership: NDArray[np.bool_]
    firing: Floats
    background: Floats
    graded: NDArray[np.bool_]
    parent: NDArray[np.int64]
    course: Floats
    leaning: Floats

    def rates(self, frames: slice | NDArray[np.int64] = slice(None)) -> Floats:
        """Return the probability of each neuron to fire in frames, (frame, neuron)."""
        silent = self.amplitude[frames] @ np.log1p(-self.firing).T
        chance = 1.0 - (1.0 - self.background) * np.exp(silent)
        moved: Floats = expit(logit(chance) + self.course[frames] @ self.leaning.T)
        return moved

    def activity(self) -> Activity:
        """Return the states as an activity of one segment, all of it in the training fold."""
        frames, neurons = self.states.shape
        options = {"assemblies": self.amplitude.shape[1], "graded": int(self.graded.sum())}
        return Activity(
            states=self.states,
            bin_width_s=FRAME_S,
            segment=np.zeros(frames, dtype=np.int32),
            fold=np.zeros(frames, dtype=np.int8),
            neurons=neuron_table([str(neuron) for neuron in range(neurons)]),
            regions={},
            steps=(Step("simulate_fish", options),),
            source=Source("simulated", "", "", options),
        )


def simulate_fish(
    generator: Generator,
    *,
    neurons: int = 10_000,
    assemblies: int = 21,
    frames: int = 4000,
    sizes: tuple[int, int] = (240, 640),
    overlap: float = 0.3,
    on_fraction: tuple[float, float] = (0.02, 0.3),
    stay: tuple[int, int] = (2, 20),
    firing: float = 0.3,
    firing_spread: float = 0.5,
    background: float = 0.02,
    background_spread: float = 0.5,
    graded: float = 0.2,
    nested: float = 0.2,
    drift: float = 0.3,
) -> SimulatedFish:
    """Simulate a recording of many neurons that is harder than `synthetic.simulate_assemblies`.

    A neuron fires with 1 - (1 - background) times the product of (1 - firing)**amplitude over its
    assemblies, and drift moves its log-odds. Every option at 0 takes its ingredient away.

    Parameters
    ----------
    generator
        Moves on.
    neurons, assemblies, frames
        Counts.
    sizes
        Members of the smallest and of the largest assembly that does not lie within another.
    overlap
        Fraction of the neurons that belong to two of these; the rest belong to one or none.
    on_fraction
        Interval from which the fraction of frames is drawn in which an assembly is on.
    stay
        Fewest and most frames of a stretch in which it is on, all lengths equally often.
    firing, firing_spread
        Mean of the probability that an assembly makes a member fire, and the standard deviation of
        its logarithm over members (log-normal, at most .95).
    background, background_spread
        The same of the probability to fire without any, at most .5.
    graded
        Share of the assemblies that take every amplitude between 0 and 1, equally often, and forget
        it in the mean of `stay`.
    nested
        Share of the assemblies that lie within another: half its members, on in half its stretches.
    drift
        Standard deviation, over neurons and frames, of what two slow curves, half a wave and a
        whole one long, add to the log-odds.

    Raises
    ------
    InputError
        If a number is out of range, or the assemblies cannot be had.

    Examples
    --------
    >>> fish = simulate_fish(Generator.from_seed(0), neurons=500, sizes=(30, 40), frames=100)
    >>> fish.states.shape, int(fish.graded.sum()), int((fish.parent >= 0).sum())
    ((100, 500), 4, 4)
    """
    whole_number_in("frames", frames, low=2)
    whole_number_in("assemblies", assemblies, low=1)
    for name, value in (
        ("overlap", overlap), ("firing", firing), ("background", background), ("graded", graded),
        ("nested", nested), *(("on_fraction", one) for one in on_fraction),
    ):  # fmt: skip
        number_in(name, value, low=0.0, high=1.0)
    for name, value in (
        ("firing_spread", firing_spread), ("background_spread", background_spread),
        ("drift", drift),
    ):  # fmt: skip
        number_in(name, value, low=0.0)
    whole_number_in("stay", stay[0], low=1)
    whole_number_in("stay", stay[1], low=stay[0])
    inner, smooth = round(nested * assemblies), round(graded * assemblies)
    plain = assemblies - inner - smooth
    if plain < min(1, inner):
        raise bad_input("nested", f"leave some of {assemblies} assemblies to lie within", nested)
    parent = np.full(assemblies, -1, dtype=np.int64)
    outer = generator.integers(max(plain, 1), max(inner, 1))[:inner]
    parent[plain : plain + inner] = outer
    top = parent < 0
    membership = np.zeros((neurons, assemblies), dtype=np.bool_)
    membership[:, top] = draw_members(
        generator, neurons, int(top.sum()), sizes, round(overlap * neurons)
    )
    amplitude = np.zeros((frames, assemblies))
    mean_stay = (stay[0] + stay[1]) / 2
    low, high = on_fraction
    fraction = low + (high - low) * generator.uniform((1, assemblies)).numpy()[0]
    for one in range(plain):
        amplitude[:, one] = _stretches(generator, frames, fraction[one], stay)
    for one in range(plain, plain + inner):
        members = np.flatnonzero(membership[:, parent[one]])
        order = generator.permutation(len(members))[: round(_INNER * len(members))]
        membership[members[order], one] = True
        amplitude[:, one] = _some_of(generator, amplitude[:, parent[one]])
    amplitude[:, plain + inner :] = ndtr(_wandering(generator, frames, smooth, mean_stay))
    drawn = _log_normal(generator, (neurons, assemblies), firing, firing_spread, _MOST)
    silent = _log_normal(generator, (1, neurons), background, background_spread, 0.5)[0]
    wave = np.pi * (np.arange(frames) + 0.5) / frames
    course = np.sqrt(2.0) * np.cos(np.outer(wave, [1.0, 2.0]))
    leaning = drift / np.sqrt(2.0) * generator.normal((neurons, 2)).numpy().astype(np.float64)
    fish = SimulatedFish(
        np.empty((frames, neurons), dtype=np.uint8),
        amplitude,
        membership,
        np.where(membership, drawn, 0.0),
        silent,
        np.arange(assemblies) >= plain + inner,
        parent,
        course,
        leaning,
    )
    for first in range(0, frames, ROWS):
        rows = slice(first, first + ROWS)
        chance = fish.rates(rows)
        fish.states[rows] = generator.uniform(chance.shape).numpy() < chance
    return fish


def _log_normal(
    generator: Generator, shape: tuple[int, int], mean: float, spread: float, most: float
) -> Floats:
    noise = generator.normal(shape).numpy().astype(np.float64)
    drawn: Floats = np.minimum(mean * np.exp(spread * noise - spread**2 / 2), most)
    return drawn


def _stretches(generator: Generator, frames: int, fraction: float, stay: tuple[int, int]) -> Floats:
    """Return whether it is on, (frame,): stretches, with times of no memory between them."""
    total = frames + _BEFORE
    on = np.zeros(total)
    between = (stay[0] + stay[1]) / 2 * (1 - fraction) / max(fraction, 1e-9)
    if fraction == 0.0:
        return on[:frames]
    most = total // stay[0] + 2
    lasts = stay[0] + generator.integers(stay[1] - stay[0] + 1, most)
    # at least one frame off, so that no two stretches become one
    leave = min(1.0, 1.0 / max(between, 1.0))
    uniform = generator.uniform((1, most)).numpy()[0]
    waits = np.ones(most) if leave == 1.0 else np.ceil(np.log(uniform) / np.log1p(-leave))
    begins = np.cumsum(waits) + np.concatenate([[0], np.cumsum(lasts)[:-1]])
    for begin, last in zip(begins.astype(np.int64), lasts, strict=True):
        if begin >= total:
            break
        on[begin : begin + last] = 1.0
    return on[_BEFORE:]


def _some_of(generator: Generator, on: Floats) -> Floats:
    """Return half of the stretches of another, whole, (frame,)."""
    starts = np.diff(np.concatenate([[0.0], on])) > 0
    number = np.cumsum(starts) - 1
    count = int(starts.sum())
    kept = generator.permutation(max(count, 1)) < round(_INNER * count)
    return np.where((on > 0) & kept[np.maximum(number, 0)], 1.0, 0.0)


def _wandering(generator: Generator, frames: int, count: int, memory: float) -> Floats:
    """Return Gaussian series of variance 1 that forget in so many frames, (frame, series)."""
    if not count:
        return np.empty((frames, 0))
    kept = np.exp(-1.0 / memory)
    noise = generator.normal((frames, count)).numpy().astype(np.float64)
    series = np.empty_like(noise)
    series[0] = noise[0]
    for frame in range(1, frames):
        series[frame] = kept * series[frame - 1] + np.sqrt(1 - kept**2) * noise[frame]
    return series
