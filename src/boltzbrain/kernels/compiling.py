"""Compiled loops are kept on disk, and thrown away when anything that they are made of changes.

Numba keeps compiled code beside the source and drops it when the file of the compiled function
changes, but not when another file does whose functions or constants are compiled into it. Here the
whole package of loops, subfolders too, counts as one file.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba

from boltzbrain.foundations import numerics, random
from boltzbrain.foundations.compiling.cache import kept

ALSO = numerics, random
"""Modules from elsewhere whose functions and constants are compiled into loops."""


@cache
def _stamp() -> str:
    """Return a hash of every source that loops are made of."""
    digest = hashlib.blake2b(digest_size=16)
    elsewhere = (Path(inspect.getfile(module)) for module in ALSO)
    for path in (*sorted(Path(__file__).parent.rglob("*.py")), *elsewhere):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function on its first call, for use by several threads, and keep it on disk.

    Raises
    ------
    ImportError
        If this version of numba does not note the source of what it keeps where it used to, so that
        stale code could be run.
    """
    dispatcher = kept(function, nogil=True)
    if dispatcher is function:  # NUMBA_DISABLE_JIT: nothing is compiled or kept
        return function
    file: Any = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    if not hasattr(file, "_source_stamp"):
        raise ImportError(
            "numba must note the source of a kept function in _cache._cache_file._source_stamp; "
            f"got numba {numba.__version__}, which has no such thing: install an older one"
        )
    file._source_stamp = (file._source_stamp, _stamp())
    return dispatcher
