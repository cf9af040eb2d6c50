"""What a new evaluation keeps of the one before: baselines that stand beside the same model."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from boltzbrain.evaluation.results import read_evaluation
from boltzbrain.foundations.checks import InputError


def earlier_evaluation(path: Path) -> Mapping[str, Any] | None:
    """Return the evaluation of a run that is about to be replaced, or None where there is none.

    One that cannot be read is replaced all the same, with a warning that says so.
    """
    if not path.exists():
        return None
    try:
        return read_evaluation(path)
    except InputError as error:
        warnings.warn(f"nothing is kept of the evaluation before: {error}", stacklevel=2)
        return None


def with_baselines_of(
    result: Mapping[str, Any], earlier: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return an evaluation with those baselines of an earlier one that it has not fitted anew.

    Baselines that stand beside another model, another estimate of its log Z or other data are left
    out, with a warning.

    Parameters
    ----------
    result
        What evaluation.json will hold.
    earlier
        What it held, if anything.
    """
    fitted = result.get("baselines", {})
    before = {} if earlier is None else earlier.get("baselines", {})
    kept = [name for name in before if name not in fitted]
    if earlier is None or not kept:
        return dict(result)
    if other := _difference(result, earlier):
        titles = ", ".join(before[name]["title"] for name in kept if name != "rbm")
        warnings.warn(
            f"{titles} of the evaluation before are left out, as they stand beside {other}; "
            "--baselines fits them anew",
            stacklevel=2,
        )
        return dict(result)
    reasons = {
        path: words
        for path, words in earlier["reasons"].items()
        if path.startswith(tuple(f"baselines.{name}." for name in kept))
    }
    return {
        **result,
        "baselines": {**before, **fitted},
        "reasons": {**result["reasons"], **reasons},
    }


def with_controls_of(
    result: Mapping[str, Any], earlier: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return an evaluation with the controls of an earlier one, if it has none of its own.

    Controls know nothing of the model: they are kept where they are of the same run's data.
    """
    before = {} if earlier is None else earlier.get("predictive", {})
    if earlier is None or "controls" not in before or "controls" in result["predictive"]:
        return dict(result)
    runs = [one.get("belongs", {}).get("run") for one in (earlier, result)]
    if earlier["activity"] != result["activity"] or runs[0] != runs[1]:
        return dict(result)
    start = "predictive.controls."
    reasons = {path: why for path, why in earlier["reasons"].items() if path.startswith(start)}
    return {
        **result,
        "predictive": {**result["predictive"], "controls": before["controls"]},
        "reasons": {**result["reasons"], **reasons},
    }


def _difference(result: Mapping[str, Any], earlier: Mapping[str, Any]) -> str:
    """Return in words what the model or the data of an earlier evaluation were, or nothing."""
    update = earlier["chosen_update"]
    if update != result["chosen_update"]:
        return f"the model of update {update}"
    runs = [one.get("belongs", {}).get("run") for one in (earlier, result)]
    if None not in runs and runs[0] != runs[1]:
        return "the model of another run"
    if earlier["activity"] != result["activity"]:
        return "other data"
    # a training done anew in the same folder may well choose the same update
    before, now = (one["weights"]["std"] for one in (earlier, result))
    if not math.isclose(before, now, rel_tol=1e-9):
        return "another model"
    if "baselines" not in result:
        return ""
    # differences from the RBM would not be those of the scores beside them
    gains = [one["baselines"]["rbm"]["gain"] for one in (earlier, result)]
    return "" if gains[0] == gains[1] else "another estimate of log Z (another seed)"
