"""Reader of the files that Neo reads, by Neo itself: on request only, as its code opens them."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from boltzbrain.data.recording import Recording
from boltzbrain.data.steps import Source
from boltzbrain.foundations.checks import InputError, bad_input
from boltzbrain.readers.containers.signatures import as_path
from boltzbrain.readers.fingerprint import fingerprint
from boltzbrain.readers.formats.objects import neo_recording

# these run what is written in the file
_UNSAFE = ("PickleIO",)


def read_neo_file(path: str | os.PathLike[str], *, io: str | None = None) -> Recording:
    """Read the spike trains of a file or folder of any format that Neo reads.

    Parameters
    ----------
    path
        The file or folder. With several blocks in it, the first is read.
    io
        Name of Neo's reader, e.g. "NeoMatlabIO"; by the ending of the name if None.

    Returns
    -------
    Recording
        As `boltzbrain.readers.formats.objects.read_neo` makes it of the block.

    Raises
    ------
    InputError
        If Neo is not installed, has no such reader, or cannot read the file; or the block has no
        spike trains.

    References
    ----------
    Garcia et al., "Neo: an object model for handling electrophysiology data in multiple formats",
    Frontiers in Neuroinformatics 8:10 (2014).
    """
    found = as_path(path)
    where = str(found)
    try:
        import neo.io
    except ImportError as error:
        raise InputError(
            f"format 'neo' must have the library neo: pip install 'boltzbrain[neo]'; got {error}"
        ) from error
    known = {one.__name__: one for one in neo.io.iolist}
    if io is not None and io not in known:
        raise bad_input("io", "be one of Neo's readers: " + ", ".join(sorted(known)), io)
    chosen = io or _by_ending(where, known)
    if chosen in _UNSAFE:
        raise bad_input("io", "run no code of the file, which pickles do", chosen, file=where)
    try:
        block = _block(known[chosen](where))
    except Exception as error:  # each of Neo's readers has its own ways to fail
        told = f"{type(error).__name__}: {error}".splitlines()[0]
        raise bad_input("the file", f"be readable by Neo's {chosen}", told, file=where) from error
    recording = neo_recording(block, where)
    main = fingerprint(found, recording.signal) if found.is_file() else ""
    options = {**recording.source.options, "io": chosen}
    return replace(recording, source=Source("neo", where, main, options))


def _by_ending(where: str, known: dict[str, Any]) -> str:
    from neo.io import get_io

    try:
        return type(get_io(where)).__name__
    except Exception as error:
        raise bad_input(
            "io", "be given: no reader of Neo is known by the ending", str(error), file=where
        ) from error


def _block(reader: Any) -> Any:
    """Return the first block, or the segment of a reader that knows no blocks."""
    import neo

    blocks = neo.Block in reader.readable_objects
    return reader.read_block() if blocks else reader.read_segment()
