"""Files that are whole and hold something else: wrong types, absurd sizes, pickles with code."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np

_HDF5, _ZIP, _NPY = b"\x89HDF", b"PK\x03\x04", b"\x93NUMPY"


class Payload:
    """A pickle that runs code when it is read by pickle: it makes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return (Path.touch, (self.marker,))


def disguise(path: Path, generator: np.random.Generator, marker: Path) -> None:
    """Put something else in one place of a file.

    Parameters
    ----------
    path
        The file, of any format; overwritten.
    generator
        Of the choice.
    marker
        A file that the code in it makes, if it is ever run.
    """
    whole = path.read_bytes()
    if whole.startswith(_HDF5):
        _replace_dataset(path, generator)
    elif whole.startswith(_ZIP):
        path.write_bytes(_replace_member(whole, generator, marker))
    elif whole.startswith(_NPY):
        path.write_bytes(odd_npy(generator, marker))
    elif whole[126:128] == b"IM":
        path.write_bytes(odd_mat(whole, generator))
    elif path.name == ".zarray":
        _replace_array(path, generator, marker)
    elif whole.lstrip().startswith(b"{"):
        path.write_bytes(odd_json(whole, generator))
    else:  # tables, params.py and chunks
        lines = whole.split(b"\n")
        code = f"__import__('pathlib').Path({str(marker)!r}).touch()".encode()
        odd = [code, b"1e400", b"-1", b"9" * 40, b"\xff\xfe", b"=1+1", b""]
        lines.insert(int(generator.integers(len(lines))), odd[int(generator.integers(len(odd)))])
        path.write_bytes(b"\n".join(lines))


def odd_npy(generator: np.random.Generator, marker: Path) -> bytes:
    """Return the bytes of an .npy file that no recording holds."""
    stream = io.BytesIO()
    way = int(generator.integers(8))
    if way == 0:
        np.save(stream, np.array([Payload(marker)], dtype=object), allow_pickle=True)
    elif way < 3:  # a header that declares what is not there
        shape = [(10**6, 10**6), (2**40,)][way - 1]
        told: dict[str, Any] = {"descr": "<f8", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, told)
        stream.write(bytes(64))
    else:
        others = [
            np.array(["a", "b"]), np.float64(3.0), np.zeros((0, 3)), np.full(6, 1 + 2j),
            np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        ]  # fmt: skip
        np.save(stream, others[way - 3])
    return stream.getvalue()


def _replace_member(whole: bytes, generator: np.random.Generator, marker: Path) -> bytes:
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(result, "w") as new:
        chosen = int(generator.integers(len(old.infolist())))
        for number, info in enumerate(old.infolist()):
            odd = number == chosen
            new.writestr(info.filename, odd_npy(generator, marker) if odd else old.read(info))
    return result.getvalue()


def _replace_dataset(path: Path, generator: np.random.Generator) -> None:
    names: list[str] = []
    with h5py.File(path, "a") as file:
        file.visititems(lambda name, thing: names.append(name) if hasattr(thing, "shape") else None)
        name = names[int(generator.integers(len(names)))]
        shape = (
            file[name].shape if file[name].size is not None and file[name].size < 10**6 else (6,)
        )
        del file[name]
        way = int(generator.integers(9))
        if way == 0:
            file.create_dataset(name, shape=(10**9, 82), dtype="f8", chunks=(1000, 82))
        elif way == 1:
            file.create_dataset(name, shape=(2**40,), dtype="f4", chunks=(1024,))
        elif way == 2:
            file.create_group(name)
        else:
            others = [
                np.full(shape, np.nan), np.array([b"a", b"b"]), np.zeros(0), h5py.Empty("f8"),
                np.full(shape, 1 + 2j), np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
            ]  # fmt: skip
            file[name] = others[way - 3]


_HUGE = (2**31, 2**40, 10**12)
_ODD: list[Any] = [None, -1, 0, 1e308, "", "x\0", [], [[]], {}, True, float("nan"), 10**30]


def odd_json(whole: bytes, generator: np.random.Generator) -> bytes:
    """Return JSON with another type or an absurd size in one place, or nested without end."""
    if generator.random() < 0.1:
        return b"[" * 100_000
    told = json.loads(whole)
    names = list(told)
    if names:
        odd = [*_ODD, *_HUGE, list(_HUGE)]
        told[names[int(generator.integers(len(names)))]] = odd[int(generator.integers(len(odd)))]
    return json.dumps(told).encode()


def _replace_array(path: Path, generator: np.random.Generator, marker: Path) -> None:
    """Make the header of a zarr array declare something else; with pickles, pack one into it."""
    told = json.loads(path.read_bytes())
    huge = int(_HUGE[int(generator.integers(len(_HUGE)))])
    way = int(generator.integers(8))
    if way == 0:
        path.write_bytes(odd_json(path.read_bytes(), generator))
        return
    if way == 1:
        told["shape"] = [huge] * len(told["shape"])
    elif way == 2:
        told["chunks"] = [huge] * len(told["chunks"])
    elif way == 3:  # one chunk that is all of a huge array
        told["shape"] = told["chunks"] = [huge] * len(told["shape"])
    elif way == 4:
        kinds = ["<f4", "<i8", "|b1", "<c16", "<U9", "|S3", "<M8[s]", "|V8", "<U100000000", "f8,f8"]
        told["dtype"] = kinds[int(generator.integers(len(kinds)))]
    elif way == 5:
        kinds = ["zlib", "gzip", "zstd", "lz4", "pickle", "bz2", "no_such"]
        told["compressor"] = {"id": kinds[int(generator.integers(len(kinds)))]}
    else:
        codec = {"id": "pickle", "protocol": 5}
        told |= {"dtype": "|O", "filters": [codec] if way == 6 else None, "compressor": None}
        told["compressor"] = codec if way == 7 else None
        for chunk in path.parent.glob("[0-9]*"):
            chunk.write_bytes(pickle.dumps(Payload(marker)))
    path.write_text(json.dumps(told))


def odd_mat(whole: bytes, generator: np.random.Generator) -> bytes:
    """Return a MATLAB 5 file that declares another type or size in one of its elements."""
    elements, place = [], 128
    while place < len(whole):
        kind, size = struct.unpack_from("<II", whole, place)
        content = whole[place + 8 : place + 8 + size]
        elements.append(zlib.decompress(content) if kind == 15 else whole[place : place + 8 + size])
        place += 8 + size
    chosen = int(generator.integers(len(elements)))
    words = bytearray(elements[chosen])
    # tags, flags, dimensions and name lie in the first words
    first = 4 * int(generator.integers(min(18, len(words) // 4)))
    odd = [0, 1, 5, 14, 17, 2**16, 2**28, 2**31 - 1, 2**32 - 1]
    words[first : first + 4] = struct.pack("<I", odd[int(generator.integers(len(odd)))])
    elements[chosen] = bytes(words)
    packed = [zlib.compress(one) for one in elements]
    return whole[:128] + b"".join(struct.pack("<II", 15, len(one)) + one for one in packed)
