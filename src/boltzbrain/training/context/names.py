"""The contexts that a plan may name, told without what takes seconds to import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from boltzbrain.foundations.checks import bad_input, one_of
from boltzbrain.foundations.showing.numbers import joined

NAMES = ("past", "trial", "epoch", "behaviour", "assemblies", "states")
"""In the order in which they are fitted."""
BEHAVIOUR = "behaviour:"
"""What begins the context of a covariate or a column of the trials, its name behind."""
_WORDS = {
    "past": "the past",
    "trial": "the place in the trial",
    "epoch": "the epoch",
    "assemblies": "the assemblies before",
}


def with_number_of_states(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return hyperparameters with `states:K` told apart into the context and the number.

    Raises
    ------
    InputError
        If that is no number, or another is given beside it.

    Examples
    --------
    >>> with_number_of_states({"context": "states:3"})
    {'context': 'states', 'states': 3}
    """
    found = dict(given)
    if not isinstance(context := found.get("context"), str):
        return found
    names, numbers = [], []
    for one in context.split(","):
        name, colon, number = one.strip().partition(":")
        if name == BEHAVIOUR[:-1]:
            names.append(one.strip())
            continue
        if colon and name != "states":
            must = "have a number after `states:` only, or a name after `behaviour:`"
            raise bad_input("context", must, context)
        if colon and not number.strip().isdecimal():
            raise bad_input("context", "be `states:K` with a whole number K", context)
        names.append(name.strip())
        numbers += [int(number)] if colon else []
    if not numbers:
        return found
    other = found.get("states")
    if other is not None and str(other) != str(numbers[0]):
        raise bad_input("states", f"be left out beside `{context}`, or be {numbers[0]}", other)
    return {**found, "context": ",".join(names), "states": numbers[0]}


def in_order(value: str) -> str:
    """Return names with commas between in the order of `NAMES`.

    Raises
    ------
    InputError
        If one is unknown, or named twice.

    Examples
    --------
    >>> in_order("behaviour:side, epoch, past")
    'past,epoch,behaviour:side'
    """
    names = [one.strip() for one in value.split(",")]
    for name in names:
        kind, colon, what = name.partition(":")
        one_of("context", kind, NAMES)
        if (kind == BEHAVIOUR[:-1]) != bool(colon and what):
            must = "be `behaviour:NAME` with a column of the trials or a covariate"
            raise bad_input("context", must, name)
    if len(set(names)) < len(names):
        raise bad_input("context", "name each context once", value)
    if "states" in names and len(names) > 1:
        others = ", ".join(NAMES[:-1]).replace("behaviour", f"{BEHAVIOUR}NAME")
        alone = "be `states` alone, as each state has one log Z"
        must = f"{alone} (the others go with each other: {others})"
        raise bad_input("context", must, value)
    return ",".join(sorted(names, key=lambda one: NAMES.index(one.partition(":")[0])))


def followed(contexts: Sequence[str]) -> list[str]:
    """Return the covariates and columns of the trials among contexts.

    Examples
    --------
    >>> followed(["trial", "behaviour:side"])
    ['side']
    """
    return [one.removeprefix(BEHAVIOUR) for one in contexts if one.startswith(BEHAVIOUR)]


def given_what(context: str) -> str:
    """Return what a context gives a bin, in words.

    Examples
    --------
    >>> given_what("past,behaviour:side"), given_what("states:1")
    ('the past and side', '1 hidden state')
    """
    name, _, number = context.partition(":")
    if name == "states" and number:
        return f"{number} hidden state{'s' * (number != '1')}"
    names = [one.removeprefix(BEHAVIOUR) for one in context.split(",")]
    return joined(",".join(_WORDS.get(one, one) for one in names))


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
    if plan["chains"] != chains and plan["context"] != "states":
        raise bad_input("chains", f"{must}: every training bin has its own", plan["chains"])
    moves_hidden = plan["context_hidden"] or plan["context"] == "states"
    moves_hidden |= "assemblies" in plan["context"].split(",")
    if moves_hidden and plan["normalised"]:
        name = "context_hidden" if plan["context_hidden"] else "context"
        must = "move no hidden fields where activity is normalised (--set normalised=false)"
        raise bad_input(name, must, plan[name])
    if plan["context_hidden"] and "assemblies" in plan["context"].split(","):
        must = "be left out beside assemblies, which move the hidden fields themselves"
        raise bad_input("context_hidden", must, "true")
