"""What every reader promises, whatever the format; and the real recordings."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from boltzbrain.data.signals import Binned, SpikeTimes, Traces
from boltzbrain.foundations.checks import InputError
from boltzbrain.readers import FORMATS, read
from helpers import other_layouts as other
from helpers.checking import check_recording
from helpers.layouts import LAYOUTS, MATRICES, write_fish, write_npz_arrays
from helpers.nwb_layouts import write_allen


@pytest.fixture(params=LAYOUTS, scope="module")
def layout(request, tmp_path_factory):
    """Return a file or folder of each layout, under a name that tells nothing, and the layout."""
    one = LAYOUTS[request.param]
    path = tmp_path_factory.mktemp("layouts") / "recording.npz"
    one.write(path)
    return path, one


def copy(source: Path, target: Path) -> None:
    """Copy a file or a folder."""
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)


def files_of(path: Path) -> list[Path]:
    """Return the files of a recording."""
    return sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]


def test_every_reader_returns_a_consistent_recording(layout):
    path, one = layout
    recording = read(path, **one.options)
    check_recording(recording)
    assert recording.source.format == one.format


def test_the_content_tells_the_format_and_the_name_does_not(layout, tmp_path):
    path, one = layout
    other = tmp_path / "notes.txt"
    copy(path, other)
    assert read(other, **one.options).source.format == one.format
    assert read(str(other), format=one.format, **one.options).source.format == one.format


def test_the_source_names_the_file_and_its_hash(layout):
    path, one = layout
    source = read(path, **one.options).source
    main = path / one.main if one.main else path
    assert source.path == str(path)
    files = [main, *(path / name for name in one.others)]
    hashes = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    whole = hashlib.sha256("".join(hashes).encode()).hexdigest()
    assert source.sha256 == (whole if one.others else hashes[0])


def test_reading_changes_nothing_and_needs_no_right_to_write(layout):
    path, one = layout

    def state():
        every = files_of(path)
        return [(each, each.read_bytes(), each.stat().st_mtime_ns) for each in every]

    before = state()
    for each in files_of(path):
        each.chmod(0o444)
    read(path, **one.options)
    for each in files_of(path):
        each.chmod(0o644)
    assert state() == before


def test_reading_twice_gives_the_same(layout):
    path, one = layout
    first, second = read(path, **one.options), read(path, **one.options)
    pd.testing.assert_frame_equal(first.neurons, second.neurons)
    pd.testing.assert_frame_equal(first.epochs, second.epochs)
    assert first.source == second.source


def test_a_file_cut_short_is_refused_and_named(layout, tmp_path):
    path, one = layout
    cut = tmp_path / "cut.bin"
    copy(path, cut)
    main = cut / one.main if one.main else cut
    whole = main.read_bytes()
    for part in (0.02, 0.5, 0.9):
        main.write_bytes(whole[: int(part * len(whole))])
        with pytest.raises(InputError, match=r"cut\.bin.*: .* must .*; got "):
            read(cut, **one.options)


@pytest.mark.parametrize("name", MATRICES)
def test_a_plain_array_is_refused_without_its_orientation_and_frame_length(name, tmp_path):
    one = LAYOUTS[name]
    one.write(tmp_path / "a")
    with pytest.raises(InputError, match=r"axes must be given, as --read axes=time,neuron"):
        read(tmp_path / "a", **{**one.options, "axes": None})
    with pytest.raises(InputError, match="axes must be one of: time,neuron, neuron,time"):
        read(tmp_path / "a", **{**one.options, "axes": "time"})
    if "times" not in one.options:
        with pytest.raises(InputError, match="frame_s must be given"):
            read(tmp_path / "a", **{**one.options, "frame_s": None})


@pytest.mark.parametrize("name", MATRICES)
def test_every_container_of_one_matrix_reads_the_same(name, tmp_path):
    one = LAYOUTS[name]
    one.write(tmp_path / "a")
    signal = read(tmp_path / "a", **one.options).signal
    assert isinstance(signal, Binned)
    np.testing.assert_array_equal(signal.counts, other.counts())
    np.testing.assert_allclose(signal.times, 0.02 * np.arange(other.BINS), rtol=0, atol=1e-12)
    if name != "csv":  # whose times lie in a column
        options = {**one.options, "axes": "neuron,time"}
        options.pop("times", None)
        turned = read(tmp_path / "a", **{**options, "frame_s": 0.02}).signal
        np.testing.assert_array_equal(turned.counts, other.counts().T)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "0 bytes"),
        (b"P", "starting with b'P'"),
        (b"dat_path = 'x'\n", "starting with b'dat_path'"),
        (b"\x93NUMPY\x01\x00v\x00", "truncated or damaged"),
        (b"PK\x03\x04" + 40 * b"x", "truncated or damaged"),
        (b"\x89HDF\r\n\x1a\n" + 40 * b"x", "truncated or damaged"),
    ],
)
def test_an_empty_or_foreign_file_is_refused(tmp_path, content, told):
    path = tmp_path / "foreign.nwb"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"foreign\.nwb: ") as refused:
        read(path)
    assert told in str(refused.value)


def test_a_missing_file_a_folder_and_what_is_no_path_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.npz: the file must exist"):
        read(tmp_path / "nothing.npz")
    with pytest.raises(InputError, match="must exist"):
        read("a\0b")
    with pytest.raises(InputError, match="got a folder with nothing in it"):
        read(tmp_path)
    with pytest.raises(InputError, match=r"the recording must be a path, or .*; got int"):
        read(3)
    for one in FORMATS:
        with pytest.raises(InputError, match=" must "):
            one.read(tmp_path)


def test_when_none_fits_it_says_what_it_looked_for_and_what_it_found(tmp_path):
    (tmp_path / "other").write_bytes(b"\x7fELF and more of no use")
    (tmp_path / "folder").mkdir()
    found = {"other": "a file of another kind, starting with", "folder": "a folder with nothing"}
    for name, what in found.items():
        with pytest.raises(InputError) as refused:
            read(tmp_path / name)
        message = str(refused.value)
        for one in FORMATS:
            assert one.name in message
            # a folder is told only what makes a folder one of these
            explained = f"{one.name}: {one.looks_for}" in message
            assert explained == (name == "folder" and "folder" in one.looks_for)
        assert f"got {what}" in message


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"format": "nbw"}, r"format must be one of: npz, nwb, zebrafish, .*; got nbw .*'nwb'"),
        ({"units": "allen"}, "units must be one of: none, .*; got allen"),
        (
            {"units": "none", "unit": 3},
            "unit must be left out: .* units, observed, .*'units'",
        ),
        ({"labels_file": 3}, "labels_file must be left out: the reader of nwb files"),
    ],
)
def test_an_option_that_the_reader_lacks_is_refused(tmp_path, options, told):
    write_allen(tmp_path / "a.nwb")
    with pytest.raises(InputError, match=told):
        read(tmp_path / "a.nwb", **options)


def test_a_unit_filter_for_a_format_without_units_is_refused(tmp_path):
    write_npz_arrays(tmp_path / "a.npz")
    with pytest.raises(InputError, match="units must be left out: the reader of npz files has the"):
        read(tmp_path / "a.npz", units="good")


def test_a_file_read_as_another_format_is_refused(tmp_path):
    write_fish(tmp_path / "fish.h5")
    write_npz_arrays(tmp_path / "own.npz")
    with pytest.raises(InputError, match=r"fish\.h5: units must be a table"):
        read(tmp_path / "fish.h5", format="nwb")
    with pytest.raises(InputError, match=r"fish\.h5: the file must be a whole npz archive"):
        read(tmp_path / "fish.h5", format="npz")
    with pytest.raises(InputError, match=r"own\.npz: the file must be a whole HDF5 file"):
        read(tmp_path / "own.npz", format="zebrafish")


@pytest.mark.parametrize(
    ("session", "neurons", "bins", "areas", "segments"),
    [(10, 1172, 17_880, 13, 447), (12, 698, 13_600, 12, 340)],
)
def test_the_real_steinmetz_sessions(
    shared_data: Path, session: int, neurons: int, bins: int, areas: int, segments: int
):
    recording = read(shared_data / "steinmetz" / f"session{session}.npz")
    check_recording(recording)
    signal = recording.signal
    assert isinstance(signal, Binned)
    assert signal.counts.shape == (bins, neurons)
    assert len(recording.regions["region"].names) == areas
    assert recording.regions["region"].counts().sum() == neurons
    assert len(np.unique(signal.segment)) == segments
    assert signal.bin_width_s == 0.01


def test_the_real_nwb_file(shared_data: Path):
    recording = read(shared_data / "nwb" / "A8604-211122.nwb")
    check_recording(recording)
    signal = recording.signal
    assert isinstance(signal, SpikeTimes)
    assert len(recording) == 3
    assert len(signal.times) == 21_354
    assert recording.regions == {}
    assert recording.neurons[["x_um", "y_um", "z_um"]].isna().all(axis=None)
    assert recording.epochs.to_numpy().tolist() == [[0.0, 1087.5289, "wake"]]


def test_the_real_phy_folder(shared_data: Path):
    recording = read(shared_data / "phy")
    check_recording(recording)
    assert isinstance(recording.signal, SpikeTimes)
    assert len(recording) == 295
    assert len(recording.signal.times) == 58_544
    # samples at 30 kHz: 60 seconds, not 1.8 million
    assert 59 < recording.signal.stop_s < 60
    assert recording.source.options["units"] == "none"
    with pytest.raises(InputError, match=r"units\.quality must be a column for the unit filter"):
        read(shared_data / "phy", units="good")


def test_a_params_file_from_windows_is_read_without_a_warning(tmp_path: Path):
    other.write_phy(tmp_path / "phy")
    text = "dat_path = 'C:\\data\\1.dat'\nsample_rate = 30000.0\n"
    (tmp_path / "phy" / "params.py").write_text(text)
    check_recording(read(tmp_path / "phy"))  # a warning would be an error here


@pytest.mark.parametrize("sign", ["\t", ",", ";"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_labels_that_a_spreadsheet_saved_are_not_lost(tmp_path: Path, sign, mark):
    want = read(other.write_phy(tmp_path / "want"))
    folder = other.write_phy(tmp_path / "phy")
    for one in folder.glob("*.tsv"):
        text = one.read_text().replace("\t", sign)
        one.write_bytes(mark + (text.replace(".", ",") if sign == ";" else text).encode())
    recording = read(folder)
    assert recording.source.options["units"] == "good"
    pd.testing.assert_frame_equal(recording.neurons, want.neurons)


def test_the_real_suite2p_folder(shared_data: Path):
    folder = shared_data / "suite2p"
    for path in (folder, folder / "plane0"):
        recording = read(path, frame_s=0.1)
        check_recording(recording)
        assert isinstance(recording.signal, Traces)
        assert recording.signal.frames.shape == (2000, 20)
        assert recording.signal.kind == "fluorescence"
    every = read(folder, frame_s=0.1, units="none")
    assert len(every) == 219
    assert int((np.ptp(every.signal.frames, axis=0) == 0).sum()) == 47
    with pytest.raises(InputError, match=r"frame_s must be given.*got no ops\.npy with fs"):
        read(folder)


@pytest.mark.parametrize("name", ["2022-07-26-31-data.h5", "2022-07-26-31.npz"])
def test_the_real_worm(shared_data: Path, name: str):
    recording = read(shared_data / "celegans" / name)
    check_recording(recording)
    assert isinstance(recording.signal, Traces)
    assert recording.signal.frames.shape == (800, 146)
    assert recording.signal.times[0] == 0.0
    assert 0.5 < np.median(np.diff(recording.signal.times)) < 0.7


def test_traces_of_a_worm_that_are_turned_round_are_refused(tmp_path: Path):
    generator = np.random.default_rng(0)
    frames, times = generator.normal(size=(30, 4)).astype(np.float32), 0.6 * np.arange(30)
    for turned in (False, True):
        traces = frames.T if turned else frames
        np.savez(tmp_path / "worm.npz", traces=traces, t=times)
        with h5py.File(tmp_path / "worm.h5", "w") as file:
            file["gcamp/trace_array"], file["timing/timestamp_confocal"] = traces, times
        for name in ("worm.npz", "worm.h5"):
            if not turned:
                signal = read(tmp_path / name, format="celegans").signal
                np.testing.assert_array_equal(signal.frames, frames)
                continue
            with pytest.raises(InputError, match=r"have shape \(frame, neuron\).*: it is turned r"):
                read(tmp_path / name, format="celegans")


def test_the_real_worm_turned_round_is_refused(shared_data: Path, tmp_path: Path):
    with np.load(shared_data / "celegans" / "2022-07-26-31.npz") as held:
        np.savez(tmp_path / "a.npz", **{**held, "traces": held["traces"].T})
    with pytest.raises(InputError, match=r"shape \(146, 800\): it is turned round"):
        read(tmp_path / "a.npz")


def test_the_real_zebrafish_regions_and_spikefinder(shared_data: Path):
    path = shared_data / "zebrafish" / "timeseries_regions_fish6.npy"
    with pytest.raises(InputError, match="axes, values and frame_s must be given"):
        read(path)
    fish = read(path, axes="neuron,time", values="dff", frame_s=0.5)
    assert fish.signal.frames.shape == (892, 70)
    folder = shared_data / "spikefinder"
    calcium = read(
        folder / "5.train.calcium.csv", axes="time,neuron", values="fluorescence", frame_s=0.01
    )
    spikes = read(folder / "5.train.spikes.csv", axes="time,neuron", frame_s=0.01)
    assert calcium.signal.frames.shape == spikes.signal.counts.shape == (16_919, 9)
    assert list(calcium.neurons["id"]) == [str(number) for number in range(9)]
