"""NWB in zarr, as hdmf-zarr writes versions 2 and 3, made into HDF5 on the disk, chunk by chunk.

A store is a folder: of every array a header in JSON, and a file per chunk. What a recording needs
is copied into an HDF5 file in the folder for temporary files, which the reader of NWB then reads as
any other; waveforms stay where they are, and so do arrays whose text or references are pickled,
such as the references of units to electrode groups, or packed in a way that is not known: the
recording names them. No chunk is unpacked beyond the size that its header declares.
"""

from __future__ import annotations

import contextlib
import json
import math
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from boltzbrain.foundations.checks import InputError, bad_input
from boltzbrain.readers.containers.hdf5 import open_hdf5
from boltzbrain.readers.containers.npy import damage
from boltzbrain.readers.containers.zarr_chunks import (
    LARGEST_JSON,
    Header,
    NoTextError,
    decode_texts,
    named,
    parse_header,
    parse_header_3,
    unpacked,
)

_WANTED = (
    "general/extracellular_ephys",
    "general/optophysiology",
    "intervals",
    "processing/ophys",
    "processing/optotagging",
    "scratch",
    "units",
)
_LEFT = ("waveform", "image_mask")
_LINKS = ("zarr_link", "_LINKS")
"""Where hdmf-zarr keeps links: in version 2, and in version 3 of zarr."""
_GROUPS, _TOLD_3 = (".zgroup", "zarr.json"), "zarr.json"
_MOST_CHUNKS, _MOST_OBJECTS, _MOST_BYTES_OF_TEXT = 100_000, 20_000, 1 << 27


def is_zarr(folder: Path) -> bool:
    """Return whether a folder is a zarr store with units or processed data."""
    here = folder.is_dir() and any((folder / one).is_dir() for one in ("units", "processing"))
    return here and any((folder / name).is_file() for name in _GROUPS)


def main_file(folder: Path) -> Path:
    """Return the file by whose hash a store is known: a first chunk of spike times, or of traces.

    Of a store without a chunk of either it is the header, which all stores share.
    """
    traces = sorted(one for one in (folder / "processing").rglob("data") if one.is_dir())
    headers = (".zarray", ".zattrs", _TOLD_3)
    for array in (folder / "units" / "spike_times", *traces):
        files = (one for one in array.rglob("*") if one.is_file() and one.name not in headers)
        first = min(files, default=None)
        if first is not None:
            return first
    return next(folder / one for one in _GROUPS if (folder / one).is_file())


@contextlib.contextmanager
def open_zarr(folder: Path, left_out: list[str]) -> Iterator[h5py.File]:
    """Open a store as HDF5.

    Parameters
    ----------
    folder
        The store; nothing in it is changed.
    left_out
        Gets the names of the arrays that are not read: pickled, or stored in a way not known here.

    Raises
    ------
    InputError
        If numcodecs is not installed, the store is damaged, or the
        disk has no room for the copy.
    """
    try:
        import numcodecs  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"NWB in zarr must have the library numcodecs: pip install 'boltzbrain[zarr]'; "
            f"got {error}"
        ) from error
    with tempfile.TemporaryDirectory(prefix="boltzbrain-") as scratch:
        copy = Path(scratch) / "copy.h5"
        with h5py.File(copy, "w") as file:
            _Copy(folder, file, left_out).make()
        with open_hdf5(copy) as file:
            yield file


class _Copy:
    """Copies what is wanted of one store into one HDF5 file."""

    def __init__(self, folder: Path, file: h5py.File, left_out: list[str]) -> None:
        self.folder, self.file, self.left_out = folder, file, left_out
        self.objects = 0
        self.links: list[tuple[h5py.Group, dict[str, Any]]] = []

    def make(self) -> None:
        self._attributes(self.folder, self.file)
        for name in _WANTED:
            if (self.folder / name).is_dir():
                self._group(self.folder / name, self.file.require_group(name))
        for group, link in self.links:
            self._link(group, link)

    def _group(self, source: Path, group: h5py.Group) -> None:
        self._attributes(source, group)
        for entry in sorted(source.iterdir()):
            name = entry.name
            if not entry.is_dir() or name.startswith((".", *_LEFT)):
                continue
            self.objects += 1
            if self.objects > _MOST_OBJECTS:
                raise bad_input("the store", f"hold at most {_MOST_OBJECTS:,} objects", "more",
                                file=self.folder)  # fmt: skip
            with _damage(self.folder, str(entry.relative_to(self.folder))):
                newer = (entry / _TOLD_3).is_file()
                kind = _json(entry / _TOLD_3).get("node_type") if newer else None
                if kind == "group" or (entry / ".zgroup").is_file():
                    self._group(entry, group.create_group(name))
                elif kind == "array" or (entry / ".zarray").is_file():
                    self._array(entry, group)

    def _attributes(self, source: Path, thing: h5py.Group | h5py.Dataset) -> None:
        """Copy the attributes that are a text or a number, and the links to things of the store."""
        path = source / ".zattrs"
        newer = (source / _TOLD_3).is_file()
        with _damage(self.folder, str(path.relative_to(self.folder))):
            told = _json(path) if path.is_file() else {}
            told = named(_json(source / _TOLD_3), "attributes") if newer else told
            for name, value in told.items():
                if not name or "\0" in name:
                    continue
                if isinstance(value, str) and "\0" not in value:
                    thing.attrs[name] = value
                elif isinstance(value, float) or (isinstance(value, int) and abs(value) < 1 << 53):
                    thing.attrs[name] = float(value)
                elif name in _LINKS and isinstance(value, list) and isinstance(thing, h5py.Group):
                    self.links += [(thing, link) for link in value if isinstance(link, dict)]

    def _link(self, group: h5py.Group, told: dict[str, Any]) -> None:
        """Make a link of hdmf-zarr; one to what is not copied, or in another store, is left out."""
        name, path = told.get("name"), told.get("path")
        words = [one for one in (name, path) if isinstance(one, str) and one and "\0" not in one]
        if told.get("source") != "." or len(words) < 2 or "/" in words[0] or words[0] in group:
            return
        with _damage(self.folder, f"link {words[0]}"):
            if words[1] in self.file:
                group[words[0]] = h5py.SoftLink(words[1])

    def _array(self, source: Path, group: h5py.Group) -> None:
        newer = (source / _TOLD_3).is_file()
        header = parse_header_3(_json(source / _TOLD_3)) if newer else None
        header = header if newer else parse_header(_json(source / ".zarray"))
        if header is None:
            self.left_out.append(str(source.relative_to(self.folder)))
            return
        pieces = _pieces(source, header)
        if header.texts or header.dtype.kind in "US":
            try:
                texts = self._read_texts(pieces, header)
            except NoTextError:
                self.left_out.append(str(source.relative_to(self.folder)))
                return
            kind = h5py.string_dtype("utf-8")
            dataset = group.create_dataset(source.name, data=texts, dtype=kind)
        else:
            # chunks only where there are several: one piece is read in one go
            fitting = tuple(map(min, header.chunks, header.shape))
            chunks = fitting if len(pieces) > 1 and 0 not in fitting else None
            dataset = group.create_dataset(
                source.name,
                shape=header.shape,
                dtype=header.dtype,
                chunks=chunks,
                fillvalue=header.fill,
            )
            for where, path in pieces:
                flat = np.frombuffer(unpacked(path, header), dtype=header.dtype)
                _put(dataset, where, flat, header)
        self._attributes(source, dataset)

    def _read_texts(
        self, pieces: list[tuple[tuple[int, ...], Path]], header: Header
    ) -> NDArray[Any]:
        texts: NDArray[Any] = np.full(header.shape, "", dtype=object)
        left = _MOST_BYTES_OF_TEXT
        for where, path in pieces:
            whole = unpacked(path, header)
            left -= len(whole)
            if left < 0:
                raise ValueError(f"more than {_MOST_BYTES_OF_TEXT:,} bytes of text")
            _put(texts, where, decode_texts(whole, header), header)
        return texts


def _damage(folder: Path, field: str) -> contextlib.AbstractContextManager[None]:
    return damage(folder, field, "be a whole part of a zarr store", also=(zlib.error,))


def _json(path: Path) -> dict[str, Any]:
    if path.stat().st_size > LARGEST_JSON:
        raise ValueError(f"{path.stat().st_size:,} bytes of JSON")
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError("JSON that is nested too deep") from error
    if not isinstance(told, dict):
        raise ValueError("JSON of something else")
    return told


def _pieces(source: Path, header: Header) -> list[tuple[tuple[int, ...], Path]]:
    """Return the chunks that there are: their place in the array, in elements, and their file."""
    found = []
    counts = [-(-size // chunk) for size, chunk in zip(header.shape, header.chunks, strict=True)]
    for path in source.rglob("*") if header.separator == "/" else source.iterdir():
        numbers = str(path.relative_to(source)).split(header.separator)
        if header.prefix and numbers.pop(0) != header.prefix:
            continue
        if not path.is_file() or not all(one.isdecimal() for one in numbers):
            continue
        place = [int(one) for one in numbers] if header.shape else []
        if len(place) == len(counts) and all(a < b for a, b in zip(place, counts, strict=True)):
            start = (a * b for a, b in zip(place, header.chunks, strict=True))
            found.append((tuple(start), path))
    if len(found) > _MOST_CHUNKS:
        raise ValueError(f"{len(found):,} chunks")
    # what is not stored is a fill value, and could be of any size: where HDF5 has it, its reader
    # compares what is declared with what is stored
    if header.fill is None and len(found) < math.prod(counts):
        raise ValueError(f"{len(found):,} of {math.prod(counts):,} chunks")
    return sorted(found)


def _put(target: Any, where: Sequence[int], flat: NDArray[Any], header: Header) -> None:
    """Write a chunk where it belongs; at the end of the array it is longer than what is left."""
    whole = flat.reshape(header.chunks, order="F" if header.order == "F" else "C")
    left = [min(c, s - w) for c, s, w in zip(header.chunks, header.shape, where, strict=True)]
    there = tuple(slice(w, w + n) for w, n in zip(where, left, strict=True))
    target[there] = whole[tuple(slice(0, n) for n in left)]
