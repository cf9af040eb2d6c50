"""A recording written in another format, binned first where the format asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from boltzbrain.data.activity import Activity
from boltzbrain.data.recording import Recording
from boltzbrain.data.signals import Binned
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.disk.folders import new_file
from boltzbrain.writers.npz import write_npz
from boltzbrain.writers.nwb import write_nwb

RECORDING_ENDINGS = (".npz", ".nwb")


def convert(
    recording: Recording,
    path: str | Path,
    *,
    bin_ms: float | None = None,
    epochs: Sequence[str] | None = None,
    memory_limit_gb: float | None = None,
) -> Recording | Activity:
    """Write a recording as npz or NWB, by the ending of the name; an existing file is left alone.

    Parameters
    ----------
    recording
        Spike times for NWB. For npz, counts or states, written as they are; anything else, or with
        one of the following options, is binarised first.
    path
        The file.
    bin_ms, epochs, memory_limit_gb
        As in `Recording.binarize`; for npz only.

    Returns
    -------
    Recording or Activity
        What was written.

    Raises
    ------
    InputError
        If the ending is neither, the file exists, an option does not fit, or the format cannot hold
        the recording.
    """
    target = new_file("output file", path, RECORDING_ENDINGS)
    given = {"bin_ms": bin_ms, "epochs": epochs or None, "memory_limit_gb": memory_limit_gb}
    return _write(recording, target, given)


def _write(recording: Recording, target: Path, given: Mapping[str, Any]) -> Recording | Activity:
    """Write a recording to a file that does not exist yet, by its ending."""
    asked = [name for name, value in given.items() if value is not None]
    if target.suffix.lower() == ".nwb":
        if asked:
            raise bad_input(asked[0], "be left out for NWB, which holds spike times", "it")
        write_nwb(target, recording)
        return recording
    as_it_is = isinstance(recording.signal, Binned) and not asked
    data = recording if as_it_is else recording.binarize(**given)
    write_npz(target, data)
    return data
