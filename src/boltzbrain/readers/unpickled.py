"""Object arrays of numpy, read without running code: lists, dictionaries, numbers, plain arrays.

A pickle is a program. Here its instructions are followed by an interpreter that knows no function
of Python: only the three names with which numpy stores arrays, and each of those stands for a
constructor of our own that checks sizes and dtypes.
"""

from __future__ import annotations

import io
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np

from boltzbrain.foundations.checks import bad_input
from boltzbrain.readers.npy import DAMAGE, damage, parse_header

LARGEST = 1 << 29
"""An array of objects that takes more bytes is refused."""
_CODE = re.compile(r"[biufc](?:1|2|4|8|16)|[US]\d{1,6}")


class _Dtype:
    """Stands for a numpy dtype while a pickle is read."""

    def __init__(self, code: Any = "", *_rest: Any) -> None:
        if not isinstance(code, str) or not (_CODE.fullmatch(code) or code in ("O8", "O")):
            raise pickle.UnpicklingError(f"dtype {code!r}")
        self.code = code
        self.order = "="

    def __setstate__(self, state: Any) -> None:
        self.order = state[1] if state[1] in "<>" else "="

    def value(self) -> np.dtype[Any]:
        return np.dtype(self.order + self.code)


class _Array:
    """Stands for a numpy array while a pickle is read; its content may be objects or numbers."""

    def __init__(self, *_size: Any) -> None:
        self.value: Any = None

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, content = state
        if isinstance(content, list):
            self.value = content
            return
        if dtype.code.startswith("O"):
            raise pickle.UnpicklingError("an array of objects without its objects")
        flat = np.frombuffer(bytes(content), dtype=dtype.value())
        self.value = flat.reshape(shape, order="F" if fortran else "C")


def _scalar(dtype: _Dtype, content: Any) -> Any:
    return np.frombuffer(bytes(content), dtype=dtype.value())[0]


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
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"{module}.{name}, which could run code")
        return _KNOWN[module, name]


def read_objects(path: Path) -> list[Any]:
    """Return the objects of an object array of numpy as a flat list.

    Raises
    ------
    InputError
        If it is damaged, or holds anything but lists, dictionaries, text, numbers and arrays of
        numbers or text.
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
            "hold plain values and arrays: nothing in it is ever run",
            f"{error}".split("\n")[0] or type(error).__name__,
            file=path.parent if path.name == name else path,
        ) from error
    value = found.value if isinstance(found, _Array) else found
    return value if isinstance(value, list) else [value]


def plain(value: Any) -> Any:
    """Return what stands behind a value that `read_objects` gave: the array of a stand-in."""
    return value.value if isinstance(value, _Array) else value
