"""Zarr stores: text in every way it is stored, and chunks that unpack to more than they may."""

from __future__ import annotations

import gzip
import json
import shutil
import struct
import tracemalloc
import zlib
from pathlib import Path

import numcodecs
import numpy as np
import pandas as pd
import pytest
import zarr

from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.disk.files import sha256
from boltzbrain.preparing.card.card import data_card
from boltzbrain.readers import read
from boltzbrain.readers.containers.zarr_chunks import parse_header, unpacked
from boltzbrain.readers.containers.zarr_store import main_file
from helpers.nwb_layouts import (
    FRAMES,
    ROIS,
    calcium_traces,
    write_calcium_zarr,
    write_zarr,
    write_zarr3,
)

COLUMN = "units/quality"


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """Return a store whose only array that is left out is the pickled one, and its units."""
    folder = tmp_path_factory.mktemp("zarr") / "a.zarr"
    write_zarr(folder)
    return folder


def with_column(store: Path, folder: Path, words: list[object], **how: object) -> Path:
    shutil.copytree(store, folder)
    group = zarr.open_group(str(folder), mode="a")
    if COLUMN in group:
        del group[COLUMN]
    values = np.array(words, dtype=object if "object_codec" in how else how.pop("dtype"))
    group.create_dataset(COLUMN, data=values, dtype=values.dtype, chunks=(4,), **how)
    return folder


@pytest.mark.parametrize("version", [2, 3])
def test_frames_of_a_store_keep_their_rate_and_the_region_of_their_plane(tmp_path, version):
    folder = tmp_path / "a.zarr"
    write_calcium_zarr(folder, version)
    recording = read(folder)
    np.testing.assert_array_equal(recording.signal.frames, calcium_traces())
    np.testing.assert_allclose(recording.signal.times, 2.0 + 0.1 * np.arange(FRAMES))
    assert recording.regions["ccf"].labels().tolist() == ["VISp"] * ROIS
    # masks are of a type that is not unpacked; their index alone tells nothing of a cell
    assert "pixel_mask_index" not in recording.neurons


TEXTS = {
    "vlen-utf8": {"object_codec": numcodecs.VLenUTF8()},
    "vlen-bytes": {"object_codec": numcodecs.VLenBytes()},
    "json2": {"object_codec": numcodecs.JSON()},
    "U": {"dtype": "<U7"},
    "big-endian U": {"dtype": ">U7"},
    "S": {"dtype": "S7"},
}


@pytest.mark.parametrize("way", TEXTS)
def test_text_is_read_however_it_is_stored(store, tmp_path, way):
    count = len(read(store))
    words = [f"q{n}" if n % 3 else "good" for n in range(count)]
    stored = [one.encode() for one in words] if way in ("vlen-bytes", "S") else words
    recording = read(with_column(store, tmp_path / "a.zarr", stored, **TEXTS[way]))
    assert recording.neurons["quality"].tolist() == words
    assert recording.source.options["left_out"] == ["units/electrode_group"]


@pytest.mark.parametrize(
    "how",
    [
        {"object_codec": numcodecs.JSON()},
        {"object_codec": numcodecs.Pickle()},
        {"object_codec": numcodecs.MsgPack()},
        {"dtype": "<M8[s]"},
        {"dtype": "<f8", "filters": [numcodecs.FixedScaleOffset(0, 1, "<f8")]},
    ],
)
def test_what_is_not_read_is_named(store, tmp_path, how):
    count = len(read(store))
    objects = "object_codec" in how
    values = [{"path": "/general"} if objects else n for n in range(count)]
    recording = read(with_column(store, tmp_path / "a.zarr", values, **how))
    assert recording.source.options["left_out"] == ["units/electrode_group", COLUMN]
    told = next(one for one in data_card(recording).warnings if "pickled" in one)
    assert f"units/electrode_group, {COLUMN}; left out" in told


DECLARED, BOMB = 800, 1 << 28


def bomb(kind: str) -> bytes:
    """Return a small chunk that unpacks to a quarter of a gigabyte."""
    if kind in ("zlib", "gzip"):
        packing = zlib.compressobj(1, zlib.DEFLATED, 31 if kind == "gzip" else 15)
        piece = bytes(1 << 24)
        return b"".join(packing.compress(piece) for _ in range(BOMB >> 24)) + packing.flush()
    return bytes(numcodecs.get_codec({"id": kind}).encode(bytes(BOMB)))


def header(kind: str, size: int = DECLARED):
    return parse_header(
        {
            "zarr_format": 2, "shape": [size // 8], "chunks": [size // 8], "dtype": "<f8",
            "order": "C", "filters": None, "compressor": {"id": kind},
        }
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["zlib", "gzip", "zstd", "lz4", "blosc"])
def test_a_chunk_is_never_unpacked_beyond_what_it_may_hold(tmp_path, kind):
    path = tmp_path / "0"
    right = np.arange(DECLARED // 8, dtype="<f8").tobytes()
    path.write_bytes(numcodecs.get_codec({"id": kind}).encode(right))
    assert unpacked(path, header(kind)) == right
    path.write_bytes(bomb(kind))
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"longer than its header says|in a chunk of 800"):
        unpacked(path, header(kind))
    # and where the header goes along with it, so few bytes are not believed
    with pytest.raises(ValueError, match=f"bytes for a chunk of {BOMB:,}"):
        unpacked(path, header(kind, BOMB))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


def test_a_frame_of_zstandard_that_does_not_say_its_length_is_refused(tmp_path):
    whole = bytes(numcodecs.Zstd().encode(bytes(DECLARED)))
    # one segment and a size of two bytes in the header: both taken out, a window put in
    assert whole[4] == 0x60
    (tmp_path / "0").write_bytes(whole[:4] + b"\x00\x58" + whole[7:])
    with pytest.raises(ValueError, match="does not say how long it is"):
        unpacked(tmp_path / "0", header("zstd"))


def test_a_chunk_cut_short_is_refused(tmp_path):
    for kind, packed in (("zlib", zlib.compress(bytes(DECLARED))),
                         ("gzip", gzip.compress(bytes(DECLARED)))):  # fmt: skip
        (tmp_path / "0").write_bytes(packed[:-3])
        with pytest.raises((ValueError, zlib.error)):
            unpacked(tmp_path / "0", header(kind))
    (tmp_path / "0").write_bytes(b"\x28\xb5")
    with pytest.raises(struct.error):
        unpacked(tmp_path / "0", header("zstd"))


def test_a_damaged_chunk_in_a_store_is_refused_by_its_name(store, tmp_path):
    shutil.copytree(store, tmp_path / "a.zarr")
    (tmp_path / "a.zarr" / "units" / "spike_times" / "0").write_bytes(b"\x02")
    with pytest.raises(InputError, match=r"a\.zarr: units/spike_times must be a whole part of a z"):
        read(tmp_path / "a.zarr")


def test_version_3_reads_as_version_2_does(store, tmp_path):
    write_zarr3(tmp_path / "b.zarr")
    third, second = read(tmp_path / "b.zarr"), read(store)
    columns = [name for name in third.neurons if name in second.neurons]
    assert "snr" in columns
    np.testing.assert_array_equal(third.signal.times, second.signal.times)
    pd.testing.assert_frame_equal(third.neurons[columns], second.neurons[columns])
    assert third.epochs.equals(second.epochs)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"codecs": [{"name": "sharding_indexed"}]}, "packed by sharding_indexed"),
        (
            {"codecs": [{"name": "bytes"}, {"name": "pcodec"}]},
            "packed by pcodec, not by one of blo",
        ),
        ({"shape": [2**40]}, "have the size that it declares"),
        ({"attributes": 3}, "attributes without names"),
        (
            {"chunk_key_encoding": {"name": "default", "configuration": 7}},
            "configuration without names",
        ),
    ],
)
def test_what_version_3_may_have_and_is_not_read_is_refused(tmp_path, change, told):
    folder = tmp_path / "b.zarr"
    write_zarr3(folder)
    path = folder / "units" / "spike_times" / "zarr.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(InputError, match=told):
        read(folder)


def test_stores_of_traces_are_known_by_their_traces(tmp_path):
    hashes = []
    for number in (0.0, 1.0, 1.0):
        folder = tmp_path / str(len(hashes))
        store = zarr.open_group(str(folder), mode="w")
        store.create_dataset("processing/ophys/DfOverF/RoiResponseSeries/data",
                             data=np.full((4, 2), number), chunks=(2, 2))  # fmt: skip
        hashes.append(sha256(main_file(folder)))
    assert hashes[0] != hashes[1]
    assert hashes[1] == hashes[2]
