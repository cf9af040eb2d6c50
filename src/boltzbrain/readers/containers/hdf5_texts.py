"""Looking at the places where an HDF5 file keeps its texts before the library does.

Texts of variable length lie in global heaps: blocks that start with GCOL and hold objects one after
the other, each with its own length. The library (2.0.0 and before) adds these lengths up without
asking whether it gets anywhere, so that a damaged length makes it run for ever inside one call,
where no exception and no signal reaches it.

A dataset or attribute of texts holds references: length, address of the heap, number of the object.
The library takes memory for the length, up to 4 GB, before it looks at the object. `check_texts`
looks at both first: the lengths, and the heaps that the references name. Nothing else of the file
is gone through, but where the references are stored in a way that is not known here: then all of it
is searched for heaps.

Layouts: HDF5 File Format Specification 3.0, III.E "Global Heap", IV.A "Data Object Headers".
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np

from boltzbrain.foundations.checks import InputError, bad_input
from boltzbrain.readers.containers.remote import is_address

_SIGNATURE = b"GCOL\x01\x00\x00\x00"
_HEADER = 16
_PIECE, _SLACK = 1 << 23, 1 << 16
_REFERENCE = np.dtype([("length", "<u4"), ("address", "<u8"), ("number", "<u4")])
# numbers of the messages of an object header
_ATTRIBUTE, _CONTINUED = 0x0C, 0x10
_LARGEST_HEADER, _MOST_BLOCKS = 1 << 20, 64


def check_texts(thing: h5py.Dataset | h5py.Group, name: str, where: str) -> None:
    """Refuse texts that are said to be longer than the whole file, or whose heaps lead nowhere.

    Parameters
    ----------
    thing
        A dataset of texts of variable length, or an object with an attribute.
    name
        Name of the attribute, "" for the dataset itself.
    where
        The file.

    Raises
    ------
    InputError
        If a length is impossible, or a heap cannot be walked through.
    """
    if is_address(thing.file.filename):
        return  # the file's bytes are not at hand
    if name and not _is_text(thing, name):
        return
    base = int(thing.file.userblock_size)
    with Path(thing.file.filename).open("rb") as file:
        size = file.seek(0, 2)
        try:
            pieces = _attribute(file, thing, name) if name else _dataset(file, thing)
            references = [_references(piece) for piece in pieces]
        except _UnknownError:
            _check_all(file, base, where)
            return
        for one in references:
            longest = int(one["length"].max(initial=0))
            if longest > size:
                raise bad_input(
                    name or str(thing.name).lstrip("/"),
                    "hold texts no longer than the file",
                    f"a text of {longest:,} bytes",
                    file=where,
                )
        # of empty texts too, which the library looks up as well
        heaps = [np.unique(one["address"]) for one in references]
        for address in np.unique(np.concatenate(heaps)).tolist() if heaps else []:
            place = address + base
            # beyond the end: the library notices
            if address and place < size and not _can_be_walked(file, place):
                raise _damaged(place, where)


class _UnknownError(Exception):
    """References that are stored in a way that is not known here."""


def _is_text(thing: h5py.Dataset | h5py.Group, name: str) -> bool:
    """Return whether an attribute is of variable length."""
    kind = h5py.h5a.open(thing.id, name.encode()).get_type()
    if isinstance(kind, h5py.h5t.TypeStringID):
        return bool(kind.is_variable_str())
    return bool(kind.get_class() == h5py.h5t.VLEN)


def _check_all(file: BinaryIO, base: int, where: str) -> None:
    """Refuse a file with a heap anywhere that cannot be walked through.

    Space that a file no longer uses may hold the ruins of a heap; a broken heap counts only if its
    address occurs in the file, as that of every heap in use does.
    """
    for place in _find(file, _SIGNATURE):
        if not _can_be_walked(file, place):
            address = struct.pack("<Q", place - base)
            if next(_find(file, address), None) is not None:
                raise _damaged(place, where)


def _damaged(place: int, where: str) -> InputError:
    return bad_input(
        "the file",
        "be a whole HDF5 file",
        f"a damaged one (global heap at byte {place:,})",
        file=where,
    )


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
    file.seek(place)
    head = file.read(_HEADER)
    if len(head) < _HEADER or not head.startswith(_SIGNATURE[:4]):
        return True  # cut off, or no heap: the library notices
    (size,) = struct.unpack_from("<Q", head, len(_SIGNATURE))
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


def _references(stored: bytes) -> np.ndarray[tuple[int], np.dtype[Any]]:
    whole = len(stored) // _REFERENCE.itemsize * _REFERENCE.itemsize
    return np.frombuffer(stored[:whole], dtype=_REFERENCE)


def _dataset(file: BinaryIO, dataset: h5py.Dataset) -> Iterator[bytes]:
    """Yield the stored references of a dataset.

    Raises
    ------
    _UnknownError
        If they are packed in another way than by deflate, shuffled or not.
    """
    if dataset.shape is None:
        return
    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(n)[0] for n in range(properties.get_nfilters())]
    if not set(filters) <= {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE,
                            h5py.h5z.FILTER_FLETCHER32}:  # fmt: skip
        raise _UnknownError
    needed = math.prod(dataset.shape) * _REFERENCE.itemsize
    if dataset.chunks is None:
        offset = dataset.id.get_offset()
        if offset is None and dataset.id.get_storage_size():
            raise _UnknownError  # within the header of the object
        if offset is not None:
            file.seek(offset)
            yield file.read(needed)
        return
    most = math.prod(dataset.chunks) * _REFERENCE.itemsize
    for number in range(dataset.id.get_num_chunks()):
        chunk = dataset.id.get_chunk_info(number)
        file.seek(chunk.byte_offset)
        stored = file.read(min(chunk.size, 2 * most + _SLACK))
        # the first filter of the list was the first to be used in writing
        for place, kind in reversed(list(enumerate(filters))):
            if not chunk.filter_mask & (1 << place):
                stored = _unpacked(stored, kind, most)
        yield stored


def _unpacked(stored: bytes, kind: int, most: int) -> bytes:
    """Return what a filter was given."""
    if kind == h5py.h5z.FILTER_DEFLATE:
        return zlib.decompressobj().decompress(stored, most + 4)
    if kind == h5py.h5z.FILTER_FLETCHER32:
        return stored[:-4]
    width = _REFERENCE.itemsize
    whole = len(stored) // width * width
    planes = np.frombuffer(stored[:whole], dtype=np.uint8).reshape(width, -1)
    return planes.T.tobytes()


def _attribute(file: BinaryIO, thing: h5py.Group | h5py.Dataset, name: str) -> Iterator[bytes]:
    """Yield the stored reference of an attribute, from the header of its object.

    Raises
    ------
    _UnknownError
        If it lies elsewhere, as those of an object with many may.
    """
    base = int(thing.file.userblock_size)
    start = int(h5py.h5o.get_info(thing.id).addr) + base
    file.seek(start)
    head = file.read(_HEADER)
    newer = head.startswith(b"OHDR")
    if newer:  # with checksums: signature, version, flags, then times and limits if there are any
        flags = head[5]
        place = start + 6 + 16 * bool(flags & 0x20) + 4 * bool(flags & 0x10)
        width = 1 << (flags & 3)
        file.seek(place)
        size = int.from_bytes(file.read(width), "little")
        blocks = [(place + width, size)]
        tail = 6 if flags & 0x04 else 4
    else:
        version, size = struct.unpack("<B7xI4x", head)
        blocks, tail = ([(start + _HEADER, size)] if version == 1 else []), 8
    found = False
    for place, length in blocks:  # grows where the header is continued elsewhere
        file.seek(place)
        block = file.read(min(length, _LARGEST_HEADER))
        position = 0
        while position + tail <= len(block):
            if newer:
                kind, size = struct.unpack_from("<BH", block, position)
            else:
                kind, size = struct.unpack_from("<HH", block, position)
            message = block[position + tail : position + tail + size]
            if kind == _CONTINUED and len(message) >= 16 and len(blocks) < _MOST_BLOCKS:
                address, length = struct.unpack_from("<QQ", message)
                # the newer kind of block starts with its signature and ends with a checksum
                blocks.append((address + base + 4 * newer, length - 8 * newer))
            elif kind == _ATTRIBUTE and len(message) >= 8:
                value = _value(message, name)
                found = found or value is not None
                yield value or b""
            position += tail + size
    if not found:
        raise _UnknownError


def _value(message: bytes, name: str) -> bytes | None:
    """Return the reference that an attribute message holds, None if it is another attribute."""
    version, *sizes = struct.unpack_from("<BxHHH", message)
    place = 9 if version == 3 else 8
    label = message[place : place + sizes[0]].rstrip(b"\0")
    if label != name.encode():
        return None
    # the first version pads each part to eight bytes
    padded = [(size + 7) // 8 * 8 if version == 1 else size for size in sizes]
    return message[place + sum(padded) :]
