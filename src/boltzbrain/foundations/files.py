"""Files that are whole or absent: written under a temporary name, flushed, renamed.

Places to write to are looked at before any work: no minutes are lost, and no file of another's.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import h5py

from boltzbrain.foundations.checks import InputError, bad_input


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it is flushed to disk and renamed to `path`.

    If the block raises, the temporary file is removed and `path` is untouched. A full disk or a
    folder that cannot be written becomes an InputError that names the file.

    Raises
    ------
    InputError
        If the operating system refuses to write.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        try:
            yield temporary
            with temporary.open("rb+") as handle:
                os.fsync(handle.fileno())
            temporary.replace(path)
        except OSError as error:
            raise InputError(
                f"{path}: the file must be writable and the disk have room; got {error}"
            ) from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


@contextlib.contextmanager
def atomic_hdf5(path: Path) -> Iterator[h5py.File]:
    """Give an HDF5 file in memory; on success it is written to `path` as `atomic_write` does.

    HDF5 never sees the disk: where that is full, closing a file crashes the whole process.

    Raises
    ------
    InputError
        If the operating system refuses to write.
    """
    memory = {"driver": "core", "backing_store": False, "block_size": 1 << 20}
    with atomic_write(path) as temporary:
        with h5py.File(path.name, "w", **memory) as file:
            yield file
            file.flush()
            image = file.id.get_file_image()
        temporary.write_bytes(image)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal text, read in pieces of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while piece := handle.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


_HEAD = 65_536


_MARK = b"boltzbrain</title>"


def new_file(name: str, path: Path, endings: Iterable[str]) -> Path:
    """Return the path of a file to write, refused if it exists or has another ending."""
    _ends_in(name, path, endings)
    if path.exists():
        raise bad_input(name, "not exist yet", "a file of that name", file=path)
    _in_a_folder(name, path)
    return path


def page_file(name: str, path: Path) -> Path:
    """Return the path of a page to write; what lies there may only be an earlier page."""
    _ends_in(name, path, (".html",))
    if path.exists() and not _is_page(path):
        raise bad_input(
            name, "not exist yet, or be a page of boltzbrain", "something else", file=path
        )
    _in_a_folder(name, path)
    return path


def folder_to_write(name: str, path: Path) -> Path:
    """Return the path of a folder to write into, refused if it could not be made."""
    there = path
    while not there.exists():
        there = there.parent
    if not there.is_dir():
        raise bad_input(name, "be a folder that can be made", f"{there}, a file", file=path)
    _may_write(name, there)
    return path


def _ends_in(name: str, path: Path, endings: Iterable[str]) -> None:
    known = list(endings)
    if path.suffix.lower() not in known:
        raise bad_input(name, "end in " + " or ".join(known), path.name)


def _in_a_folder(name: str, path: Path) -> None:
    if not path.parent.is_dir():
        raise bad_input(name, "lie in an existing folder", f"no folder {path.parent}")
    _may_write(name, path.parent)


def _may_write(name: str, folder: Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise bad_input(name, "lie where files may be written", f"no right to write in {folder}")


def _is_page(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return _MARK in file.read(_HEAD)
