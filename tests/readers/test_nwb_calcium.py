"""Calcium in NWB: which series is taken, what it holds, its cells, and what pynwb writes."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import h5py
import numpy as np
import pytest

from boltzbrain.data.signals import SpikeTimes, Traces
from boltzbrain.foundations.checks import InputError
from boltzbrain.readers import read
from helpers.checking import check_recording
from helpers.nwb_layouts import FRAMES, ROIS, calcium_traces, put_spikes, write_calcium


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_calcium(tmp_path / "a.nwb")
    return tmp_path / "a.nwb"


def test_df_over_f_is_taken_with_its_cells_and_their_region(path):
    recording = read(path)
    check_recording(recording)
    signal = recording.signal
    assert isinstance(signal, Traces)
    assert signal.kind == "dff"
    np.testing.assert_array_equal(signal.frames, calcium_traces())
    # on the clock of the epochs, which start with the session
    np.testing.assert_allclose(signal.times, 2.0 + 0.1 * np.arange(FRAMES))
    assert recording.neurons["id"].tolist() == ["1", "2", "3", "4", "5"]
    # two pixels each, at x = 2k and 2k + 1
    np.testing.assert_allclose(recording.neurons["x_pixel"], 2 * np.arange(1, 6) + 0.5)
    assert recording.regions["ccf"].labels().tolist() == ["VISp"] * ROIS
    kept = read(path, units="accepted")
    assert kept.neurons["id"].tolist() == ["1", "3", "4", "5"]
    np.testing.assert_array_equal(kept.signal.frames, calcium_traces()[:, [0, 2, 3, 4]])


def test_another_series_is_read_by_its_name(path):
    found = read(path, signal="Fluorescence/RoiResponseSeries").signal
    assert (found.kind, found.times[0]) == ("fluorescence", 2.0)
    with pytest.raises(InputError, match=r"values must be given for .*Neuropil: --read values="):
        read(path, signal="Neuropil")
    assert read(path, signal="Neuropil", values="fluorescence").signal.kind == "fluorescence"
    with pytest.raises(InputError, match=r"signal must be one of the series of the file: proc"):
        read(path, signal="RoiResponseSeries")


def test_several_series_of_one_kind_are_asked_for(path):
    with h5py.File(path, "a") as file:
        file.copy("processing/ophys/DfOverF", "processing/ophys/DfOverF2")
    with pytest.raises(InputError, match=r"--read signal=processing/ophys/DfOverF/RoiResponseSer"):
        read(path)


def test_spike_times_come_before_traces_unless_a_series_is_asked_for(path):
    with h5py.File(path, "a") as file:
        units = file.create_group("units")
        put_spikes(units, [np.array([1.0, 2.0]), np.array([1.5])])
        units["id"] = np.arange(2)
    assert isinstance(read(path).signal, SpikeTimes)
    assert isinstance(read(path, signal="DfOverF/RoiResponseSeries").signal, Traces)
    with pytest.raises(InputError, match="bin_width_s must be left out for spike times"):
        read(path, bin_width_s=0.1)


def test_data_that_are_turned_round_are_known_by_the_rows_of_their_table(path):
    with h5py.File(path, "a") as file:
        series = file["processing/ophys/DfOverF/RoiResponseSeries"]
        del series["data"]
        series["data"] = calcium_traces().T
    np.testing.assert_array_equal(read(path).signal.frames, calcium_traces())
    with h5py.File(path, "a") as file:
        series = file["processing/ophys/DfOverF/RoiResponseSeries"]
        del series["data"]
        series["data"] = calcium_traces()[:, :3]
    with pytest.raises(InputError, match=r"data must have as many regions of interest as rois, 5"):
        read(path)


def test_a_series_without_a_rate_asks_for_it(path):
    with h5py.File(path, "a") as file:
        del file["processing/ophys/DfOverF/RoiResponseSeries/starting_time"]
    with pytest.raises(InputError, match=r"bin_width_s must be given.*--read bin_width_s=0\.1"):
        read(path)
    assert read(path, bin_width_s=0.2).signal.times[1] == 0.2


@pytest.mark.filterwarnings("ignore")
def test_what_pynwb_writes(tmp_path: Path):
    from pynwb import NWBHDF5IO, NWBFile
    from pynwb import ophys as po

    file = NWBFile("x", "y", dt.datetime(2024, 5, 6, tzinfo=dt.UTC))
    device = file.create_device("scope")
    channel = po.OpticalChannel(name="c", description="d", emission_lambda=500.0)
    plane = file.create_imaging_plane(
        name="plane", optical_channel=channel, imaging_rate=10.0, description="d", device=device,
        excitation_lambda=600.0, indicator="GCaMP6f", location="CA1",
    )  # fmt: skip
    segmentation = po.ImageSegmentation()
    module = file.create_processing_module("ophys", "d")
    module.add(segmentation)
    table = segmentation.create_plane_segmentation(name="ps", description="d", imaging_plane=plane)
    for roi in range(ROIS):
        mask = np.zeros((8, 6))
        mask[roi, 2:5] = 1.0
        table.add_roi(image_mask=mask)
    rois = table.create_roi_table_region("d", region=list(range(ROIS)))
    for container, name in ((po.Fluorescence(), "raw"), (po.DfOverF(), "normalised")):
        module.add(container)
        container.create_roi_response_series(
            name=name, data=calcium_traces(), rois=rois, unit="n.a.", rate=10.0
        )
    with NWBHDF5IO(str(tmp_path / "a.nwb"), "w") as io:
        io.write(file)
    recording = read(tmp_path / "a.nwb")
    assert recording.source.options["signal"] == "processing/ophys/DfOverF/normalised"
    np.testing.assert_array_equal(recording.signal.frames, calcium_traces())
    assert len(recording.signal.times) == FRAMES
    assert recording.neurons["x_pixel"].tolist() == [0, 1, 2, 3, 4]
    assert recording.neurons["y_pixel"].tolist() == [3] * ROIS
    assert recording.regions["ccf"].labels().tolist() == ["CA1"] * ROIS
