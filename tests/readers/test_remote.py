"""Files on a web server read as they do from the disk, and only what is needed is fetched."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from boltzbrain.foundations.checks import InputError
from boltzbrain.readers import read
from boltzbrain.readers.containers.remote import RemoteFile
from helpers.checking import check_recording
from helpers.equality import assert_same
from helpers.layouts import LAYOUTS
from helpers.serving import serve

HDF5 = ("nwb", "zebrafish", "caiman")
REMOTE = [name for name, one in LAYOUTS.items() if one.format in HDF5 and "zarr" not in name]


@pytest.mark.parametrize("layout", REMOTE)
def test_a_file_on_a_server_reads_as_it_does_from_the_disk(tmp_path: Path, layout: str):
    LAYOUTS[layout].write(tmp_path / "a.h5")
    with serve(tmp_path) as served:
        address = f"{served.url}/a.h5"
        far = read(address, **LAYOUTS[layout].options)
    check_recording(far)
    assert_same(read(tmp_path / "a.h5", **LAYOUTS[layout].options), far)
    assert far.source.path == address
    assert far.source.sha256 == ""


def test_waveforms_and_skipped_units_are_never_fetched(tmp_path: Path):
    # 24 MB of spike times, of which a filter keeps a twelfth, and 64 MB of waveforms
    LAYOUTS["nwb_allen"].write(tmp_path / "a.nwb")
    with h5py.File(tmp_path / "a.nwb", "a") as file:
        units = file["units"]
        for name in ("spike_times", "spike_times_index", "waveform_mean"):
            del units[name]
        units["waveform_mean"] = np.zeros((100_000, 80))
        units["spike_times"] = np.tile(np.linspace(0, 160, 250_000), 12)
        units["spike_times_index"] = 250_000 * np.arange(1, 13)
        units["snr"][...] = np.arange(12) == 4
        units["firing_rate"][...] = 1.0
        units["isi_violations"][...] = 0.0
        units["snr"][4] = 2.0
    with serve(tmp_path) as served:
        far = read(f"{served.url}/a.nwb", units="allen_vbn_quickstart")
        fetched = sum(served.sent)
        assert_same(read(tmp_path / "a.nwb", units="allen_vbn_quickstart"), far)
        assert len(far) == 1
        assert fetched < 8e6
        # every unit: what is long comes in few requests
        served.sent.clear()
        read(f"{served.url}/a.nwb")
        assert 24e6 < sum(served.sent) < 34e6
        assert len(served.sent) < 30


def test_reads_of_every_length_and_order_give_the_bytes_of_the_file(tmp_path: Path):
    whole = np.random.default_rng(0).bytes(9_000_001)
    (tmp_path / "a").write_bytes(whole)
    draw = np.random.default_rng(1)
    with serve(tmp_path) as served:
        file = RemoteFile(f"{served.url}/a")
        assert file.seek(0, 2) == len(whole)
        for length in (0, 1, 1000, 600_000, 5_000_000, 10**8):
            for start in (0, *draw.integers(len(whole) + 10, size=4).tolist()):
                file.seek(start)
                assert file.read(length) == whole[start : start + length]
                assert file.tell() == min(start + length, max(start, len(whole)))
        # reads that follow each other fetch ever more
        served.sent.clear()
        fresh = RemoteFile(f"{served.url}/a")
        while fresh.read(10_000):
            pass
        assert len(served.sent) < 8
        assert sum(served.sent) == len(whole)


def test_a_server_that_stumbles_is_asked_again(tmp_path: Path):
    LAYOUTS["nwb_plain"].write(tmp_path / "a.nwb")
    with serve(tmp_path) as served:
        served.failures += [503, 500]
        assert len(read(f"{served.url}/a.nwb")) == 4
        served.failures += [503, 500, 502]
        with pytest.raises(InputError, match=r"a\.nwb: the file must be sent by its server; got s"):
            read(f"{served.url}/a.nwb")


def test_what_is_not_to_be_had_is_told(tmp_path: Path):
    LAYOUTS["nwb_plain"].write(tmp_path / "a.nwb")
    LAYOUTS["npz"].write(tmp_path / "a.npz")
    with serve(tmp_path) as served:
        with pytest.raises(InputError, match=r"must be sent by its server; got status 404"):
            read(f"{served.url}/nothing.nwb")
        with pytest.raises(InputError, match=r"a\.npz: the file must be a whole HDF5 file"):
            read(f"{served.url}/a.npz")
        with pytest.raises(InputError, match=r"must exist"):  # formats that are read from the disk
            read(f"{served.url}/a.npz", format="npz")
        served.ranges = False
        with pytest.raises(InputError, match=r"server must send parts of files .*; got status 200"):
            read(f"{served.url}/a.nwb")
        served.ranges, gone = True, f"{served.url}/a.nwb"
        big = np.random.default_rng(0).random(200_000)
        with h5py.File(tmp_path / "a.nwb", "a") as file:
            del file["units/spike_times"]
            del file["units/spike_times_index"]
            file["units/spike_times"] = np.sort(big)
            file["units/spike_times_index"] = 50_000 * np.arange(1, 5)
        served.sent.clear()
        read(gone)
        # the last of the answers comes from another file
        served.after = len(served.sent) - 1
        served.sent.clear()
        with pytest.raises(InputError, match="must stay as it is while it is read; got another"):
            read(gone)
    with pytest.raises(InputError, match="must be sent by its server"):
        read(gone)
    with pytest.raises(InputError, match=r"must be (one of a web server|sent by its server)"):
        read("http://[nowhere/a.nwb")
