"""Tables of bytes decompressed side by side are those that the library reads."""

import zlib

import h5py
import numpy as np
import pytest

from boltzbrain.foundations.disk.hdf5_tables import _checksum_bytes, read_table_of_bytes

STATES = (np.random.default_rng(0).random((1000, 37)) < 0.1).astype(np.uint8)


@pytest.mark.parametrize(
    ("options", "ours"),
    [
        ({"chunks": (64, 37), "compression": "gzip"}, True),
        ({"chunks": (64, 37), "compression": "gzip", "fletcher32": True}, True),
        ({"chunks": (1000, 37), "compression": "gzip", "compression_opts": 1}, True),
        ({"chunks": (64, 20), "compression": "gzip"}, False),
        ({"chunks": (64, 37), "compression": "gzip", "shuffle": True}, False),
        ({"chunks": (64, 37), "compression": "lzf"}, False),
        ({}, False),
    ],
)
def test_a_table_is_read_as_it_was_written(tmp_path, options, ours):
    with h5py.File(tmp_path / "one.h5", "w") as file:
        file.create_dataset("states", data=STATES, **options)
        assert (_checksum_bytes(file["states"]) is not None) == ours
        np.testing.assert_array_equal(read_table_of_bytes(file["states"]), STATES)


def test_a_table_without_rows_is_empty(tmp_path):
    with h5py.File(tmp_path / "one.h5", "w") as file:
        one = file.create_dataset(
            "states", (0, 5), np.uint8, maxshape=(None, 5), compression="gzip"
        )
        assert read_table_of_bytes(one).shape == (0, 5)


def test_a_damaged_chunk_is_an_error_of_the_file(tmp_path):
    path = tmp_path / "one.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("states", data=STATES, chunks=(500, 37), compression="gzip")
        at = file["states"].id.get_chunk_info(1).byte_offset
    content = bytearray(path.read_bytes())
    content[at + 100] ^= 0xFF
    path.write_bytes(content)
    with h5py.File(path) as file, pytest.raises(OSError, match="chunk of /states"):
        read_table_of_bytes(file["states"])


def test_a_chunk_that_grows_beyond_its_size_is_not_unpacked_whole(tmp_path):
    # a kilobyte that would become a megabyte, in place of a chunk of 50 bytes
    with h5py.File(tmp_path / "grown.h5", "w") as file:
        one = file.create_dataset(
            "states", (10, 5), np.uint8, chunks=(10, 5), compression="gzip", shuffle=False
        )
        one.id.write_direct_chunk((0, 0), zlib.compress(bytes(1 << 20)))
        with pytest.raises(OSError, match="does not hold 50 bytes"):
            read_table_of_bytes(one)
        one.id.write_direct_chunk((0, 0), zlib.compress(bytes(50))[:-6])
        with pytest.raises(OSError, match="states"):
            read_table_of_bytes(one)


def test_a_chunk_that_was_never_written_is_zeros(tmp_path):
    with h5py.File(tmp_path / "one.h5", "w") as file:
        one = file.create_dataset("states", (100, 5), np.uint8, chunks=(10, 5), compression="gzip")
        one[:10] = 1
        np.testing.assert_array_equal(read_table_of_bytes(one), one[...])
