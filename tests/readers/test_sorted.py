"""ALF folders and buzcode's files: units, probes, revisions, regions and epochs."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from boltzbrain.foundations.checks import InputError
from boltzbrain.readers import read
from helpers.command_line import run_command
from helpers.other_layouts import CLUSTERS, SAMPLING_HZ, samples
from helpers.sorted_layouts import write_alf, write_alf_session, write_buzcode, write_buzcode_hdf5


def trains(seed: int = 4) -> list[np.ndarray]:
    times, clusters = samples(seed)
    return [times[clusters == one] / SAMPLING_HZ for one in CLUSTERS]


def test_a_probe_has_its_clusters_with_place_region_and_columns(tmp_path: Path):
    recording = read(write_alf(tmp_path / "probe00"))
    assert recording.source.format == "alf"
    assert recording.neurons["id"].tolist() == [str(one) for one in CLUSTERS]
    for neuron, train in enumerate(trains()):
        np.testing.assert_array_equal(recording.signal.train(neuron), train)
    # cluster 3 lies on channel 6, whose label is the third of four
    assert recording.regions["ccf"].labels().tolist() == ["VISp5", "VISp5", "CA1", "VISp5"]
    # of ML, AP and DV, AP is the first axis of NWB
    assert recording.neurons["x_um"].tolist() == [3 * 2 * one + 1 for one in CLUSTERS]
    assert recording.neurons["channels"].tolist() == [2 * one for one in CLUSTERS]
    assert len(read(tmp_path / "probe00", units="steinmetz")) == 2
    timed = read(tmp_path / "probe00", duration_s=3.0).signal
    assert (timed.start_s, timed.stop_s) == (0.0, 3.0)


def test_a_session_has_its_probes_the_last_revision_and_its_trials(tmp_path: Path):
    path = write_alf_session(tmp_path / "2024-05-06" / "001")
    for one in (path, path / "alf"):
        recording = read(one)
        assert len(recording) == 8
        assert recording.neurons["probe"].tolist() == ["probe00"] * 4 + ["probe01"] * 4
        assert recording.neurons["id"][0] == "probe00_3"
        for neuron, train in enumerate([*trains(), *trains(6)]):
            np.testing.assert_array_equal(recording.signal.train(neuron), train)
        assert recording.epochs.to_numpy().tolist() == [[0.1, 0.5, "trials"], [0.6, 1.5, "trials"]]
        assert recording.source.options["losses"][0]["lost"] == 1
    one = read(path, collection="alf/probe01/pykilosort")
    assert len(one) == 4
    np.testing.assert_array_equal(one.signal.train(0), trains(6)[0])
    # a chosen folder has its last revision too, or the one that is named
    for chosen in ("alf/probe00/pykilosort", "alf/probe00/pykilosort/#2024-05-06#"):
        revised = read(path, collection=chosen)
        np.testing.assert_array_equal(revised.signal.train(0), trains()[0])
    for wrong in ("alf/probe02", str(tmp_path), ".."):
        with pytest.raises(InputError, match=r"collection must be a folder with spikes"):
            read(path, collection=wrong)


def test_a_revision_replaces_its_own_files_only(tmp_path: Path):
    path = write_alf(tmp_path / "probe00", seed=5)
    first = read(path)
    revision = path / "#2024-05-06#"
    revision.mkdir()
    np.save(revision / "spikes.times.npy", np.load(path / "spikes.times.npy") + 1e-3)
    later = read(path)
    np.testing.assert_allclose(later.signal.times, first.signal.times + 1e-3)
    assert list(later.regions["ccf"].labels()) == list(first.regions["ccf"].labels())
    assert later.source.sha256 != first.source.sha256


def test_every_probe_is_in_the_fingerprint_of_a_session(tmp_path: Path):
    path = write_alf_session(tmp_path / "session")
    before = read(path).source.sha256
    times = path / "alf/probe01/pykilosort/spikes.times.npy"
    np.save(times, np.load(times) + 1e-3)
    assert read(path).source.sha256 != before


def test_positions_are_in_the_brain_or_on_one_shank(tmp_path: Path):
    path = write_alf_session(tmp_path / "session")
    for file in path.rglob("channels.mlapdv.npy"):
        places = np.arange(2.0) + np.zeros((len(np.load(file)), 1))
        np.save(file.with_name("channels.localCoordinates.npy"), places)
        file.unlink()
    # on the shanks of two probes: of no one space
    assert read(path).neurons[["x_um", "y_um"]].isna().all(axis=None)
    one = read(path, collection="alf/probe01/pykilosort").neurons
    assert one["y_um"].notna().all()
    channels = len(np.load(path / "alf/probe01/pykilosort/channels.localCoordinates.npy"))
    for probe in ("probe00", "probe01"):
        # ML, AP, DV
        np.save(path / f"alf/{probe}/pykilosort/channels.mlapdv.npy",
                np.arange(3.0) + np.zeros((channels, 1)))  # fmt: skip
    placed = read(path).neurons[["x_um", "y_um", "z_um"]]
    assert (placed == [1.0, 2.0, 0.0]).all(axis=None)


def test_a_probe_that_was_sorted_twice_is_asked_for_and_the_answer_reads(tmp_path: Path, capsys):
    path = write_alf_session(tmp_path / "session")
    shutil.copytree(path / "alf/probe00/pykilosort/#2024-05-06#", path / "alf/probe00/kilosort")
    told = run_command(["info", path], capsys)
    assert told.status == 2
    assert "--read collection=alf/probe00/kilosort" in " ".join(told.err.split())
    told = run_command(["info", path, "--read", "collection=alf/probe00/kilosort"], capsys)
    assert told.status == 0, told.err


def test_region_ids_serve_where_there_are_no_acronyms(tmp_path: Path):
    path = write_alf(tmp_path / "a")
    (path / "channels.brainLocationAcronyms_ccf_2017.npy").unlink()
    labels = read(path).regions["ccf_id"].labels().tolist()
    assert labels == [str(2 * one) for one in CLUSTERS]


def test_alf_in_samples_or_of_unequal_length_is_refused(tmp_path: Path):
    path = write_alf(tmp_path / "a")
    times, _ = samples()
    np.save(path / "spikes.times.npy", times)
    with pytest.raises(InputError, match=r"spikes\.times\.npy must hold seconds as floating"):
        read(path)
    np.save(path / "spikes.times.npy", times[:-1] / SAMPLING_HZ)
    with pytest.raises(InputError, match=r"clusters\.npy must have one entry per spike \(199"):
        read(path)
    (path / "spikes.clusters.npy").unlink()
    with pytest.raises(InputError, match=r"hold spikes.times.npy and spikes.clusters.npy"):
        read(path, format="alf")


@pytest.mark.parametrize("write", [write_buzcode, write_buzcode_hdf5])
def test_units_of_buzcode(tmp_path: Path, write):
    recording = read(write(tmp_path / "rat1.spikes.cellinfo.mat"))
    assert recording.source.format == "buzcode"
    assert recording.neurons["id"].tolist() == ["1", "2", "3", "4"]
    assert recording.neurons["cluID"].tolist() == list(CLUSTERS)
    assert recording.neurons["shankID"].tolist() == [1, 1, 2, 2]
    assert recording.regions["ccf"].labels().tolist() == ["CA1", "CA1", "CA3", ""]
    for neuron, train in enumerate(trains()):
        np.testing.assert_array_equal(recording.signal.train(neuron), train)
    # the same file as plain arrays
    plain = read(tmp_path / "rat1.spikes.cellinfo.mat", format="array", axes="neuron",
                 name="spikes.times")  # fmt: skip
    np.testing.assert_array_equal(plain.signal.times, recording.signal.times)
