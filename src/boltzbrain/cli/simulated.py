"""The recording of the demo: simulated, its assemblies known, and what they gain at most."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.special import logsumexp

from boltzbrain.data.activity import Activity
from boltzbrain.data.clusters import clustered_stderr, clusters_of
from boltzbrain.data.recording import Recording, neuron_table
from boltzbrain.data.regions import Regions
from boltzbrain.data.signals import SpikeTimes
from boltzbrain.data.steps import Source
from boltzbrain.evaluation.likelihood import independent_log_likelihood
from boltzbrain.foundations.checks import Undefined
from boltzbrain.foundations.random import Generator
from boltzbrain.model.independent import independent_field
from boltzbrain.sampling.synthetic import PlantedAssemblies, simulate_assemblies

REGIONS = ("CA1", "DG", "LGd", "LP", "VISl", "VISp")
NEURONS, ASSEMBLIES, BINS, BIN_MS = 300, 12, 30_000, 20.0

_SECOND_SPIKE = 0.1
_STRAY = 0.2
_FIRST_ID = 1000
_SPREAD_UM = 60.0
_ROWS = 500


def simulate(seed: int) -> tuple[PlantedAssemblies, Recording]:
    """Simulate spike trains of neurons in overlapping assemblies that span regions.

    Every assembly has a home region, where most of its members lie; the others, and neurons without
    assembly, lie anywhere. In an active bin a neuron fires one spike, now and then two.

    Parameters
    ----------
    seed
        Of everything random.

    Returns
    -------
    truth
        States, memberships and rates that were planted.
    recording
        Spike times, positions, regions and two epochs.
    """
    generator = Generator.from_seed(seed, "demo")
    truth = simulate_assemblies(
        generator,
        neurons=NEURONS,
        assemblies=ASSEMBLIES,
        bins=BINS,
        sizes=(15, 40),
        on_fraction=(0.03, 0.08),
        firing=0.4,
        background=0.02,
        overlap=0.25,
    )
    region = _home_regions(truth, generator)
    centre = 4000.0 + 600.0 * np.arange(3 * len(REGIONS)).reshape(len(REGIONS), 3) % 3100.0
    spread = _SPREAD_UM * generator.normal((NEURONS, 3)).numpy()
    length_s = BINS * BIN_MS / 1000
    recording = Recording(
        neurons=neuron_table([str(_FIRST_ID + n) for n in range(NEURONS)], centre[region] + spread),
        regions={"areas": Regions.from_labels([REGIONS[number] for number in region])},
        signal=_spikes(truth, generator),
        epochs=pd.DataFrame(
            {
                "start_s": [0.0, length_s / 3],
                "stop_s": [length_s / 3, length_s],
                "label": ["spontaneous", "task"],
            }
        ),
        source=Source("simulated", "", "", {"seed": seed}),
    )
    return truth, recording


def _home_regions(truth: PlantedAssemblies, generator: Generator) -> NDArray[np.int64]:
    """Return the number of each neuron's region."""
    anywhere = generator.integers(len(REGIONS), NEURONS)
    at_home = generator.uniform((1, NEURONS)).numpy()[0] >= _STRAY
    first = truth.membership.argmax(axis=1) % len(REGIONS)
    return np.where(truth.membership.any(axis=1) & at_home, first, anywhere)


def _spikes(truth: PlantedAssemblies, generator: Generator) -> SpikeTimes:
    """Return spike times that give back the states in bins of BIN_MS."""
    neuron, where = np.nonzero(truth.states.T)
    place = 0.02 + 0.96 * generator.uniform((2, len(where))).numpy()
    twice = generator.uniform((1, len(where))).numpy()[0] < _SECOND_SPIKE
    neuron = np.concatenate((neuron, neuron[twice]))
    times = np.concatenate((where + place[0], (where + place[1])[twice])) * BIN_MS / 1000
    order = np.lexsort((times, neuron))
    ends = np.cumsum(np.bincount(neuron, minlength=NEURONS)).astype(np.int64)
    return SpikeTimes(times[order], ends, 0.0, BINS * BIN_MS / 1000)


def planted_gain(truth: PlantedAssemblies, activity: Activity) -> tuple[float, float | Undefined]:
    """Return what the planted assemblies themselves gain on the test fold, and its standard error.

    The log-likelihood of the process that made the recording, in nats per bin, summed over all its
    combinations of assemblies, minus that of independent neurons with the rates of the training
    fold. No model can be expected to gain more. The error is clustered as that of an evaluation.

    Parameters
    ----------
    truth
        What was planted.
    activity
        The activity that a model saw, its neurons named by their number in `truth` plus 1000.
    """
    neurons = activity.neurons["id"].astype(int).to_numpy() - _FIRST_ID
    count = truth.on.shape[1]
    on = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
    prior = truth.on.mean(axis=0)
    active = on @ truth.membership[neurons].T
    firing = np.where(active > 0, 1 - (1 - truth.firing) ** active, truth.background[neurons])
    start = on @ np.log(prior / (1 - prior)) + np.log1p(-prior).sum()
    start = start + np.log1p(-firing).sum(axis=1)
    field = np.log(firing / (1 - firing)).T
    bins = activity.bins_of("test")
    states = activity.states[bins].astype(np.float64)
    likelihood = np.concatenate(
        [
            logsumexp(states[first : first + _ROWS] @ field + start, axis=1)
            for first in range(0, len(states), _ROWS)
        ]
    )
    rates = independent_field(torch.from_numpy(activity.states_of("train")))
    gain = likelihood - independent_log_likelihood(rates, activity.states[bins])
    return float(gain.mean()), clustered_stderr(gain, clusters_of(activity, bins))
