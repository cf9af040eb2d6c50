"""The zebrafish reader: orientation, overlapping masks, sides, times, and bad input."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from boltzbrain.data.signals import Binned, Traces
from boltzbrain.foundations.checks import InputError
from boltzbrain.readers import read_zebrafish
from helpers.layouts import (
    CELLS,
    FRAMES,
    MASKS,
    fish_coordinates,
    fish_labels,
    fish_states,
    fish_times,
    write_fish,
)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "float64", "bool"])
def test_states_are_read_either_way_round(tmp_path: Path, transposed: bool, dtype: str):
    path = write_fish(tmp_path / "a.h5", transposed=transposed, dtype=dtype)
    signal = read_zebrafish(path).signal
    assert isinstance(signal, Binned)
    np.testing.assert_array_equal(signal.counts, fish_states())
    np.testing.assert_array_equal(signal.times, fish_times())
    assert signal.bin_width_s == pytest.approx(0.25)
    # one pause: two segments
    np.testing.assert_array_equal(signal.segment, np.repeat([0, 1], [40, FRAMES - 40]))


DIVISIONS = ("Diencephalon", "Ganglia", "Mesencephalon", "Telencephalon")


def mask_names(path: Path) -> tuple[str, ...]:
    """Write one name per mask in the manner of the atlas; two of them are the habenulae."""
    names = [f"{DIVISIONS[k % 4]} - mask {k}" for k in range(MASKS)]
    names[38], names[72] = "Diencephalon - Left Habenula", "Diencephalon - Right Habenula"
    path.write_text("\n".join(names), encoding="utf-8")
    return tuple(names)


def test_overlapping_masks_their_divisions_and_sides(tmp_path: Path):
    names = mask_names(tmp_path / "names.txt")
    path = write_fish(tmp_path / "a.h5")
    recording = read_zebrafish(path, labels_file=tmp_path / "names.txt")
    zbrain, coarse = recording.regions["zbrain"], recording.regions["zbrain_coarse"]
    assert zbrain.names == names
    np.testing.assert_array_equal(zbrain.membership.toarray(), fish_labels().T)
    assert (zbrain.membership.sum(axis=1) > 1).any(), "masks overlap"
    assert coarse.names == DIVISIONS
    for number, name in enumerate(coarse.names):
        mine = [k for k, fine in enumerate(zbrain.names) if fine.split(" -")[0] == name]
        want = fish_labels()[mine].any(axis=0)
        np.testing.assert_array_equal(coarse.membership.toarray()[:, number], want)
    assert [(name, side) for name, side in zip(zbrain.names, zbrain.hemisphere, strict=True) if side
            ] == [(names[38], "left"), (names[72], "right")]  # fmt: skip


def test_positions_in_micrometres_and_the_side_by_the_median(tmp_path: Path):
    xyz = fish_coordinates()
    recording = read_zebrafish(write_fish(tmp_path / "a.h5"))
    np.testing.assert_allclose(
        recording.neurons[["x_um", "y_um", "z_um"]].to_numpy(), 1000 * xyz, equal_nan=True
    )
    right = xyz[:, 0] >= np.nanmedian(xyz[:, 0])
    want = np.where(right, "right", "left").astype(object)
    want[3] = ""  # no position
    assert recording.neurons["hemisphere"].tolist() == want.tolist()
    # the habenulae tell: here x grows to the left
    xyz[:, 0] = 1 - xyz[:, 0]
    mask_names(tmp_path / "names.txt")
    mirrored = read_zebrafish(
        write_fish(tmp_path / "b.h5", ZBrainCoordinates=xyz.T), labels_file=tmp_path / "names.txt"
    )
    assert (
        mirrored.neurons["hemisphere"].tolist()[:3] == recording.neurons["hemisphere"].tolist()[:3]
    )


def test_raw_coordinates_serve_where_there_are_no_others_and_micrometres_are_noticed(tmp_path):
    path = write_fish(tmp_path / "a.h5", leave_out=("ZBrainCoordinates",),
                      Coordinates=1000 * fish_coordinates())  # fmt: skip
    recording = read_zebrafish(path)
    np.testing.assert_allclose(recording.neurons["x_um"], 1000 * fish_coordinates()[:, 0])
    assert recording.source.options["positions"] == "Data/Brain/Coordinates (micrometres)"


def test_only_labelled_neurons(tmp_path: Path):
    labelled = fish_labels().any(axis=0)
    for transposed in (False, True):
        path = write_fish(tmp_path / "a.h5", transposed=transposed)
        recording = read_zebrafish(path, units="labelled")
        assert isinstance(recording.signal, Binned)
        np.testing.assert_array_equal(recording.signal.counts, fish_states()[:, labelled])
        assert recording.neurons["id"].tolist() == [str(n) for n in np.flatnonzero(labelled)]
        assert recording.source.options["dropped"] == {"in no region": int((~labelled).sum())}
        assert 0 < labelled.sum() < CELLS
        np.testing.assert_array_equal(
            recording.regions["zbrain"].membership.toarray(), fish_labels().T[labelled]
        )


def test_fluorescence_on_request_or_where_there_are_no_states(tmp_path: Path):
    path = write_fish(tmp_path / "a.h5")
    asked = read_zebrafish(path, signal="dff").signal
    left = read_zebrafish(write_fish(tmp_path / "b.h5", leave_out=("ThresholdedSpikes",))).signal
    for signal in (asked, left):
        assert isinstance(signal, Traces)
        assert signal.kind == "dff"
        np.testing.assert_array_equal(signal.frames, fish_states() * np.float32(0.5))


def test_the_aligned_fluorescence_is_preferred_and_names_of_other_hands_are_known(tmp_path: Path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["coords"] = fish_coordinates()
        file["df"] = np.zeros((CELLS, FRAMES))
        file["DFF_align"] = np.ones((CELLS, FRAMES))
        file["time_vector"] = fish_times()[None, :]
    recording = read_zebrafish(tmp_path / "a.h5")
    assert isinstance(recording.signal, Traces)
    assert (recording.signal.frames == 1).all()
    assert recording.regions == {}


def test_the_frame_length_serves_where_there_are_no_times(tmp_path: Path):
    path = write_fish(tmp_path / "a.h5", leave_out=("Times",))
    with pytest.raises(InputError, match="times must be a dataset of seconds, or frame_s be given"):
        read_zebrafish(path)
    signal = read_zebrafish(path, frame_s=0.4).signal
    assert isinstance(signal, Binned)
    assert signal.bin_width_s == pytest.approx(0.4)


def test_other_masks_need_names_or_get_numbers(tmp_path: Path):
    labels = fish_labels()[:2].astype(float)
    path = write_fish(tmp_path / "a.h5", Labels=labels)
    assert read_zebrafish(path).regions["zbrain"].names == ("region 0", "region 1")
    (tmp_path / "names.txt").write_text("Tectum - left\nHindbrain\n")
    named = read_zebrafish(path, labels_file=tmp_path / "names.txt")
    assert named.regions["zbrain"].names == ("Tectum - left", "Hindbrain")
    (tmp_path / "names.txt").write_text("Tectum\nTectum\n")
    with pytest.raises(InputError, match="labels_file must hold 2 different names"):
        read_zebrafish(path, labels_file=tmp_path / "names.txt")


def with_value(value: float):
    states = fish_states().astype(float)
    states[7, 11] = value
    return states


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"ThresholdedSpikes": with_value(np.nan)}, "be 0 or 1; got nan in frame 7, neuron 11"),
        ({"ThresholdedSpikes": with_value(2)}, "be 0 or 1; got 2.0 in frame 7, neuron 11"),
        ({"ThresholdedSpikes": with_value(0).T[:, :CELLS]}, "nothing tells (frame, neuron) from"),
        ({"ThresholdedSpikes": np.zeros((FRAMES, CELLS - 1))}, f"with {CELLS} neurons, as many as"),
        ({"ThresholdedSpikes": np.zeros(FRAMES)}, "must have shape (frame, neuron)"),
        ({"ThresholdedSpikes": np.full((FRAMES, CELLS), b"x")}, "must hold numbers"),
        ({"ZBrainCoordinates": np.zeros((2, CELLS))}, "must have shape (3, neuron)"),
        ({"ZBrainCoordinates": np.zeros((3, CELLS + 1))}, "labels must have shape (region,"),
        ({"Times": fish_times()[:-1]}, f"must hold one time per frame ({FRAMES})"),
        ({"Times": fish_times()[::-1]}, "must be finite and ascend"),
        ({"Times": fish_times() * np.nan}, "must be finite and ascend"),
        (
            {"Times": fish_times() * 1000},
            "(median step) must be 0.0001 to 5 s, or be confirmed (--read bin_width_s=250)",
        ),
        ({"Labels": fish_labels() * 2.0}, "labels must be 0 or 1"),
    ],
)  # fmt: skip
def test_bad_input_is_named_with_what_it_must_be(tmp_path: Path, changes, told: str):
    path = write_fish(tmp_path / "bad.h5", **changes)
    with pytest.raises(InputError, match=r"bad\.h5: ") as refused:
        read_zebrafish(path)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"units": "good"}, "units must be one of: none, labelled"),
        ({"signal": "spike"}, "signal must be one of: auto, spikes, dff; got spike .*'spikes'"),
        ({"frame_s": 0}, "frame_s must be a number in"),
        ({"labels_file": "absent.txt"}, r"absent\.txt: the file must exist"),
    ],
)
def test_an_impossible_option_is_refused(tmp_path: Path, options, told: str):
    with pytest.raises(InputError, match=told):
        read_zebrafish(write_fish(tmp_path / "a.h5"), **options)


def test_what_is_missing_is_named(tmp_path: Path):
    for missing, told in [
        (("ThresholdedSpikes", "DFF"), "the signal must be a dataset named thresholdedspikes or"),
        (("Coordinates", "ZBrainCoordinates"), "coordinates must be a dataset named"),
    ]:
        with pytest.raises(InputError, match=told):
            read_zebrafish(write_fish(tmp_path / "a.h5", leave_out=missing))
    with pytest.raises(InputError, match="labels must be there for the unit filter 'labelled'"):
        read_zebrafish(write_fish(tmp_path / "a.h5", leave_out=("Labels",)), units="labelled")
