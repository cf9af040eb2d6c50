"""Reading the arrays of an npz archive without running code and without trusting its sizes.

NumPy's own loader allocates what a header declares before it looks at what is there. Here the
header, the directory of the archive and the bytes must agree before anything large is taken.
"""

from __future__ import annotations

import ast
import contextlib
import lzma
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.foundations.checks import InputError, bad_input
from boltzbrain.recordings.memory import require_memory

_DAMAGE = (
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    KeyError,
    IndexError,
    OverflowError,
    MemoryError,
    struct.error,
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    lzma.LZMAError,
)
_PLAIN_DTYPE = re.compile(r"[<>|=]?[biufSU]\d{1,9}")
_LONGEST_HEADER = 1 << 16
# deflate reaches 1032 : 1 at most
_DEFLATE_RATIO = 1100
_SLACK = 1 << 16
_PIECE = 1 << 20


@dataclass(frozen=True)
class Archive:
    """An open npz archive.

    Attributes
    ----------
    path
        The file.
    names
        Names of its arrays, without ``.npy``.
    """

    path: Path
    names: tuple[str, ...]
    _file: zipfile.ZipFile

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def read(self, name: str) -> NDArray[Any]:
        """Return one array: numbers, booleans, text or bytes, native byte order, C order.

        Raises
        ------
        InputError
            If the member is damaged, declares another size than it has, does not fit in memory, or
            holds Python objects.
        """
        with _damage(self.path, name):
            info = self._file.getinfo(f"{name}.npy")
            with self._file.open(info) as stream:
                shape, dtype, fortran, start = self._header(name, stream)
                size = math.prod(shape) * dtype.itemsize
                self._check_size(name, info, start + size)
                flat = np.empty(math.prod(shape), dtype=dtype)
                if dtype.itemsize > 0 and size > 0:
                    _fill(stream, memoryview(flat.view(np.uint8).data))
                if stream.read(1):  # also lets the archive compare its checksum
                    raise ValueError("bytes after the array")
        array = flat.reshape(shape, order="F" if fortran else "C")
        return np.ascontiguousarray(array.astype(dtype.newbyteorder("="), copy=False)).reshape(
            shape
        )

    def _header(
        self, name: str, stream: IO[bytes]
    ) -> tuple[tuple[int, ...], np.dtype[Any], bool, int]:
        """Return shape, dtype, Fortran order and the place where the data start."""
        magic = stream.read(8)
        if magic[:6] != b"\x93NUMPY" or magic[6] not in (1, 2, 3):
            raise bad_input(name, "be a numpy array", f"{magic[:6]!r}", file=self.path)
        wide = 2 if magic[6] == 1 else 4
        (length,) = struct.unpack("<H" if wide == 2 else "<I", stream.read(wide))
        if length > _LONGEST_HEADER:
            raise ValueError(f"a header of {length} bytes")
        try:
            header = ast.literal_eval(stream.read(length).decode("utf-8").strip())
            shape, descr, fortran = header["shape"], header["descr"], header["fortran_order"]
            whole = all(isinstance(size, int) and size >= 0 for size in shape)
        except (SyntaxError, TypeError, RecursionError) as error:
            raise ValueError("a header that is no numpy header") from error
        if not isinstance(descr, str) or not _PLAIN_DTYPE.fullmatch(descr):
            kind = "Python objects (pickle)" if "O" in str(descr) else f"dtype {descr}"
            raise bad_input(
                name,
                "hold numbers, booleans or text: objects are never unpickled",
                kind,
                file=self.path,
            )
        if not whole or not isinstance(fortran, bool):
            raise ValueError(f"shape {shape}")
        return tuple(shape), np.dtype(descr), fortran, len(magic) + wide + length

    def _check_size(self, name: str, info: zipfile.ZipInfo, declared: int) -> None:
        """Refuse before allocation what cannot be there."""
        if declared != info.file_size:
            raise bad_input(
                name,
                "have as many bytes as its header declares",
                f"{info.file_size:,} bytes for a header that declares {declared:,}",
                file=self.path,
            )
        ratio = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: _DEFLATE_RATIO}
        stored = min(info.compress_size, self.path.stat().st_size)
        most = stored * ratio.get(info.compress_type, math.inf) + _SLACK
        if info.file_size > most:
            raise bad_input(
                name,
                "have the size that the archive declares",
                f"{stored:,} compressed bytes for {info.file_size:,}",
                file=self.path,
            )
        require_memory(
            f"the array {name}",
            declared,
            limit_gb=None,
            advice="a recording with fewer bins or neurons",
            file=self.path,
        )


@contextlib.contextmanager
def open_npz(path: Path) -> Iterator[Archive]:
    """Open an npz archive read-only.

    Raises
    ------
    InputError
        If it is no zip archive, or a truncated or damaged one.
    """
    with _damage(path, "the file"):
        file = zipfile.ZipFile(path)
    with file:
        members = file.namelist()
        yield Archive(
            path,
            tuple(name.removesuffix(".npy") for name in members if name.endswith(".npy")),
            file,
        )


@contextlib.contextmanager
def _damage(path: Path, name: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except _DAMAGE as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        must = "be a whole npz archive" if name == "the file" else "be a whole array"
        raise bad_input(name, must, f"a truncated or damaged one ({text})", file=path) from error


def _fill(stream: IO[bytes], view: memoryview) -> None:
    filled = 0
    while filled < len(view):
        piece = stream.read(min(_PIECE, len(view) - filled))
        if not piece:
            raise EOFError("the archive ends too soon")
        view[filled : filled + len(piece)] = piece
        filled += len(piece)
