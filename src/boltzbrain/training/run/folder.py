"""Folders that hold what came out of an activity: how one is begun, known and opened."""

from __future__ import annotations

import contextlib
import hashlib
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
from boltzbrain.data.activity_file import read_activity, write_activity
from boltzbrain.foundations.checks import InputError, bad_input
from boltzbrain.foundations.disk.files import (
    FileFormat,
    kind_of,
    read_ours,
    require_sha256,
    sha256,
    write_ours,
)
from boltzbrain.kernels.machine import facts


@dataclass(frozen=True)
class FolderKind:
    """A kind of folder that is known by the file NOUN.json in it.

    Its version is also that of the tables beside it: plain csv has no place to say one.

    Attributes
    ----------
    noun
        What it holds: "run" or "sweep".
    command
        What writes it.
    below
        The folder in it.
    fixed
        What the file says from beginning to end; its hash, ``id``, ties to the folder what lies in
        it. Folders of 0.1.0 have none.
    version
        Of its format.
    """

    noun: str
    command: str
    below: str
    fixed: tuple[str, ...]
    version: int = 1

    @property
    def file(self) -> str:
        """Name of the file that it is known by."""
        return f"{self.noun}.json"

    @property
    def format(self) -> FileFormat:
        """Format of that file."""
        return FileFormat(f"boltzbrain {self.noun}", self.version, what=self.file)

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
                f"hold no {self.noun} yet (--resume or bb.resume"
                f"{'' if self.noun == 'run' else f'_{self.noun}'} goes on with it; or take another "
                "folder)",
                f"a {self.noun} ({self.file})",
                file=folder,
            )
        if any((folder / self.below).rglob("*.h5")):
            raise bad_input(
                "output folder",
                f"hold nothing of another {self.noun} (take another folder)",
                f"files in {self.below}, but no {self.file}",
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

        def remove() -> None:
            stored.unlink(missing_ok=True)
            for empty in (folder / self.below, folder):
                with contextlib.suppress(OSError):  # something else lies there
                    empty.rmdir()

        with contextlib.ExitStack() as left_early:
            # without its file it is nothing: leave nothing behind
            left_early.callback(remove)
            write_activity(stored, activity)
            data = {
                "sha256": sha256(stored),
                "recording": activity.source.path,
                "recording_sha256": activity.source.sha256,
                "neurons": activity.n_neurons,
                "bins": activity.n_bins,
            }
            whole = {**content, "data": data, "environment": environment()}
            write_ours(folder / self.file, self.format, {**whole, "id": self._id(whole)})
            left_early.pop_all()

    def require(self, folder: Path) -> None:
        """Refuse a folder that is none of this kind.

        Raises
        ------
        InputError
            If it is none, or of a version that cannot be read.
        """
        if not (folder / self.file).is_file():
            got = kind_of(folder) if folder.exists() else "no such folder"
            got = f"no {self.file} in it" if folder.is_dir() else got
            raise bad_input(
                f"{self.noun} folder", f"be a folder that `{self.command}` wrote", got, file=folder
            )
        self.read(folder)

    def read(self, folder: Path) -> dict[str, Any]:
        """Return the content of the file that a folder is known by.

        Raises
        ------
        InputError
            If it is missing, damaged, of another format, of a version that cannot be read, or says
            something else than when the folder was begun.
        """
        content = read_ours(folder / self.file, self.format)
        told = content.get("id")
        if told is not None and told != self._id(content):
            raise bad_input(
                " and ".join(self.fixed),
                f"be what the {self.noun} began with, of which `id` is the hash",
                "something else",
                file=folder / self.file,
            )
        return content

    def _id(self, content: Mapping[str, Any]) -> str:
        told = json.dumps({name: content.get(name) for name in self.fixed}, sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()

    def activity(self, folder: Path) -> Activity:
        """Return what the models see.

        Raises
        ------
        InputError
            If the file is missing, damaged, or not the one that the folder was begun with.
        """
        path = folder / "activity.h5"
        activity = read_activity(path)
        told = self.read(folder).get("data", {}).get("sha256")
        what = f"the activity that the {self.noun} began with"
        require_sha256(path, told, what, f"put it back, or begin another {self.noun}")
        return activity

    def replace(self, folder: Path, content: Mapping[str, Any]) -> None:
        """Write anew the file that a folder is known by, with the version that it had."""
        write_ours(folder / self.file, self.format, content)


def environment() -> dict[str, Any]:
    """Return the versions and the machine that a result depends on."""
    return {
        "boltzbrain": version("boltzbrain"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
        "loops": facts(),
    }
