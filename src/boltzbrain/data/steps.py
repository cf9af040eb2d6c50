"""Where data came from and what was done to them, and the steps as one JSON text for every file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.disk.files import FileFormat
from boltzbrain.foundations.disk.hdf5_tables import plain
from boltzbrain.foundations.showing.told import Brief


@dataclass(frozen=True, repr=False)
class Source(Brief):
    """Where a recording came from.

    Attributes
    ----------
    format
        Name of the reader, e.g. "nwb".
    path
        The file or folder as given.
    sha256
        Hash of the file (of the main file of a folder), of a large one of its size, its ends and
        what was read of it; empty for objects in memory.
    options
        Options of the reader, and the count of units that each filter rule dropped under "dropped".
    """

    format: str
    path: str
    sha256: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class Step(Brief):
    """One preprocessing step: its name and every option and count that belongs to it."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


NWB_NAME = "boltzbrain_steps"
"""Name of the text in /scratch of an NWB file."""

NWB_FORMAT = FileFormat("boltzbrain steps")
"""Format of that text, as its attributes say."""


def steps_text(steps: Iterable[Step]) -> str:
    """Return steps as JSON; a number that is none becomes null, an array or a tuple a list.

    Examples
    --------
    >>> steps_text([Step("mend", {"what": "silent", "removed": 2})])
    '[{"name": "mend", "options": {"what": "silent", "removed": 2}}]'
    """
    told = [{"name": step.name, "options": step.options} for step in steps]
    return json.dumps(plain(told), allow_nan=False)


def parse_steps(text: str, field: str, file: object) -> tuple[Step, ...]:
    """Return the steps that `steps_text` wrote.

    Parameters
    ----------
    text
        The JSON.
    field, file
        Where it stands, for messages.

    Raises
    ------
    InputError
        If it is no JSON of steps.
    """
    wanted = "be JSON, a list of steps with name and options"
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise bad_input(field, wanted, f"other text ({error})", file=file) from error
    fits = isinstance(told, list) and all(
        isinstance(one, dict)
        and set(one) == {"name", "options"}
        and isinstance(one["name"], str)
        and isinstance(one["options"], dict)
        for one in told
    )
    if not fits:
        raise bad_input(field, wanted, "JSON of something else", file=file)
    return tuple(Step(one["name"], one["options"]) for one in told)
