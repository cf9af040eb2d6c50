"""NWB in zarr (version 2, as hdmf-zarr writes it), made into HDF5 on the disk, chunk by chunk.

A store is a folder: of every array a header in JSON, and a file per chunk. What a recording needs
is copied into an HDF5 file in the folder for temporary files, which the reader of NWB then reads as
any other; waveforms stay where they are, and so do arrays whose text or references are pickled,
such as the references of units to electrode groups. The chunks are unpacked by numcodecs.
"""

from __future__ import annotations

import contextlib
import json
import math
import struct
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from boltzbrain.foundations.checks import InputError, bad_input
from boltzbrain.readers.hdf5 import open_hdf5

_WANTED = (
    "general/extracellular_ephys",
    "intervals",
    "processing/optotagging",
    "scratch",
    "units",
)
_LEFT = "waveform"
_CODECS = ("blosc", "gzip", "lz4", "zlib", "zstd")
_LARGEST_TEXT, _LARGEST_CHUNK = 1 << 24, 1 << 31
_MOST_CHUNKS, _MOST_OBJECTS, _MOST_TEXTS = 100_000, 20_000, 10_000_000
_DAMAGE = (OSError, ValueError, TypeError, KeyError, RuntimeError, MemoryError, OverflowError)


def is_zarr(folder: Path) -> bool:
    """Return whether a folder is a zarr store with units."""
    here = folder.is_dir() and (folder / "units").is_dir()
    return here and any((folder / name).is_file() for name in (".zgroup", "zarr.json"))


def main_file(folder: Path) -> Path:
    """Return the file by whose hash a store is known: the first chunk of the spike times."""
    times = folder / "units" / "spike_times"
    chunks = sorted(one for one in times.glob("[0-9]*") if one.is_file())
    return chunks[0] if chunks else times / ".zarray"


@contextlib.contextmanager
def open_zarr(folder: Path) -> Iterator[h5py.File]:
    """Open a store as HDF5.

    Parameters
    ----------
    folder
        The store; nothing in it is changed.

    Raises
    ------
    InputError
        If numcodecs is not installed, the store has another version than 2 or is damaged, or the
        disk has no room for the copy.
    """
    try:
        import numcodecs  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"NWB in zarr must have the library numcodecs: pip install 'boltzbrain[zarr]'; "
            f"got {error}"
        ) from error
    if not (folder / ".zgroup").is_file():
        raise bad_input("the store", "be zarr of version 2", "zarr.json", file=folder)
    with tempfile.TemporaryDirectory(prefix="boltzbrain-") as scratch:
        copy = Path(scratch) / "copy.h5"
        with h5py.File(copy, "w") as file:
            _Copy(folder, file).make()
        with open_hdf5(copy) as file:
            yield file


@dataclass(frozen=True)
class _Header:
    """What `.zarray` tells of an array; `dtype` None stands for text."""

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype[Any] | None
    order: str
    separator: str
    codec: dict[str, Any] | None


class _Copy:
    """Copies what is wanted of one store into one HDF5 file."""

    def __init__(self, folder: Path, file: h5py.File) -> None:
        self.folder, self.file = folder, file
        self.objects = 0

    def make(self) -> None:
        self._attributes(self.folder, self.file)
        for name in _WANTED:
            if (self.folder / name).is_dir():
                self._group(self.folder / name, self.file.require_group(name))

    def _group(self, source: Path, group: h5py.Group) -> None:
        self._attributes(source, group)
        for entry in sorted(source.iterdir()):
            name = entry.name
            if not entry.is_dir() or name.startswith((".", _LEFT)):
                continue
            self.objects += 1
            if self.objects > _MOST_OBJECTS:
                raise bad_input("the store", f"hold at most {_MOST_OBJECTS:,} objects", "more",
                                file=self.folder)  # fmt: skip
            with _damage(self.folder, str(entry.relative_to(self.folder))):
                if (entry / ".zgroup").is_file():
                    self._group(entry, group.create_group(name))
                elif (entry / ".zarray").is_file():
                    self._array(entry, group)

    def _attributes(self, source: Path, thing: h5py.Group | h5py.Dataset) -> None:
        """Copy the attributes that are text."""
        path = source / ".zattrs"
        with _damage(self.folder, str(path.relative_to(self.folder))):
            told = _json(path) if path.is_file() else {}
            for name, value in told.items():
                if isinstance(value, str) and "\0" not in name + value and name:
                    thing.attrs[name] = value

    def _array(self, source: Path, group: h5py.Group) -> None:
        header = _header(_json(source / ".zarray"))
        if header is None:
            return
        pieces = _pieces(source, header)
        if header.dtype is None:
            texts: NDArray[Any] = np.full(header.shape, "", dtype=object)
            for where, path in pieces:
                _put(texts, where, _texts(_unpacked(path, header)), header)
            kind = h5py.string_dtype("utf-8")
            dataset = group.create_dataset(source.name, data=texts, dtype=kind)
        else:
            # chunks only where there are several: one piece is read in one go
            fitting = tuple(map(min, header.chunks, header.shape))
            chunks = fitting if len(pieces) > 1 else None
            dataset = group.create_dataset(
                source.name, shape=header.shape, dtype=header.dtype, chunks=chunks
            )
            for where, path in pieces:
                flat = np.frombuffer(_unpacked(path, header), dtype=header.dtype)
                _put(dataset, where, flat, header)
        self._attributes(source, dataset)


@contextlib.contextmanager
def _damage(folder: Path, field: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except _DAMAGE as error:
        told = str(error).split("\n")[0] or type(error).__name__
        raise bad_input(field, "be a whole part of a zarr store", told, file=folder) from error


def _json(path: Path) -> dict[str, Any]:
    if path.stat().st_size > _LARGEST_TEXT:
        raise ValueError(f"{path.stat().st_size:,} bytes of JSON")
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError("JSON that is nested too deep") from error
    if not isinstance(told, dict):
        raise ValueError("JSON of something else")
    return told


def _header(told: dict[str, Any]) -> _Header | None:
    """Return what `.zarray` tells, None of arrays of other things than numbers and text."""
    shape, chunks = (_sizes(told[name]) for name in ("shape", "chunks"))
    if told["zarr_format"] != 2 or len(shape) != len(chunks) or min(chunks, default=1) < 1:
        raise ValueError("a header that is none of zarr 2")
    codec = told["compressor"]
    if codec is not None and codec["id"] not in _CODECS:
        raise ValueError(f"packed by {codec['id']}, not by one of {', '.join(_CODECS)}")
    filters = [one["id"] for one in told["filters"] or []]
    dtype: np.dtype[Any] | None = None
    if told["dtype"] == "|O":
        if filters != ["vlen-utf8"]:
            return None
    else:
        dtype = np.dtype(told["dtype"]) if isinstance(told["dtype"], str) else None
        if filters or dtype is None or dtype.kind not in "biuf":
            return None
    if dtype is None and math.prod(shape) > _MOST_TEXTS:
        raise ValueError(f"{math.prod(shape):,} texts")
    if dtype is not None and math.prod(chunks) * dtype.itemsize > _LARGEST_CHUNK:
        raise ValueError(f"chunks of {math.prod(chunks) * dtype.itemsize:,} bytes")
    separator = told.get("dimension_separator", ".")
    if told["order"] not in ("C", "F") or separator not in (".", "/"):
        raise ValueError("a header that is none of zarr 2")
    return _Header(shape, chunks, dtype, told["order"], separator, codec)


def _sizes(values: Any) -> tuple[int, ...]:
    sizes = tuple(values)
    if not all(type(one) is int and one >= 0 for one in sizes):
        raise ValueError(f"sizes {sizes}")
    return sizes


def _pieces(source: Path, header: _Header) -> list[tuple[tuple[int, ...], Path]]:
    """Return the chunks that there are: their place in the array, in elements, and their file."""
    found = []
    counts = [-(-size // chunk) for size, chunk in zip(header.shape, header.chunks, strict=True)]
    for path in source.rglob("*") if header.separator == "/" else source.iterdir():
        numbers = str(path.relative_to(source)).split(header.separator)
        if not path.is_file() or not all(one.isdecimal() for one in numbers):
            continue
        place = [int(one) for one in numbers] if header.shape else []
        if len(place) == len(counts) and all(a < b for a, b in zip(place, counts, strict=True)):
            start = (a * b for a, b in zip(place, header.chunks, strict=True))
            found.append((tuple(start), path))
    if len(found) > _MOST_CHUNKS:
        raise ValueError(f"{len(found):,} chunks")
    # what is not stored is a fill value, and could be of any size
    if len(found) < math.prod(counts):
        raise ValueError(f"{len(found):,} of {math.prod(counts):,} chunks")
    return sorted(found)


def _unpacked(path: Path, header: _Header) -> bytes:
    """Return the bytes of a chunk, refused if they are to be more than it can hold."""
    packed = path.read_bytes()
    most = _LARGEST_CHUNK
    if header.dtype is not None:
        most = math.prod(header.chunks) * header.dtype.itemsize
    if header.codec is None:
        whole = packed
    else:
        from numcodecs import get_codec

        # these two say how long they are, and that is believed before they are unpacked
        kind, start = header.codec["id"], packed[:16] + bytes(16)
        if kind == "blosc" and struct.unpack_from("<I", start, 12)[0] != len(packed):
            raise ValueError("a chunk that is shorter than it says")
        length = {"blosc": 4, "lz4": 0}.get(kind)
        if length is not None and struct.unpack_from("<I", start, length)[0] > most:
            raise ValueError("a chunk that is longer than its header says")
        whole = bytes(get_codec({"id": header.codec["id"]}).decode(packed))
    if len(whole) > most or (header.dtype is not None and len(whole) != most):
        raise ValueError(f"{len(whole):,} bytes in a chunk of {most:,}")
    return whole


def _texts(whole: bytes) -> NDArray[Any]:
    """Return the texts of a chunk: how many, then of each its length and its UTF-8."""
    (count,) = struct.unpack_from("<I", whole)
    place, found = 4, []
    for _ in range(min(count, len(whole))):
        (length,) = struct.unpack_from("<I", whole, place)
        if length > len(whole) - place - 4:
            raise ValueError("a text that is longer than its chunk")
        text = whole[place + 4 : place + 4 + length].decode("utf-8", "replace")
        found.append(text.replace("\0", ""))
        place += 4 + length
    result = np.empty(len(found), dtype=object)
    result[:] = found
    return result


def _put(target: Any, where: Sequence[int], flat: NDArray[Any], header: _Header) -> None:
    """Write a chunk where it belongs; at the end of the array it is longer than what is left."""
    whole = flat.reshape(header.chunks, order="F" if header.order == "F" else "C")
    left = [min(c, s - w) for c, s, w in zip(header.chunks, header.shape, where, strict=True)]
    there = tuple(slice(w, w + n) for w, n in zip(where, left, strict=True))
    target[there] = whole[tuple(slice(0, n) for n in left)]
