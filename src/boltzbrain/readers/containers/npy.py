"""Reading .npy files without running code and without trusting their sizes.

NumPy's own loader allocates what a header declares before it looks at what is there, and a memory
map counts as memory of the process. Here the header and the length of the file must agree first,
and rows are read piece by piece. NumPy reads headers of the third version by no public function,
and warns of some that are damaged; so headers are read here as well.
"""

from __future__ import annotations

import ast
import contextlib
import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.foundations.checks import InputError, bad_input
from boltzbrain.foundations.disk.files import kind_of
from boltzbrain.foundations.memory import require_memory

DAMAGE = (
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    OverflowError,
    MemoryError,
    struct.error,
)
"""What reading a damaged file of arrays may raise."""

MAGIC = b"\x93NUMPY"

_PLAIN_DTYPE = re.compile(r"[<>|=]?[biufSU]\d{1,9}")
_LONGEST_HEADER = 1 << 16
_LAST_SIGN = 0x10FFFF
_PIECE_BYTES = 1 << 24
SPIKES_BYTES = 1 << 22
"""Piece of a file of spikes: each is looked up and sorted in arrays several times as long."""


@dataclass(frozen=True)
class Header:
    """What the header of an array says: shape, dtype, Fortran order, where the data start."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    start: int

    @property
    def size(self) -> int:
        """Bytes of the data."""
        return math.prod(self.shape) * self.dtype.itemsize


def parse_header(
    stream: IO[bytes], name: str, path: Path, *, fields: bool = False, objects: bool = False
) -> Header:
    """Read the header of an array.

    Parameters
    ----------
    stream
        At the start of the array.
    name, path
        For messages.
    fields
        Whether an array with named fields of plain numbers will do.
    objects
        Whether an array of Python objects will do; its dtype is then returned as object.

    Raises
    ------
    InputError
        If it is no numpy array or holds what may not be read.
    ValueError
        If the header is damaged.
    """
    magic = stream.read(8)
    if magic[:6] != MAGIC or len(magic) < 8 or magic[6] not in (1, 2, 3):
        raise bad_input(name, "be a numpy array", f"{magic[:6]!r}", file=path)
    wide = 2 if magic[6] == 1 else 4
    (length,) = struct.unpack("<H" if wide == 2 else "<I", stream.read(wide))
    if length > _LONGEST_HEADER:
        raise ValueError(f"a header of {length} bytes")
    try:
        header = ast.literal_eval(stream.read(length).decode("utf-8").strip())
        shape, descr, fortran = header["shape"], header["descr"], header["fortran_order"]
        whole = all(isinstance(size, int) and size >= 0 for size in shape)
    except (SyntaxError, TypeError, RecursionError, KeyError) as error:
        raise ValueError("a header that is no numpy header") from error
    plain = isinstance(descr, str) and bool(_PLAIN_DTYPE.fullmatch(descr))
    if not plain and not (fields and _plain_fields(descr)) and not (objects and descr == "|O"):
        kind = "Python objects (pickle)" if "O" in str(descr) else f"dtype {descr}"
        raise bad_input(
            name,
            "hold numbers, booleans or text: objects are never unpickled",
            kind,
            file=path,
        )
    if not whole or not isinstance(fortran, bool):
        raise ValueError(f"shape {shape}")
    return Header(tuple(shape), np.dtype(descr), fortran, len(magic) + wide + length)


def _plain_fields(descr: Any) -> bool:
    return isinstance(descr, list) and all(
        isinstance(field, tuple)
        and len(field) == 2
        and all(isinstance(part, str) for part in field)
        and bool(_PLAIN_DTYPE.fullmatch(field[1]))
        for field in descr
    )


def check_text(values: NDArray[Any]) -> None:
    """Refuse text with a sign that there is not: Python trips over it wherever it is looked at.

    Raises
    ------
    ValueError
        If there is one.
    """
    if values.dtype.kind == "U" and values.size and values.dtype.itemsize:
        signs = np.frombuffer(np.ascontiguousarray(values).tobytes(), dtype=np.uint32)
        if signs.max() > _LAST_SIGN:
            raise ValueError("a text with a sign that there is not")


@contextlib.contextmanager
def damage(
    path: Path,
    name: str,
    must: str = "be a whole array",
    also: tuple[type[Exception], ...] = (),
) -> Iterator[None]:
    """Turn every way in which a damaged array shows into `InputError`.

    Parameters
    ----------
    path
        The file.
    name, must
        What is damaged, and what it must be.
    also
        What else a library raises of damaged files.

    Raises
    ------
    InputError
        If the block raises one of `DAMAGE`, or of those.
    """
    kinds: tuple[type[Exception], ...] = (*DAMAGE, *also)
    try:
        yield
    except InputError:
        raise
    except kinds as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise bad_input(name, must, f"a truncated or damaged one ({text})", file=path) from error


@dataclass(frozen=True)
class NpyFile:
    """A .npy file whose header fits its length; reading it takes no more than what is asked for.

    Attributes
    ----------
    path
        The file.
    header
        Its header.
    """

    path: Path
    header: Header

    @classmethod
    def open(cls, path: Path, *, fields: bool = False, objects: bool = False) -> NpyFile:
        """Look at the header of a file; `fields` and `objects` as of `parse_header`.

        Raises
        ------
        InputError
            If it is missing, no numpy array, damaged, or shorter or longer than its header says.
        """
        if path.exists() and not path.is_file():
            raise bad_input(path.name, "be a file", kind_of(path), file=path)
        with damage(path, path.name, "be a whole numpy array"), path.open("rb") as stream:
            header = parse_header(stream, path.name, path, fields=fields, objects=objects)
            there = path.stat().st_size - header.start
            if there != header.size and header.dtype.kind != "O":
                raise bad_input(
                    path.name,
                    "have as many bytes as its header declares",
                    f"{there:,} bytes for a header that declares {header.size:,}",
                    file=path,
                )
            return cls(path, header)

    def read(self) -> NDArray[Any]:
        """Return the whole array in its own shape, native byte order.

        Raises
        ------
        InputError
            If it does not fit in memory or cannot be read.
        """
        require_memory(
            f"the array {self.path.name}",
            self.header.size,
            limit_gb=None,
            advice="a shorter recording",
            file=self.path,
        )
        flat = self._items(0, math.prod(self.header.shape))
        with damage(self.path, self.path.name):
            check_text(flat)
        return flat.reshape(self.header.shape, order="F" if self.header.fortran else "C")

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """The shape as it lies in the file, the slowest axis first: turned for Fortran order."""
        return self.header.shape[::-1] if self.header.fortran else self.header.shape

    def blocks(self, size: int = _PIECE_BYTES) -> Iterator[NDArray[Any]]:
        """Yield the array as it is stored (see `stored_shape`), some rows at a time.

        Parameters
        ----------
        size
            Bytes of a piece, if a row is no longer.

        Raises
        ------
        InputError
            If it cannot be read.
        """
        shape = self.stored_shape
        row = math.prod(shape[1:])
        step = max(1, size // max(1, row * self.header.dtype.itemsize))
        for first in range(0, shape[0] if shape else 0, step):
            rows = min(step, shape[0] - first)
            yield self._items(first * row, rows * row).reshape(rows, *shape[1:])

    def _items(self, first: int, count: int) -> NDArray[Any]:
        dtype = self.header.dtype
        with damage(self.path, self.path.name):
            flat = np.empty(count, dtype=dtype)
            if count * dtype.itemsize:
                with self.path.open("rb") as stream:
                    stream.seek(self.header.start + first * dtype.itemsize)
                    if stream.readinto(flat.view(np.uint8).data) != count * dtype.itemsize:
                        raise EOFError("the file ends too soon")
            return flat.astype(dtype.newbyteorder("="), copy=False)
