"""Reading the arrays of an npz archive without running code and without trusting its sizes.

NumPy's own loader allocates what a header declares before it looks at what is there. Here the
header, the directory of the archive and the bytes must agree before anything large is taken.
"""

from __future__ import annotations

import contextlib
import lzma
import math
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.memory import require_memory
from boltzbrain.readers.containers.npy import check_text, damage, parse_header
from boltzbrain.readers.containers.unpickled import LARGEST, parse_objects

_OF_ZIP = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, lzma.LZMAError)
# deflate reaches 1032 : 1 at most
_DEFLATE_RATIO = 1100
_SLACK = 1 << 16
_PIECE = 1 << 20
_BLOCK = 1 << 24


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
                header = parse_header(stream, name, self.path)
                self._check_size(name, info, header.start + header.size)
                dtype = header.dtype
                flat = np.empty(math.prod(header.shape), dtype=dtype)
                if header.size > 0:
                    _fill(stream, memoryview(flat.view(np.uint8).data))
                if stream.read(1):  # also lets the archive compare its checksum
                    raise ValueError("bytes after the array")
            native = flat.astype(dtype.newbyteorder("="), copy=False)
            check_text(native)
        array = native.reshape(header.shape, order="F" if header.fortran else "C")
        return np.ascontiguousarray(array).reshape(header.shape)

    def stored_shape(
        self, name: str, *, objects: bool = False
    ) -> tuple[tuple[int, ...], np.dtype[Any], bool]:
        """Return shape, dtype and Fortran order of an array without reading it.

        An array of objects is refused unless `objects` allows it.
        """
        with _damage(self.path, name):
            info = self._file.getinfo(f"{name}.npy")
            with self._file.open(info) as stream:
                header = parse_header(stream, name, self.path, objects=objects)
                if header.dtype.kind != "O":
                    self._check_size(name, info, header.start + header.size, memory=False)
        return header.shape, header.dtype, header.fortran

    def objects(self, name: str) -> list[Any] | None:
        """Return the objects of an array of objects, None where it is an array of another kind.

        Raises
        ------
        InputError
            As `boltzbrain.readers.containers.unpickled.read_objects`.
        """
        with _damage(self.path, name):
            info = self._file.getinfo(f"{name}.npy")
            with self._file.open(info) as stream:
                header = parse_header(stream, name, self.path, objects=True)
            if header.dtype.kind != "O":
                return None
            if info.file_size > LARGEST:
                raise ValueError(f"{info.file_size:,} bytes")
            with self._file.open(info) as stream:
                whole = stream.read()
        return parse_objects(whole, name, self.path)

    def blocks(self, name: str, rows: int | None = None) -> Iterator[NDArray[Any]]:
        """Yield an array as it is stored, some rows at a time, the slowest axis first.

        Parameters
        ----------
        name
            The array.
        rows
            How many at a time; as many as 16 MB hold if None.

        Raises
        ------
        InputError
            As `read`.
        """
        with _damage(self.path, name):
            info = self._file.getinfo(f"{name}.npy")
            with self._file.open(info) as stream:
                header = parse_header(stream, name, self.path)
                self._check_size(name, info, header.start + header.size, memory=False)
                shape = header.shape[::-1] if header.fortran else header.shape
                row = math.prod(shape[1:])
                step = rows or max(1, _BLOCK // max(1, row * header.dtype.itemsize))
                for first in range(0, shape[0] if shape else 0, step):
                    here = min(step, shape[0] - first)
                    flat = np.empty(here * row, dtype=header.dtype)
                    if flat.nbytes:
                        _fill(stream, memoryview(flat.view(np.uint8).data))
                    native = flat.astype(header.dtype.newbyteorder("="), copy=False)
                    yield native.reshape(here, *shape[1:])
                if stream.read(1):
                    raise ValueError("bytes after the array")

    def _check_size(
        self, name: str, info: zipfile.ZipInfo, declared: int, *, memory: bool = True
    ) -> None:
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
        if memory:
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
    with _damage(path, "the file", "be a whole npz archive"):
        file = zipfile.ZipFile(path)
    with file:
        members = file.namelist()
        yield Archive(
            path,
            tuple(name.removesuffix(".npy") for name in members if name.endswith(".npy")),
            file,
        )


def _damage(
    path: Path, name: str, must: str = "be a whole array"
) -> contextlib.AbstractContextManager[None]:
    return damage(path, name, must, also=_OF_ZIP)


def _fill(stream: IO[bytes], view: memoryview) -> None:
    filled = 0
    while filled < len(view):
        piece = stream.read(min(_PIECE, len(view) - filled))
        if not piece:
            raise EOFError("the archive ends too soon")
        view[filled : filled + len(piece)] = piece
        filled += len(piece)
