"""What holds for every recording, whatever it was read from."""

from __future__ import annotations

import numpy as np

from boltzbrain.data.recording import Recording
from boltzbrain.data.signals import Binned, SpikeTimes, Traces


def check_recording(recording: Recording) -> None:
    """Assert what holds for every recording."""
    count = len(recording.neurons)
    assert count > 0
    assert all(isinstance(name, str) for name in recording.neurons["id"])
    assert list(recording.neurons.index) == list(range(count))
    for column in ("x_um", "y_um", "z_um"):
        values = recording.neurons[column]
        assert values.dtype == np.float64
        assert not np.isinf(values).any()
    for regions in recording.regions.values():
        assert len(set(regions.names)) == len(regions.names) == len(regions.hemisphere)
        assert "" not in regions.names
        assert set(regions.hemisphere) <= {"left", "right", ""}
        assert regions.membership.shape == (count, len(regions.names))
        assert regions.membership.dtype == np.uint8
        assert (regions.membership.data == 1).all()
    epochs = recording.epochs
    assert list(epochs.columns) == ["start_s", "stop_s", "label"]
    assert epochs["start_s"].dtype == epochs["stop_s"].dtype == np.float64
    assert np.isfinite(epochs[["start_s", "stop_s"]]).all(axis=None)
    assert (epochs["stop_s"] > epochs["start_s"]).all()
    assert epochs["start_s"].is_monotonic_increasing
    signal = recording.signal
    if isinstance(signal, SpikeTimes):
        check_spikes(signal)
    elif isinstance(signal, Binned):
        check_bins(signal)
    else:
        assert isinstance(signal, Traces)
        assert signal.frames.dtype == np.float32
        assert signal.times.shape == (signal.frames.shape[0],)


def check_spikes(signal: SpikeTimes) -> None:
    assert signal.times.dtype == np.float64
    assert signal.index.dtype == np.int64
    assert np.isfinite(signal.times).all()
    assert (np.diff(signal.index) >= 0).all()
    assert signal.index[-1] == len(signal.times)
    assert np.isfinite([signal.start_s, signal.stop_s]).all()
    for neuron in range(len(signal)):
        train = signal.train(neuron)
        assert (np.diff(train) >= 0).all()
        assert ((train >= signal.start_s) & (train <= signal.stop_s)).all()
    assert signal.start_s >= 0


def check_bins(signal: Binned) -> None:
    bins = signal.counts.shape[0]
    assert signal.counts.dtype == np.uint8
    assert np.isfinite(signal.bin_width_s)
    assert signal.bin_width_s > 0
    assert signal.segment.shape == signal.times.shape == (bins,)
    assert signal.segment.dtype == np.int32
    same = signal.segment[1:] == signal.segment[:-1]
    assert (np.diff(signal.times)[same] > 0).all()
    assert len(np.unique(signal.segment)) == 1 + (~same).sum()
