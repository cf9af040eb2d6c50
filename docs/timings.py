"""Write the table of docs/performance.md that has a column for each kind of processor.

Run `.venv/bin/python docs/timings.py` after a benchmark; a test compares the page with it. It reads
benchmarks/results, which has a folder for each kind of processor.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE.parent / "benchmarks" / "results"
PAGE = HERE / "performance.md"
KINDS = {"avx512": "AVX-512", "avx2": "AVX2", "neon": "NEON"}
FILES = ("sweep", "update", "small_updates", "bandwidth")
BARS: Mapping[str, Mapping[str, float]] = {
    "sweep_1560x500_vs_mm": {"avx512": 0.27, "avx2": 0.35},
    "sweep_918x100_vs_mm": {"avx512": 0.28, "avx2": 0.45},
    "update_1560x500_vs_rbms": {"avx512": 0.17, "avx2": 0.2},
    "update_drelu_50000x200_vs_mm": {"avx512": 0.4, "avx2": 0.7},
    "update_drelu_500x200_vs_mm": {"avx512": 1.5, "avx2": 1.8},
    "update_drelu_1000x200_vs_mm": {"avx512": 1.2, "avx2": 1.4},
}
"""What a ratio is to be at most, by kind."""

_TABLE = re.compile(r"(<!-- timings -->\n).*?(<!-- end of timings -->)", re.S)


def measured(kind: str) -> dict[str, dict[str, float]]:
    """Return the rows of a kind's benchmarks by their ids."""
    paths = (RESULTS / kind / f"{name}.json" for name in FILES)
    return {
        row["id"]: row
        for path in paths
        if path.exists()
        for row in json.loads(path.read_text(encoding="utf-8"))
    }


def cell(name: str, kind: str, rows: Mapping[str, Mapping[str, float]]) -> str:
    """Return what is told of a figure: its ratio, ms, and what it is to be at most."""
    if name not in rows:
        return ""
    ratio, milliseconds = rows[name]["ratio"], 1000 * rows[name]["median_seconds"]
    bar = BARS.get(name, {}).get(kind)
    missed = " **missed**" if bar is not None and round(ratio, 2) > bar else ""
    most = "" if bar is None else f", at most {bar:g}{missed}"
    return f"{ratio:.2f}{most} ({milliseconds:.3g} ms)"


def table() -> str:
    """Return the table of all kinds that were measured."""
    found = {kind: rows for kind in KINDS if (rows := measured(kind))}
    names = list(dict.fromkeys(name for rows in found.values() for name in rows))
    heads = [f"{KINDS[kind]}: ratio (ours)" for kind in found]
    lines = ["| id | " + " | ".join(heads) + " |", "|---" * (1 + len(found)) + "|"]
    for name in names:
        cells = [cell(name, kind, rows) for kind, rows in found.items()]
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def with_table(text: str) -> str:
    """Return the page with its table made anew."""
    return _TABLE.sub(lambda found: found[1] + table() + found[2], text)


def main() -> None:
    """Write the page."""
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
