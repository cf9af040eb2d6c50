"""What a recording is known by: a hash of its file, or of a large one of what was read of it.

A file of raw data can take minutes to go through, of which a recording needs a few megabytes. Above
`WHOLE_BYTES` the fingerprint is the hash of the size, of both ends and of the signal that was read;
below, as in every file that older versions read, it is that of the whole file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.signals import Binned, Signal, SpikeTimes
from boltzbrain.data.steps import Source
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.disk.files import sha256
from boltzbrain.foundations.memory import slices
from boltzbrain.readers.containers.remote import Address

WHOLE_BYTES = 1 << 26
"""Files of more bytes are known by their size, their ends and what was read of them."""

_END = 1 << 20


def fingerprint(path: Path | Address, signal: Signal) -> str:
    """Return the SHA-256 by which a recording is known, "" of a file on a web server.

    Parameters
    ----------
    path
        The file, of a folder the main one.
    signal
        What was read.

    Raises
    ------
    InputError
        If the operating system cannot read the file.

    Examples
    --------
    >>> import tempfile
    >>> trains = SpikeTimes(np.array([0.5, 1.0]), np.array([2]), 0.0, 2.0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a").write_bytes(b"spikes")
    ...     fingerprint(Path(folder, "a"), trains)[:16]
    '3afe33347d9931bb'
    """
    if isinstance(path, Address):
        return ""
    try:
        size = path.stat().st_size
        if size <= WHOLE_BYTES:
            return sha256(path)
        digest = hashlib.sha256(f"{size} bytes".encode())
        with path.open("rb") as stream:
            digest.update(stream.read(_END))
            stream.seek(size - _END)
            digest.update(stream.read(_END))
    except OSError as error:
        raise bad_input("the file", "be readable", str(error), file=path) from error
    for array in _arrays(signal):
        digest.update(f"{array.dtype.str} {array.shape}".encode())
        for part in slices(len(array), max(1, array[:1].size)):
            digest.update(np.ascontiguousarray(array[part]).data)
    return digest.hexdigest()


def is_same_recording(mine: Source, theirs: Source) -> bool:
    """Return whether two sources are of one recording, by fingerprint.

    Parameters
    ----------
    mine
        Of files that are there.
    theirs
        As it was written down, maybe by a version that knew every file by its whole hash.
    """
    if mine.sha256 == theirs.sha256:
        return True
    ours, known = (_parts(one) for one in (mine, theirs))
    return len(ours) == len(known) and all(
        one == other or _has_hash(Path(path), other)
        for (path, one), (_, other) in zip(ours, known, strict=True)
    )


def _parts(source: Source) -> list[tuple[str, str]]:
    """Return path and hash of each file: several of joined recordings."""
    parts: list[dict[str, Any]] = source.options.get("parts", [])
    if source.format != "joined":
        return [(source.path, source.sha256)]
    return [(str(one["path"]), str(one["sha256"])) for one in parts]


def _has_hash(path: Path, told: str) -> bool:
    """Return whether a large file, or one in a folder, has that hash as a whole."""
    inside = [path] if path.is_file() else sorted(path.rglob("*")) if path.is_dir() else []
    large = [one for one in inside if one.is_file() and one.stat().st_size > WHOLE_BYTES]
    return told != "" and any(sha256(one) == told for one in large)


def _arrays(signal: Signal) -> Iterator[NDArray[Any]]:
    if isinstance(signal, SpikeTimes):
        yield signal.times
        yield signal.index
    else:
        yield signal.counts if isinstance(signal, Binned) else signal.frames
