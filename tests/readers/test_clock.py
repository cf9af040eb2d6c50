"""What tells time in a file agrees, or is refused with both figures and the option to settle it."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from boltzbrain.data.signals import Binned
from boltzbrain.foundations.checks import InputError
from boltzbrain.readers import read
from boltzbrain.readers.clock import find_clock
from helpers.layouts import fish_times, write_fish
from helpers.nwb_layouts import write_plain
from helpers.other_layouts import counts, write_caiman, write_celegans, write_suite2p

BINS = len(counts())
PLAIN = {"axes": "time,neuron", "values": "counts"}


def _npz(path: Path, times: np.ndarray | None, width: float | None, **options):
    arrays = {"counts": counts(), "bin_width_s": 0.02 if width is None else width}
    np.savez(path / "a.npz", **arrays, **({} if times is None else {"time_s": times}))
    return read(path / "a.npz", **options)


def _matrix(path: Path, times: np.ndarray | None, width: float | None, **options):
    np.savez(path / "a.npz", a=counts(), **({} if times is None else {"t": times}))
    told = {"frame_s": width, **({} if times is None else {"times": "t"})}
    return read(path / "a.npz", name="a", **PLAIN, **told, **options)


def _table(path: Path, times: np.ndarray | None, width: float | None, **options):
    columns = counts() if times is None else np.column_stack([times, counts()])
    np.savetxt(path / "a.csv", columns, delimiter=",")
    told = {"frame_s": width, **({} if times is None else {"times": "0"})}
    return read(path / "a.csv", **PLAIN, **told, **options)


def _memory(path: Path, times: np.ndarray | None, width: float | None, **options):
    return read(counts(), **PLAIN, frame_s=width, **options)


def _fish(path: Path, times: np.ndarray | None, width: float | None, **options):
    shown = {"Times": times} if times is not None else {"leave_out": ("Times",)}
    length = 60 if times is None else len(times)
    states = (np.random.default_rng(0).random((length, 25)) < 0.2).astype(np.uint8)
    write_fish(path / "a.h5", ThresholdedSpikes=states, **shown)
    return read(path / "a.h5", frame_s=width, **options)


def _worm(path: Path, times: np.ndarray | None, width: float | None, **options):
    del width
    traces = np.random.default_rng(0).normal(size=(BINS, 4)).astype(np.float32)
    np.savez(path / "a.npz", traces=traces, t=times)
    return read(path / "a.npz", **options)


def _frame(path: Path, times: np.ndarray | None, width: float | None, **options):
    del width
    assert times is not None
    np.savez(path / "a.npz", t=times, d=counts(), start=[times[0]], end=[times[-1]])
    return read(path / "a.npz", values="counts", **options)


def _suite2p(path: Path, times: np.ndarray | None, width: float | None, **options):
    del times
    return read(write_suite2p(path / "plane0"), frame_s=width, **options)


def _caiman(path: Path, times: np.ndarray | None, width: float | None, **options):
    del times
    return read(write_caiman(path / "a.h5"), frame_s=width, **options)


WITH_WIDTH = {"npz": _npz, "matrix": _matrix, "table": _table, "memory": _memory, "fish": _fish,
              "suite2p": _suite2p, "caiman": _caiman}  # fmt: skip
WITH_TIMES = {"npz": _npz, "matrix": _matrix, "table": _table, "fish": _fish, "worm": _worm,
              "frame": _frame}  # fmt: skip
WITH_BOTH = {name: one for name, one in WITH_WIDTH.items() if name in WITH_TIMES}


def width_of(recording) -> float:
    signal = recording.signal
    return signal.bin_width_s if isinstance(signal, Binned) else float(np.diff(signal.times)[0])


@pytest.mark.parametrize("reader", WITH_WIDTH)
@pytest.mark.parametrize("width", [20.0, 33.3, 5.1, 5e-5])
def test_a_width_that_nobody_means_is_confirmed_or_refused(tmp_path: Path, reader, width):
    way = "" if reader == "memory" else "--read "
    told = rf"0\.0001 to 5 s, or be confirmed \({way}bin_width_s={width:g}\); got {width:g} s"
    with pytest.raises(InputError, match=told):
        WITH_WIDTH[reader](tmp_path, None, width)
    sure = WITH_WIDTH[reader](tmp_path, None, width, bin_width_s=width)
    assert width_of(sure) == pytest.approx(width)
    # and what the user insists on holds whatever was told
    assert width_of(WITH_WIDTH[reader](tmp_path, None, width, bin_width_s=0.02)) == 0.02


@pytest.mark.parametrize("reader", WITH_WIDTH)
@pytest.mark.parametrize("width", [1e-4, 0.02, 0.5, 5.0])
def test_a_usual_width_is_taken(tmp_path: Path, reader, width):
    assert width_of(WITH_WIDTH[reader](tmp_path, None, width)) == pytest.approx(width)


@pytest.mark.parametrize("reader", WITH_TIMES)
def test_times_alone_in_milliseconds_are_refused_by_their_step(tmp_path: Path, reader):
    times = 20.0 * np.arange(BINS)
    width = 20.0 if reader == "npz" else None
    with pytest.raises(InputError, match=r"be confirmed .*are these milliseconds"):
        WITH_TIMES[reader](tmp_path, times, width)
    signal = WITH_TIMES[reader](tmp_path, times, width, bin_width_s=0.02).signal
    np.testing.assert_allclose(signal.times, 0.02 * np.arange(BINS), atol=1e-12)
    assert WITH_TIMES[reader](tmp_path, times, width, bin_width_s=20).signal.times[1] == 20.0


@pytest.mark.parametrize("reader", WITH_BOTH)
@pytest.mark.parametrize("factor", [1000.0, 1e-3, 2.0, 1.1, 0.9])
def test_times_that_contradict_the_width_are_refused_with_both_figures(
    tmp_path: Path, reader, factor
):
    times = factor * 0.02 * np.arange(BINS)
    with pytest.raises(InputError) as refused:
        WITH_BOTH[reader](tmp_path, times, 0.02)
    message = str(refused.value)
    assert "0.02 s (--read bin_width_s= settles it" in message
    assert f"steps of {factor * 0.02:g} (median)" in message
    assert ("are these milliseconds?" in message) == (factor == 1000)
    for width in (0.02, 0.02 * factor) if factor in (2.0, 1.1) else (0.02,):
        settled = WITH_BOTH[reader](tmp_path, times, 0.02, bin_width_s=width).signal
        assert settled.bin_width_s == width
        np.testing.assert_allclose(settled.times, width * np.arange(BINS), atol=1e-9)


@pytest.mark.parametrize("reader", WITH_BOTH)
@pytest.mark.parametrize(
    "times",
    [
        0.02 * np.arange(BINS),
        100 + 0.02 * np.arange(BINS),
        0.0203 * np.arange(BINS),
        np.round(0.02 * np.arange(BINS) + 0.004 * np.random.default_rng(0).random(BINS), 3),
        (10_000 + 0.02 * np.arange(BINS)).astype(np.float32),
    ],
    ids=["exact", "later", "slow clock", "jitter", "rounded to float32"],
)
def test_times_that_agree_are_one_segment(tmp_path: Path, reader, times):
    signal = WITH_BOTH[reader](tmp_path, times, 0.02).signal
    assert not signal.segment.any()
    np.testing.assert_allclose(signal.times, times)


@pytest.mark.parametrize("reader", [one for one in WITH_TIMES if one != "worm"])
def test_a_gap_ends_a_segment_and_no_bin_lies_across_it(tmp_path: Path, reader):
    times = 0.02 * np.arange(BINS)
    times[20:] += 480.0
    recording = WITH_TIMES[reader](tmp_path, times, None if reader != "npz" else 0.02)
    np.testing.assert_array_equal(recording.signal.segment, np.repeat([0, 1], [20, BINS - 20]))
    activity = recording.binarize(bin_ms=60)  # 20 bins of 20 ms are no whole number of 60
    assert activity.segment.tolist() == [0] * 6 + [1] * 6
    want = counts() if reader != "fish" else recording.signal.counts
    merged = want[np.r_[0:18, 20:38]].reshape(12, 3, -1).sum(axis=1) > 0
    np.testing.assert_array_equal(activity.states, merged)


def test_a_gap_within_a_segment_of_the_file_makes_another(tmp_path: Path):
    segment = np.repeat([7, 3], [20, BINS - 20])
    times = 0.02 * np.arange(BINS)
    times[10:] += 1.0
    np.savez(tmp_path / "a.npz", counts=counts(), bin_width_s=0.02, time_s=times, segment=segment)
    signal = read(tmp_path / "a.npz").signal
    assert signal.segment.tolist() == [7] * 10 + [8] * 10 + [3] * (BINS - 20)
    # the control: times that start again with each segment are no gap
    again = np.r_[times[:10], times[:10], times[: BINS - 20]]
    parts = np.repeat([7, 8, 3], [10, 10, BINS - 20])
    np.savez(tmp_path / "b.npz", counts=counts(), bin_width_s=0.02, segment=parts)
    assert read(tmp_path / "b.npz").signal.segment.tolist() == parts.tolist()
    assert len(again) == BINS


def test_two_widths_that_differ_are_refused():
    with pytest.raises(InputError, match=r"b must agree with a, 0\.02 s .*; got 0\.03 s"):
        find_clock(4, widths={"a": 0.02, "b": 0.03}, where="x")
    assert find_clock(4, widths={"a": 0.02, "b": 0.0201}, where="x").width_s == 0.02
    assert find_clock(4, widths={"a": 0.02, "b": 0.03}, confirmed=0.03, where="x").width_s == 0.03


def test_frames_outside_the_time_support_are_refused(tmp_path: Path):
    times = 0.02 * np.arange(BINS)
    for end, fits in ((times[-1], True), (times[-1] / 2, False), (times[-1] / 1000, False)):
        np.savez(tmp_path / "a.npz", t=times, d=counts(), start=[0.0], end=[end])
        if fits:
            read(tmp_path / "a.npz", values="counts")
            continue
        with pytest.raises(InputError, match="t must lie within the time support, 0 to"):
            read(tmp_path / "a.npz", values="counts")


@pytest.mark.parametrize("factor", [1.0, 1000.0, 30_000.0])
def test_spikes_of_another_unit_than_the_recorded_intervals(tmp_path: Path, factor):
    path = tmp_path / "a.nwb"
    write_plain(path)
    with h5py.File(path, "r+") as file:
        stop = float(file["units/spike_times"][()].max())
        file["units/spike_times"][...] *= factor
        units = len(file["units/id"])
        for name in ("obs_intervals", "obs_intervals_index"):
            if name in file["units"]:
                del file["units"][name]
        file["units/obs_intervals"] = np.tile([[0.0, stop + 1]], (units, 1))
        file["units/obs_intervals_index"] = np.arange(1, units + 1)
    if factor == 1:
        assert read(path).signal.stop_s == pytest.approx(stop + 1)
        return
    with pytest.raises(InputError, match=r"spike_times must be seconds that end with units\.obs"):
        read(path)


def test_the_fish_of_the_helpers_has_its_pause():
    # what the tests above rest on: a recording with a pause is no contradiction
    clock = find_clock(60, widths={"frame_s": 0.25}, times=("t", fish_times()), where="x")
    assert clock.segment.tolist() == [0] * 40 + [1] * 20


def test_a_worm_has_its_times(tmp_path: Path):
    assert read(write_celegans(tmp_path / "a.npz")).signal.times[1] == pytest.approx(0.6)
