"""The page of a sweep: what is shown of a table, and under which words."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from boltzbrain.presentation import figures, sweep_page
from boltzbrain.presentation.sweep_page import SweepPage, curve_images, map_images, write_sweep_page

UPDATES = (10, 20, 30)


def page_of(axes: dict[str, list[Any]], chosen: int = 0) -> SweepPage:
    """Return a page of a grid over two axes, one run each, run k with a score of -10 + k."""
    (first, second), rows = axes, []
    for one in axes[first]:
        rows += [{first: one, second: other} for other in axes[second]]
    table = pd.DataFrame(
        [
            {
                "l1": 0.0, **row, "seed": 0, "update": 20,
                "validation_nats_per_bin": -10.0 + number, "validation_stderr": 0.3,
                "test_nats_per_bin": -10.5 + number, "test_gain_over_independent": 2.0 + number,
                "seconds": 1.0, "status": "finished", "run": f"runs/{number}", "error": None,
            }
            for number, row in enumerate(rows)
        ]
    )  # fmt: skip
    log = pd.DataFrame({"update": UPDATES})
    for fold in ("train", "validation"):
        log[f"{fold}_nats_per_bin"] = [-12.0, -10.0, -9.5]
        log[f"{fold}_independent"] = -12.5
    curve = {"update": list(UPDATES), "test_nats_per_bin": [-12.0, -10.0, -9.5]}
    row = table.iloc[chosen].to_dict()
    choice = {name: None if pd.isna(value) else value for name, value in row.items()}
    return SweepPage(
        title="small.npz",
        neurons=24,
        table=table,
        axes=list(axes),
        logs=dict.fromkeys(table["run"], log),
        curves=dict.fromkeys(table["run"], curve),
        figures={},
        choice={**choice, "reason": "It is the best.", "rule": "best"},
    )


def seen(monkeypatch: pytest.MonkeyPatch, name: str) -> list[tuple[Any, ...]]:
    """Return a list that gathers with what a figure is drawn."""
    calls: list[tuple[Any, ...]] = []
    drawn = getattr(figures, name)

    def draw(*args: Any, **options: Any) -> Any:
        calls.append((*args, options))
        return drawn(*args, **options)

    monkeypatch.setattr(sweep_page.figures, name, draw)
    return calls


@pytest.mark.parametrize("chosen", [0, 1])
def test_none_is_a_value_of_an_axis_like_any_other(
    chosen: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = page_of({"hidden": [4, 12], "patience": [None, 100, 200]}, chosen)
    assert [words for words, _ in curve_images(page)] == [
        "patience none", "patience 100", "patience 200"
    ]  # fmt: skip
    maps, scores = seen(monkeypatch, "grid_map"), seen(monkeypatch, "sweep_scores")
    assert len(map_images(page)) == 2
    cells, rows, columns, _, _, framed, _ = maps[0]
    assert rows == [100, 200, None]
    assert columns == [4, 12]
    np.testing.assert_array_equal(cells, [[-9.0, -6.0], [-8.0, -5.0], [-10.0, -7.0]])
    assert framed == ((2, 0) if chosen == 0 else (0, 0))
    text = write_sweep_page(page, tmp_path / "sweep.html").read_text()
    words = "patience none" if chosen == 0 else "patience 100"
    assert f"hidden 4, {words}, seed 0" in text
    # the star of the figure is looked for under the same words
    options = scores[0][-1]
    assert options["chosen"] == (words, 4)
    assert words in options["validation"]
    assert not math.isnan(options["validation"]["patience none"][0])


def test_lists_and_words_are_values_of_an_axis(tmp_path: Path) -> None:
    page = page_of({"hidden": [4, 12], "l1_choices": [(0.01, 0.02), None]})
    assert [words for words, _ in curve_images(page)] == [
        "l1 choices 0.01,0.02", "l1 choices none"
    ]  # fmt: skip
    assert "l1 choices 0.01,0.02" in write_sweep_page(page, tmp_path / "sweep.html").read_text()
    page = page_of({"hidden": [4, 12], "optimizer": ["sgd", "adam"]})
    assert len(map_images(page)) == 2
