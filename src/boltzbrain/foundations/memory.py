"""The size of a large array is said, and compared with what is there, before it is taken."""

from __future__ import annotations

import os
from pathlib import Path

from boltzbrain.foundations.checks import bad_input, number_in

_GROUP_FOLDER = Path("/sys/fs/cgroup")


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
