"""The page of a sweep: what was tried, how it went, and which model is recommended."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray

from boltzbrain.evaluation.choice import at_point, grid_points, point_words, value_words
from boltzbrain.foundations.files import atomic_write
from boltzbrain.presentation import figures
from boltzbrain.presentation.figures.sweep import Curve
from boltzbrain.presentation.panels.panel import Image, draw

FIGURE_NAMES = {
    "nrmse_v": "nRMSE of the rates ⟨v⟩",
    "nrmse_h": "nRMSE of the hidden means ⟨h⟩",
    "nrmse_vh": "nRMSE of ⟨v h⟩",
    "nrmse_vv": "nRMSE of the covariances of neurons",
    "nrmse_hh": "nRMSE of the covariances of hidden units",
    "reconstruction": "reconstruction quality (median)",
    "assembly_size": "assembly size (neurons, mean)",
    "time_constant_s": "time constant of hidden units (s, median)",
}


@dataclass(frozen=True)
class SweepPage:
    """Everything that the page shows.

    Attributes
    ----------
    title
        Name of the recording.
    neurons
        Their number.
    table
        table.csv.
    axes
        Hyperparameters that make a point of the grid; ``hidden`` is the first. ``l1`` is none of
        them where trainings chose it, but a column of the table all the same.
    logs
        Column ``run`` of the table to log.csv of the run.
    curves
        The same to ``update`` and ``test_nats_per_bin`` along training, empty without a test fold.
    figures
        The same to further figures of the model, a key of `FIGURE_NAMES` to its value or None.
    choice
        Content of choice.json.
    version
        Version of the package.
    """

    title: str
    neurons: int
    table: pd.DataFrame
    axes: Sequence[str]
    logs: Mapping[str, pd.DataFrame]
    curves: Mapping[str, Mapping[str, Sequence[float]]]
    figures: Mapping[str, Mapping[str, float | None]]
    choice: Mapping[str, Any]
    version: str = ""


def write_sweep_page(page: SweepPage, path: Path) -> Path:
    """Write the page, whole or not at all.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    environment = Environment(
        loader=PackageLoader("boltzbrain.presentation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = environment.get_template("sweep.html.j2").render(
        page=page,
        chosen=point_words({name: page.choice[name] for name in (*_named(page), "seed")}),
        curves=curve_images(page),
        scores=scores_image(page),
        maps=map_images(page),
        rows=_rows(page),
        failed=page.table[page.table["status"] == "failed"].to_dict("records"),
    )
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _named(page: SweepPage) -> list[str]:
    """Return the hyperparameters that are named of every run: the L1 penalty, chosen or given."""
    return list(dict.fromkeys(("hidden", "l1", *page.axes)))


def _others(page: SweepPage) -> list[str]:
    """Return the hyperparameters beside the hidden units that take more than one value."""
    return [name for name in page.axes if name != "hidden" and len(_values(page, name)) > 1]


def _values(page: SweepPage, name: str) -> list[Any]:
    """Return the values that a hyperparameter takes, none of them twice, and None the last."""
    values = page.table[name]
    missing = [None] if values.isna().any() else []
    return sorted(set(values.dropna())) + missing


def _gains(page: SweepPage, run: str, fold: str) -> Curve:
    """Return the gains over independent neurons along the training of a run."""
    log = page.logs[run]
    if fold != "test":
        gain = log[f"{fold}_nats_per_bin"] - log[f"{fold}_independent"]
        return log["update"].tolist(), gain.tolist()
    row = page.table[page.table["run"] == run].iloc[0]
    independent = row["test_nats_per_bin"] - row["test_gain_over_independent"]
    curve = page.curves[run]
    return curve["update"], [score - independent for score in curve["test_nats_per_bin"]]


def curve_images(page: SweepPage) -> list[tuple[str, list[Image]]]:
    """Return for every setting of the other hyperparameters its words and one figure per fold."""
    others = _others(page)
    finished = page.table[page.table["run"].isin(list(page.logs))]
    groups: list[tuple[str, pd.DataFrame]] = (
        [
            (point_words(dict(zip(others, key, strict=True))), part)
            for key, part in finished.groupby(others, sort=False, dropna=False)
        ]
        if others
        else [("", finished)]
    )
    result = []
    for words, part in groups:
        images = []
        folds = ["train", "validation"]
        if all(page.curves[run]["update"] for run in part["run"]):
            folds.append("test")
        for fold in folds:
            curves = {
                f"{hidden} hidden": [_gains(page, run, fold) for run in same["run"]]
                for hidden, same in part.groupby("hidden")
            }
            ax = figures.sweep_curves(curves, stars=fold != "train", legend=fold == "train")
            images.append(draw(ax, f"Gain on the {fold} fold along training {words}", fold))
        result.append((words, images))
    return result


def scores_image(page: SweepPage) -> Image:
    """Return the best gains against the number of hidden units."""
    others = _others(page)
    table = page.table.copy()
    table["validation_independent"] = [
        float(page.logs[run]["validation_independent"].iloc[-1]) if run in page.logs else math.nan
        for run in table["run"]
    ]
    hidden = sorted({int(one) for one in table["hidden"]})
    labels = [point_words({name: row[name] for name in others}) for _, row in table.iterrows()]
    table["label"] = labels
    base = float(table["validation_independent"].mean())
    points = grid_points(table, ["hidden", "label"])
    found: dict[str, dict[str, NDArray[np.float64]]] = {"validation": {}, "error": {}, "test": {}}
    for label in dict.fromkeys(labels):
        for values in found.values():
            values[label] = np.full(len(hidden), math.nan)
        for _, point in points[points["label"] == label].iterrows():
            place = hidden.index(int(point["hidden"]))
            found["validation"][label][place] = point["validation_nats_per_bin"] - base
            found["error"][label][place] = point["validation_stderr"]
            same = (table["label"] == label) & (table["hidden"] == point["hidden"])
            gains = table[same]["test_gain_over_independent"].dropna().astype(float)
            found["test"][label][place] = gains.mean() if len(gains) else math.nan
    mine = point_words({name: page.choice[name] for name in others})
    ax = figures.sweep_scores(hidden, **found, chosen=(mine, page.choice["hidden"]))
    return draw(ax, "Best gain on validation and test bins against the number of hidden units")


def map_images(page: SweepPage) -> list[Image]:
    """Return heat maps over the hidden units and the one other hyperparameter that varies most."""
    others = _others(page)
    columns = _values(page, "hidden")
    if not others or len(columns) < 2:
        return []
    other = max(others, key=lambda name: len(_values(page, name)))
    rows = _values(page, other)
    named: dict[str, dict[str, float | None]] = {
        "validation (nats per bin)": _column(page, "validation_nats_per_bin"),
        "test gain (nats per bin)": _column(page, "test_gain_over_independent"),
    }
    for name, words in FIGURE_NAMES.items():
        named[words] = {run: known.get(name) for run, known in page.figures.items()}
    images = []
    for words, values in named.items():
        cells = np.full((len(rows), len(columns)), math.nan)
        for row, value in enumerate(rows):
            for column, hidden in enumerate(columns):
                same = at_point(page.table, {other: value, "hidden": hidden})
                known = [values.get(run) for run in page.table[same]["run"]]
                finite = [one for one in known if one is not None and math.isfinite(one)]
                if finite:
                    cells[row, column] = float(np.mean(finite))
        if np.isfinite(cells).any():
            chosen = (rows.index(page.choice[other]), columns.index(page.choice["hidden"]))
            axes = (other.replace("_", " "), "hidden units")
            ax = figures.grid_map(cells, rows, columns, axes, words, chosen)
            images.append(draw(ax, f"{words} over the grid"))
    return images


def _column(page: SweepPage, name: str) -> dict[str, float | None]:
    return {
        row["run"]: None if pd.isna(row[name]) else float(row[name])
        for _, row in page.table.iterrows()
    }


def _rows(page: SweepPage) -> list[list[str]]:
    """Return the table as text, its head first."""
    names = [
        *_named(page), "seed", "update", "validation_nats_per_bin", "validation_stderr",
        "test_nats_per_bin", "test_gain_over_independent", "seconds", "status",
    ]  # fmt: skip
    digits = {"validation_stderr": 2, "seconds": 0}
    rows = [[name.replace("_", " ") for name in names]]
    for _, row in page.table.iterrows():
        cells = []
        for name in names:
            value = row[name]
            if name in _named(page):
                cells.append(value_words(value))
            elif value is None or pd.isna(value):
                cells.append("")
            elif isinstance(value, float):
                cells.append(f"{value:.{digits.get(name, 2)}f}")
            else:
                cells.append(str(value))
        rows.append(cells)
    return rows
