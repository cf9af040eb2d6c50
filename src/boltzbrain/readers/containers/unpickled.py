"""Object arrays of numpy, read without running code: lists, dictionaries, numbers, plain arrays.

A pickle is a program. Here its instructions are followed by an interpreter that knows no function
of Python: only the names with which numpy stores arrays, and each of those stands for a constructor
of our own that checks sizes and dtypes. Every other name (a date, a path, a trap) is neither
imported nor called: an object that remembers the name and nothing else takes its place.
"""

from __future__ import annotations

import io
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.foundations.checks import bad_input
from boltzbrain.readers.containers.npy import DAMAGE, damage, parse_header

LARGEST = 1 << 29
"""An array of objects that takes more bytes is refused."""
_CODE = re.compile(r"[biufc](?:1|2|4|8|16)|[US]\d{1,6}")


class Unknown:
    """Stands for a name that is not known, for what a call of it would give, and for what follows.

    Whatever the instructions of a pickle do with it leaves it as it is.
    """

    __slots__ = ("name",)
    name: str

    def __new__(cls, *_values: Any, **_named: Any) -> Any:
        """Return a new stand-in, or the stand-in itself where a pickle makes an object of it."""
        return cls if isinstance(cls, Unknown) else object.__new__(cls)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"an object of {self.name}"

    def __call__(self, *_values: Any, **_named: Any) -> Unknown:
        """Return the stand-in: nothing is called."""
        return self

    def __setstate__(self, _state: Any) -> None:
        pass

    def __setitem__(self, _key: Any, _value: Any) -> None:
        pass

    def extend(self, _values: Any) -> None:
        """Leave out the items that a pickle adds to a list or a set of a kind of its own."""

    append = add = extend


class _Dtype:
    """Stands for a numpy dtype while a pickle is read."""

    def __init__(self, code: Any = "", *_rest: Any) -> None:
        self.code = code if isinstance(code, str) else ""
        self.order = "="

    def __setstate__(self, state: Any) -> None:
        self.order = state[1] if state[1] in "<>" else "="

    def value(self) -> np.dtype[Any]:
        return np.dtype(self.order + self.code)


def _values(dtype: Any, content: Any) -> NDArray[Any] | Unknown:
    """Return the numbers or texts in these bytes, (item,); a stand-in for items of other kinds."""
    if not (isinstance(dtype, _Dtype) and _CODE.fullmatch(dtype.code)):
        return Unknown(f"numpy.dtype {getattr(dtype, 'code', dtype)!s:.40}")
    # a number in place of bytes would ask for that many
    if not isinstance(content, (bytes, bytearray)):
        raise pickle.UnpicklingError("an array without its bytes")
    return np.frombuffer(bytes(content), dtype=dtype.value())


class _Array:
    """Stands for a numpy array while a pickle is read; its content may be objects or numbers."""

    def __init__(self, *_size: Any) -> None:
        self.value: Any = None

    def __setstate__(self, state: Any) -> None:
        shape, dtype, fortran, content = state[1:5]
        if isinstance(content, list):
            self.value = content
            return
        if isinstance(dtype, _Dtype) and dtype.code.startswith("O"):
            raise pickle.UnpicklingError("an array of objects without its objects")
        flat = _values(dtype, content)
        if isinstance(flat, Unknown):
            self.value = flat
        else:
            self.value = flat.reshape(shape, order="F" if fortran else "C")


def _scalar(dtype: Any, content: Any) -> Any:
    found = _values(dtype, content)
    return found if isinstance(found, Unknown) else found[0]


def _rebuild(_kind: Any, _shape: Any, _code: Any) -> _Array:
    return _Array()


def _encode(text: str, encoding: str) -> bytes:
    # how protocol 2 stores bytes
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"encoding {encoding}")
    return text.encode("latin1")


_KNOWN: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
}
for _home in ("numpy.core.multiarray", "numpy._core.multiarray"):
    _KNOWN[_home, "_reconstruct"] = _rebuild
    _KNOWN[_home, "scalar"] = _scalar


# the interpreter written in Python: the compiled one takes memory for any number it is told
class _Reader(pickle._Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        return _KNOWN.get((module, name)) or Unknown(f"{module}.{name}")


def read_objects(path: Path) -> list[Any]:
    """Return the objects of an object array of numpy as a flat list.

    Lists, dictionaries, text and numbers are what they are, arrays of numbers or text what `plain`
    makes of them, and all else is `Unknown`.

    Raises
    ------
    InputError
        If it is damaged.
    """
    with damage(path, path.name):
        if path.stat().st_size > LARGEST:
            raise ValueError(f"{path.stat().st_size:,} bytes")
        whole = path.read_bytes()
    return parse_objects(whole, path.name, path)


def parse_objects(whole: bytes, name: str, path: Path) -> list[Any]:
    """Return the objects of an array of which every byte is at hand; see `read_objects`."""
    stream = io.BytesIO(whole)
    with damage(path, name):
        if parse_header(stream, name, path, objects=True).dtype.kind != "O":
            raise ValueError("an array of numbers")
    try:
        found = _Reader(stream).load()
    except (pickle.UnpicklingError, AttributeError, *DAMAGE) as error:
        raise bad_input(
            name,
            "be a whole array of objects: nothing in it is ever run",
            f"{error}".split("\n")[0] or type(error).__name__,
            file=path.parent if path.name == name else path,
        ) from error
    value = found.value if isinstance(found, _Array) else found
    return value if isinstance(value, list) else [value]


def plain(value: Any) -> Any:
    """Return what stands behind a value that `read_objects` gave: the array of a stand-in."""
    return value.value if isinstance(value, _Array) else value
