"""What a file is, told by its first bytes and the names inside it, never by its extension."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.disk.files import kind_of
from boltzbrain.readers.containers.arrays.mat5_outline import variable_names
from boltzbrain.readers.containers.hdf5 import list_objects, open_hdf5
from boltzbrain.readers.containers.npy import MAGIC
from boltzbrain.readers.containers.remote import Address, is_address
from boltzbrain.readers.containers.text.dialect import is_table
from boltzbrain.readers.containers.zip_archive import open_npz

Kind = Literal["zip", "hdf5", "npy", "mat", "text", "folder", "unknown"]

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_ZIP_MAGIC = b"PK\x03\x04"
_MAT5 = (b"\x00\x01", b"\x01\x00")
_START = 1 << 16
_SHOWN = 12


@dataclass(frozen=True)
class FileSignature:
    """What lies in a file or folder.

    Attributes
    ----------
    path
        Where it is.
    kind
        "zip", "hdf5", "npy", "mat" (MATLAB before 7.3), "text" (a table), "folder" or "unknown".
    names
        Members of the archive, full names of the HDF5 objects, variables of the MATLAB file and
        fields of its structs ("spikes.times"), or entries of the folder.
    attributes
        Names of the attributes of an HDF5 file.
    """

    path: Path | Address
    kind: Kind
    names: tuple[str, ...]
    attributes: tuple[str, ...] = ()

    def describe(self) -> str:
        """Return in words what was found, for a message."""
        top = sorted({name.split("/")[0] for name in self.names})
        shown = ", ".join(top[:_SHOWN]) + (", ..." if len(top) > _SHOWN else "")
        if not self.container:
            return f"a file of another kind, starting with {self._first_bytes()!r}"
        article = "an" if self.container.startswith("H") else "a"
        return f"{article} {self.container} with {shown or 'nothing in it'}"

    @property
    def container(self) -> str:
        """What holds the arrays, in words; "" of a file that holds none or one."""
        return {"zip": "zip archive", "hdf5": "HDF5 file", "folder": "folder"}.get(self.kind, "")

    def _first_bytes(self) -> bytes:
        with Path(str(self.path)).open("rb") as handle:
            return handle.read(8)


def as_path(path: str | os.PathLike[str]) -> Path:
    """Return a `Path` to something that exists.

    Raises
    ------
    InputError
        If it is no path, or nothing is there.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise bad_input("path", "be text or a Path", path)
    result = Path(path)
    try:
        exists = result.exists()
    except (OSError, ValueError):  # too long, or characters that no file name has
        exists = False
    if not exists:
        raise bad_input("the file", "exist", "nothing at that path", file=path)
    return result


def as_folder(path: str | os.PathLike[str]) -> Path:
    """Return a `Path` to a folder that exists; of a file in it, the folder.

    Raises
    ------
    InputError
        If nothing is there, or it may not be read.
    """
    found = as_path(path)
    folder = found if found.is_dir() else as_file(found).parent
    try:
        next(folder.iterdir(), None)
    except OSError as error:
        raise bad_input("the folder", "be readable", str(error), file=path) from error
    return folder


def as_file(path: str | os.PathLike[str]) -> Path:
    """Return a `Path` to a file that exists, can be opened and is not empty.

    Raises
    ------
    InputError
        If it is missing, a folder, empty, or may not be read.
    """
    result = as_path(path)
    if not result.is_file():
        raise bad_input("the file", "be a file", kind_of(result), file=path)
    try:
        with result.open("rb") as handle:
            empty = not handle.read(1)
    except OSError as error:
        raise bad_input("the file", "be readable", str(error), file=path) from error
    if empty:
        raise bad_input("the file", "hold a recording", "0 bytes: an empty file", file=path)
    return result


def as_hdf5(path: str | os.PathLike[str]) -> Path | Address:
    """Return where an HDF5 file is: a file as `as_file` finds it, or an address on a web server."""
    return Address(str(path)) if is_address(path) else as_file(path)


def signature_of(path: str | os.PathLike[str]) -> FileSignature:
    """Return what lies at `path`; nothing but names is read.

    Raises
    ------
    InputError
        If it is missing or empty, starts as a zip or HDF5 file and is damaged, or is no HDF5 file
        on a web server.
    """
    if is_address(path):
        return _look_at(Address(str(path)))
    found = as_path(path)
    if found.is_dir():
        try:
            return FileSignature(
                found, "folder", tuple(sorted(entry.name for entry in found.iterdir()))
            )
        except OSError as error:
            raise bad_input("the folder", "be readable", str(error), file=path) from error
    found = as_file(path)
    with found.open("rb") as handle:
        start = handle.read(_START)
        head = start[:8]
        if head.startswith(MAGIC):
            return FileSignature(found, "npy", ())
        if len(start) >= 128 and start[126:128] in (b"IM", b"MI") and start[124:126] in _MAT5:
            return FileSignature(found, "mat", variable_names(found))
        if head.startswith(_ZIP_MAGIC):
            with open_npz(found) as archive:
                return FileSignature(found, "zip", archive.names)
        offset = 0
        while head != _HDF5_MAGIC and len(head) == 8:  # HDF5 may follow a block of the user's own
            offset = 512 if offset == 0 else 2 * offset
            handle.seek(offset)
            head = handle.read(8)
    if head != _HDF5_MAGIC:
        table = is_table(start, len(start) < _START)
        return FileSignature(found, "text" if table else "unknown", ())
    return _look_at(found)


def _look_at(found: Path | Address) -> FileSignature:
    with open_hdf5(found) as file:
        names, attributes = list_objects(file, str(found))
    return FileSignature(found, "hdf5", names, attributes)
