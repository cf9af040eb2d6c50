"""Compiled loops are kept beside the source, in the user's cache, or in a temporary folder.

Numba itself gives up where neither of the first two can be written: an installation that belongs to
another user, and a HOME that is absent or read-only, as on compute nodes and in containers.
"""

from __future__ import annotations

import functools
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba import config
from numba.core import event

from boltzbrain.foundations.compiling.heard import tell


class _Compilations(event.Listener):
    """Tells of compilations; what is kept on disk is loaded without one."""

    def on_start(self, _: event.Event) -> None:
        tell(True)

    def on_end(self, _: event.Event) -> None:
        tell(False)


event.register("numba:compile", _Compilations())  # type: ignore[no-untyped-call]


def kept(function: Callable[..., Any], **options: Any) -> Any:
    """Compile a function on its first call, and keep it on disk.

    Parameters
    ----------
    function
        A function of numba's Python.
    **options
        Of ``numba.njit``.
    """
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError as error:
        # numba has no class of its own for this
        if "no locator" not in str(error):
            raise
    # numba looks at it once, as it makes the function; other users of numba keep theirs
    before = vars(config)["CACHE_DIR"]
    vars(config)["CACHE_DIR"] = str(temporary_folder())
    try:
        return numba.njit(cache=True, **options)(function)
    finally:
        vars(config)["CACHE_DIR"] = before


@functools.cache
def temporary_folder() -> Path:
    """Return a folder for compiled code that nobody else can write: what lies there is run."""
    number = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir()) / f"boltzbrain-loops-{number}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return Path(tempfile.mkdtemp(prefix="boltzbrain-loops-"))
    private = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o022
    mine = not hasattr(os, "getuid") or found.st_uid == number
    return folder if private and mine else Path(tempfile.mkdtemp(prefix="boltzbrain-loops-"))
