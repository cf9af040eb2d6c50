"""Files that are whole and hold something else: wrong types, absurd sizes, pickles with code."""

from __future__ import annotations

import io
import zipfile
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
    else:  # tables, params.py, JSON and MATLAB 5
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
