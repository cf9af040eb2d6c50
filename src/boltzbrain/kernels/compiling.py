"""Compiled loops are kept on disk, and thrown away when anything that they are made of changes.

Numba keeps compiled code beside the source and drops it when the file of the compiled function
changes, but not when another file does whose functions are compiled into it. Here the whole package
of loops counts as one file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit

from boltzbrain.foundations import random


@cache
def _stamp() -> str:
    """Return a hash of the source of every loop and of the generator that they draw from."""
    digest = hashlib.blake2b(digest_size=16)
    for path in (*sorted(Path(__file__).parent.rglob("*.py")), Path(random.__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function on its first call, for use by several threads, and keep it on disk."""
    dispatcher = njit(nogil=True, cache=True)(function)
    kept: Any = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    if hasattr(kept, "_source_stamp"):
        kept._source_stamp = (kept._source_stamp, _stamp())
    return dispatcher
