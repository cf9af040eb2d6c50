"""The contexts that a plan may name, told without what takes seconds to import."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from boltzbrain.foundations.checks import bad_input, one_of

NAMES = ("past", "trial", "epoch", "assemblies")
"""In the order in which they are fitted."""


def in_order(value: str) -> str:
    """Return names with commas between in the order of `NAMES`.

    Raises
    ------
    InputError
        If one is unknown, or named twice.

    Examples
    --------
    >>> in_order("epoch, past")
    'past,epoch'
    """
    names = [one.strip() for one in value.split(",")]
    for name in names:
        one_of("context", name, NAMES)
    if len(set(names)) < len(names):
        raise bad_input("context", "name each context once", value)
    return ",".join(sorted(names, key=NAMES.index))


def require_fitting(plan: Mapping[str, Any], chains: int) -> None:
    """Refuse beside a context what knows of one log Z or of one law of the chains only.

    Parameters
    ----------
    plan
        Hyperparameter to value, of a plan with a context.
    chains
        Those of the recipe.

    Raises
    ------
    InputError
        If it is there.
    """
    must = "be left out with a context"
    if plan["weights_from"] == "assemblies" or plan["assemblies"]:
        raise bad_input("preset", f"be another than `assemblies`: {must}", "assemblies")
    if plan["score_every"] is not None:
        raise bad_input("score_every", f"be none: {must}", plan["score_every"])
    if plan["chains"] != chains:
        raise bad_input("chains", f"{must}: every training bin has its own", plan["chains"])
    moves_hidden = plan["context_hidden"] or "assemblies" in plan["context"].split(",")
    if moves_hidden and plan["normalised"]:
        name = "context_hidden" if plan["context_hidden"] else "context"
        must = "move no hidden fields where activity is normalised (--set normalised=false)"
        raise bad_input(name, must, plan[name])
    if plan["context_hidden"] and "assemblies" in plan["context"].split(","):
        must = "be left out beside assemblies, which move the hidden fields themselves"
        raise bad_input("context_hidden", must, "true")
