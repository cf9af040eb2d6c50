"""The section of the page on time: what earlier bins tell, and the states that models find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.foundations.showing.numbers import with_error
from boltzbrain.interpretation.file import Interpretation
from boltzbrain.pages import figures
from boltzbrain.pages.figures.rasters import region_order
from boltzbrain.pages.page import PageData
from boltzbrain.pages.panels.common_drive import common_drive_panels
from boltzbrain.pages.panels.panel import Panel, draw
from boltzbrain.pages.verdicts import in_time as verdicts
from boltzbrain.pages.verdicts.score import given_words
from boltzbrain.pages.verdicts.verdict import Verdict

RIBBON_BINS, SHOWN = 400, 24
"""Test bins in the ribbon, and pairs of neurons whose couplings are shown."""

_OWN = "RBM"
"""Title of the states of the model itself."""

_CONTROLS = {
    "place_in_trial": "rate by place in the trial",
    "other_segment": "past of another segment",
    "shuffled_in_segment": "past, bins shuffled in segments",
}


@dataclass(frozen=True)
class TimeSection:
    """Models with time beside the RBM.

    Attributes
    ----------
    lead
        What is asked, and of which models.
    verdicts
        Heading and judgement.
    heads, rows
        The table, as text.
    panels
        Figures.
    """

    lead: str
    verdicts: Sequence[tuple[str, Verdict]]
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    panels: Sequence[Panel]


def time_section(page: PageData) -> TimeSection | None:
    """Return the section, or None where there is no model with time and there are no controls."""
    models = verdicts.with_time(page.evaluation.get("baselines", {}))
    own = page.evaluation.get("predictive", {})
    controls = own.get("controls")
    if not models and not controls and not page.in_context:
        return None
    judged = []
    if page.in_context:
        judged.append(("What the context adds", verdicts.of_context(page.evaluation)))
    if models:
        judged.append(("A bin given earlier ones", verdicts.beside_time(page.evaluation)))
    if controls:
        judged.append(("What the past may rest on", verdicts.controls(page.evaluation)))
    # one bar alone tells nothing that the sentence above it does not
    panels = [_gains(page, controls or {})] if models or controls else []
    if "states" in own and own_states(page):
        panels += _states(page, own_states(page), own["states"], _OWN)
    panels += common_drive_panels(page)
    panels += _read(page)
    name = _best_of(models, page)
    if name is not None:
        one = models[name]
        doubt = verdicts.not_interpreted(one)
        panels += _states(page, page.states[name], one["states"], one["title"], doubt)
    curves = {
        one["title"]: points for one in models.values() if len(points := _tried(one["fit"])) > 1
    }
    if curves:
        panels.append(_curves(page, curves))
    given = given_words(page.evaluation)
    lead = (
        f"The RBM{given}{', and models that see the earlier bins of a segment' if models else ''}"
        if given
        else "Models that see the earlier bins of a segment, beside the RBM, which sees a bin alone"
    )
    return TimeSection(
        f"Is it the state of the brain, or the last bins? {lead}, on the same test bins.",
        judged,
        ("model", "given earlier bins (nats)", "without them (nats)", "time adds (nats)",
         "bits per spike", "RBM less this (nats)", "states", "stay (s)"),
        [_row(one) for one in page.evaluation.get("baselines", {}).values() if _scored(one)],
        panels,
    )  # fmt: skip


def own_states(page: PageData) -> dict[str, np.ndarray]:
    """Return what is kept of the hidden states of the RBM, empty where it has none."""
    begins = "states/"
    return {
        path.removeprefix(begins): values
        for path, values in (page.kept or {}).items()
        if path.startswith(begins)
    }


def _scored(one: Mapping[str, Any]) -> bool:
    return one.get("predictive", {}).get("gain", {}).get("value") is not None


def _best_of(models: Mapping[str, Any], page: PageData) -> str | None:
    """Return the model with states whose gain is largest, of those whose states are kept."""
    names = [name for name in models if name in page.states]
    return max(
        names, key=lambda name: float(models[name]["predictive"]["gain"]["value"]), default=None
    )


def _tried(fit: Mapping[str, Any]) -> list[tuple[float, float]]:
    """Return numbers of states and the best score of each."""
    best: dict[float, float] = {}
    for row in fit["grid"]:
        if "states" in row and row["score"] is not None:
            best[row["states"]] = max(row["score"], best.get(row["states"], -np.inf))
    return sorted(best.items())


def _pair(one: Mapping[str, Any] | None, sign: str = "+") -> str:
    if not one or one["value"] is None:
        return "—"
    return with_error(one["value"], one.get("stderr"), 2, sign)


def _row(one: Mapping[str, Any]) -> list[str]:
    given, states = one["predictive"], one.get("states")
    bits = given["bits_per_spike"]
    uses = given["uses_time"]
    mark = "≥ " if given["gain"].get("kind") == "lower bound" else ""
    seen = [] if states is None else [s for s in states["dwell_seen_s"] if s is not None]
    return [
        one["title"],
        mark + _pair(given["gain"]),
        _pair(one["gain"]) if uses else "the same",
        _pair(given["over_without_time"]) if uses else "—",
        "—" if bits is None else with_error(bits, None, 3),
        _pair(one.get("rbm_minus_this", {}).get("predictive")),
        "—" if states is None else str(states["number"]),
        f"{np.median(seen):.2g}" if seen else "—",
    ]


def _gains(page: PageData, controls: Mapping[str, Any]) -> Panel:
    found = page.evaluation.get("baselines", {})
    rows = [
        (
            one["title"],
            one["gain"]["value"] if one["predictive"]["uses_time"] else None,
            one["predictive"]["gain"]["value"],
            one["predictive"]["gain"]["stderr"],
        )
        for one in found.values()
        if _scored(one)
    ]
    if not rows and (own := page.evaluation["predictive"]["gain"])["value"] is not None:
        rows = [(f"RBM{given_words(page.evaluation)}", None, own["value"], own["stderr"])]
    below = [
        (words, controls[name]["gain"]["value"], controls[name]["gain"]["stderr"])
        for name, words in _CONTROLS.items()
        if name in controls and controls[name]["gain"]["value"] is not None
    ]
    told = (
        " Below, controls, each fitted anew: independent neurons with a rate for each place in the "
        "trial; the regression on the past with the past of another segment at the same place, "
        "and with the bins of each segment in random order, which leaves what is slow."
        if below
        else ""
    )
    return Panel(
        "time-gains",
        "What each model adds",
        "Log-probability of a test bin given the earlier bins of its segment, over independent "
        "neurons. Models without time answer with what they know of a bin alone (the RBM in "
        "orange). A diamond is the same model read without time: states as often as they are held, "
        f"the past at its mean.{told}",
        "The RBM beside models that see the past tells what patterns within a bin hold beyond "
        "them. The past of another segment tells next to nothing.",
        [draw(figures.time_gains.later(rows, below), "Gain of every model given earlier bins")],
        wide=True,
        verdict=verdicts.beside_time(page.evaluation),
    )


def _states(
    page: PageData,
    kept: Mapping[str, np.ndarray],
    told: Mapping[str, Any],
    title: str,
    doubt: str = "",
) -> list[Panel]:
    """Return the figures of hidden states, with what forbids to interpret them."""
    mark = "rbm-" if title == _OWN else ""
    # states of another model do not hang on whether the RBM may be interpreted
    doubtful = None if title == _OWN else bool(doubt)
    judged = [
        verdicts.doubted(one, doubt)
        for one in (verdicts.states(told, page.bin_width_s), verdicts.profiles(told))
    ]
    states, posterior = page.test.states, kept["posterior"].astype(np.float64)
    order = region_order(page.regions, states.mean(axis=0))
    bins = min(RIBBON_BINS, len(states))
    breaks = (np.flatnonzero(np.diff(page.test_segment[:bins])) + 1).tolist()
    ribbon = figures.state_ribbon.later(
        states[:bins][:, order], posterior[:bins], [page.regions[k] for k in order.tolist()],
        page.bin_width_s, breaks,
    )  # fmt: skip
    drawn = [
        draw(
            figures.state_transitions.later(kept["transition"], kept["occupancy"]),
            "Probability of the next state",
            "steps",
        ),
        draw(
            figures.state_profiles.later(kept["profile"], told["groups"]["sizes"]),
            "Profiles of groups of neurons over states",
            "groups of neurons",
        ),
    ]
    return [
        Panel(
            f"time-{mark}states",
            f"Hidden states: {title}",
            f"The first {bins} test bins, neurons by region and rate, and below them how probable "
            "each state is given the whole segment (for the eye: no score has seen the bin that it "
            "predicts). Thin lines separate segments.",
            "Broad stretches of one colour: states that last longer than a bin and come back in "
            "other segments.",
            [draw(ribbon, "Raster of test bins, the probability of each state below", wide=True)],
            wide=True,
            verdict=judged[0],
            doubtful=doubtful,
        ),
        Panel(
            f"time-{mark}profiles",
            f"What states do: {title}",
            "The probability of the next state, darkest on the diagonal where states stay; and how "
            "the rates of groups of neurons change over states, each in units of its own change. "
            "Neurons are grouped by their profile over states, the number of groups by BIC.",
            "Several groups with profiles of their own: a state is more than the level of all "
            "neurons.",
            drawn,
            wide=True,
            verdict=judged[1],
            doubtful=doubtful,
        ),
    ]


def _read(page: PageData) -> list[Panel]:
    """Return what `interpret` read of time, if it did."""
    found = page.interpretation
    told = None if found is None else found.summary.get("in_time")
    if found is None or told is None:
        return []
    return [(_changing if told["kind"] == "couplings" else _influences)(page, found, told)]


def _changing(page: PageData, found: Interpretation, told: Mapping[str, Any]) -> Panel:
    pairs = found["in_time/couplings/pairs"][:SHOWN]
    names = [f"{page.neuron_ids[one]}, {page.neuron_ids[two]}" for one, two in pairs.tolist()]
    values = found["in_time/couplings/values"][:SHOWN]
    drawing = figures.changing_pairs.later(values, names, told["labels"])
    return Panel(
        "time-couplings",
        "Couplings that change",
        f"The {len(names)} pairs of neurons whose coupling changes most between hidden states or "
        "epochs. What a state moves is fitted anew beside weights that rest, and so it is for "
        "states at other times, which tell how much a coupling changes by chance.",
        "Many more pairs than by chance: what goes together differs, and not the rates alone.",
        [draw(drawing, "Couplings of the pairs that change most, by state")],
        wide=True,
        verdict=verdicts.changing_pairs(told),
    )


def _influences(page: PageData, found: Interpretation, told: Mapping[str, Any]) -> Panel:
    """Return which assemblies follow which."""
    value = found["in_time/influence"]
    shown = _clear_of(found, value)
    shortest = 2 * page.bin_width_s
    return Panel(
        "time-influences",
        "Which assemblies follow which",
        "How much the mean of a hidden unit in the next bin, before that bin is seen, changes "
        "with the mean of each unit in this one (the covariance of the units times the "
        "recurrence; white where, fitted anew to validation bins, it is no larger than that of "
        "units at other times), and how long the activity of each "
        "unit is remembered (dashed: two bins).",
        "A few strong influences off the diagonal. On it stands what lasts.",
        [
            draw(figures.influences.later(value, shown), "Influence of units on each other"),
            draw(
                figures.unit_memories.later(found["in_time/time_constant_s"], shortest),
                "Time constants of hidden units",
            ),
        ],
        wide=True,
        verdict=verdicts.influences(told, page.bin_width_s),
    )


def _clear_of(found: Interpretation, value: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which influences are shown: of a file of before they were held against chance, all."""
    if "in_time/influence_clear" not in found:
        return np.ones(value.shape, dtype=bool)
    clear: NDArray[np.bool_] = found["in_time/influence_clear"] > 0
    return clear


def _curves(page: PageData, curves: Mapping[str, Sequence[tuple[float, float]]]) -> Panel:
    return Panel(
        "time-number-of-states",
        "How many states",
        "Log-probability of a validation bin given earlier ones, against the number of states.",
        "A curve that turns: more states do not help. The fewest within a standard error of the "
        "best are taken, as the score creeps up with every state.",
        [draw(figures.state_scores.later(curves), "Validation score against the number of states")],
        verdict=verdicts.number_of_states(page.evaluation),
        doubtful=False,
    )
