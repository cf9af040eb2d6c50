"""Chunks of zarr arrays (version 2): what a header declares, and its chunks unpacked within that.

A few bytes can unpack to any number. None are unpacked beyond what the header says that a chunk
holds, and a large chunk that hardly any bytes stand for is refused. The package numcodecs unpacks
what the standard library does not.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST_JSON = 1 << 24
"""Longer JSON is not parsed: its values take some twenty times as much memory."""

_CODECS = ("blosc", "gzip", "lz4", "zlib", "zstd")
_TEXTS = ("json2", "vlen-bytes", "vlen-utf8")
_LARGEST_TEXTS, _LARGEST_CHUNK, _MOST_TEXTS = 1 << 25, 1 << 31, 2_000_000
# a chunk above the first size that is to grow by more than the second takes memory for nothing
_LARGE_CHUNK, _MOST_GROWTH = 1 << 27, 100


class NoTextError(ValueError):
    """Objects that are no texts, where only their chunk tells it."""


@dataclass(frozen=True)
class Header:
    """What `.zarray` tells of an array; `texts` is the filter of texts of any length, or ""."""

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype[Any]
    texts: str
    order: str
    separator: str
    codec: dict[str, Any] | None

    @property
    def chunk_bytes(self) -> int:
        """Bytes of a chunk of numbers or of texts of one length."""
        return math.prod(self.chunks) * self.dtype.itemsize


def parse_header(told: dict[str, Any]) -> Header | None:
    """Return what `.zarray` tells, None of arrays of other things than numbers and text.

    Raises
    ------
    ValueError, TypeError, KeyError
        If it is damaged, or declares more than can be read.
    """
    shape, chunks = (_sizes(told[name]) for name in ("shape", "chunks"))
    if told["zarr_format"] != 2 or len(shape) != len(chunks) or min(chunks, default=1) < 1:
        raise ValueError("a header that is none of zarr 2")
    codec = told["compressor"]
    if codec is not None and codec["id"] not in _CODECS:
        raise ValueError(f"packed by {codec['id']}, not by one of {', '.join(_CODECS)}")
    filters = [one["id"] for one in told["filters"] or []]
    if not isinstance(told["dtype"], str):
        return None
    dtype, texts = np.dtype(told["dtype"]), ""
    if dtype.kind == "O" and len(filters) == 1 and filters[0] in _TEXTS:
        texts = filters[0]
    elif filters or dtype.kind not in "biufUS":
        return None
    if (texts or dtype.kind in "US") and max(math.prod(shape), math.prod(chunks)) > _MOST_TEXTS:
        raise ValueError(f"{math.prod(shape):,} texts, in chunks of {math.prod(chunks):,}")
    separator = told.get("dimension_separator", ".")
    if told["order"] not in ("C", "F") or separator not in (".", "/"):
        raise ValueError("a header that is none of zarr 2")
    header = Header(shape, chunks, dtype, texts, told["order"], separator, codec)
    if not texts and header.chunk_bytes > (
        _LARGEST_TEXTS if dtype.kind in "US" else _LARGEST_CHUNK
    ):
        raise ValueError(f"chunks of {header.chunk_bytes:,} bytes")
    return header


def _sizes(values: Any) -> tuple[int, ...]:
    sizes = tuple(values)
    if not all(type(one) is int and one >= 0 for one in sizes):
        raise ValueError(f"sizes {sizes}")
    return sizes


def unpacked(path: Path, header: Header) -> bytes:
    """Return the bytes of a chunk.

    Raises
    ------
    OSError, ValueError, struct.error, zlib.error, RuntimeError
        If it is damaged, or would be more than the header declares: then it is not unpacked.
    """
    packed = path.read_bytes()
    most = header.chunk_bytes
    if header.texts:
        most = LARGEST_JSON if header.texts == "json2" else _LARGEST_TEXTS
    if most > _LARGE_CHUNK and len(packed) * _MOST_GROWTH < most:
        raise ValueError(f"{len(packed):,} bytes for a chunk of {most:,}")
    kind = None if header.codec is None else header.codec["id"]
    if kind is None:
        whole = packed
    elif kind in ("gzip", "zlib"):
        whole = _inflated(packed, 31 if kind == "gzip" else 15, most)
    else:
        from numcodecs import get_codec

        # these say how long they are, and that is believed before they are unpacked
        if kind == "blosc" and struct.unpack_from("<I", packed, 12)[0] != len(packed):
            raise ValueError("a chunk that is shorter than it says")
        if _declared(kind, packed) > most:
            raise ValueError("a chunk that is longer than its header says")
        whole = bytes(get_codec({"id": kind}).decode(packed))
    if len(whole) > most or (not header.texts and len(whole) != most):
        raise ValueError(f"{len(whole):,} bytes in a chunk of {most:,}")
    return whole


def _inflated(packed: bytes, wbits: int, most: int) -> bytes:
    unpacking = zlib.decompressobj(wbits)
    whole = unpacking.decompress(packed, most + 1)
    if len(whole) <= most and not unpacking.eof:
        raise ValueError("a chunk that ends too soon")
    return whole


def _declared(kind: str, packed: bytes) -> int:
    """Return how many bytes a chunk says that it unpacks to."""
    if kind == "zstd":
        return _zstd_size(packed)
    (size,) = struct.unpack_from("<I", packed, 4 if kind == "blosc" else 0)
    return int(size)


def _zstd_size(packed: bytes) -> int:
    """Return the size that the first frame of Zstandard declares (RFC 8878, 3.1.1)."""
    magic, told = struct.unpack_from("<IB", packed)
    single = bool(told & 0x20)
    width = {0: 1 if single else 0, 1: 2, 2: 4, 3: 8}[told >> 6]
    if magic != 0xFD2FB528 or width == 0:
        raise ValueError("a chunk of Zstandard that does not say how long it is")
    start = 5 + (not single) + (0, 1, 2, 4)[told & 3]
    size = int.from_bytes(packed[start : start + width], "little")
    return size + (256 if width == 2 else 0)


def decode_texts(whole: bytes, header: Header) -> NDArray[Any]:
    """Return the texts of a chunk, (text,); bytes that are no UTF-8 are replaced.

    Raises
    ------
    NoTextError
        If they are no texts.
    ValueError, struct.error
        If they are damaged, or not as many as the header declares.
    """
    count = math.prod(header.chunks)
    found: list[Any]
    if not header.texts:
        found = np.frombuffer(whole, dtype=header.dtype).tolist()
    elif header.texts == "json2":
        # the items, then the dtype and the shape of the array
        found = json.loads(whole)[:-2]
        if not all(isinstance(one, str) for one in found):
            raise NoTextError("JSON of other things than text")
    else:
        found = _prefixed(whole, count)
    if len(found) != count:
        raise ValueError(f"{len(found):,} texts in a chunk of {count:,}")
    result = np.empty(count, dtype=object)
    result[:] = [
        (one.decode("utf-8", "replace") if isinstance(one, bytes) else one).replace("\0", "")
        for one in found
    ]
    return result


def _prefixed(whole: bytes, most: int) -> list[bytes]:
    """Return texts that are stored one after another: how many, then of each its length and it."""
    (count,) = struct.unpack_from("<I", whole)
    place, found = 4, []
    for _ in range(min(count, most)):
        (length,) = struct.unpack_from("<I", whole, place)
        if length > len(whole) - place - 4:
            raise ValueError("a text that is longer than its chunk")
        found.append(whole[place + 4 : place + 4 + length])
        place += 4 + length
    return found
