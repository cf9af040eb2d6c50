"""Looking at the places where an HDF5 file keeps its texts before the library does.

Texts of variable length lie in global heaps: blocks that start with GCOL and hold objects one after
the other, each with its own length. The library (2.0.0 and before) adds these lengths up without
asking whether it gets anywhere, so that a damaged length makes it run for ever inside one call,
where no exception and no signal reaches it; `check_heaps` adds them up first.

A dataset or attribute of texts holds references: length, address of the heap, number of the object.
The library takes memory for the length, up to 4 GB, before it looks at the object;
`check_references` looks at the lengths first. Where the references are compressed or the header of
the object has a checksum, damage is noticed and there is nothing to look at.

Layouts: HDF5 File Format Specification 3.0, III.E "Global Heap", IV.A "Data Object Headers".
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import h5py
import numpy as np

from boltzbrain.foundations.checks import bad_input
from boltzbrain.readers.containers.remote import is_address

_SIGNATURE = b"GCOL\x01\x00\x00\x00"
_HEADER = 16
_PIECE = 1 << 23
_REFERENCE = np.dtype([("length", "<u4"), ("address", "<u8"), ("number", "<u4")])
# numbers of the messages of an object header, and of the class of a datatype
_ATTRIBUTE, _CONTINUED, _VARIABLE_LENGTH = 0x0C, 0x10, 9
_LARGEST_HEADER, _MOST_BLOCKS = 1 << 20, 64


def check_heaps(path: Path, base: int = 0) -> None:
    """Refuse a file with a global heap whose objects cannot be walked through.

    Space that a file no longer uses may hold the ruins of a heap; a broken heap counts only if its
    address occurs in the file, as that of every heap in use does.

    Parameters
    ----------
    path
        An HDF5 file.
    base
        The address that the file counts from, the size of its user block.

    Raises
    ------
    InputError
        If there is such a heap.
    """
    try:
        with path.open("rb") as file:
            for place in _find(file, _SIGNATURE):
                if not _can_be_walked(file, place):
                    address = struct.pack("<Q", place - base)
                    if next(_find(file, address), None) is not None:
                        raise bad_input(
                            "the file",
                            "be a whole HDF5 file",
                            f"a damaged one (global heap at byte {place:,})",
                            file=path,
                        )
    except OSError as error:
        raise bad_input("the file", "be readable", str(error), file=path) from error


def _find(file: BinaryIO, pattern: bytes) -> Iterator[int]:
    """Yield every place where a pattern occurs; the file may be moved between two of them."""
    start, tail = 0, b""
    while True:
        file.seek(start)
        piece = file.read(_PIECE)
        if not piece:
            return
        searched = tail + piece
        found = searched.find(pattern)
        while found >= 0:
            yield start - len(tail) + found
            found = searched.find(pattern, found + 1)
        start += len(piece)
        tail = searched[1 - len(pattern) :]


def _can_be_walked(file: BinaryIO, place: int) -> bool:
    """Return whether the objects of the heap at `place` fill it in steps that lead on."""
    file.seek(place + len(_SIGNATURE))
    field = file.read(8)
    if len(field) < 8:
        return True  # cut off: the library notices
    (size,) = struct.unpack("<Q", field)
    file.seek(0, 2)
    if size > file.tell() - place:
        return True  # as is this
    file.seek(place)
    heap = file.read(size)
    position = _HEADER
    while position + _HEADER <= len(heap):
        number, _, length = struct.unpack_from("<HHxxxxQ", heap, position)
        # the free space is object 0, and its length includes its own header
        step = length if number == 0 else _HEADER + (length + 7) // 8 * 8
        if not _HEADER <= step <= len(heap) - position:
            return False
        position += step
    return True


def check_references(thing: h5py.Dataset | h5py.Group, name: str, where: str) -> None:
    """Refuse texts that are said to be longer than the whole file.

    Parameters
    ----------
    thing
        A dataset of texts of variable length, or an object with an attribute of them.
    name
        Name of the attribute, "" for the dataset itself.
    where
        The file.

    Raises
    ------
    InputError
        If a length is impossible.
    """
    if is_address(thing.file.filename):
        return  # the file's bytes are not at hand
    path = Path(thing.file.filename)
    with path.open("rb") as file:
        size = file.seek(0, 2)
        pieces = _attribute(file, thing, name) if name else _dataset(file, thing)
        for piece in pieces:
            longest = int(_lengths(piece).max(initial=0))
            if longest > size:
                raise bad_input(
                    name or str(thing.name).lstrip("/"),
                    "hold texts no longer than the file",
                    f"a text of {longest:,} bytes",
                    file=where,
                )


def _lengths(references: bytes) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    whole = len(references) // _REFERENCE.itemsize * _REFERENCE.itemsize
    return np.frombuffer(references[:whole], dtype=_REFERENCE)["length"]


def _dataset(file: BinaryIO, dataset: h5py.Dataset) -> Iterator[bytes]:
    """Yield the stored references of a dataset that is not compressed."""
    if dataset.shape is None or dataset.id.get_create_plist().get_nfilters() > 0:
        return
    needed = math.prod(dataset.shape) * _REFERENCE.itemsize
    if dataset.chunks is None:
        offset = dataset.id.get_offset()
        if offset is not None:
            file.seek(offset)
            yield file.read(needed)
        return
    for number in range(dataset.id.get_num_chunks()):
        chunk = dataset.id.get_chunk_info(number)
        file.seek(chunk.byte_offset)
        yield file.read(chunk.size)


def _attribute(file: BinaryIO, thing: h5py.Group | h5py.Dataset, name: str) -> Iterator[bytes]:
    """Yield the stored reference of an attribute, from an object header without checksum."""
    base = int(thing.file.userblock_size)
    start = int(h5py.h5o.get_info(thing.id).addr) + base
    file.seek(start)
    version, size = struct.unpack("<B7xI4x", file.read(_HEADER))
    blocks = [(start + _HEADER, size)] if version == 1 else []
    for place, length in blocks:  # grows where the header is continued elsewhere
        file.seek(place)
        block = file.read(min(length, _LARGEST_HEADER))
        position = 0
        while position + 8 <= len(block):
            kind, size = struct.unpack_from("<HH", block, position)
            message = block[position + 8 : position + 8 + size]
            if kind == _CONTINUED and len(message) >= 16 and len(blocks) < _MOST_BLOCKS:
                address, length = struct.unpack_from("<QQ", message)
                blocks.append((address + base, length))
            elif kind == _ATTRIBUTE and len(message) >= 8:
                yield _value(message, name)
            position += 8 + size


def _value(message: bytes, name: str) -> bytes:
    """Return the reference that an attribute message holds, b"" if it is another attribute."""
    version, *sizes = struct.unpack_from("<BxHHH", message)
    place = 9 if version == 3 else 8
    label = message[place : place + sizes[0]].rstrip(b"\0")
    # the first version pads each part to eight bytes
    padded = [(size + 7) // 8 * 8 if version == 1 else size for size in sizes]
    kind = message[place + padded[0] : place + padded[0] + 1]
    if label != name.encode() or not kind or kind[0] & 15 != _VARIABLE_LENGTH:
        return b""
    return message[place + sum(padded) :]
