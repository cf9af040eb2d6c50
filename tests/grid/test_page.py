"""The page of a sweep: what is shown of a table, and under which words."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from boltzbrain.grid import page as sweep_page
from boltzbrain.grid.page import SweepPage, curve_images, map_images, scores_image, write_sweep_page
from boltzbrain.pages import figures

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
                "test_nats_per_bin": -10.5 + number, "test_nats_stderr": 0.4,
                "test_gain_over_independent": 2.0 + number, "test_stderr": 0.25,
                "unreliable": None, "seconds": 1.0, "status": "finished",
                "run": f"runs/{number}", "error": None,
            }
            for number, row in enumerate(rows)
        ]
    )  # fmt: skip
    log = pd.DataFrame({"update": UPDATES})
    for fold in ("train", "validation"):
        log[f"{fold}_nats_per_bin"] = [-12.0, -10.0, -9.5]
        log[f"{fold}_independent"] = -12.5
        log[f"{fold}_gain_stderr"] = [0.5, 0.2, 0.1]
    curve = {
        "update": list(UPDATES), "test_gain_over_independent": [0.4, 2.4, 2.9],
        "test_stderr": [0.5, 0.2, 0.1],
    }  # fmt: skip
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

    later = drawn.later

    def gather(*args: Any, **options: Any) -> Any:
        calls.append((*args, options))
        return later(*args, **options)

    monkeypatch.setattr(drawn, "later", gather)
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
    assert f"hidden 4, l1 0, {words}, seed 0" in text
    # the star of the figure is looked for under the same words
    options = scores[0][-1]
    assert options["chosen"] == (words, 4)
    assert words in options["validation"]
    assert not math.isnan(options["validation"]["patience none"][0])


def test_the_star_and_the_scores_are_those_of_the_update_that_was_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # update 30 has the higher score, 20 was taken
    page = page_of({"hidden": [4, 12], "l2": [0.0]})
    curves, scores = seen(monkeypatch, "sweep_curves"), seen(monkeypatch, "sweep_scores")
    curve_images(page)
    assert len(curves) == 3
    for drawn, _ in curves[:3]:
        ax = figures.sweep_curves(drawn)
        stars = [line.get_xydata().tolist() for line in ax.lines if line.get_marker() == "*"]
        gain = drawn["4 hidden"][0].gain[1]
        assert stars == [[[20.0, gain]], [[20.0, gain]]]
        assert len(ax.collections) == 2  # a band for each curve
    scores_image(page)
    options = scores[0][-1]
    np.testing.assert_allclose(options["validation"][""], [2.5, 2.5])
    np.testing.assert_allclose(options["error"][""], [0.2, 0.2])
    np.testing.assert_allclose(options["test"][""], [2.0, 3.0])
    np.testing.assert_allclose(options["test_error"][""], [0.25, 0.25])


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        (0, "It lies at the edge of the grid (hidden 4, the smallest): a wider"),
        (4, ""),
        (8, "It lies at the edge of the grid (hidden 12, the largest; l2 0.1, the largest): a"),
    ],
)
def test_a_model_at_the_edge_of_the_grid_is_said_to_be_there(
    tmp_path: Path, chosen: int, words: str
) -> None:
    # nothing lies below an l2 of 0
    page = page_of({"hidden": [4, 8, 12], "l2": [0.0, 0.01, 0.1]}, chosen)
    text = write_sweep_page(page, tmp_path / "sweep.html").read_text()
    assert words in text
    assert ("edge of the grid (" in text) == bool(words)


def test_an_axis_of_one_value_has_no_edge() -> None:
    assert sweep_page.edge_words(page_of({"hidden": [4], "patience": [None, 100]}, 1)) == ""


def test_the_legend_of_the_scores_covers_none_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = seen(monkeypatch, "sweep_scores")
    scores_image(page_of({"hidden": [4, 8, 12], "l2": [0.0, 0.01, 0.1]}))
    (hidden, options) = scores[0]
    ax = figures.sweep_scores(hidden, **options)
    ax.figure.draw_without_rendering()
    below = ax.get_legend().get_window_extent().y0
    for line in ax.lines:
        # caps of the error bars among them
        assert ax.transData.transform(line.get_xydata())[:, 1].max() < below


def test_every_score_has_its_error_and_what_is_unreliable_is_called_so(tmp_path: Path) -> None:
    page = page_of({"hidden": [4, 12], "l2": [0.0]})
    text = write_sweep_page(page, tmp_path / "sweep.html").read_text()
    assert "it gains 2.00 ± 0.25 nats per bin over independent neurons" in text
    for cell in ("−10.00 ± 0.30", "−10.50 ± 0.40", "2.00 ± 0.25", "3.00 ± 0.25"):
        assert f"<td>{cell}</td>" in text
    assert "unreliable" not in text
    page.table["unreliable"] = [None, "unreliable: too few chains"]
    text = write_sweep_page(page, tmp_path / "sweep.html").read_text()
    assert '<p class="poor">runs/1: unreliable: too few chains</p>' in text
    assert text.count("<td>finished, unreliable</td>") == 1
    assert text.count("<td>finished</td>") == 1


def test_lists_and_words_are_values_of_an_axis(tmp_path: Path) -> None:
    page = page_of({"hidden": [4, 12], "l1_choices": [(0.01, 0.02), None]})
    assert [words for words, _ in curve_images(page)] == [
        "l1 choices 0.01,0.02", "l1 choices none"
    ]  # fmt: skip
    assert "l1 choices 0.01,0.02" in write_sweep_page(page, tmp_path / "sweep.html").read_text()
    page = page_of({"hidden": [4, 12], "optimizer": ["sgd", "adam"]})
    assert len(map_images(page)) == 2
