"""Places to write to, looked at before any work: no minutes are lost, and no file of another's."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from boltzbrain.foundations.checks import bad_input

_HEAD = 65_536
_MARK = b"boltzbrain</title>"


def new_file(name: str, path: Path, endings: Iterable[str]) -> Path:
    """Return the path of a file to write, refused if it exists or has another ending."""
    _ends_in(name, path, endings)
    if path.exists():
        raise bad_input(name, "not exist yet", "a file of that name", file=path)
    _in_a_folder(name, path)
    return path


def page_file(name: str, path: Path) -> Path:
    """Return the path of a page to write; what lies there may only be an earlier page."""
    _ends_in(name, path, (".html",))
    if path.exists() and not _is_page(path):
        raise bad_input(
            name, "not exist yet, or be a page of boltzbrain", "something else", file=path
        )
    _in_a_folder(name, path)
    return path


def folder_to_write(name: str, path: Path) -> Path:
    """Return the path of a folder to write into, refused if it could not be made."""
    there = path
    while not there.exists():
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


def _may_write(name: str, folder: Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise bad_input(name, "lie where files may be written", f"no right to write in {folder}")


def _is_page(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return _MARK in file.read(_HEAD)
