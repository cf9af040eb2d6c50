"""Panels of activity in time: memory of recording and model, and the hidden units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from boltzbrain.evaluation.dynamics.curves import Curve
from boltzbrain.evaluation.dynamics.kinetics import KINDS
from boltzbrain.pages import figures
from boltzbrain.pages.page import PageData
from boltzbrain.pages.panels.panel import Image, Panel, check_panel, draw
from boltzbrain.pages.verdicts import dynamics as verdicts

_SHUFFLED = ("time_shuffled", "trial_shuffled")
_TRACE_BINS = 1500


def _curve(found: Mapping[str, Any], unit: float) -> Curve:
    times, values, stderr = (
        np.asarray(found[one], dtype=np.float64) for one in ("times", "values", "stderr")
    )
    return Curve(times * unit, values, stderr)


def memory(page: PageData) -> list[Panel]:
    """Return the panels of autocorrelation and relaxation, for what evaluation.json holds."""
    found = page.evaluation.get("dynamics") or {}
    scale = found.get("time_scale") or {}
    units: dict[str, Any] = {
        kind: (scale.get(kind) or {}).get("seconds_per_sweep") for kind in KINDS
    }
    knows = (
        "The model is taken at its mean context, so that it knows no other bin here."
        if page.in_context
        else "The model was trained on bins in random order and knows nothing of time."
    )
    result = []
    if found.get("stationary"):
        trials = bool(found["stationary"]["count"]["controls"].get("trial_shuffled"))
        result.append(
            Panel(
                "autocorrelation",
                "Memory of the activity",
                "How the population count and the whole pattern (overlap) "
                "resemble what they were a lag earlier, within segments; bands hold 95%. "
                "Orange: Monte Carlo of the model in equilibrium, laid over the recording by one "
                f"factor, seconds per sweep, for each kind of update. {knows} Grey: recordings "
                f"whose bins{', or whose trials at the same place,' if trials else ''} were "
                "shuffled. Lags that are too long for their errors to be known, or whose band is "
                "wider than 1, are left out.",
                "One of the orange curves bends as the recording's does, over the whole range; "
                "shuffled bins lie at 0."
                + (
                    " Where shuffled trials lie on the recording, the stimulus alone makes this "
                    "memory."
                    if trials
                    else ""
                ),
                _pair(found["stationary"], units, "autocorrelation"),
                wide=True,
                verdict=verdicts.memory(page.evaluation),
            )
        )
    for protocol, words in (("from_high", "much"), ("from_low", "little")):
        if not found.get(protocol):
            continue
        edge = "upper" if protocol == "from_high" else "lower"
        result.append(
            Panel(
                f"relaxation-{protocol.replace('_', '-')}",
                f"Relaxation after {words} activity",
                f"From bins with a population count in the {edge} tenth, how count and pattern "
                "return to the mean, in the recording and in Monte Carlo of the model that starts "
                "from the same bins. The seconds per sweep are those fitted above: nothing is "
                "fitted here.",
                "The orange curves follow the recording's.",
                _pair(found[protocol], units, "relaxation"),
                wide=True,
                verdict=verdicts.relaxation(page.evaluation, protocol),
            )
        )
    return result


def _pair(found: Mapping[str, Any], units: Mapping[str, Any], which: str) -> list[Image]:
    images = []
    for name in ("count", "overlap"):
        one = found[name]
        if not one:
            continue
        others: dict[str, Curve] = {
            kind: _curve(one[kind], units[kind])
            for kind in KINDS
            if units[kind] and one[kind].get("times")
        }
        others |= {
            kind: _curve(one["controls"][kind], 1.0)
            for kind in _SHUFFLED
            if one["controls"].get(kind)
        }
        recorded = _curve(one["recorded"], 1.0)
        if which == "autocorrelation":
            drawing = figures.autocorrelation.later(
                recorded, others, quantity=f"autocorrelation of {name}"
            )
        else:
            drawing = figures.relaxation.later(recorded, others, quantity=f"relaxation of {name}")
        images.append(draw(drawing, f"{which} of the {name}", name))
    return images


def hidden_in_time(page: PageData) -> list[Panel]:
    """Return the panels of hidden units over the bins that the page compares with."""
    segment, activity, width = page.in_time[1], page.hidden_in_time, page.bin_width_s
    found = {
        name: page.details[f"dynamics/hidden/{name}"]
        for name in ("order", "transition", "bimodal", "correlation", "explained")
    }
    order, transition = found["order"], found["transition"]
    shown = min(_TRACE_BINS, len(activity))
    breaks = np.flatnonzero(np.diff(segment[:shown])) + 1
    periods, neurons = (
        page.details[f"dynamics/hidden/{one}"] * width for one in ("periods", "neuron_periods")
    )
    name = "test" if len(page.test) else "train"
    counts = {
        name: page.details["dynamics/hidden/active/recorded"],
        "generated": page.details["dynamics/hidden/active/generated"],
    }
    traces = figures.hidden_traces.later(
        activity[:shown][:, order], transition[order], width, breaks
    )
    images = [draw(traces, "Activity of hidden units in time", wide=True)]
    if len(periods) or len(neurons):
        images.append(draw(figures.time_constants.later(periods, neurons), "Time constants"))
    return [
        Panel(
            "hidden-traces",
            "Hidden units in time",
            f"The mean of every hidden unit given the neurons, ⟨h | v⟩, in {shown} bins of the "
            f"{name} fold, relative to the level at which it changes state, in its own standard "
            "deviations. Units that go together stand together."
            + (" Thin lines, which stand out above, separate segments." if len(breaks) else ""),
            "Units switch on and off in stretches longer than a bin, not all at once and not one "
            "by one.",
            images,
            wide=True,
            verdict=verdicts.hidden_periods(page.evaluation),
        ),
        check_panel(
            "hidden-groups",
            f"Correlations of hidden units over the bins of the {name} fold, sorted by Ward's "
            "clustering, and the variance that few of their principal components hold.",
            "Groups of related units along the diagonal and little elsewhere: no unit doubles "
            "another (dark squares at 1).",
            [
                draw(
                    figures.hidden_correlations.later(found["correlation"], order), "Correlations"
                ),
                draw(figures.hidden_variance.later(found["explained"]), "Variance by components"),
            ],
            wide=True,
        ),
        Panel(
            "hidden-states",
            "Two states",
            "Distribution of the activity of hidden units around the level at which they change "
            "state, the midpoint of two Gaussians fitted to each.",
            "Two peaks: a unit is on or off. One peak tells that a unit grades the activity.",
            [
                draw(
                    figures.hidden_states.later(
                        activity, transition, found["bimodal"].astype(bool)
                    ),
                    "Distribution of hidden activity",
                )
            ],
            verdict=verdicts.bimodality(page.evaluation),
        ),
        Panel(
            "active-units",
            "How many are active at once",
            "Effective number of hidden units that are not in their usual state, in each bin.",
            "More than one and far fewer than all: patterns are composed of a few units each, the "
            "compositional phase. The model's own activity does the same.",
            [
                draw(
                    figures.active_units.later(counts, len(order)),
                    "Number of hidden units active at once",
                )
            ],
            verdict=verdicts.phase(page.evaluation),
        ),
    ]
