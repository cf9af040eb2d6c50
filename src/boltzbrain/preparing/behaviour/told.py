"""What the data card tells of series and trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from boltzbrain.data.activity import Activity
from boltzbrain.data.behaviour.trials import columns_of, is_labels
from boltzbrain.data.recording import Recording

_LEVELS_SHOWN, _COLUMNS_SHOWN = 6, 12


def card_of_behaviour(data: Recording | Activity) -> dict[str, Any]:
    """Return the fields ``trials`` and ``covariates`` of the card."""
    columns = {name: _column(data.trials[name]) for name in columns_of(data.trials)}
    trials = {"number": len(data.trials), "columns": columns if len(data.trials) else {}}
    covariates = {}
    for name, one in data.covariates.items():
        known = one.values[np.isfinite(one.values)]
        covariates[name] = {
            "unit": one.unit,
            "rule": one.rule if isinstance(data, Activity) else getattr(one, "takes", ""),
            "missing": 1.0 - len(known) / len(one.values),
            "range": [float(known.min()), float(known.max())] if len(known) else None,
        }
    return {"trials": trials, "covariates": covariates}


def _column(column: pd.Series[Any]) -> dict[str, Any]:
    if is_labels(column):
        words = column[column != ""]
        counts = {str(name): int(count) for name, count in words.value_counts().items()}
        return {"missing": int(len(column) - len(words)), "levels": counts}
    known = column[column.notna()]
    told: dict[str, Any] = {"missing": int(len(column) - len(known))}
    numbers, times = np.unique(known.to_numpy(np.float64), return_counts=True)
    if len(numbers) <= _LEVELS_SHOWN:
        told["levels"] = {
            f"{number:g}": int(count) for number, count in zip(numbers, times, strict=True)
        }
    told["range"] = [float(known.min()), float(known.max())] if len(known) else None
    return told


def words_of_behaviour(
    trials: Mapping[str, Any], covariates: Mapping[str, Mapping[str, Any]]
) -> list[tuple[str, str | None]]:
    """Return the lines of the card."""
    lines: list[tuple[str, str | None]] = []
    if trials["number"]:
        told = [_trial_words(name, one) for name, one in trials["columns"].items()]
        lines.append(("trials", "; ".join([f"{trials['number']:,}", *_some(told)])))
    if covariates:
        told = [_covariate_words(name, one) for name, one in covariates.items()]
        lines.append(("covariates", "; ".join(_some(told))))
    return lines


def _some(told: list[str]) -> list[str]:
    more = len(told) - _COLUMNS_SHOWN
    return [*told[:_COLUMNS_SHOWN], f"and {more} more"] if more > 0 else told


def _trial_words(name: str, one: Mapping[str, Any]) -> str:
    missing = f", {one['missing']:,} missing" if one["missing"] else ""
    levels = one.get("levels")
    if levels:
        some = list(levels.items())[:_LEVELS_SHOWN]
        shown = ", ".join(f"{level} ({count})" for level, count in some)
        rest = len(levels) - _LEVELS_SHOWN
        return f"{name} {shown}" + (f" and {rest} more" if rest > 0 else "") + missing
    if one.get("range") is None:
        return f"{name} none known"
    return f"{name} {one['range'][0]:.4g} to {one['range'][1]:.4g}{missing}"


def _covariate_words(name: str, one: Mapping[str, Any]) -> str:
    if one["range"] is None:
        return f"{name} missing in every bin"
    unit = f" {one['unit']}" if one["unit"] else ""
    missing = f", {100 * one['missing']:.1f} % missing" if one["missing"] else ""
    low, high = one["range"]
    return f"{name} {low:.4g} to {high:.4g}{unit} ({one['rule']} of a bin{missing})"
