"""The package's own npz: what is read, and each kind of bad input with its message."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from boltzbrain.data.signals import Binned
from boltzbrain.foundations.checks import InputError
from boltzbrain.readers import read, read_npz
from helpers.layouts import BINS, NEURONS, npz_arrays, write_npz_arrays


def bins_of(recording) -> Binned:
    assert isinstance(recording.signal, Binned)
    return recording.signal


def test_what_was_written_is_read(tmp_path: Path):
    arrays = npz_arrays()
    recording = read_npz(write_npz_arrays(tmp_path / "a.npz"))
    signal = bins_of(recording)
    np.testing.assert_array_equal(signal.counts, arrays["counts"])
    np.testing.assert_array_equal(signal.segment, arrays["segment"])
    np.testing.assert_allclose(signal.times, np.tile(np.arange(10) * 0.01, 4))
    assert signal.bin_width_s == 0.01
    assert signal.saturated == 0
    assert recording.regions["region"].labels().tolist() == arrays["region"].tolist()
    assert recording.neurons["id"].tolist() == [str(n) for n in arrays["neuron_id"]]
    np.testing.assert_array_equal(
        recording.neurons[["x_um", "y_um", "z_um"]].to_numpy(), arrays["xyz_um"]
    )


def test_all_but_the_signal_and_its_width_is_optional(tmp_path: Path):
    recording = read_npz(
        write_npz_arrays(tmp_path / "a.npz", region=None, xyz_um=None, segment=None, neuron_id=None)
    )
    assert recording.neurons["id"].tolist() == [str(n) for n in range(NEURONS)]
    assert recording.regions == {}
    assert not bins_of(recording).segment.any()


@pytest.mark.parametrize("dtype", ["bool", "int8", "int64", ">i4", "float32", ">f8", "uint16"])
def test_any_number_type_becomes_uint8(tmp_path: Path, dtype: str):
    states = (npz_arrays()["counts"] > 0).astype(dtype)
    for order in ("C", "F"):
        path = write_npz_arrays(tmp_path / "a.npz", counts=None,
                                states=np.asarray(states, order=order))  # fmt: skip
        signal = bins_of(read_npz(path))
        assert signal.counts.dtype == np.uint8
        np.testing.assert_array_equal(signal.counts, states.astype(np.uint8))
        assert signal.counts.flags.writeable


def test_counts_above_255_are_stored_as_255_and_counted(tmp_path: Path):
    counts = npz_arrays()["counts"].astype(np.int64)
    counts[3, 4], counts[5, 6] = 256, 10**9
    signal = bins_of(read_npz(write_npz_arrays(tmp_path / "a.npz", counts=counts)))
    assert signal.saturated == 2
    assert signal.counts[3, 4] == signal.counts[5, 6] == 255


def test_text_as_bytes_and_columns_of_one_are_read(tmp_path: Path):
    arrays = npz_arrays()
    recording = read_npz(write_npz_arrays(
        tmp_path / "a.npz", region=arrays["region"].astype("S5"),
        segment=arrays["segment"][:, None].astype(float), neuron_id=arrays["neuron_id"][:, None],
        bin_width_s=np.array([0.01]),
    ))  # fmt: skip
    assert recording.regions["region"].labels().tolist() == arrays["region"].tolist()
    np.testing.assert_array_equal(bins_of(recording).segment, arrays["segment"])


def test_an_unknown_array_is_noted_and_one_with_almost_a_known_name_refused(tmp_path: Path):
    path = write_npz_arrays(tmp_path / "a.npz", mouse=np.array("Cori"))
    assert read_npz(path).source.options["ignored"] == ["mouse"]
    for wrong, right in [
        ("regions", "region"),
        ("segments", "segment"),
        ("neuron_ids", "neuron_id"),
    ]:
        path = write_npz_arrays(tmp_path / "a.npz", **{right: None, wrong: npz_arrays()[right]})
        with pytest.raises(InputError, match=f"got {wrong} .did you mean '{right}'"):
            read_npz(path)


COUNTS = npz_arrays()["counts"].astype(float)


def spoilt(row: int, column: int, value: float):
    values = COUNTS.copy()
    values[row, column] = value
    return values


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"counts": spoilt(3, 5, np.nan)}, "counts must be whole numbers, at least 0; got nan in"),
        ({"counts": spoilt(3, 5, -1)}, "got -1.0 in bin 3, neuron 5"),
        ({"counts": spoilt(39, 6, 0.5)}, "got 0.5 in bin 39, neuron 6"),
        ({"counts": spoilt(0, 0, np.inf)}, "got inf in bin 0, neuron 0"),
        ({"counts": None, "states": spoilt(1, 2, 2) > 0}, ""),
        ({"counts": None, "states": np.minimum(spoilt(1, 2, 7), 2)}, "states must be 0 or 1; got"),
        ({"counts": None}, "must hold one array counts or states"),
        ({"states": COUNTS}, "must hold one array counts or states (bin, neuron); got both"),
        ({"counts": COUNTS.ravel()}, "counts must have shape (bin, neuron)"),
        ({"counts": COUNTS[:0]}, "both above 0; got shape (0, 7)"),
        ({"counts": COUNTS.astype("U3")}, "counts must hold numbers; got dtype <U3"),
        ({"counts": COUNTS.T}, "shape (7, 40), turned round: region has length 7"),
        ({"counts": COUNTS.T, "region": None, "xyz_um": None, "neuron_id": None},
         "turned round: segment has length 40"),
        ({"counts": COUNTS.T, "region": None, "xyz_um": None, "neuron_id": None, "segment": None},
         "an array neuron_id, region or segment must confirm it; got shape (7, 40) alone"),
        ({"region": np.array(["a"] * 6)}, "region must have shape (7,); got shape (6,)"),
        ({"region": np.arange(7)}, "region must hold text; got dtype int64"),
        ({"region": np.array(["a"] * BINS)}, "turned round: region has length 40"),
        ({"xyz_um": np.zeros((7, 2))}, "xyz_um must have shape (neuron, 3)"),
        ({"xyz_um": np.full((7, 3), np.inf)}, "xyz_um must be finite, or NaN where unknown"),
        ({"segment": np.zeros(39, int)}, "segment must hold one number per bin (40)"),
        ({"segment": np.arange(BINS) % 2}, "segment must hold every number in one unbroken"),
        ({"segment": np.full(BINS, 0.5)}, "segment must hold whole numbers; got 0.5 in bin 0"),
        ({"segment": np.full(BINS, np.nan)}, "segment must hold whole numbers; got nan in bin 0"),
        ({"segment": np.full(BINS, 2**40)}, "segment must hold whole numbers"),
        ({"neuron_id": np.zeros(3, int)}, "neuron_id must have shape (7,)"),
        ({"bin_width_s": None}, "bin_width_s must be an array: the seconds per bin"),
        ({"bin_width_s": None, "bin_width": 0.01}, "did you mean 'bin_width'"),
        ({"bin_width_s": np.float64(0)}, "bin_width_s must be a number in (0, 86400]; got 0.0"),
        ({"bin_width_s": np.float64(np.nan)}, "must be a number in (0, 86400]; got nan"),
        ({"bin_width_s": np.array("10 ms")}, "bin_width_s must be one number of seconds"),
        ({"bin_width_s": np.array([1, 2])}, "bin_width_s must be one number of seconds"),
        ({"time_s": np.zeros(BINS)}, "time_s must be finite and ascend within each segment"),
        ({"format_version": np.int64(2)}, "format_version must be at most 1"),
        ({"epochs/label": np.array(["a"])}, "epochs/start_s must hold one number per label (1)"),
        ({"neurons/snr": np.zeros(3)}, "neurons/snr must have shape (7,)"),
        ({"atlas/x/names": np.array(["a"])}, "atlas/x/indptr must hold 8 whole numbers"),
    ],
)  # fmt: skip
def test_bad_input_is_named_with_what_it_must_be(tmp_path: Path, changes, told: str):
    path = write_npz_arrays(tmp_path / "bad.npz", **changes)
    if not told:  # the negative control: this one is right
        read(path, format="npz")
        return
    with pytest.raises(InputError) as refused:
        read(path, format="npz")
    assert told in str(refused.value)
    assert str(refused.value).startswith(f"{path}: ")


class Bomb:
    """Unpickling this writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_a_pickled_object_is_never_opened(tmp_path: Path):
    mark = tmp_path / "exploded"
    for name in ("counts", "region", "neuron_id"):
        array = np.array([Bomb(mark)] * NEURONS, dtype=object)
        path = write_npz_arrays(tmp_path / "bad.npz", **{name: array})
        with pytest.raises(
            InputError, match=f"{name} must hold numbers, booleans or text: objects"
        ):
            read_npz(path)
    structured = np.zeros(NEURONS, dtype=[("a", "f4")])
    with pytest.raises(InputError, match="objects are never unpickled"):
        read_npz(write_npz_arrays(tmp_path / "bad.npz", region=structured))
    assert not mark.exists()


def npy_bytes(
    shape: str, descr: str = "'|u1'", data: bytes = b"", length: int | None = None
) -> bytes:
    """Return a .npy file whose header says what it likes."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    count = len(header) if length is None else length
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", count) + header + data


@pytest.mark.parametrize(
    ("member", "told"),
    [
        (npy_bytes("(10**12, 7)"), "be a whole array"),
        (npy_bytes("(1000000000000, 7)"), "header that declares 7,000,000,000,"),
        (npy_bytes("(40, 7)", data=b"\0" * 100), "have as many bytes as its header declares"),
        (npy_bytes("(40, 7)", data=b"\0" * 300), "have as many bytes as its header declares"),
        (npy_bytes("(-40, 7)"), "be a whole array"),
        (npy_bytes("(40, 7)", descr="'|O'"), "objects are never unpickled"),
        (npy_bytes("(40, 7)", descr="[('a', '<f4')]"), "objects are never unpickled"),
        (npy_bytes("(40, 7)", descr="'<U300000000'"), "have as many bytes"),
        (npy_bytes("(40, 7)", length=65535), "have as many bytes"),
        (b"\x93NUMPY\x09\x00", "be a numpy array"),
        (b"", "be a numpy array"),
        (b"GIF89a", "be a numpy array"),
    ],
)
def test_a_header_that_lies_takes_no_memory(tmp_path: Path, member: bytes, told: str):
    path = tmp_path / "lies.npz"
    width = io.BytesIO()
    np.save(width, 0.01)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("counts.npy", member)
        archive.writestr("bin_width_s.npy", width.getvalue())
    with pytest.raises(InputError, match=r"lies\.npz: counts must ") as refused:
        read(path)
    assert told in str(refused.value)


def test_a_directory_that_lies_takes_no_memory(tmp_path: Path):
    # header and directory agree on 700 GB, but a few bytes are stored
    path = tmp_path / "lies.npz"
    member = npy_bytes("(100000000000, 7)")
    declared = 700_000_000_000 + len(member)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("counts.npy", member)
        archive.writestr("bin_width_s.npy", npy_bytes("()", "'<f8'", np.float64(0.01).tobytes()))
        archive.filelist[0].file_size = declared
    with pytest.raises(
        InputError, match=r"lies\.npz: counts must have the size that the archive de"
    ):
        read(path)
