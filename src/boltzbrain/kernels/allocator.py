"""The memory of large tensors goes back to the system when they are freed.

glibc before 2.38 rarely gives a block that was freed to an aligned request of the same size (its
bug 14581), and torch aligns every tensor. Where a loop keeps something small between two large
tensors, as every sampler does that notes an energy, each of its steps then takes new memory: a
convergence check of 10,000 neurons grew by 60 MB a second, one of 40,000 to more than 20 GB. Blocks
that the system maps one by one have no such history. glibc maps those from 128 kB on, but raises
that to 32 MB as it sees them freed; it is kept at 2 MB here, at which a page costs less than what
is done with it.
"""

from __future__ import annotations

import ctypes
import os
import sys

_TRIM, _MAP = -1, -3
"""`M_TRIM_THRESHOLD` and `M_MMAP_THRESHOLD` of malloc.h."""

MAPPED_BYTES = 2 << 20
_KEPT_BYTES = 64 << 20
"""Freed memory at the end of the heap that is kept for what comes next."""

_VARIABLES = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES")


def map_large_blocks() -> None:
    """Map blocks of 2 MB and more one by one, unless the environment says how; only with glibc."""
    if sys.platform != "linux" or any(name in os.environ for name in _VARIABLES):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    # other libraries for C have none
    if mallopt is not None:
        mallopt(_MAP, MAPPED_BYTES)
        mallopt(_TRIM, _KEPT_BYTES)
