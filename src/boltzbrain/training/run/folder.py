"""Folders that hold what came out of an activity: how one is begun, known and opened."""

from __future__ import annotations

import contextlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from boltzbrain.data.activity import Activity
from boltzbrain.data.activity_file import write_activity
from boltzbrain.foundations.checks import InputError, bad_input
from boltzbrain.foundations.files import atomic_write, sha256


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON, whole or not at all; a NaN or infinity is an error."""
    text = json.dumps(content, indent=2, allow_nan=False)
    with atomic_write(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


@dataclass(frozen=True)
class FolderKind:
    """A kind of folder that is known by the file NOUN.json in it.

    Attributes
    ----------
    noun
        What it holds: "run" or "sweep".
    command
        What writes it.
    below
        The folder in it.
    version
        Of its format.
    """

    noun: str
    command: str
    below: str
    version: int = 1

    @property
    def file(self) -> str:
        """Name of the file that it is known by."""
        return f"{self.noun}.json"

    @property
    def format(self) -> str:
        """Name of its format."""
        return f"boltzbrain {self.noun}"

    def require_none(self, folder: Path) -> None:
        """Refuse an output folder that already holds one.

        Raises
        ------
        InputError
            If it does.
        """
        if (folder / self.file).exists():
            raise bad_input(
                "output folder",
                f"hold no {self.noun} yet (use --resume, or another folder)",
                f"a {self.noun} ({self.file})",
                file=folder,
            )

    def begin(self, folder: Path, activity: Activity, content: Mapping[str, Any]) -> None:
        """Make a folder: activity.h5, then the file it is known by; where that is, it has begun.

        Parameters
        ----------
        folder
            May exist, but hold none of this kind.
        activity
            What the models see.
        content
            What the file says beside format, version, data and environment.

        Raises
        ------
        InputError
            If the folder holds one already, or cannot be written.
        """
        self.require_none(folder)
        try:
            (folder / self.below).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"{folder}: the output folder must be one that can be made; got {error}"
            ) from error
        stored = folder / "activity.h5"
        try:
            write_activity(stored, activity)
            data = {
                "sha256": sha256(stored),
                "recording": activity.source.path,
                "recording_sha256": activity.source.sha256,
                "neurons": activity.n_neurons,
                "bins": activity.n_bins,
            }
            known = {"format": self.format, "version": self.version}
            write_json(
                folder / self.file,
                {**known, **content, "data": data, "environment": environment()},
            )
        except BaseException:
            # without its file it is nothing: leave nothing behind
            stored.unlink(missing_ok=True)
            for empty in (folder / self.below, folder):
                with contextlib.suppress(OSError):
                    empty.rmdir()
            raise

    def require(self, folder: Path) -> None:
        """Refuse a folder that is none of this kind.

        Raises
        ------
        InputError
            If it is none, or of a version that this package does not read.
        """
        if not (folder / self.file).is_file():
            got = f"no {self.file} in it" if folder.is_dir() else "no such folder"
            raise bad_input(
                f"{self.noun} folder", f"be a folder that `{self.command}` wrote", got, file=folder
            )
        info = self.read(folder)
        if info.get("format") != self.format or info.get("version") != self.version:
            raise bad_input(
                "format",
                f"be '{self.format}' version {self.version}",
                f"{info.get('format')} {info.get('version')}",
                file=folder / self.file,
            )

    def read(self, folder: Path) -> dict[str, Any]:
        """Return the content of the file that a folder is known by.

        Raises
        ------
        InputError
            If it is no JSON object.
        """
        path = folder / self.file
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise bad_input(self.file, "be whole JSON", error, file=path) from error
        if not isinstance(content, dict):
            raise bad_input(self.file, "be a JSON object", type(content).__name__, file=path)
        return content


def environment() -> dict[str, Any]:
    """Return the versions and the machine that a result depends on."""
    return {
        "boltzbrain": version("boltzbrain"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
    }
