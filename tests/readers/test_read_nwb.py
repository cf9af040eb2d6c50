"""The NWB reader against what was written: trains, regions, positions, epochs, unit filters."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from boltzbrain.data.losses import NOT_TIMES, UNSORTED_TRAINS, losses_in
from boltzbrain.data.signals import SpikeTimes
from boltzbrain.foundations.checks import InputError
from boltzbrain.readers import PRESETS, read_nwb
from boltzbrain.readers.units import apply_rules, describe
from helpers.nwb_layouts import (
    NWB_LAYOUTS,
    clean_trains,
    new_file,
    put,
    put_spikes,
    write_allen,
    write_ibl,
    write_steinmetz,
)


def spikes_of(recording) -> SpikeTimes:
    assert isinstance(recording.signal, SpikeTimes)
    return recording.signal


@pytest.mark.parametrize("layout", NWB_LAYOUTS)
def test_what_was_written_is_read(tmp_path: Path, layout: str):
    truth = NWB_LAYOUTS[layout](tmp_path / "a.nwb")
    recording = read_nwb(tmp_path / "a.nwb")
    signal = spikes_of(recording)
    assert recording.neurons["id"].tolist() == truth.ids
    for unit, train in enumerate(truth.trains):
        np.testing.assert_array_equal(signal.train(unit), train)
    assert {name: regions.labels().tolist() for name, regions in recording.regions.items()} == (
        truth.labels
    )
    xyz = recording.neurons[["x_um", "y_um", "z_um"]].to_numpy()
    np.testing.assert_array_equal(xyz, truth.xyz_um)
    assert [tuple(row) for row in recording.epochs.to_numpy().tolist()] == truth.epochs
    assert recording.source.options["dropped"] == {}
    told = losses_in(recording.source.options)
    of_spikes = {one.what: one.lost for one in told if one.name in (NOT_TIMES, UNSORTED_TRAINS)}
    assert of_spikes == truth.not_times


def test_quality_columns_come_along_and_large_or_ragged_ones_stay(tmp_path: Path):
    write_allen(tmp_path / "a.nwb")
    neurons = read_nwb(tmp_path / "a.nwb").neurons
    assert set(neurons.columns) == {
        "id", "x_um", "y_um", "z_um", "probe", "quality", "amplitude_cutoff", "isi_violations",
        "presence_ratio", "snr", "firing_rate", "waveform_duration", "peak_channel_id",
    }  # fmt: skip
    assert neurons["amplitude_cutoff"].dtype == np.float64
    assert neurons["quality"].tolist()[:3] == ["good", "good", "noise"]
    assert neurons["probe"].tolist() == ["probeA"] * 8 + ["probeB"] * 3 + [""]


def test_the_source_tells_where_regions_and_positions_came_from(tmp_path: Path):
    found = {
        "allen": ("units.peak_channel_id", "electrodes.location", "electrodes.x, y, z: "),
        "ibl": ("units.max_electrode", "electrodes.location", "electrodes.ibl_y, ibl_z, ibl_x: "),
        "steinmetz": ("units.electrodes", "electrodes.location", "electrodes.ccf_ap, ccf_dv, "),
    }
    for layout, (electrode, regions, positions) in found.items():
        NWB_LAYOUTS[layout](tmp_path / f"{layout}.nwb")
        options = read_nwb(tmp_path / f"{layout}.nwb").source.options
        assert options["electrode"] == electrode
        assert options["regions"] == regions
        assert options["positions"].startswith(positions)
        assert options["positions"].endswith("anterior-posterior, dorsal-ventral, left-right")


def test_a_column_of_the_units_goes_before_the_electrodes(tmp_path: Path):
    truth = write_steinmetz(tmp_path / "a.nwb")
    with h5py.File(tmp_path / "a.nwb", "a") as file:
        put(file["units"], structure_acronym=["SUB", "", "N/A", "nan", "CA1", "CA1"])
    recording = read_nwb(tmp_path / "a.nwb")
    assert recording.regions["ccf"].labels().tolist() == ["SUB", "", "", "", "CA1", "CA1"]
    assert recording.source.options["regions"] == "units.structure_acronym"
    assert len(recording) == len(truth.ids)


def test_the_beryl_column_of_the_units_is_its_own_atlas(tmp_path: Path):
    write_steinmetz(tmp_path / "a.nwb")
    with h5py.File(tmp_path / "a.nwb", "a") as file:
        put(file["units"], beryl_location=["SUB", "", "CA", "CA", "CA", "CA"])
    assert list(read_nwb(tmp_path / "a.nwb").regions) == ["beryl"]


# --- unit filters -------------------------------------------------------------------------------


def test_every_rule_of_a_filter_is_counted_and_nan_stands_apart(tmp_path: Path):
    truth = write_allen(tmp_path / "a.nwb")
    recording = read_nwb(tmp_path / "a.nwb", units="allen_strict")
    # noise: 2, 5, 8, 11; isi above 0.5: 6, 7, 9, 10; the cutoff of 3 is NaN; none above 0.1 is left
    assert recording.neurons["id"].tolist() == [truth.ids[unit] for unit in (0, 1, 4)]
    assert recording.source.options["units"] == "allen_strict"
    assert recording.source.options["dropped"] == {
        "quality is good": 4,
        "isi_violations <= 0.5": 4,
        "amplitude_cutoff <= 0.1": 0,
        "amplitude_cutoff is not a number": 1,
        "presence_ratio >= 0.9": 0,
    }
    told = {one.what: one.lost for one in losses_in(recording.source.options)}
    assert told.items() >= {**truth.not_times, "not in order of time: sorted": 3}.items()
    for place, unit in enumerate((0, 1, 4)):
        np.testing.assert_array_equal(spikes_of(recording).train(place), truth.trains[unit])
    assert recording.regions["ccf"].labels().tolist() == ["VISp", "CA1", ""]


def test_the_filter_of_channels_joins_the_electrodes(tmp_path: Path):
    truth = write_allen(tmp_path / "a.nwb")
    recording = read_nwb(tmp_path / "a.nwb", units="channel")
    # electrode 0 is not valid, that of the last unit is unknown
    assert recording.neurons["id"].tolist() == [truth.ids[unit] for unit in (1, 7, 8, 9)]
    dropped = recording.source.options["dropped"]
    assert dropped["valid_data >= 1.0"] == 1
    assert dropped["valid_data is not a number"] == 1
    assert dropped["area is not root, grey, empty"] == 6


def test_the_filters_of_ibl_and_steinmetz(tmp_path: Path):
    ibl = write_ibl(tmp_path / "ibl.nwb")
    write_steinmetz(tmp_path / "steinmetz.nwb")
    # scores 1 .67 .33 1 1 0 .67 1; regions "" LP DG-mo fiber-tracts CA1 void root VISp5
    kept = read_nwb(tmp_path / "ibl.nwb", units="ibl").neurons["id"].tolist()
    assert kept == [ibl.ids[unit] for unit in (1, 4, 7)]
    strict = read_nwb(tmp_path / "ibl.nwb", units="ibl_strict").neurons["id"].tolist()
    assert strict == [ibl.ids[unit] for unit in (4, 7)]
    recording = read_nwb(tmp_path / "steinmetz.nwb", units="steinmetz")
    assert recording.neurons["id"].tolist() == ["1", "2", "3"]
    assert recording.source.options["dropped"] == {
        "phy_annotations >= 2.0": 2,
        "phy_annotations is not a number": 1,
    }


def test_filters_can_be_joined(tmp_path: Path):
    truth = write_allen(tmp_path / "a.nwb")
    both = read_nwb(tmp_path / "a.nwb", units="good + fast_spiking")
    # durations rise from 0.2 by 0.6 / 11: the first four are below 0.4, of which 2 is noise
    assert both.neurons["id"].tolist() == [truth.ids[unit] for unit in (0, 1, 3)]


def test_a_filter_that_needs_a_missing_column_or_leaves_nothing_is_refused(tmp_path: Path):
    write_steinmetz(tmp_path / "a.nwb")
    with pytest.raises(InputError, match=r"a\.nwb: units\.quality must be a column for the unit f"):
        read_nwb(tmp_path / "a.nwb", units="allen_strict")
    with h5py.File(tmp_path / "a.nwb", "a") as file:
        file["units/phy_annotations"][...] = 1
    with pytest.raises(InputError, match=r"leave at least one unit; got 0 of 6 by 'steinmetz'"):
        read_nwb(tmp_path / "a.nwb", units="steinmetz")


@pytest.mark.parametrize("preset", PRESETS)
def test_every_filter_says_what_it_keeps_and_drops_units_never_measured(preset: str):
    rules = PRESETS[preset]
    assert all(str(rule) in describe(preset) for rule in rules)
    # the first unit passes every rule, the second was never measured
    good = {"<=": -1e9, "<": -1e9, ">=": 1e9, ">": 1e9}
    columns = {
        rule.column: np.array([good[rule.test], np.nan])
        if isinstance(rule.value, float)
        else np.array(["Good " if rule.test == "is" else "VISp", ""])
        for rule in rules
    }
    keep, dropped = apply_rules(preset, columns, 2)
    assert keep.tolist() == [True, preset == "none"]
    assert sum(dropped.values()) == (preset != "none")


def test_metrics_go_by_several_names():
    columns = {"isi_violations_ratio": np.array([0.1, 0.9]), "snr": np.array([2.0, 2.0]),
               "firing_rate_hz": np.array([1.0, 1.0])}  # fmt: skip
    keep, _ = apply_rules("allen_vbn_quickstart", columns, 2)
    assert keep.all()
    columns["isi_violations_ratio"][1] = 1.0
    assert apply_rules("allen_vbn_quickstart", columns, 2)[0].tolist() == [True, False]


# --- bad input ----------------------------------------------------------------------------------


def spoil(path: Path, name: str, values) -> None:
    """Replace a dataset of a file, or remove it if `values` is None."""
    with h5py.File(path, "a") as file:
        if name in file:
            del file[name]
        if values is not None:
            parent, leaf = name.rsplit("/", 1)
            put(file.require_group(parent), **{leaf: values})


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("units/spike_times", None, "units.spike_times must be a column; got the columns"),
        ("units/spike_times_index", None, "units.spike_times_index must be a column"),
        ("units/spike_times", np.arange(5), "sample numbers: divide them by the sampling rate"),
        ("units/spike_times", np.zeros((5, 2)), "units.spike_times must have shape"),
        ("units/spike_times", ["a"], "units.spike_times must hold seconds"),
        (
            "units/spike_times_index",
            np.arange(4),
            "must have one value per row (6); got shape (4,)",
        ),
        (
            "units/spike_times_index",
            np.arange(6)[::-1],
            "must hold whole numbers that never descend",
        ),
        ("units/spike_times_index", np.arange(6), "must end at the length of spike_times"),
        ("units/spike_times_index", np.full(6, np.nan), "must hold whole numbers"),
        ("units/id", np.zeros(0, dtype=int), "must hold at least one unit; got 0 rows"),
        (
            "units/electrodes_index",
            np.arange(6) + 40,
            "units.electrodes_index must end at the leng",
        ),
        ("units/phy_annotations", np.zeros(6, dtype="S3"), "must hold numbers; got text"),
        ("general/extracellular_ephys/electrodes/location", ["a"], "one value per row (10); got 1"),
        ("intervals/trials/stop_time", np.zeros(3), "intervals.trials.stop_time must have one"),
        ("intervals/trials/start_time", ["a"], "intervals.trials.start_time must hold numbers"),
    ],
)
def test_a_spoilt_column_is_named_with_what_it_must_be(
    tmp_path: Path, name: str, values, told: str
):
    path = tmp_path / "spoilt.nwb"
    write_steinmetz(path)
    spoil(path, name, values)
    with pytest.raises(InputError, match=r"spoilt\.nwb: ") as refused:
        read_nwb(path, units="steinmetz")
    assert told in str(refused.value)


def test_spike_times_that_are_dates_are_refused(tmp_path: Path):
    trains = [train + 1.6e9 for train in clean_trains(4, 0)]
    with new_file(tmp_path / "a.nwb") as file:
        put(file.create_group("units"), id=np.arange(4))
        put_spikes(file["units"], trains)
    with pytest.raises(
        InputError,
        match=r"must be seconds from the start of the recording, 0 to.*100 % of the spikes",
    ):
        read_nwb(tmp_path / "a.nwb")


def test_a_file_without_units_says_what_it_has(tmp_path: Path):
    with new_file(tmp_path / "a.nwb") as file:
        file.create_group("acquisition")
    with pytest.raises(
        InputError, match=r"units must be a table .* got a file with acquisition, gen"
    ):
        read_nwb(tmp_path / "a.nwb")


def test_a_declared_size_that_is_not_stored_is_refused_before_it_is_taken(tmp_path: Path):
    with new_file(tmp_path / "a.nwb") as file:
        group = file.create_group("units")
        put(group, id=np.arange(1), spike_times_index=np.array([10**12]))
        group.create_dataset("spike_times", shape=(10**12,), dtype="f8")
    with pytest.raises(InputError, match="must have the size that it declares; got 0 stored bytes"):
        read_nwb(tmp_path / "a.nwb")


def test_missing_parts_are_no_error(tmp_path: Path):
    # no electrodes, no intervals, no ids: still a recording
    trains = clean_trains(3, 5)
    with h5py.File(tmp_path / "a.nwb", "w") as file:
        put_spikes(file.create_group("units"), trains)
    recording = read_nwb(tmp_path / "a.nwb")
    assert recording.neurons["id"].tolist() == ["0", "1", "2"]
    assert recording.regions == {}
    assert len(recording.epochs) == 0
    flat = np.concatenate(trains)
    assert (spikes_of(recording).start_s, spikes_of(recording).stop_s) == (flat.min(), flat.max())


def test_the_observed_intervals_give_the_recorded_time(tmp_path: Path):
    NWB_LAYOUTS["plain"](tmp_path / "a.nwb")
    signal = spikes_of(read_nwb(tmp_path / "a.nwb"))
    assert (signal.start_s, signal.stop_s) == (0.0, 171.0)


def test_single_precision_and_columns_of_one_are_read(tmp_path: Path):
    trains = [train.astype(np.float32) for train in clean_trains(4, 6)]
    with new_file(tmp_path / "a.nwb") as file:
        group = file.create_group("units")
        ends = np.cumsum([len(train) for train in trains])
        put(group, id=np.arange(4)[:, None], spike_times=np.concatenate(trains)[:, None],
            spike_times_index=ends[:, None].astype(np.float64))  # fmt: skip
    signal = spikes_of(read_nwb(tmp_path / "a.nwb"))
    for unit, train in enumerate(trains):
        np.testing.assert_array_equal(signal.train(unit), train.astype(np.float64))
