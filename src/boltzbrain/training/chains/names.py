"""What moves the chains of a training, by name, and beside what it can be had."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from boltzbrain.foundations.checks import bad_input


def with_what_moves(recipe: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a recipe with what follows from who moves the chains.

    Parameters
    ----------
    recipe
        Hyperparameter to value, those that differ from the defaults.
    given
        What was given beside.
    """
    told = dict(recipe)
    if {**recipe, **given}.get("weights_from") == "assemblies":
        told["chains_by"] = "moves"
    elif given.get("chains_by") == "trajectory":
        # the recipe of assemblies moves its chains itself
        told["assemblies"] = False
    return told


def require_together(plan: Mapping[str, Any]) -> None:
    """Refuse what cannot be had together with what moves the chains.

    Parameters
    ----------
    plan
        Hyperparameter to value.

    Raises
    ------
    InputError
        If it is there.
    """
    by = plan["chains_by"]
    if plan["weights_from"] == "assemblies" and by != "moves":
        raise bad_input("chains_by", "be moves where weights_from is assemblies", by)
    if plan["assemblies"] and by == "trajectory":
        must = "be gibbs or moves where the recipe assemblies may take over (assemblies=false)"
        raise bad_input("chains_by", must, by)
    # the recipe of assemblies is refused by its name, by the context itself
    if plan["context"] is not None and by != "gibbs" and plan["weights_from"] != "assemblies":
        raise bad_input("chains_by", "be gibbs with a context", by)
    if plan["weights_from"] == "directions":
        if plan["hidden_kind"] != "bernoulli":
            must = "be bernoulli where weights_from is directions"
            raise bad_input("hidden_kind", must, plan["hidden_kind"])
        if plan["context"] is not None:
            raise bad_input("weights_from", "be noise or data with a context", "directions")
