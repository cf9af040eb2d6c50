"""Files and objects of the real libraries, pynapple, Neo, SpikeInterface, read back equal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from boltzbrain.data.signals import Binned, SpikeTimes, Traces
from boltzbrain.foundations.checks import InputError
from boltzbrain.readers import read
from helpers.checking import check_recording
from helpers.other_layouts import CLUSTERS, SAMPLING_HZ, counts, samples

pytestmark = pytest.mark.filterwarnings("ignore")  # what these libraries warn of is theirs


def trains() -> list[np.ndarray]:
    """Return the spike times of each cluster in seconds."""
    times, clusters = samples()
    return [times[clusters == one] / SAMPLING_HZ for one in CLUSTERS]


def assert_trains(recording, *, start: float, stop: float) -> None:
    check_recording(recording)
    signal = recording.signal
    assert isinstance(signal, SpikeTimes)
    assert (signal.start_s, signal.stop_s) == pytest.approx((start, stop), abs=1e-9)
    for neuron, train in enumerate(trains()):
        # pynapple rounds to nanoseconds
        np.testing.assert_allclose(signal.train(neuron), train, rtol=0, atol=2e-9)


@pytest.fixture
def group():
    import pynapple as nap

    members = {one: nap.Ts(t=train) for one, train in zip(CLUSTERS, trains(), strict=True)}
    support = nap.IntervalSet(start=[0.0, 1.0], end=[1.0 - 1e-6, 2.0])
    return nap.TsGroup(
        members, time_support=support, metadata={"area": ["CA1", "CA3", "CA1", "DG"]}
    )


def test_a_tsgroup_in_memory_and_saved(group, tmp_path: Path):
    for recording in (read(group), read(_saved(group, tmp_path / "group.npz"))):
        assert_trains(recording, start=0.0, stop=2.0)
        assert list(recording.neurons["id"]) == [str(one) for one in CLUSTERS]
        assert recording.signal.recorded.shape == (2, 2)
        # the bins of a pause are none
        assert recording.binarize(bin_ms=50).step("binarize").options["segments"] == 2
        assert recording.regions["ccf"].labels().tolist() == ["CA1", "CA3", "CA1", "DG"]


def _saved(thing, path: Path) -> Path:
    thing.save(str(path))
    return path


def test_a_tsdframe_in_memory_and_saved(tmp_path: Path):
    import pynapple as nap

    frame = nap.TsdFrame(t=0.02 * np.arange(40), d=counts(), columns=[f"c{n}" for n in range(7)])
    for thing in (frame, _saved(frame, tmp_path / "frame.npz")):
        with pytest.raises(InputError, match="values must be given for a TsdFrame"):
            read(thing)
        recording = read(thing, values="counts")
        check_recording(recording)
        assert isinstance(recording.signal, Binned)
        np.testing.assert_array_equal(recording.signal.counts, counts())
        assert recording.signal.bin_width_s == pytest.approx(0.02)
        assert list(recording.neurons["id"]) == [f"c{n}" for n in range(7)]
        assert isinstance(read(thing, values="dff").signal, Traces)


def test_a_neo_block(tmp_path: Path):
    import neo

    block = neo.Block()
    for begin in (0.0, 1.0):  # two segments, the times of the second from its own start or not
        segment = neo.Segment()
        for number, train in enumerate(trains()):
            part = train[(train >= begin) & (train < begin + 1)]
            segment.spiketrains.append(
                neo.SpikeTrain(
                    part * 1000, units="ms", t_start=begin * 1000, t_stop=begin * 1000 + 1000,
                    name=f"u{number}", depth=10.0 * number,
                )
            )  # fmt: skip
        block.segments.append(segment)
    recording = read(block)
    assert_trains(recording, start=0.0, stop=2.0)
    assert list(recording.neurons["id"]) == ["u0", "u1", "u2", "u3"]
    assert list(recording.neurons["depth"]) == [0.0, 10.0, 20.0, 30.0]
    first = read(block.segments[0])
    assert first.signal.stop_s == pytest.approx(1.0)
    assert len(read(list(block.segments[0].spiketrains))) == 4


def test_files_that_neo_reads(tmp_path: Path):
    import neo

    block = neo.Block()
    segment = neo.Segment()
    for number, train in enumerate(trains()):
        segment.spiketrains.append(
            neo.SpikeTrain(train, units="s", t_start=0.0, t_stop=2.5, name=f"u{number}")
        )
    block.segments.append(segment)
    matlab = tmp_path / "block.mat"
    neo.io.NeoMatlabIO(str(matlab)).write_block(block)
    for options in ({}, {"io": "NeoMatlabIO"}):
        recording = read(matlab, format="neo", **options)
        assert_trains(recording, start=0.0, stop=2.5)
        assert list(recording.neurons["id"]) == ["u0", "u1", "u2", "u3"]
        assert recording.source.options["io"] == "NeoMatlabIO"
        assert len(recording.source.sha256) == 64
    # a reader that knows segments only, in single precision
    text = tmp_path / "trains.txt"
    text.write_text("".join("\t".join(map(str, train)) + "\n" for train in trains()))
    found = read(text, format="neo", io="AsciiSpikeTrainIO")
    for neuron, train in enumerate(trains()):
        np.testing.assert_allclose(found.signal.train(neuron), train, rtol=0, atol=1e-6)


def test_files_that_neo_cannot_read_or_must_not(tmp_path: Path):
    import neo

    evil = tmp_path / "block.pkl"
    neo.io.PickleIO(str(evil)).write_block(neo.Block())
    for options in ({}, {"io": "PickleIO"}):
        with pytest.raises(InputError, match=r"io must run no code of the file, .*got PickleIO"):
            read(evil, format="neo", **options)
    (tmp_path / "block.mat").write_bytes(b"no MATLAB file")
    with pytest.raises(InputError, match="must be readable by Neo's NeoMatlabIO; got "):
        read(tmp_path / "block.mat", format="neo")
    with pytest.raises(InputError, match=r"io must be one of Neo's readers: .*NeoMatlabIO"):
        read(tmp_path / "block.mat", format="neo", io="Matlab")
    (tmp_path / "block.unheard").write_bytes(b"?")
    with pytest.raises(InputError, match="io must be given: no reader of Neo is known"):
        read(tmp_path / "block.unheard", format="neo")


def test_a_sorting_in_memory_and_saved(tmp_path: Path):
    import spikeinterface.core as si

    times, clusters = samples()
    sorting = si.NumpySorting.from_samples_and_labels([times], [clusters], SAMPLING_HZ)
    sorting.set_property("quality", np.array(["good", "good", "mua", "good"]))
    start, stop = times.min() / SAMPLING_HZ, times.max() / SAMPLING_HZ
    assert_trains(read(sorting), start=start, stop=stop)
    sorting.save(folder=tmp_path / "folder")
    saved = tmp_path / "folder"
    assert_trains(read(saved), start=start, stop=stop)
    assert len(read(saved, units="good")) == 3
    si.NpzSortingExtractor.write_sorting(sorting, tmp_path / "sorting.npz")
    assert_trains(read(tmp_path / "sorting.npz"), start=start, stop=stop)


def test_segments_of_a_sorting_are_never_joined(tmp_path: Path):
    import spikeinterface.core as si

    times, clusters = samples()
    sorting = si.NumpySorting.from_samples_and_labels(
        [times, times], [clusters, clusters], SAMPLING_HZ
    )
    sorting.save(folder=tmp_path / "folder")
    for thing in (sorting, tmp_path / "folder"):
        recording = read(thing)
        check_recording(recording)
        assert len(recording.signal.times) == 2 * len(times)
        activity = recording.binarize(bin_ms=20)
        first, second = (activity.states[activity.segment == one] for one in (0, 1))
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    "make", [np.asarray, sparse.csr_array, pd.DataFrame], ids=["array", "sparse", "frame"]
)
def test_matrices_in_memory(make):
    with pytest.raises(InputError, match="axes and frame_s must be given"):
        read(make(counts()))
    recording = read(make(counts()), axes="time,neuron", frame_s=0.02)
    check_recording(recording)
    np.testing.assert_array_equal(recording.signal.counts, counts())
    turned = read(make(counts()), axes="neuron,time", frame_s=0.02)
    np.testing.assert_array_equal(turned.signal.counts, counts().T)
    with pytest.raises(InputError, match="values must be given, as values='counts'"):
        read(make(counts().astype(float)), axes="time,neuron", frame_s=0.02)


def test_lists_of_spike_trains():
    with pytest.raises(InputError, match="stop_s must be given"):
        read(trains())
    assert_trains(read(trains(), stop_s=2.5), start=0.0, stop=2.5)
    named = dict(zip("abcd", trains(), strict=True))
    assert list(read(named, stop_s=2.5).neurons["id"]) == ["a", "b", "c", "d"]
    with pytest.raises(InputError, match="must hold all spikes"):
        read(trains(), stop_s=0.5)
    with pytest.raises(InputError, match=r"frame_s must be left out: the reader of spike times"):
        read(trains(), frame_s=1.0)
