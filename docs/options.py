"""Write the tables of options of these pages from the fields that the options are made of.

Run `.venv/bin/python docs/options.py` after changing a field; a test compares the pages with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from boltzbrain.foundations.options import Described, Options, options_of
from boltzbrain.interpretation.choices import Choices
from boltzbrain.interpretation.motifs.choices import MotifChoices
from boltzbrain.pages.plates.choices import FigureChoices
from boltzbrain.preparing.preparation import BINS, FOLDS, RECORDING, Preparation
from boltzbrain.training.plan import TrainingPlan

HERE = Path(__file__).parent
TABLES: Mapping[str, tuple[type[Options], tuple[str, ...]]] = {
    "recording": (Preparation, (RECORDING,)),
    "bins": (Preparation, (BINS,)),
    "folds": (Preparation, (FOLDS,)),
    "training": (TrainingPlan, ()),
    "interpretation": (Choices, ()),
    "figures": (FigureChoices, ()),
    "motifs": (MotifChoices, ()),
}
"""What stands behind the mark of a table: a model, and the groups of its options."""

PAGES = ("recordings.md", "training.md", "interpretation.md", "motifs.md", "page.md")

_TABLE = re.compile(r"(<!-- options: (\w+) -->\n).*?(<!-- end of options -->)", re.S)


def row(one: Described) -> str:
    """Return the row of an option."""
    allowed = ", ".join(f"`{name}`" for name in one.names)
    span = one.span or ("" if all(f"`{name}`" in one.text for name in one.names) else allowed)
    cells = (
        f"`{one.name}`",
        f"`{one.flag}`" if one.flag else "",
        one.text,
        one.default or "no",
        one.unit,
        span,
    )
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def table(name: str) -> str:
    """Return the table behind a mark."""
    model, groups = TABLES[name]
    rows = [row(one) for one in options_of(model, *groups)]
    head = ("| name | option | meaning | default | unit | range |", "|---|---|---|---|---|---|")
    return "\n".join((*head, *rows)) + "\n"


def with_tables(text: str) -> str:
    """Return a page with its tables made anew."""
    return _TABLE.sub(lambda found: found[1] + table(found[2]) + found[3], text)


def main() -> None:
    """Write the pages."""
    for name in PAGES:
        path = HERE / name
        path.write_text(with_tables(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
