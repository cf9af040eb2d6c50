"""Large files are read into the result and little more; the size of the activity is said first."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import boltzbrain as bb
from boltzbrain.data.recording import Recording
from boltzbrain.preparing.preparation import Preparation
from boltzbrain.preparing.prepare import size_of
from helpers.spike_trains import make, poisson


def read_and_watch(path: Path, **options: object) -> tuple[Recording, float]:
    """Return a recording, and the peak of reading it beside what its signal holds, megabytes."""
    tracemalloc.start()
    recording = bb.read(path, **options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    held = [one for one in vars(recording.signal).values() if isinstance(one, np.ndarray)]
    return recording, (peak - sum(one.nbytes for one in held)) / 2**20


@pytest.mark.parametrize("planes", [1, 2])
def test_planes_are_read_into_one_array(tmp_path, planes):
    rois, frames = 6000 // planes, 4000
    for plane in range(planes):
        folder = tmp_path / f"plane{plane}"
        folder.mkdir()
        trace = np.arange(frames - plane, dtype=np.float32) % 7
        for name, scale in (("F", 3.0), ("Fneu", 1.0)):
            rows = np.broadcast_to(np.float32(scale) * trace, (rois, len(trace)))
            np.save(folder / f"{name}.npy", rows)
        np.save(folder / "iscell.npy", np.ones((rois, 2)))
    # pieces of 16 MB and what is made of them; the result has 92 MB
    recording, above = read_and_watch(tmp_path, frame_s=0.1)
    assert above < 60
    signal = recording.signal
    assert signal.frames.shape == (frames - planes + 1, planes * rois)
    first = 2.3 * (np.arange(len(signal.times)) % 7)
    np.testing.assert_allclose(signal.frames[:, 5], first, rtol=1e-5)
    if planes == 2:  # half a frame later: the mean of neighbours, the first frame kept
        np.testing.assert_allclose(signal.frames[1:, rois], (first[:-1] + first[1:]) / 2, rtol=1e-4)
        assert signal.frames[0, rois] == signal.frames[0, 0]


def test_a_group_of_trains_is_read_into_one_array(tmp_path):
    spikes, generator = 4_000_000, np.random.default_rng(0)
    times = np.cumsum(generator.integers(1, 3, size=spikes)) / 30_000
    index = generator.integers(0, 50, spikes)
    keys = generator.permutation(50)
    np.savez(tmp_path / "a.npz", t=times, index=index, keys=keys, start=[0.0], end=[400.0],
             depth=10.0 * keys)  # fmt: skip
    recording, above = read_and_watch(tmp_path / "a.npz")
    assert above < 60
    assert recording.neurons["id"].tolist() == [f"{n}" for n in range(50)]
    assert recording.neurons["depth"].tolist() == [10.0 * n for n in range(50)]
    for neuron in (0, 7, 49):
        np.testing.assert_array_equal(recording.signal.train(neuron), times[index == neuron])
    # without keys the neurons are those that occur
    np.savez(tmp_path / "b.npz", t=times[:90], index=index[:90], start=[0.0], end=[400.0])
    found = bb.read(tmp_path / "b.npz").neurons["id"].tolist()
    assert found == [f"{n}" for n in np.unique(index[:90])]


def test_the_size_of_the_activity_is_told():
    recording = make(poisson())
    told = size_of(Preparation(bin_ms=50), recording)
    assert told == " (52 kB for 4,000 bins x 8 neurons)"
    assert recording.binarize(bin_ms=50).step("binarize").options["memory_bytes"] == 52_000
