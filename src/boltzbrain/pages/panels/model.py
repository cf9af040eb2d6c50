"""Panels of what the model assigns to activity, and of its weights."""

from __future__ import annotations

import numpy as np

from boltzbrain.evaluation.calibration import Calibration
from boltzbrain.evaluation.conditional import conditionals
from boltzbrain.evaluation.statistics.agreement import Comparison
from boltzbrain.evaluation.statistics.kept import kept_density
from boltzbrain.foundations.random import Generator
from boltzbrain.model.rbm import RBM
from boltzbrain.pages import figures
from boltzbrain.pages.page import PageData
from boltzbrain.pages.panels.panel import Panel, check_panel, draw
from boltzbrain.pages.style import Drawing
from boltzbrain.pages.verdicts import activity as verdicts


def panels(page: PageData, model: RBM) -> list[Panel]:
    """Return every panel that needs the model itself."""
    result = [energies(page)]
    if len(page.test):
        result += [activation(page, model), reconstruction(page)]
        result += hidden_units(page)
    return [*result, *weights(page, model)]


def energies(page: PageData) -> Panel:
    """Return the distribution of energies."""
    found = {
        name: page.details[f"energies/{name}"]
        for name in ("train", "test", "generated")
        if f"energies/{name}" in page.details
    }
    return check_panel(
        "energies",
        "Free energy that the model assigns to bins: low for those that it takes to be likely.",
        "The three outlines coincide. Where the recording reaches farther to the right, it holds "
        "bins that the model does not expect.",
        [draw(figures.energies.later(found), "Distribution of energies")],
    )


def activation(page: PageData, model: RBM) -> Panel:
    """Return the probability of a spike given the effective field."""
    # evaluations of earlier versions do not hold it
    kept = page.evaluation["statistics"].get("h_eff", {}).get("calibration")
    found = (
        Calibration(**{name: np.asarray(one, dtype=np.float64) for name, one in kept.items()})
        if kept
        else conditionals(model, page.test).calibration()
    )
    return check_panel(
        "activation",
        "Share of active neurons among those of similar effective field, in 100 quantiles of all "
        "neurons and test bins, against what the model says: P(active) = logistic(field). Bars are "
        "one standard error, clustered. The vertical axis is logistic, so the curve is straight.",
        "The dots lie on the line. Dots flatter than the line tell of overfitting.",
        [
            draw(
                figures.activation_curve.later(found),
                "Probability of a spike given the effective field",
            )
        ],
    )


def reconstruction(page: PageData) -> Panel:
    """Return the reconstruction quality of neurons beside logistic regression."""
    rbm = page.details["reconstruction/rbm"]
    listed = page.evaluation.get("reconstruction", {}).get("per_neuron", {})
    glm = np.asarray(listed.get("glm") or [], dtype=np.float64)
    return check_panel(
        "reconstruction",
        "How well each neuron's test bins are predicted from the hidden units that they give rise "
        "to (0: as well as by its rate, 1: perfectly), beside a logistic regression on all other "
        "neurons, whose penalty was chosen on the validation fold.",
        "The outline lies to the right of 0 and not to the left of the regression's: few hidden "
        "units carry as much as all neurons do.",
        [draw(figures.reconstruction.later(rbm, glm), "Reconstruction quality of neurons")],
    )


def hidden_units(page: PageData) -> list[Panel]:
    """Return <v h> and the covariances of hidden units, generated beside training activity."""
    shown = {
        "h": "Mean of a hidden unit",
        "vh": "Mean product of a neuron and a hidden unit's mean",
        "hh": "Covariance of the means of two hidden units",
    }
    result = []
    for name, what in shown.items():
        kinds = _hidden_figures(page, name)
        if not kinds:
            continue
        shade = (
            "dots lie as near the line as the grey ones"
            if name == "h"
            else ("shade is as narrow as the grey one")
        )
        result.append(
            check_panel(
                f"hidden-{name}",
                f"{what} given the neurons. Orange: generated against test"
                + (
                    " (with the shift that the penalty on the weights causes taken back)"
                    if name == "vh"
                    else ""
                )
                + ". Grey: training against test fold.",
                f"The orange {shade}.",
                [draw(one, f"{what}, {kind} against test") for kind, one in kinds.items()],
                wide=True,
            )
        )
    return result


def _hidden_figures(page: PageData, name: str) -> dict[str, Drawing]:
    """Return what draws a statistic of hidden units of generated and of training activity."""
    found, kinds = page.details, ("generated", "train")
    if name == "h":
        means = {kind: Comparison(found["h/test"], found[f"h/{kind}"]) for kind in kinds}
        return {kind: figures.hidden_means.later(one, kind) for kind, one in means.items()}
    function = figures.hidden_products if name == "vh" else figures.hidden_covariances
    told = page.evaluation["statistics"].get("hidden") or {}
    densities = {
        "generated": kept_density(found, name, "generated", told.get(name) or {}),
        "train": kept_density(found, name, "train", (told.get("ceiling") or {}).get(name) or {}),
    }
    return {kind: function.later(one, kind) for kind, one in densities.items() if one is not None}


def weights(page: PageData, model: RBM) -> list[Panel]:
    """Return the distribution of the weights and how strong weights spread over neurons."""
    values = model.weights.to("cpu").numpy().astype(np.float64)
    strongest = np.abs(values).max(axis=1)
    order = Generator.from_seed(0, "presentation", "shuffle").permutation(values.size)
    size = np.abs(values)
    mixed = size.reshape(-1)[order].reshape(values.shape)
    shuffled = mixed.max(axis=1)
    # as many weights lie beyond it as there are neurons
    threshold = float(np.sort(size, axis=None)[-min(len(size), size.size)])
    counts, chance = ((one >= threshold).sum(axis=1) for one in (size, mixed))
    return [
        check_panel(
            "weights",
            "Distribution of all weights, on a logarithmic axis.",
            "Tails above the Gaussian: a few strong weights, assemblies, stand out of many weak "
            "ones. A width above about 1 tells of a training that ran away.",
            [draw(figures.weights.later(values), "Distribution of the weights")],
        ),
        Panel(
            "strongest-weights",
            "Strong weights of each neuron",
            "Each neuron's largest weight in absolute value, and how many of its weights are "
            "strong (beyond the size that leaves one per neuron on average), beside the same after "
            "all weights were shuffled over neurons and hidden units.",
            "A broad outline: neurons differ in how strongly they are tied to the hidden units. "
            "Neurons near 0 take part in nothing.",
            [
                draw(
                    figures.strongest_weights.later(strongest, shuffled),
                    "Strongest weight per neuron",
                ),
                draw(
                    figures.strong_weights.later(counts, chance, threshold),
                    "Strong weights per neuron",
                ),
            ],
            wide=True,
            verdict=verdicts.strongest_weights(strongest, shuffled),
        ),
    ]
