"""Places to write to: found bad before any work, written by one process, results all at once.

A folder has one writer at a time. The operating system holds the lock, so that a killed process
leaves none behind, and over NFS it holds for every machine as far as the server's locks do. Where a
file system has no locks, a file with the name of the machine and the process stands for one.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from boltzbrain.foundations.checks import InputError, bad_input
from boltzbrain.foundations.disk.files import atomic_write

try:
    import fcntl
except ImportError:  # Windows: the lock by name
    fcntl = None  # type: ignore[assignment]

LOCK = ".writer"
"""File of a folder on which its writer holds the lock; left behind by a kill, it means nothing."""
_BY_NAME = ".writer.held"
_COMMITTED = ".together.json"
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL)
_POLL_S = 0.1
_AGAIN = 50

_HEAD = 65_536
_MARK = b"boltzbrain</title>"

_held: dict[str, tuple[int, int]] = {}
"""Folders that this process writes, and the process and thread that do; a fork is another."""


def given_path(name: str, path: str | Path) -> Path:
    """Return a path as given, refused if it is none, or empty: that would be the current folder.

    Raises
    ------
    InputError
        If it is.

    Examples
    --------
    >>> given_path("out", "run").name
    'run'
    """
    if not isinstance(path, str | os.PathLike):
        raise bad_input(name, "be a path", type(path))
    if not os.fspath(path):
        raise bad_input(name, "be a path", "an empty one")
    return Path(path)


def new_file(name: str, path: str | Path, endings: Iterable[str]) -> Path:
    """Return the path of a file to write, refused if it exists or has another ending."""
    path = given_path(name, path)
    _ends_in(name, path, endings)
    if path.is_symlink() and not path.exists():
        raise bad_input(name, "not exist yet", "a link to what is not there", file=path)
    if path.exists():
        raise bad_input(name, "not exist yet", "a file of that name", file=path)
    _in_a_folder(name, path)
    return path


def page_file(name: str, path: str | Path) -> Path:
    """Return the path of a page to write; what lies there may only be an earlier page."""
    path = given_path(name, path)
    _ends_in(name, path, (".html",))
    if (path.exists() or path.is_symlink()) and not _is_page(path):
        raise bad_input(
            name, "not exist yet, or be a page of boltzbrain", "something else", file=path
        )
    _in_a_folder(name, path)
    return path


def folder_to_write(name: str, path: str | Path) -> Path:
    """Return the path of a folder to write into, refused if it could not be made."""
    there = path = given_path(name, path)
    while not there.exists():
        if there.is_symlink():
            got = f"{there}, a link to {there.readlink()}, which is not there"
            raise bad_input(name, "be a folder that can be made", got, file=path)
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
    # rights do not tell of a folder such as /proc, where nobody can write
    probe = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        must = "lie where files may be written"
        raise bad_input(name, must, error.strerror or str(error), file=path) from error


def _may_write(name: str, folder: Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise bad_input(name, "lie where files may be written", f"no right to write in {folder}")


def _is_page(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return _MARK in file.read(_HEAD)


@contextlib.contextmanager
def one_writer(folder: Path, doing: str, *, patience_s: float = 0.0) -> Iterator[None]:
    """Be the only one that writes a folder while the block runs.

    The folder is made if it is not there, and taken away again if it is empty at the end. What a
    killed writer had ready to appear together is brought to its place first. In a block of the same
    thread on the same folder this does nothing.

    Parameters
    ----------
    folder
        The folder.
    doing
        What writes it, for the message of those who come second.
    patience_s
        Seconds to wait for another writer.

    Raises
    ------
    InputError
        If another writes it, or nothing can be written there.
    """
    key, me = os.path.realpath(folder), (os.getpid(), threading.get_ident())
    if _held.get(key) == me:
        yield
        return
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        release = _acquire(folder, doing, patience_s)
        try:
            _held[key] = me
            settle(folder)
            yield
        finally:
            del _held[key]
            release()
    finally:
        with contextlib.suppress(OSError):
            for empty in made:
                empty.rmdir()


def _acquire(folder: Path, doing: str, patience_s: float) -> Callable[[], None]:
    """Take the lock of a folder; return what lets it go."""
    me = {
        "doing": doing,
        "process": os.getpid(),
        "began": _began(os.getpid()),
        "host": socket.gethostname(),
        "since": datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S"),
    }
    end = time.monotonic() + patience_s
    again = 0
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            release = _take(folder, json.dumps(me).encode())
        except OSError as error:
            if isinstance(error, FileNotFoundError) and again < _AGAIN:
                # another that gave up took its lock, or the folder, away in between
                again += 1
                time.sleep(_POLL_S / 10)
                continue
            raise bad_input(
                "the folder",
                "be one that can be made and in which files can be written",
                error.strerror or str(error),
                file=folder,
            ) from error
        if release is not None:
            return release
        if time.monotonic() >= end:
            raise _busy(folder)
        time.sleep(_POLL_S)


def _take(folder: Path, told: bytes) -> Callable[[], None] | None:
    """Take the lock; None if another has it."""
    if fcntl is None:
        return _take_by_name(folder, told)
    path = folder / LOCK
    held = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mine, there = os.fstat(held), path.stat()
        if (mine.st_dev, mine.st_ino) != (there.st_dev, there.st_ino):
            # the writer before took its file away after this one was opened
            raise FileNotFoundError(errno.ENOENT, "the lock was taken away", path)
        os.ftruncate(held, 0)
        os.write(held, told)
    except OSError as error:
        os.close(held)
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return None
        if error.errno not in _NO_LOCKS:
            raise
        with contextlib.suppress(OSError):
            path.unlink()
        return _take_by_name(folder, told)

    def release() -> None:
        # first away, then free: who opened it in between sees that it is not there
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(held)

    return release


def _take_by_name(folder: Path, told: bytes) -> Callable[[], None] | None:
    """Take the lock where the file system has none: a file that only one can make."""
    path = folder / _BY_NAME
    try:
        held = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        if not _is_gone(_told(path)):
            return None
        # renamed, as two that find it may not both take it away
        mine = folder / f".writer.{os.getpid()}.{threading.get_ident()}.gone"
        with contextlib.suppress(FileNotFoundError):
            path.rename(mine)
            mine.unlink()
        raise FileNotFoundError(errno.ENOENT, "taken away", path) from None
    os.write(held, told)
    os.close(held)
    return lambda: path.unlink(missing_ok=True)


def _told(path: Path) -> dict[str, Any]:
    """Return what a writer says of itself, nothing if it has not yet."""
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _began(process: int) -> str | None:
    """Return when a process began, where that can be known: its number may be another's later.

    One that has ended, and whose parent has not taken notice yet, has none.
    """
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    state, *rest = stat.rpartition(")")[2].split()
    return None if state in "ZX" else rest[18]


def _is_gone(told: dict[str, Any]) -> bool:
    """Return whether a writer is a process of this machine that is no more."""
    process = told.get("process")
    if told.get("host") != socket.gethostname() or not isinstance(process, int):
        return False
    if os.name != "posix":
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return told.get("began") != _began(process)


def _busy(folder: Path) -> InputError:
    """Return what to say of a folder that another writes."""
    by_name = (folder / _BY_NAME).exists()
    path = folder / (_BY_NAME if by_name else LOCK)
    told = _told(path)
    who = "another process"
    if told:
        doing, process, host, since = map(told.get, ("doing", "process", "host", "since"))
        where = "this" if host == socket.gethostname() else "another"
        who = f"`{doing}` (process {process} on {host}, {where} machine, since {since})"
    remove = f", or remove {path} if it is no more" if by_name else ""
    return bad_input(
        "the folder",
        f"have one writer at a time (wait for the other, or stop it{remove})",
        who,
        file=folder,
    )


@contextlib.contextmanager
def together(folder: Path) -> Iterator[Callable[[str], Path]]:
    """Give places for files that replace those of a folder all at once, or not at all.

    The block gets a function from the name of a file to where it is to be written. Killed before
    the block ends, the files before stay; after it, the next `one_writer` brings the rest to its
    place.

    Parameters
    ----------
    folder
        A folder that the block is the `one_writer` of.
    """
    names: list[str] = []

    def place(name: str) -> Path:
        names.append(name)
        return _new(folder, name)

    def remove() -> None:
        for name in names:
            _new(folder, name).unlink(missing_ok=True)

    with contextlib.ExitStack() as left_early:
        left_early.callback(remove)
        yield place
        left_early.pop_all()
    with atomic_write(folder / _COMMITTED) as temporary:
        temporary.write_text(json.dumps(names), encoding="utf-8")
    settle(folder)


def settle(folder: Path) -> None:
    """Bring files that were to appear together to their places; remove those that never were whole.

    Raises
    ------
    InputError
        If the operating system refuses it.
    """
    committed = folder / _COMMITTED
    try:
        if committed.is_file():
            for name in map(str, json.loads(committed.read_text(encoding="utf-8"))):
                if name == Path(name).name and _new(folder, name).is_file():
                    _new(folder, name).replace(folder / name)
            committed.unlink()
        for pattern in (".*.new", "..*.partial", f".{_COMMITTED}.*.partial"):
            for left in folder.glob(pattern):
                left.unlink()
    except (OSError, ValueError, TypeError) as error:
        must = "be a folder in which files can be renamed"
        raise bad_input("the folder", must, str(error), file=folder) from error


def _new(folder: Path, name: str) -> Path:
    return folder / f".{name}.new"
