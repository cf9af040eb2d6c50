"""Ground truth to learn from: planted assemblies, and small random models as teachers."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity
from boltzbrain.data.recording import neuron_table
from boltzbrain.data.steps import Source, Step
from boltzbrain.foundations.checks import bad_input, number_in, one_of, whole_number_in
from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.layer import KINDS, Layer
from boltzbrain.model.rbm import RBM

ROWS = 1000
"""Bins drawn at a time."""


@dataclass(frozen=True, eq=False)
class PlantedAssemblies:
    """Activity with known assemblies.

    Attributes
    ----------
    states
        (bin, neuron) uint8 in {0, 1}.
    on
        (bin, assembly) bool, when each assembly is on.
    membership
        (neuron, assembly) bool.
    background
        (neuron,) probability to fire in a bin in which no assembly of the neuron is on.
    firing
        Probability that one assembly that is on makes a member fire.
    """

    states: NDArray[np.uint8]
    on: NDArray[np.bool_]
    membership: NDArray[np.bool_]
    background: NDArray[np.float64]
    firing: float

    def activity(self, bin_width_s: float = 0.05) -> Activity:
        """Return the states as an activity of one segment, all of it in the training fold."""
        bins, neurons = self.states.shape
        options = {"assemblies": self.on.shape[1], "firing": self.firing}
        return Activity(
            states=self.states,
            bin_width_s=bin_width_s,
            segment=np.zeros(bins, dtype=np.int32),
            fold=np.zeros(bins, dtype=np.int8),
            neurons=neuron_table([str(neuron) for neuron in range(neurons)]),
            regions={},
            steps=(Step("simulate_assemblies", options),),
            source=Source("simulated", "", "", options),
        )


def simulate_assemblies(
    generator: Generator,
    *,
    neurons: int = 2000,
    assemblies: int = 20,
    bins: int = 5000,
    sizes: tuple[int, int] = (40, 200),
    on_fraction: tuple[float, float] = (0.03, 0.10),
    firing: float = 0.3,
    background: float = 0.02,
    background_spread: float = 0.5,
    overlap: float = 0.2,
) -> PlantedAssemblies:
    """Simulate binary activity of neurons that belong to assemblies which switch on and off.

    Every assembly is on in its own random bins, independently of the others. A neuron fires with
    probability 1 - (1 - firing)**n where n of its assemblies are on, and with its background
    probability where none is.

    Parameters
    ----------
    generator
        Moves on.
    neurons, assemblies, bins
        Counts.
    sizes
        Members of the smallest and the largest assembly; the others lie evenly between, in random
        order.
    on_fraction
        Interval from which the fraction of bins is drawn in which an assembly is on.
    firing
        Probability that one assembly that is on makes a member fire.
    background, background_spread
        Mean of the background probability over neurons, and the standard deviation of its
        logarithm (log-normal).
    overlap
        Fraction of the neurons that belong to two assemblies; the rest belong to one or none.

    Raises
    ------
    InputError
        If a number is out of range, or sizes and overlap cannot both be had.

    Examples
    --------
    >>> truth = simulate_assemblies(Generator.from_seed(0), bins=100)
    >>> truth.states.shape, truth.membership.sum(axis=0).min(), truth.membership.sum(axis=0).max()
    ((100, 2000), np.int64(40), np.int64(200))
    >>> bool((truth.membership.sum(axis=1) == 2).mean() == 0.2)
    True
    """
    whole_number_in("neurons", neurons, low=1)
    whole_number_in("assemblies", assemblies, low=1)
    whole_number_in("bins", bins, low=1)
    for name, value in (
        ("on_fraction", on_fraction[0]),
        ("on_fraction", on_fraction[1]),
        ("firing", firing),
        ("background", background),
        ("overlap", overlap),
    ):
        number_in(name, value, low=0.0, high=1.0)
    number_in("background_spread", background_spread, low=0.0)
    membership = draw_members(generator, neurons, assemblies, sizes, round(overlap * neurons))
    low, high = on_fraction
    fraction = low + (high - low) * generator.uniform((1, assemblies)).numpy()[0]
    order = generator.uniform((assemblies, bins)).numpy().argsort(axis=1).argsort(axis=1)
    on = (order < np.round(fraction * bins)[:, None]).T
    spread = background_spread * generator.normal((1, neurons), torch.float64).numpy()[0]
    silent = np.minimum(background * np.exp(spread - background_spread**2 / 2), 0.5)
    states = np.empty((bins, neurons), dtype=np.uint8)
    members = membership.astype(np.float32).T
    for first in range(0, bins, ROWS):
        active = on[first : first + ROWS].astype(np.float32) @ members
        probability = np.where(active > 0, 1 - (1 - firing) ** active, silent)
        uniform = generator.uniform((len(active), neurons)).numpy()
        states[first : first + ROWS] = uniform < probability
    return PlantedAssemblies(states, np.ascontiguousarray(on), membership, silent, firing)


def draw_members(
    generator: Generator, neurons: int, assemblies: int, sizes: tuple[int, int], twice: int
) -> NDArray[np.bool_]:
    """Draw the members of assemblies: `twice` neurons in two, the others in one or none."""
    whole_number_in("sizes", sizes[0], low=1)
    whole_number_in("sizes", sizes[1], low=sizes[0], high=neurons)
    left = np.round(np.linspace(sizes[0], sizes[1], assemblies)).astype(np.int64)
    left = left[generator.permutation(assemblies)]
    once = int(left.sum()) - 2 * twice
    if once < 0 or once + twice > neurons:
        raise bad_input(
            "sizes",
            f"add up to between {2 * twice} and {neurons + twice} members, so that {twice} of "
            f"{neurons} neurons belong to two assemblies",
            int(left.sum()),
        )
    order = generator.permutation(neurons)
    membership = np.zeros((neurons, assemblies), dtype=np.bool_)
    keys = generator.uniform((max(twice, 1), assemblies)).numpy()
    for number in range(twice):
        # the two largest of u**(1/left): without replacement, in proportion to the open places
        keyed = np.where(left > 0, np.log(keys[number]) / np.maximum(left, 1), -np.inf)
        pair = np.argsort(keyed)[-2:]
        if assemblies < 2 or (left[pair] == 0).any():
            raise bad_input("overlap", "leave two different assemblies for each neuron", twice)
        membership[order[number], pair] = True
        left[pair] -= 1
    single = np.repeat(np.arange(assemblies), left)
    membership[order[twice : twice + once], single] = True
    return membership


def random_layer(
    kind: str,
    size: int,
    generator: Generator,
    *,
    mean: float = 0.0,
    std: float = 0.5,
    dtype: torch.dtype = torch.float32,
) -> Layer:
    """Return a layer of any kind with random parameters.

    Fields are normal; parameters that must be above 0 are uniform between 0.5 and 2.

    Raises
    ------
    InputError
        If the kind is not known.
    """
    one_of("kind", kind, sorted(KINDS))
    layer = KINDS[kind]
    parameters = {}
    for name in (item.name for item in fields(layer)):
        if name in layer.positive:
            parameters[name] = 0.5 + 1.5 * generator.uniform((1, size))[0].to(dtype)
        else:
            parameters[name] = mean + std * generator.normal((1, size))[0].to(dtype)
    return layer(**parameters)


def random_model(
    hidden_kind: str,
    visible: int,
    hidden: int,
    generator: Generator,
    *,
    visible_kind: str = "bernoulli",
    visible_mean: float = -0.5,
    weight_std: float = 0.3,
    dtype: torch.dtype = torch.float32,
) -> RBM:
    """Return an RBM with random parameters: a teacher, or a case for a test.

    Kinds are names in `model.layers.layer.KINDS`; the weights are normal, and `visible_mean` is the
    mean of the fields of the visible units.

    Raises
    ------
    InputError
        If a kind is not known.
    """
    return RBM(
        random_layer(visible_kind, visible, generator, mean=visible_mean, dtype=dtype),
        random_layer(hidden_kind, hidden, generator, dtype=dtype),
        (weight_std * generator.normal((visible, hidden))).to(dtype),
    )
