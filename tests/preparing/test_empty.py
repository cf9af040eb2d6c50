"""A recording starts where its data start; what is empty is seen before anything is allocated."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

import boltzbrain as bb
from boltzbrain.data.recording import Recording
from boltzbrain.data.signals import SpikeTimes
from boltzbrain.foundations.checks import InputError
from boltzbrain.preparing.bins.empty import EMPTY_S, empty_stretches
from boltzbrain.preparing.bins.plan import plan_bins
from boltzbrain.preparing.faults.find import validate
from helpers.nwb_layouts import write_plain
from helpers.other_layouts import write_phy, write_pynapple, write_sorting, write_sorting_npz
from helpers.spike_trains import LENGTH_S, NEURONS, make, poisson

DAY_S = 86400.0


def late(trains: list[np.ndarray], stop_s: float) -> Recording:
    flat = np.concatenate(trains)
    index = np.cumsum([len(one) for one in trains])
    start = float(flat.min())
    return bb.Recording(
        make(trains).neurons, {}, SpikeTimes(flat, index, start, stop_s),
        make(trains).epochs, make(trains).source,
    )  # fmt: skip


def _phy(path: Path, by_s: float):
    samples = np.load(write_phy(path / "a", labels=False) / "spike_times.npy")
    np.save(path / "a" / "spike_times.npy", samples + np.uint64(by_s * 30000))
    return path / "a"


def _sorting(path: Path, by_s: float):
    folder = write_sorting(path / "a")
    spikes = np.load(folder / "spikes.npy")
    spikes["sample_index"] += int(by_s * 30000)
    np.save(folder / "spikes.npy", spikes)
    return folder


def _sorting_npz(path: Path, by_s: float):
    with np.load(write_sorting_npz(path / "a.npz")) as held:
        arrays = {**held, "spike_indexes_seg0": held["spike_indexes_seg0"] + int(by_s * 30000)}
    np.savez(path / "a.npz", **arrays)
    return path / "a.npz"


def _nwb(path: Path, by_s: float):
    import h5py

    write_plain(path / "a.nwb")
    with h5py.File(path / "a.nwb", "r+") as file:
        file["units/spike_times"][...] += by_s
        for name in ("obs_intervals", "obs_intervals_index"):
            if name in file["units"]:
                del file["units"][name]
    return path / "a.nwb"


def _pynapple(path: Path, by_s: float):
    with np.load(write_pynapple(path / "a.npz"), allow_pickle=True) as held:
        arrays = {**held, **{name: held[name] + by_s for name in ("t", "start", "end")}}
    np.savez(path / "a.npz", **arrays)
    return path / "a.npz"


OFFSET = {"phy": _phy, "sorting": _sorting, "sorting npz": _sorting_npz, "nwb": _nwb,
          "pynapple": _pynapple}  # fmt: skip


@pytest.mark.parametrize("layout", OFFSET)
def test_a_session_that_starts_late_has_no_more_bins(tmp_path: Path, layout):
    bins = []
    for number, by_s in enumerate((0.0, 2 * DAY_S)):
        folder = tmp_path / str(number)
        folder.mkdir()
        bins.append(plan_bins(bb.read(OFFSET[layout](folder, by_s)), bin_ms=20).bins)
    assert bins[0] > 50
    assert abs(bins[1] - bins[0]) <= 1


def test_a_told_length_begins_at_sample_0(tmp_path: Path):
    signal = bb.read(_phy(tmp_path, 0.0), duration_s=3.0).signal
    assert (signal.start_s, signal.stop_s) == (0.0, 3.0)


@pytest.mark.parametrize("day", [1, 29])
@pytest.mark.parametrize("spikes", [1, 4])
def test_stray_spikes_are_named_and_nothing_is_allocated(day, spikes):
    trains = poisson()
    stray = day * DAY_S + 0.5 * np.arange(spikes)
    trains[3] = np.r_[trains[3], stray]
    recording = late(trains, float(stray[-1]))
    begun = time.monotonic()
    with pytest.raises(InputError) as refused:
        recording.binarize(bin_ms=20, memory_limit_gb=1e-6)
    assert time.monotonic() - begun < 5
    message = str(refused.value)
    assert "(--mend empty takes out what is empty)" in message
    assert f"{spikes} stray spike{'s' * (spikes > 1)} of neuron 3 at {stray[0]:,.1f} s" in message
    mended = recording.mend("drifting", "empty")
    assert mended.steps[0].options["what"] == "empty"
    clean = make(poisson()).binarize(bin_ms=20)
    assert abs(mended.binarize(bin_ms=20).n_bins - clean.n_bins) <= 1 + 50 * spikes
    (point,) = [one for one in validate(recording).points if one.name == "empty stretches"]
    assert (point.severity, point.mend) == ("mend", "--mend empty")


def test_an_early_stray_spike_and_two_halves_far_apart():
    trains = [one + 2 * DAY_S for one in poisson()]
    trains[0] = np.r_[0.5, trains[0]]
    with pytest.raises(InputError, match=r"1 stray spike of neuron 0 at 0\.5 s"):
        plan_bins(late(trains, 2 * DAY_S + LENGTH_S))
    halves = [np.r_[one, one + DAY_S] for one in poisson()]
    with pytest.raises(InputError, match=r"no spike of any neuron from \d+\.\d to 86,400\.") as two:
        plan_bins(late(halves, DAY_S + LENGTH_S))
    assert "stray" not in str(two.value)
    mended = late(halves, DAY_S + LENGTH_S).mend("empty").binarize(bin_ms=20)
    assert len(np.unique(mended.segment)) == 2


def test_a_short_pause_is_a_point_of_the_check_and_no_refusal():
    # 40 minutes with a pause of 12: less than half, more than a tenth
    trains = [np.concatenate([one + k * LENGTH_S for k in range(7)]) for one in poisson()]
    trains = [np.r_[one, one + 7 * LENGTH_S + 720] for one in trains]
    recording = late(trains, float(max(one[-1] for one in trains)))
    recording.binarize(bin_ms=100)
    (point,) = [one for one in validate(recording).points if one.name == "empty stretches"]
    assert point.severity == "mend"
    assert point.found.startswith("no spike of any neuron from 1,400.0 to 2,120.0 s (20.5 %")


@pytest.mark.parametrize("rate_hz", [0.0005, 0.01, 8.0])
def test_rare_spikes_are_no_empty_recording(rate_hz):
    # the control: intervals of minutes and hours are what such neurons have
    generator = np.random.default_rng(2)
    length = 400 / rate_hz
    trains = [np.sort(generator.random(400)) * length for _ in range(NEURONS)]
    recording = late(trains, length)
    assert len(empty_stretches(recording.signal)) == 0
    assert len(empty_stretches(make(poisson()).signal)) == 0
    assert EMPTY_S >= 600


def test_pauses_that_the_recording_says_are_no_empty_stretches():
    trains = [np.r_[one, one + DAY_S] for one in poisson()]
    signal = late(trains, DAY_S + LENGTH_S).signal
    recorded = np.array([[signal.start_s, LENGTH_S], [DAY_S, DAY_S + LENGTH_S]])
    told = SpikeTimes(signal.times, signal.index, signal.start_s, signal.stop_s, recorded)
    assert len(empty_stretches(told)) == 0
    assert len(empty_stretches(signal)) == 1
