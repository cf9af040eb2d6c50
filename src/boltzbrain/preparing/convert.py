"""A recording written in another format, binned first where the format asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from boltzbrain.data.activity import Activity
from boltzbrain.data.recording import Recording
from boltzbrain.data.signals import Binned
from boltzbrain.foundations.checks import bad_input
from boltzbrain.writers.npz import write_npz
from boltzbrain.writers.nwb import write_nwb

RECORDING_ENDINGS = (".npz", ".nwb")


def write_recording(
    recording: Recording, target: Path, given: Mapping[str, Any]
) -> Recording | Activity:
    """Write a recording by the ending of a file that does not exist yet.

    Parameters
    ----------
    recording, target
        As of `api.convert`.
    given
        Options of `Recording.binarize`; those that are None were not given.

    Raises
    ------
    InputError
        If the format cannot hold the recording, or an option does not fit it.
    """
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
