"""Recordings of Poisson spike trains, to put faults into."""

from __future__ import annotations

import numpy as np
import pandas as pd

from boltzbrain.data.recording import Recording, neuron_table, no_epochs
from boltzbrain.data.signals import SpikeTimes
from boltzbrain.data.steps import Source

LENGTH_S, NEURONS = 200.0, 8


def poisson(seed: int = 0, rate_hz: float = 8.0) -> list[np.ndarray]:
    """Return spike trains with a refractory period of 3 ms."""
    generator = np.random.default_rng(seed)
    trains = []
    for _ in range(NEURONS):
        gaps = 0.003 + generator.exponential(1 / rate_hz, size=int(2 * rate_hz * LENGTH_S))
        times = np.cumsum(gaps)
        trains.append(times[times < LENGTH_S])
    return trains


def make(trains: list[np.ndarray], epochs: pd.DataFrame | None = None) -> Recording:
    signal = SpikeTimes(
        np.concatenate(trains), np.cumsum([len(one) for one in trains]), 0.0, LENGTH_S
    )
    table = neuron_table([str(n) for n in range(len(trains))])
    epochs = no_epochs() if epochs is None else epochs
    return Recording(table, {}, signal, epochs, Source("test", "made", ""))
