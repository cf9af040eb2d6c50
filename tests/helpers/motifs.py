"""Traces with motifs that are known: who goes together, when and in which animals."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from boltzbrain.interpretation.motifs.changes import Signal


def planted_motifs(seed=0, neurons=60, animals=4, frames=600, motifs=3, size=20):
    """Return signals by animal, and (motif, neuron) 1 and 2 for two communities, 0 for none.

    Each motif has an interval of its own, and is absent from the animal of its number. Neurons of
    a community share a signal twice as large as their own.
    """
    rng = np.random.default_rng(seed)

    def smooth(values):
        values = gaussian_filter1d(values, 2.0, axis=0)
        return values / values.std(axis=0)

    labels = np.zeros((motifs, neurons), dtype=int)
    for label in labels:
        order = rng.permutation(neurons)
        label[order[:size]], label[order[size : 2 * size]] = 1, 2
    found = {}
    for animal in range(animals):
        traces = smooth(rng.normal(size=(frames, neurons)))
        for motif, label in enumerate(labels):
            rows = slice(motif * frames // motifs, (motif + 1) * frames // motifs)
            for community in (1, 2) if animal != motif else ():
                shared = smooth(rng.normal(size=(frames, 1)))
                traces[rows, label == community] += 2 * shared[rows]
        found[f"animal{animal}"] = signal_of_traces(traces)
    return found, labels


def signal_of_traces(traces, step_s=0.5, names=None):
    """Return traces (frame, neuron) as a signal of one segment, neurons n0, n1 and so on."""
    named = tuple(f"n{number}" for number in range(traces.shape[1])) if names is None else names
    segment = np.zeros(len(traces), dtype=np.int32)
    return Signal(traces.astype(np.float32), named, step_s, segment)
