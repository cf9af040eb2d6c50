"""What the processor has, as far as the loops care: the width of a vector, how many, the cores.

The loops are written in vectors of sixteen numbers, which LLVM cuts into what the processor has.
How many of them fit into its registers decides the shape of a tile, not what is computed.
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
from numba.core.registry import cpu_target

_PROBE = """
define <16 x float> @probe(<16 x float> %a, <16 x float> %b) {
  %c = fadd <16 x float> %a, %b
  ret <16 x float> %c
}
"""
_CGROUPS = Path("/sys/fs/cgroup")
_VECTOR = 16


@dataclass(frozen=True)
class Machine:
    """The processor that loops are compiled for.

    Attributes
    ----------
    processor
        LLVM's name of it.
    path
        Which way the loops go: "AVX-512", "AVX2", "NEON" or "other".
    lanes
        Numbers of float32 in a vector register.
    registers
        How many such registers there are.
    """

    processor: str
    path: str
    lanes: int
    registers: int

    @property
    def tile(self) -> int:
        """Vectors of sixteen samples that the products of four rows take at once: 4, 2 or 1."""
        parts = max(1, _VECTOR // self.lanes)
        fitting = [size for size in (4, 2) if parts * 5 * size + 1 <= self.registers]
        return fitting[0] if fitting else 1


@cache
def machine() -> Machine:
    """Return what numba compiles for: the host, or what NUMBA_CPU_NAME and _FEATURES say."""
    triple, name, features = cpu_target.target_context.codegen().magic_tuple()
    return described(triple, name, features)


def described(triple: str, name: str, features: str) -> Machine:
    """Return the machine of an LLVM triple, processor name and list of features."""
    target = llvm.Target.from_triple(triple).create_target_machine(cpu=name, features=features)
    module = llvm.parse_assembly(f'target triple = "{triple}"\n{_PROBE}')
    # what LLVM does with sixteen numbers says more than a list of names
    code = target.emit_assembly(module)
    if "zmm" in code:
        return Machine(name, "AVX-512", 16, 32)
    if "ymm" in code:
        # some processors with AVX-512 prefer its short vectors, and have 32 of them
        wide = bool(re.search(r"\+avx512vl|\+avx512f", features))
        return Machine(name, "AVX-512" if wide else "AVX2", 8, 32 if wide else 16)
    if triple.startswith(("aarch64", "arm64")):
        return Machine(name, "NEON", 4, 32)
    return Machine(name, "other", 4, 16)


def facts() -> dict[str, Any]:
    """Return what a run keeps of the machine, as plain numbers and words."""
    here = machine()
    return {**asdict(here), "tile": here.tile, "cores": cores()}


@cache
def cores() -> int:
    """Return the cores that this process may use: its affinity, and its share by cgroups."""
    allowed = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    share = quota(_CGROUPS, Path("/proc/self/cgroup"))
    return max(1, min(allowed, allowed if share is None else math.ceil(share)))


def quota(root: Path, membership: Path) -> float | None:
    """Return how many cores the control groups of a process grant, or None where they set no limit.

    Parameters
    ----------
    root
        Where control groups are mounted.
    membership
        The file that lists the groups of the process, as /proc/self/cgroup.
    """
    found = []
    for line in _lines(membership) or ["0::/"]:
        _, controllers, inside = (*line.split(":", 2), "", "")[:3]
        base = root
        if controllers:
            if "cpu" not in controllers.split(","):
                continue
            base = next((root / one for one in (controllers, "cpu") if (root / one).is_dir()), root)
        here = Path(inside.lstrip("/"))
        # within a container the path is often that of the host, and the mount its own group
        for place in (base / one for one in (here, *here.parents)):
            found += [share for share in (_unified(place), _separate(place)) if share is not None]
    return min(found) if found else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split("\n")[:-1]
    except OSError:
        return []


def _unified(folder: Path) -> float | None:
    words = " ".join(_lines(folder / "cpu.max")).split()
    return _share(*words) if len(words) == 2 else None


def _separate(folder: Path) -> float | None:
    words = [
        word
        for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        for word in _lines(folder / name)[:1]
    ]
    return _share(*words) if len(words) == 2 else None


def _share(limit: str, period: str) -> float | None:
    if not (limit.isdecimal() and period.isdecimal()) or int(period) == 0:
        return None  # "max" and -1 mean no limit
    return int(limit) / int(period)
