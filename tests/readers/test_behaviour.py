"""Series and trials are read from tables beside a recording, from objects, and from its file."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

import boltzbrain as bb
from boltzbrain.foundations.checks import InputError
from helpers.nwb_layouts import write_plain
from helpers.sorted_layouts import write_alf_session

BY_SEGMENT = "segment,side,contrast\n0,left,0.5\n1,right,\n2,,1\n"


def trials_apart() -> bb.Recording:
    """Return three segments of two bins whose clock starts again in each."""
    states = np.array([[0, 1], [1, 0], [1, 1], [0, 1], [1, 0], [0, 0]], dtype=np.uint8)
    return bb.from_states(states, bin_width_s=0.1, segment=np.repeat([0, 1, 2], 2))


def spikes(stop_s: float = 10.0) -> bb.Recording:
    return bb.read([np.array([0.5, 1.5]), np.array([4.0, 9.0])], stop_s=stop_s)


def given(recording: bb.Recording, path: Path, text: str, kind: str = "trials") -> bb.Recording:
    from boltzbrain.readers.behaviour.attach import with_covariates, with_trials

    path.write_text(text, encoding="utf-8")
    return (with_trials if kind == "trials" else with_covariates)(recording, path)


def test_a_table_names_its_trials_by_segment(tmp_path: Path):
    found = given(trials_apart(), tmp_path / "t.csv", BY_SEGMENT)
    assert found.trials["side"].tolist() == ["left", "right", ""]
    np.testing.assert_array_equal(found.trials["contrast"], [0.5, np.nan, 1.0])
    assert found.binarize().trials["first_bin"].tolist() == [0, 2, 4]


def test_a_table_names_its_trials_by_time_as_bids_does(tmp_path: Path):
    found = given(spikes(), tmp_path / "t.csv", "onset;duration;p\n4;1,5;0,25\n1;1;0,5\n")
    assert found.trials[["start_s", "stop_s", "p"]].values.tolist() == [[1, 2, 0.5], [4, 5.5, 0.25]]


def test_series_beside_have_units_and_gaps(tmp_path: Path):
    text = "time_s,speed [cm/s],pupil\n0,1,\n1,2,0.5\n2,,0.6\n"
    found = given(spikes(), tmp_path / "c.csv", text, "covariates").covariates
    assert found["speed"].unit == "cm/s"
    np.testing.assert_array_equal(found["pupil"].values, [np.nan, 0.5, 0.6])


def test_series_without_times_have_a_row_for_every_bin(tmp_path: Path):
    found = given(trials_apart(), tmp_path / "c.csv", "run\n1\n2\n3\n4\n5\n6\n", "covariates")
    assert found.binarize().covariates["run"].values.tolist() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("segment,side\n0,left\n1,left\n", "a row for each|one row for each of the 3 segments"),
        ("segment,side\n0,l\n1,l\n2,r\n3,r\n", "one of the 3 segments of the recording, 0 to 2"),
        ("side\nleft\nright\n", "a row for each of the 3 segments; got 2 rows"),
        ("start_s,stop_s\n0,0.1\n", "have a column segment, as the clock .* starts again"),
        ("side\n", "have a line of names and a row or more; got none"),
        ("segment,side\nx,l\n1,l\n2,r\n", "segment must hold numbers; got text"),
    ],
)
def test_a_table_of_trials_that_does_not_fit_is_answered_in_a_sentence(
    tmp_path: Path, text: str, sentence: str
):
    with pytest.raises(InputError, match=sentence):
        given(trials_apart(), tmp_path / "t.csv", text)


@pytest.mark.parametrize(
    ("text", "kind", "sentence"),
    [
        (
            "start_s,stop_s\n20,30\n",
            "trials",
            r"overlap the recorded time, 0 to 10 s .* 20 to 30 s",
        ),
        ("time_s,x\n20,1\n30,2\n", "covariates", "overlap the recorded time"),
        ("time_s,x\n0,left\n1,right\n", "covariates", "covariates.x must hold numbers .labels go"),
        ("time_s,x\n0,\n1,\n", "covariates", "covariates.x.values must hold at least one number"),
        ("x\n0\n1\n", "covariates", "have a column time_s in seconds; got 2 rows"),
        ("time_s,x\n1,0\n0,1\n", "covariates", "covariates.x.times must ascend"),
    ],
)
def test_a_clock_that_does_not_fit_is_answered_in_a_sentence(
    tmp_path: Path, text: str, kind: str, sentence: str
):
    with pytest.raises(InputError, match=sentence):
        given(spikes(), tmp_path / "t.csv", text, kind)


def test_objects_in_memory_are_taken_beside_a_recording():
    times, values = np.arange(5.0), np.arange(5.0) / 2
    trains = [np.array([0.5, 1.5]), np.array([4.0])]
    table = pd.DataFrame({"start": [1.0], "end": [2.0], "side": ["left"]})
    found = bb.read(trains, stop_s=9.0, trials=table, covariates={"speed": (times, values)})
    assert found.trials["side"].tolist() == ["left"]
    np.testing.assert_array_equal(found.covariates["speed"].values, values)
    with pytest.raises(InputError, match=r"covariates\.speed must be a csv file"):
        bb.read(trains, stop_s=9.0, covariates={"speed": 3})


def test_alf_has_trials_and_series(tmp_path: Path):
    write_alf_session(tmp_path)
    alf = tmp_path / "alf"
    np.save(alf / "_ibl_wheel.timestamps.npy", np.arange(4.0))
    np.save(alf / "_ibl_wheel.position.npy", np.array([0.0, np.inf, 2.0, 3.0]))
    np.save(alf / "licks.times.npy", np.array([2.0, 1.0]))
    found = bb.read(tmp_path)
    usable = len(found.trials)
    assert usable > 0
    assert found.trials["choice"].tolist() == [1.0] * usable
    assert set(found.covariates) == {"wheel.position", "licks"}
    np.testing.assert_array_equal(found.covariates["wheel.position"].values, [0, np.nan, 2, 3])
    np.testing.assert_array_equal(found.covariates["licks"].times, [1.0, 2.0])


def test_pynapple_gives_series_and_trials_in_memory_and_as_saved(tmp_path: Path):
    nap = pytest.importorskip("pynapple")
    speed = nap.Tsd(t=np.arange(5.0), d=np.arange(5.0) ** 2)
    go = nap.IntervalSet(start=[1.0, 3.0], end=[2.0, 4.0])
    speed.save(tmp_path / "speed.npz")
    go.save(tmp_path / "go.npz")
    trains = [np.array([0.5, 1.5]), np.array([4.0])]
    memory = bb.read(trains, stop_s=9.0, trials=go, covariates={"speed": speed})
    saved = bb.read(
        trains, stop_s=9.0, trials=tmp_path / "go.npz", covariates=tmp_path / "speed.npz"
    )
    for found in (memory, saved):
        assert found.trials[["start_s", "stop_s"]].values.tolist() == [[1, 2], [3, 4]]
        np.testing.assert_array_equal(found.covariates["speed"].values, np.arange(5.0) ** 2)


def test_xarray_gives_series_with_their_units():
    xarray = pytest.importorskip("xarray")
    data = xarray.Dataset(
        {"pupil": ("time", np.arange(5.0), {"units": "mm"})}, {"time": np.arange(5.0)}
    )
    found = bb.read([np.array([0.5]), np.array([4.0])], stop_s=9.0, covariates=data)
    assert found.covariates["pupil"].unit == "mm"
    np.testing.assert_array_equal(found.covariates["pupil"].times, np.arange(5.0))


def test_nwb_has_trials_and_behaviour(tmp_path: Path):
    write_plain(tmp_path / "a.nwb")
    with h5py.File(tmp_path / "a.nwb", "a") as file:
        table = file.require_group("intervals/trials")
        for name in list(table):
            del table[name]
        table["start_time"], table["stop_time"] = [1.0, 3.0], [2.0, np.nan]
        table["choice"] = np.array(["left", "right"], dtype=object)
        table["id"] = [0, 1]
        pupil = file.create_group("processing/behavior/PupilTracking/pupil")
        pupil.attrs["neurodata_type"] = "TimeSeries"
        pupil["data"], pupil["starting_time"] = [1.0, np.inf, 3.0], 2.0
        pupil["starting_time"].attrs["rate"] = 2.0
        pupil["data"].attrs.update({"unit": "mm", "conversion": 0.5})
        place = file.create_group("processing/behavior/Position/place")
        place.attrs["neurodata_type"] = "SpatialSeries"
        place["data"], place["timestamps"] = np.ones((3, 2)), [1.0, 2.0, 3.0]
        film = file.create_group("acquisition/film")
        film.attrs["neurodata_type"] = "ImageSeries"
        film["data"] = np.zeros((2, 3, 3))
    found = bb.read(tmp_path / "a.nwb")
    assert found.trials[["start_s", "choice"]].values.tolist() == [[1.0, "left"]]
    assert set(found.covariates) == {"pupil", "place_x", "place_y"}
    np.testing.assert_array_equal(found.covariates["pupil"].times, [2.0, 2.5, 3.0])
    np.testing.assert_array_equal(found.covariates["pupil"].values, [0.5, np.nan, 1.5])


def test_a_worm_has_its_behaviour(shared_data: Path):
    folder = shared_data / "celegans"
    whole = bb.read(folder / "2022-07-26-31-data.h5")
    assert {"velocity", "reversal"} <= set(whole.covariates)
    events = whole.trials["event"].value_counts().to_dict()
    assert events == {"forward": 35, "reversal": 34}
    other = bb.read(folder / "2022-07-26-38.npz")
    assert list(other.covariates) == ["velocity"]
    # where the file says that the worm reverses, the trials say so too
    at = whole.covariates["reversal"]
    told = np.zeros(len(at.times))
    for start, stop, event in whole.trials[["start_s", "stop_s", "event"]].itertuples(index=False):
        told[(at.times >= start - 1e-6) & (at.times < stop - 1e-6)] = event == "reversal"
    assert (told == at.values).mean() > 0.99
