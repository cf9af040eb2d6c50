"""The page of a sweep: what was tried, how it went, and which model is recommended."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from boltzbrain.foundations.showing.numbers import value_words, with_error
from boltzbrain.grid.choice import at_point, point_words, pooled
from boltzbrain.pages import figures
from boltzbrain.pages.figures.sweep import TrainingCurve
from boltzbrain.pages.html import rendered, write_html
from boltzbrain.pages.panels.panel import Image, draw

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

SCORES = {
    "validation (nats per bin)": ("validation_nats_per_bin", "validation_stderr"),
    "test (nats per bin)": ("test_nats_per_bin", "test_nats_stderr"),
    "test gain over independent": ("test_gain_over_independent", "test_stderr"),
}
"""Columns of the page's table: head to the score and its error in table.csv."""


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
        The same to ``update``, ``test_gain_over_independent`` and ``test_stderr`` along training,
        empty without a test fold.
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
    text = rendered(
        "sweep.html.j2",
        page=page,
        chosen=point_words({name: page.choice[name] for name in (*_named(page), "seed")}),
        edge=edge_words(page),
        curves=curve_images(page),
        scores=scores_image(page),
        maps=map_images(page),
        rows=_rows(page),
        failed=page.table[page.table["status"] == "failed"].to_dict("records"),
        unreliable=page.table[page.table["unreliable"].notna()].to_dict("records"),
        test_gain=_with_error(
            page.choice["test_gain_over_independent"], page.choice["test_stderr"]
        ),
    )
    return write_html(path, text)


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


def edge_words(page: SweepPage) -> str:
    """Say where the recommended model lies at the edge of the grid, or return nothing.

    0 of a penalty and 1 hidden unit are no edges: nothing lies beyond.
    """
    ends = []
    for name in page.axes:
        values = [
            one
            for one in _values(page, name)
            if isinstance(one, (int, float)) and not isinstance(one, bool)
        ]
        mine, least = page.choice[name], 1 if name == "hidden" else 0
        if len(values) < 2 or mine not in (values[0], values[-1]) or mine <= least:
            continue
        end = "smallest" if mine == values[0] else "largest"
        ends.append(f"{point_words({name: mine})}, the {end}")
    if not ends:
        return ""
    return f"It lies at the edge of the grid ({'; '.join(ends)}): a wider grid may do better."


def _gains(page: SweepPage, run: str, fold: str) -> TrainingCurve:
    """Return the gains over independent neurons along the training of a run."""
    taken = int(page.table[page.table["run"] == run]["update"].iloc[0])
    if fold == "test":
        found = page.curves[run]
        return TrainingCurve(
            found["update"], found["test_gain_over_independent"], found["test_stderr"], taken
        )
    log = page.logs[run]
    gains = log[f"{fold}_nats_per_bin"] - log[f"{fold}_independent"]
    return TrainingCurve(log["update"].tolist(), gains.tolist(), _gain_errors(log, fold), taken)


def _gain_errors(log: pd.DataFrame, fold: str) -> list[float]:
    """Return the errors of the gains of a log; NaN where a run of an earlier version has none."""
    column = log.get(f"{fold}_gain_stderr")
    return [math.nan] * len(log) if column is None else column.tolist()


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
            drawing = figures.sweep_curves.later(curves, legend=fold == "train")
            images.append(draw(drawing, f"Gain on the {fold} fold along training {words}", fold))
        result.append((words, images))
    return result


def scores_image(page: SweepPage) -> Image:
    """Return the gains of the models that were taken against the number of hidden units."""
    others, hidden = _others(page), _values(page, "hidden")
    table = page.table.copy()
    table["label"] = [
        point_words({name: row[name] for name in others}) for _, row in table.iterrows()
    ]
    table = table.assign(**_validation_gains(page))
    columns = {
        "validation": ("validation_gain", "validation_gain_stderr"),
        "test": ("test_gain_over_independent", "test_stderr"),
    }
    found: dict[str, dict[str, NDArray[np.float64]]] = {
        name: {label: np.full(len(hidden), math.nan) for label in table["label"]}
        for name in ("validation", "error", "test", "test_error")
    }
    for (_, number), part in table.groupby(["label", "hidden"]):
        label, place = str(part["label"].iloc[0]), hidden.index(number)
        for name, error in (("validation", "error"), ("test", "test_error")):
            gain, stderr = columns[name]
            known = part[part[gain].notna()]
            if len(known):
                pair = pooled(known[gain], known[stderr])
                found[name][label][place], found[error][label][place] = pair
    mine = point_words({name: page.choice[name] for name in others})
    drawing = figures.sweep_scores.later(hidden, **found, chosen=(mine, page.choice["hidden"]))
    return draw(drawing, "Gain on validation and test bins against the number of hidden units")


def _validation_gains(page: SweepPage) -> dict[str, list[float]]:
    """Return (run,) the validation gain of every run of the table and its error, or NaN."""
    gains, errors = [], []
    for _, row in page.table.iterrows():
        gain, error = math.nan, math.nan
        if row["run"] in page.logs:
            curve = _gains(page, row["run"], "validation")
            place = list(curve.update).index(curve.taken)
            gain, error = curve.gain[place], curve.stderr[place]
        gains.append(gain)
        errors.append(error)
    return {"validation_gain": gains, "validation_gain_stderr": errors}


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
            drawing = figures.grid_map.later(cells, rows, columns, axes, words, chosen)
            images.append(draw(drawing, f"{words} over the grid"))
    return images


def _column(page: SweepPage, name: str) -> dict[str, float | None]:
    return {
        row["run"]: None if pd.isna(row[name]) else float(row[name])
        for _, row in page.table.iterrows()
    }


def _rows(page: SweepPage) -> list[list[str]]:
    """Return the table as text, its head first; every score with its error."""
    named = _named(page)
    heads = ["seed", "update", *SCORES, "seconds", "status"]
    rows = [[*(name.replace("_", " ") for name in named), *heads]]
    for _, row in page.table.iterrows():
        cells = [value_words(row[name]) for name in named]
        cells += [str(row["seed"]), "" if pd.isna(row["update"]) else str(row["update"])]
        cells += [_with_error(row[score], row[error]) for score, error in SCORES.values()]
        doubtful = "" if pd.isna(row["unreliable"]) else ", unreliable"
        seconds = "" if pd.isna(row["seconds"]) else f"{row['seconds']:.0f}"
        rows.append([*cells, seconds, row["status"] + doubtful])
    return rows


def _with_error(value: Any, error: Any) -> str:
    """Return a score with its standard error, nothing where there is none."""
    if pd.isna(value):
        return ""
    return with_error(float(value), None if pd.isna(error) else float(error), 2)
