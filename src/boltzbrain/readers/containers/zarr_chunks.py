"""Chunks of zarr arrays, versions 2 and 3: what a header declares, and no more unpacked than that.

A few bytes can unpack to any number. None are unpacked beyond what the header says that a chunk
holds, and a large chunk that hardly any bytes stand for is refused. The package numcodecs unpacks
what the standard library does not. The library zarr would read both versions, but takes the memory
that a chunk asks for, and of version 2 runs the pickles of a codec: so it is not used here.
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
    """What `.zarray` or `zarr.json` tells of an array.

    `texts` is the filter of texts of any length, or ""; `prefix` stands before the numbers of a
    chunk in its name; `tail` are bytes of a checksum behind each chunk; `fill` stands for chunks
    that are not stored, None where all must be.
    """

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype[Any]
    texts: str
    order: str
    separator: str
    codec: dict[str, Any] | None
    prefix: str = ""
    tail: int = 0
    fill: Any = None

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
    return _checked(Header(shape, chunks, dtype, texts, told["order"], separator, codec))


_KINDS_3 = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
            "float16", "float32", "float64")  # fmt: skip


def parse_header_3(told: dict[str, Any]) -> Header | None:
    """Return what `zarr.json` tells of an array, None of arrays of other things.

    Raises
    ------
    ValueError, TypeError, KeyError
        If it is damaged, or declares more than can be read.
    """
    grid = told["chunk_grid"]
    shape, chunks = _sizes(told["shape"]), _sizes(grid["configuration"]["chunk_shape"])
    if grid["name"] != "regular" or len(shape) != len(chunks) or min(chunks, default=1) < 1:
        raise ValueError("a header that is none of zarr 3")
    keys = told["chunk_key_encoding"]
    prefix = {"default": "c", "v2": ""}[keys["name"]]
    separator = named(keys, "configuration").get("separator", "/")
    if separator not in (".", "/"):
        raise ValueError("a header that is none of zarr 3")
    first, *rest = told["codecs"]
    kind, texts, order = told["data_type"], "", "<"
    if first["name"] in ("vlen-utf8", "vlen-bytes"):
        texts, dtype = str(first["name"]), np.dtype("O")
    elif first["name"] == "bytes" and kind in _KINDS_3:
        big = named(first, "configuration").get("endian", "little") == "big"
        order = ">" if big else "<"
        dtype = np.dtype(kind).newbyteorder(order)
    elif isinstance(kind, str) and kind in (*_KINDS_3, "string"):
        raise ValueError(f"packed by {first['name']}")
    else:
        return None
    tail = 0
    if rest and rest[-1]["name"] == "crc32c":
        tail, rest = 4, rest[:-1]
    codec = {"id": rest[0]["name"]} if rest else None
    if len(rest) > 1 or (codec is not None and codec["id"] not in _CODECS):
        names = ", ".join(str(one["name"]) for one in rest)
        raise ValueError(f"packed by {names}, not by one of {', '.join(_CODECS)}")
    fill: Any = "" if texts else np.array(told["fill_value"], dtype=dtype)
    if not texts and fill.shape:
        raise ValueError("a fill value that is none")
    if texts and max(math.prod(shape), math.prod(chunks)) > _MOST_TEXTS:
        raise ValueError(f"{math.prod(shape):,} texts, in chunks of {math.prod(chunks):,}")
    return _checked(Header(shape, chunks, dtype, texts, "C", separator, codec, prefix, tail, fill))


def named(told: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the named values under a name of a header, none where it has no such name.

    Raises
    ------
    ValueError
        If something else stands there.
    """
    found = told.get(name, {})
    if not isinstance(found, dict):
        raise ValueError(f"{name} without names")
    return found


def _checked(header: Header) -> Header:
    texts, dtype = header.texts, header.dtype
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
    packed = packed[: len(packed) - header.tail]
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
