"""Files that are whole or absent: written under a temporary name, flushed, renamed."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import h5py

from boltzbrain.foundations.checks import InputError


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
