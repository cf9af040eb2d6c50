"""The picture of the rooms: docs/images/rooms.png, drawn from the imports of src.

Usage: .venv/bin/python docs/developer/rooms.py

The floors are those of the import contract in pyproject.toml. What the picture was drawn from is
kept in the file itself, so that a test can tell whether it is current; numbers of files and lines
are as they were on the day.
"""

from __future__ import annotations

import ast
import json
import textwrap
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from boltzbrain.pages.style import FAINT, GENERATED, INK, MUTED, TEST, VALIDATION, house_style

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "boltzbrain"
PICTURE = ROOT / "docs" / "images" / "rooms.png"
KEY = "rooms"
"""Name of the picture's own text that holds what it was drawn from."""

PLACES = {
    "cli": 2.2, "api": 1.25, "estimator": 4.35, "alignment": 2.95, "grid": 3.2, "pages": 2.25,
    "interpretation": 2.28, "comparison": 3.54, "evaluation": 4.3, "training": 1.2,
    "baselines": 4.05, "preparing": 1.1, "sampling": 3.35, "writers": -0.15, "readers": 1.1,
    "model": 3.35, "data": 1.1, "kernels": 3.35, "foundations": 2.2,
}  # fmt: skip
"""Middle of each box from left to right, so chosen that no arrow runs through a box."""
WIDTH, HEIGHT, BETWEEN = 1.18, 0.86, 1.12
LETTERS = 31
"""Of the small ones, in the width of a box."""
COLOURS = {
    TEST: ("readers", "writers", "preparing", "data"),
    GENERATED: ("kernels", "model", "sampling", "training", "baselines"),
    VALIDATION: ("evaluation", "comparison", "interpretation", "pages", "grid", "alignment"),
    MUTED: ("foundations", "api", "estimator", "cli"),
}
"""Blue: recordings. Orange: models. Green: what is found and shown. Grey: ground and doors."""


def floors() -> list[list[str]]:
    """Return the rooms of each floor, the highest first, from the import contract."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = settings["tool"]["importlinter"]["contracts"]
    return [line.strip("()").replace("|", " ").split() for line in contract["layers"]]


def files_of(room: str) -> list[Path]:
    """Return the modules of a room, which is a folder or one file."""
    folder = SOURCE / room
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]


def imported_rooms(path: Path) -> set[str]:
    """Return the rooms that a module imports, inside functions and for types as well."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("boltzbrain.")}


def gather() -> dict[str, Any]:
    """Return floors, the folders of each room, and which rooms each imports."""
    rooms = [room for floor in floors() for room in floor]
    return {
        "floors": floors(),
        "folders": {
            room: sorted({path.parent.name for path in files_of(room)} - {room, SOURCE.name})
            for room in rooms
        },
        "imports": {
            room: sorted(set().union(*map(imported_rooms, files_of(room))) & set(rooms) - {room})
            for room in rooms
        },
    }


def needed(imports: Mapping[str, list[str]]) -> list[tuple[str, str]]:
    """Return the imports that do not follow from others, by which the rest is reached too."""

    def reached(room: str) -> set[str]:
        return set(imports[room]).union(*(reached(below) for below in imports[room]))

    return [
        (room, below)
        for room, others in imports.items()
        for below in others
        if not any(below in reached(other) for other in others if other != below)
    ]


def _box(ax: Axes, room: str, x: float, y: float, folders: list[str], colour: str) -> None:
    files = files_of(room)
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)
    ax.add_patch(
        FancyBboxPatch(
            (x - WIDTH / 2, y - HEIGHT / 2), WIDTH, HEIGHT,
            boxstyle="round,pad=0,rounding_size=.06", facecolor="white", edgecolor=colour,
            linewidth=1.4, zorder=3,
        )
    )  # fmt: skip
    small = {"fontsize": 6.2, "color": INK}
    inside = textwrap.fill(", ".join(folders), LETTERS)
    size = f"{len(files)} file{'s' if len(files) > 1 else ''}, {round(lines, -2):,} lines"
    texts = [
        (0.29 if inside else 0.08, room, {"fontsize": 10.5, "weight": "bold", "color": INK}),
        (-0.02, inside, small),
        (-0.32 if inside else -0.13, size, {**small, "color": MUTED}),
    ]
    for up, text, style in texts:
        ax.text(x, y + up, text, ha="center", va="center", linespacing=1.05, zorder=4, **style)


def draw(told: dict[str, Any]) -> Figure:
    """Return the picture of what `gather` found."""
    rows = told["floors"]
    height = {room: BETWEEN * (len(rows) - 1 - n) for n, row in enumerate(rows) for room in row}
    picture = Figure(figsize=(7.6, 11.4), layout="constrained")
    ax = picture.add_subplot()
    for n, row in enumerate(rows):
        y = BETWEEN * (len(rows) - 1 - n)
        ax.axhline(y - BETWEEN / 2, color=FAINT, linewidth=0.6, zorder=0)
        for room in row:
            colour = next(colour for colour, rooms in COLOURS.items() if room in rooms)
            _box(ax, room, PLACES[room], height[room], told["folders"][room], colour)
    for above, below in needed(told["imports"]):
        start = (PLACES[above], height[above] - HEIGHT / 2)
        end = (PLACES[below], height[below] + HEIGHT / 2)
        lean = max(-0.35, min(0.35, 0.25 * (end[0] - start[0])))
        ax.add_patch(
            FancyArrowPatch(
                (start[0] + lean, start[1]), (end[0] - lean, end[1]), arrowstyle="-|>",
                mutation_scale=9, color=INK, linewidth=0.8, shrinkA=0, shrinkB=1, zorder=2,
            )
        )  # fmt: skip
    ax.set_xlim(-0.8, 4.95)
    ax.set_ylim(-BETWEEN / 2, BETWEEN * (len(rows) - 0.5))
    ax.axis("off")
    return picture


def main() -> None:
    """Draw the picture, and put what it was drawn from into it."""
    told = gather()
    with house_style():
        draw(told).savefig(PICTURE, dpi=150, metadata={KEY: json.dumps(told)})


if __name__ == "__main__":
    main()
