"""Calcium traces with planted events."""

from __future__ import annotations

import numpy as np

from boltzbrain.data.recording import Recording, neuron_table, no_epochs
from boltzbrain.data.signals import Traces
from boltzbrain.data.steps import Source
from boltzbrain.preparing.calcium.blind_deconvolution import Kernel

FRAME_S = 0.1


def response(kernel: Kernel, frames: int, frame_s: float = FRAME_S) -> np.ndarray:
    """Return the response to one event at frame 0, with a peak of 1."""
    decay, rise = kernel.factors(frame_s)
    power = np.arange(1, frames + 1)
    shape = decay**power - (rise**power if rise else 0.0)
    return shape / shape.max()


def planted(
    kernel: Kernel, *, frames: int = 3000, cells: int = 4, noise: float = 0.1, seed: int = 0
):
    """Return events (frame, cell) and the traces that they make, with a peak of 1 and noise."""
    generator = np.random.default_rng(seed)
    events = (generator.random((frames, cells)) < 0.02).astype(np.uint8)
    events[0] = 0
    shape = response(kernel, frames)
    clean = np.stack([np.convolve(column, shape)[:frames] for column in events.T], axis=1)
    traces = clean + 0.3 + noise * generator.normal(size=clean.shape)
    return events, traces.astype(np.float32)


def recording_of(traces: np.ndarray, kind: str = "dff", frame_s: float = FRAME_S) -> Recording:
    """Return traces, (frame, cell), as a recording; cells are named by their column."""
    signal = Traces(traces, np.arange(len(traces)) * frame_s, kind)
    return Recording(
        neuron_table([str(n) for n in range(traces.shape[1])]), {}, signal, no_epochs(),
        Source("test", "made", ""),
    )  # fmt: skip
