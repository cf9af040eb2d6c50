"""Lines of a proof in a csv file: one a training, so that it goes on where it was stopped."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def read_lines(table: Path) -> list[dict[str, str]]:
    """Return the lines that there are."""
    if not table.exists():
        return []
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def add_lines(table: Path, columns: Sequence[str], *lines: Mapping[str, Any]) -> None:
    """Add lines at the end, below the names of the columns; what a line does not name is empty."""
    fresh = not table.exists()
    with table.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        if fresh:
            writer.writeheader()
        writer.writerows(lines)
