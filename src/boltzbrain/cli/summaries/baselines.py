"""What `boltzbrain evaluate` prints of the simpler models beside the RBM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from boltzbrain.cli.summaries.results import UNDEFINED, figure, signed
from boltzbrain.foundations.showing.console import Terminal


def show_baselines(console: Terminal, found: Mapping[str, Any], fitted: Sequence[str]) -> None:
    """Print the scores of all models, and who wins where.

    Parameters
    ----------
    found
        What evaluation.json holds under ``baselines``.
    fitted
        Names of those fitted just now; the others are of the evaluation before.
    """
    # here, as no other command needs them
    from boltzbrain.pages.verdicts.baselines import doubts_of, gain_error, winner, without_time

    kept = [one["title"] for name, one in found.items() if name not in ("rbm", *fitted)]
    if kept:
        console.sentence(
            f"kept from the evaluation before, of the same model and data: {', '.join(kept)}"
        )
    gains, conditionals, ahead = [], [], []
    for one in found.values():
        given = one.get("predictive")
        if given and given.get("uses_time"):
            ahead.append(
                (
                    one["title"],
                    _difference(given["gain"], 2),
                    _difference(given["over_without_time"], 2),
                    _difference(one.get("rbm_minus_this", {}).get("predictive"), 2),
                )
            )
    found = without_time(found)
    for one in found.values():
        gain, conditional = one["gain"], one["conditional"]
        less = one.get("rbm_minus_this", {})
        value, error = gain["value"], gain_error(gain)
        gains.append(
            (
                one["title"],
                UNDEFINED if value is None else signed(value, error),
                gain["kind"] + (", doubtful" if doubts_of(one) else ""),
                _difference(less.get("gain"), 2),
            )
        )
        value, error = conditional["bits_per_spike"], conditional["stderr"]
        conditionals.append(
            (one["title"], figure(value, error, 3), _difference(less.get("conditional"), 3))
        )
    # two tables, as one would not fit the 80 columns of a file or a narrow terminal
    console.columns(("nats per test bin", "gain", "kind", "RBM less this"), gains)
    console.sentence(winner(found, "gain").text)
    console.columns(("bits per spike", "given the others", "RBM less this"), conditionals)
    console.sentence(winner(found, "conditional").text)
    if ahead:
        console.columns(("given earlier bins", "gain", "time adds", "RBM less this"), ahead)


def _difference(one: Mapping[str, Any] | None, digits: int) -> str:
    """Return the score of the RBM less that of a model; nothing for the RBM itself."""
    if one is None:
        return ""
    return UNDEFINED if one["value"] is None else signed(one["value"], one["stderr"], digits)
