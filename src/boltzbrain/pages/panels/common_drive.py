"""What of the couplings was common drive: their sizes and the gain beside those without context."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from boltzbrain.foundations.showing.numbers import with_error
from boltzbrain.interpretation.file import Interpretation
from boltzbrain.pages import figures
from boltzbrain.pages.page import PageData
from boltzbrain.pages.panels.panel import Image, Panel, draw
from boltzbrain.training.context.names import BEHAVIOUR, given_what

PAIRS_SHOWN = 14
"""Pairs of regions whose couplings are drawn, those of most |J| together."""


def common_drive_panels(page: PageData) -> list[Panel]:
    """Return the panel, none where neither the gain is split nor couplings were compared."""
    split = page.evaluation.get("predictive", {}).get("split")
    found = page.interpretation
    told = None if found is None else found.summary.get("common_drive")
    images: list[Image] = []
    caption, results = "", []
    if split:
        parts = [
            (one["name"].removeprefix(BEHAVIOUR), one["value"], one["stderr"])
            for one in split["parts"]
        ]
        images.append(
            draw(figures.gain_parts.later(parts), "Gain of each context and of the couplings",
                 "the gain in parts")
        )  # fmt: skip
        caption += (
            "What each context tells of test bins, independent neurons following it and those "
            "before it, and what the couplings tell beyond all of them. "
        )
        results += _of_gain(split)
    if found is not None and told:
        images.append(
            draw(figures.drive_shares.later(_rows(found)), "Couplings with and without the context",
                 "the couplings")
        )  # fmt: skip
        caption += (
            f"Sizes of couplings given {given_what(told['context'])}, beside those of the run that "
            "the training began with, which does not know of it (data reference; error over "
            f"neurons{' and trainings' if told['repeats'] else ''}). "
        )
        results += _of_couplings(told)
    if not images:
        return []
    return [
        Panel(
            "common-drive",
            "Common drive",
            caption + " ".join(results),
            "What is left given the context are couplings that it does not make: shares near 0 "
            "where neurons go together by themselves, near 1 where they but follow the same.",
            images,
            wide=True,
        )
    ]


def _rows(found: Interpretation) -> list[tuple[str, float, float, float]]:
    names = [str(one) for one in found["common_drive/names"]]
    without, share, error, pairs = (
        found[f"common_drive/{one}"] for one in ("without", "share", "share_stderr", "pairs")
    )
    first, second = np.triu_indices(len(names))
    order = np.argsort(-(without * pairs)[first, second], kind="stable")[:PAIRS_SHOWN]
    rows = []
    for one, two in zip(first[order].tolist(), second[order].tolist(), strict=True):
        name = names[one] if one == two else f"{names[one]}, {names[two]}"
        rows.append(
            (name, float(without[one, two]), float(share[one, two]), float(error[one, two]))
        )
    return rows


def _of_gain(split: Mapping[str, Any]) -> list[str]:
    drive = split["common_drive"]
    if drive["value"] is None:
        return []
    share = _percent(drive)
    return [f"Of what couplings gain without the context, {share} is told by the context."]


def _of_couplings(told: Mapping[str, Any]) -> list[str]:
    totals = told["totals"]
    parts = [
        f"{_percent(totals[name])} of |J| {words}"
        for name, words in (("between", "between regions"), ("within", "within regions"))
        if totals.get(name) is not None
    ]
    if totals.get("between") is None:
        parts = [f"{_percent(totals['all'])} of |J|"] if totals.get("all") else []
    if not parts:
        return []
    left = f"{told['remaining']} of {told['assemblies']} assemblies keep half of their weights."
    return [f"Gone, and so common drive: {' and '.join(parts)}; {left}"]


def _percent(one: Mapping[str, Any]) -> str:
    error = one["stderr"]
    return f"{with_error(100 * one['value'], None if error is None else 100 * error, 1)} %"
