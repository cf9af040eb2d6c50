"""The size of a large array is said before it is taken, and a long loop goes by pieces."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from boltzbrain.foundations.checks import bad_input, number_in

STATES = 1 << 24
"""Values of a byte or so, or a few times as many bytes for a moment, that a loop holds at once."""

VALUES = 1 << 22
"""Numbers in floating point, of which there are several kinds, that a loop holds at once."""

LONGEST_DAYS = 30
"""Work that would take longer on any machine cannot be meant."""
_STEPS_PER_S, _OPERATIONS_PER_S = 1e6, 1e14
"""What no machine does faster: steps one after another, and operations of a step side by side."""

_GROUP_FOLDER = Path("/sys/fs/cgroup")


def rows_at_once(width: int, budget: int = STATES) -> int:
    """Return how many rows of so many values fit into a budget of values, at least 1."""
    return max(1, budget // max(1, width))


def slices(
    count: int, width: int, budget: int = STATES, *, most: int | None = None
) -> Iterator[slice]:
    """Cut rows into pieces that a loop takes one after another.

    Floating-point sums over pieces depend on where they are cut: the budget of a loop that sums is
    part of its result.

    Parameters
    ----------
    count
        Rows.
    width
        Values of a row.
    budget
        Most values of a piece.
    most
        Most rows of a piece.

    Examples
    --------
    >>> list(slices(5, 3, 6))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    step = rows_at_once(width, budget)
    step = step if most is None else min(step, most)
    for first in range(0, count, step):
        yield slice(first, min(count, first + step))


def available_bytes() -> int | None:
    """Return the memory that this process could still take, or None where it cannot be known.

    On Linux the smaller of the kernel's own estimate and what the control group of a container or a
    batch job leaves; elsewhere the free pages.
    """
    found = [size for size in (_kernel_estimate(), _group_rest()) if size is not None]
    return min(found) if found else None


def show_bytes(size: float) -> str:
    """Return a size in words, in units of 1000.

    Examples
    --------
    >>> show_bytes(281_000_000), show_bytes(12)
    ('281 MB', '12 bytes')
    """
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            number = size / scale
            return f"{number:.3g} {unit}" if number < 999.5 else f"{number:,.0f} {unit}"
    return f"{size:.0f} bytes"


def require_memory(
    what: str, needed: int, *, limit_gb: float | None, advice: str, file: object = None
) -> None:
    """Raise before anything is allocated if `needed` bytes are too many.

    Parameters
    ----------
    what
        What the memory is for, with its shape, e.g. "180,000 bins x 1,560 neurons as uint8".
    needed
        Bytes.
    limit_gb
        Limit of the user in GB (10**9 bytes), or None.
    advice
        The options that make it smaller.
    file
        The file that it comes from.

    Raises
    ------
    InputError
        If `needed` is above the limit or above the memory that is available.
    """
    size = f"{show_bytes(needed)} for {what}"
    if limit_gb is not None:
        limit = number_in("memory_limit_gb", limit_gb, low=0.0, include_low=False)
        if needed > limit * 1e9:
            raise bad_input(
                "memory_limit_gb", f"allow {size} (or {advice})", f"{limit:g} GB", file=file
            )
    available = available_bytes()
    if available is not None and needed > available:
        raise bad_input(
            "the memory available",
            f"hold {size} (what helps: {advice})",
            show_bytes(available),
            file=file,
        )


def require_size(
    name: str, count: int, *, each_bytes: float = 0.0, steps: float = 0.0, operations: float = 0.0
) -> None:
    """Refuse a number that cannot be meant, with the largest that could be, before any work.

    Parameters
    ----------
    name
        What there are so many of.
    count
        The number.
    each_bytes
        Memory that each takes at least.
    steps
        Steps that each adds at least to those that follow one another.
    operations
        Multiplications and additions that each takes at least.

    Raises
    ------
    InputError
        If they do not fit into the memory available, or would take over `LONGEST_DAYS` days on any
        machine.

    Examples
    --------
    >>> require_size("n", 10**15, steps=1.0)
    Traceback (most recent call last):
    ...
    boltzbrain.foundations.checks.InputError: n must be at most 2,592,000,000,000 (more would take \
over 30 days on any machine); got 1000000000000000
    """
    available = available_bytes()
    if available is not None and count * each_bytes > available:
        why = f"each takes {show_bytes(each_bytes)}, and {show_bytes(available)} are available"
        raise bad_input(name, f"be at most {int(available // each_bytes):,} ({why})", count)
    seconds = max(steps / _STEPS_PER_S, operations / _OPERATIONS_PER_S)
    longest = LONGEST_DAYS * 86_400
    if count * seconds > longest:
        why = f"more would take over {LONGEST_DAYS} days on any machine"
        raise bad_input(name, f"be at most {int(longest / seconds):,} ({why})", count)


def _kernel_estimate() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _group_rest() -> int | None:
    """Return what the control group leaves; file pages that the kernel can drop count as free."""
    for limit_name, used_name, cache_key in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            limit_file = _GROUP_FOLDER / limit_name
            limit = int(limit_file.read_text(encoding="ascii"))
            used = int((_GROUP_FOLDER / used_name).read_text(encoding="ascii"))
            lines = (limit_file.parent / "memory.stat").read_text(encoding="ascii").splitlines()
            stat = dict(line.split()[:2] for line in lines)
            return max(0, limit - used + int(stat.get(cache_key, "0")))
        except (OSError, ValueError):  # no such group, or "max": no limit
            continue
    return None
