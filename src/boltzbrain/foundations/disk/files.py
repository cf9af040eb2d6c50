"""Files that are whole or absent, and those of ours, which say their format and version.

They are written under a temporary name, flushed, renamed. One of an older version opens, one of a
newer version or of another format is refused by name, and so is one that belongs to something else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from boltzbrain.foundations.checks import InputError, bad_input

if TYPE_CHECKING:
    import h5py

_KINDS: Mapping[str, Callable[[int], bool]] = {
    "a file": stat.S_ISREG,
    "a folder": stat.S_ISDIR,
    "a pipe (FIFO), which can be read but once: write it to a file": stat.S_ISFIFO,
    "a socket": stat.S_ISSOCK,
    "a device": lambda mode: stat.S_ISCHR(mode) or stat.S_ISBLK(mode),
}


def kind_of(path: Path) -> str:
    """Return in words what lies at a path where nothing is read from: a folder, a pipe, a device.

    Examples
    --------
    >>> kind_of(Path("/dev/null"))
    'a device'
    """
    mode = path.stat().st_mode
    return next(
        (word for word, is_one in _KINDS.items() if is_one(mode)), "neither a file nor a folder"
    )


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
    import h5py  # a tenth of the start of the command line, which comes through this file

    memory = {"driver": "core", "backing_store": False, "block_size": 1 << 20}
    with atomic_write(path) as temporary:
        with h5py.File(path.name, "w", **memory) as file:
            yield file
            file.flush()
            image = file.id.get_file_image()
        temporary.write_bytes(image)


_DAMAGE = (
    OSError,
    LookupError,
    ValueError,
    TypeError,
    RuntimeError,
    AttributeError,
    ArithmeticError,
    MemoryError,
)
"""What h5py, json and those who make something of their content raise on damaged bytes."""


@dataclass(frozen=True)
class FileFormat:
    """A format of ours, as every file of it says.

    Attributes
    ----------
    name
        "boltzbrain activity" and the like.
    newest
        Version that is written, the newest that can be read.
    oldest
        Oldest version that can be read.
    what
        The file in messages.
    command
        What writes it, for the message where it is missing.
    names
        Of the entries that tell format and version.
    """

    name: str
    newest: int = 1
    oldest: int = 1
    what: str = "the file"
    command: str | None = None
    names: tuple[str, str] = ("format", "version")

    @property
    def told(self) -> dict[str, Any]:
        """What a file says of its format: entries of JSON, attributes of HDF5."""
        return dict(zip(self.names, (self.name, self.newest), strict=True))

    def require(self, told: Mapping[str, Any], file: object, wrote: str | None = None) -> int:
        """Return the version of a file, if it is of this format and can be read.

        Parameters
        ----------
        told
            Its entries or attributes.
        file
            The file, for messages.
        wrote
            Version of boltzbrain that wrote it, where that is known.

        Raises
        ------
        InputError
            If the file is of another format, or of a version that is newer or too old.
        """
        number: Any
        found, number = (told.get(name) for name in self.names)
        found = found.decode(errors="replace") if isinstance(found, bytes) else found
        if not isinstance(found, str) or found != self.name:
            got = "a file without it" if found is None else found
            raise bad_input(self.names[0], f"be '{self.name}'", got, file=file)
        whole = isinstance(number, (int, np.integer)) and not isinstance(number, bool)
        if whole and number < self.oldest:
            must = f"be at least {self.oldest}, the oldest that {_this()} reads"
            raise bad_input(self.names[1], must, int(number), file=file)
        if not whole or number > self.newest:
            newer = f"boltzbrain {wrote}" if wrote else "a newer boltzbrain"
            raise bad_input(
                self.names[1],
                f"be at most {self.newest}, the newest that {_this()} reads "
                f"({newer} wrote this file: install that one or a later one)",
                int(number) if whole else number,
                file=file,
            )
        return int(number)


def _this() -> str:
    try:
        return f"boltzbrain {version('boltzbrain')}"
    except PackageNotFoundError:
        return "this boltzbrain"


@contextlib.contextmanager
def open_ours(path: Path, form: FileFormat) -> Iterator[h5py.File]:
    """Give an HDF5 file of ours to read; what goes wrong in the block is told with its name.

    Parameters
    ----------
    path
        The file.
    form
        The format that it must have.

    Raises
    ------
    InputError
        If it is missing, damaged, of another format, or of a version that cannot be read.
    """
    import h5py

    _require_there(path, form)
    try:
        with h5py.File(path, "r") as file:
            form.require(file.attrs, path)
            yield file
    except InputError as error:
        if str(error).startswith(str(path)):
            raise
        raise InputError(f"{path}: {error}") from error
    except _DAMAGE as error:
        raise _damaged(path, form, error) from error


def read_ours(path: Path, form: FileFormat) -> dict[str, Any]:
    """Return the content of a JSON file of ours; parameters and errors as in `open_ours`."""
    _require_there(path, form)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, form, error) from error
    if not isinstance(content, dict):
        must = f"be a JSON object, a {form.name} file"
        raise bad_input("the file", must, type(content).__name__, file=path)
    environment = content.get("environment")
    wrote = environment.get("boltzbrain") if isinstance(environment, dict) else None
    form.require(content, path, wrote)
    return content


def write_ours(path: Path, form: FileFormat, content: Mapping[str, Any]) -> None:
    """Write a JSON file of ours, whole or not at all; a NaN or infinity is an error.

    Parameters
    ----------
    path
        The file; what is there is replaced.
    form
        Its format.
    content
        Its entries. Those of an older file that is written anew keep the version they say.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    whole = {**form.told, **content}
    text = json.dumps(whole, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    with atomic_write(path) as temporary:
        # a name of a file may hold what is no UTF-8: JSON has an escape for it
        temporary.write_bytes(text.encode("utf-8", errors="backslashreplace"))


def _require_there(path: Path, form: FileFormat) -> None:
    if not path.is_file():
        first = f" (run `{form.command}` first)" if form.command else ""
        raise bad_input(form.what, f"exist{first}", "no such file", file=path)


def _damaged(path: Path, form: FileFormat, error: BaseException) -> InputError:
    return bad_input("the file", f"be a whole {form.name} file", str(error), file=path)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal text, read in pieces of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while piece := handle.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def require_sha256(path: Path, told: str | None, what: str, advice: str) -> None:
    """Refuse a file that is not the one whose hash was written down.

    Parameters
    ----------
    path
        The file.
    told
        Its SHA-256 as it was written down; None where an older version wrote none.
    what
        What it must be, as in "the activity that the run began with (run.json)".
    advice
        What mends it.

    Raises
    ------
    InputError
        If the file has another hash.
    """
    if told is None or not path.is_file():
        return  # that it is missing is told where it is opened
    found = sha256(path)
    if found != told:
        raise bad_input(
            path.name,
            f"be {what}, of SHA-256 {told[:12]}... ({advice})",
            f"another file, of {found[:12]}...",
            file=path.parent,
        )
