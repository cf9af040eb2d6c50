"""Panels of what the model assigns to activity, and of its weights."""

from __future__ import annotations

import numpy as np

from boltzbrain.evaluation.conditional import Calibration, conditionals
from boltzbrain.evaluation.reconstruction import (
    independent_quality,
    normalised_log_likelihood,
    reconstruction_quality,
)
from boltzbrain.evaluation.statistics.agreement import Comparison
from boltzbrain.evaluation.statistics.energies import energies as energies_of
from boltzbrain.evaluation.statistics.hidden_statistics import hidden_comparisons, hidden_moments
from boltzbrain.foundations.random import Generator
from boltzbrain.model.independent import independent_field
from boltzbrain.model.rbm import RBM
from boltzbrain.pages import figures
from boltzbrain.pages.figures.statistics import shared_limits
from boltzbrain.pages.page import PageData
from boltzbrain.pages.panels.panel import Panel, check_panel, draw
from boltzbrain.pages.style import Drawing
from boltzbrain.pages.verdicts import activity as verdicts


def panels(page: PageData, model: RBM) -> list[Panel]:
    """Return every panel that needs the model itself."""
    result = [energies(page, model)]
    if len(page.test):
        result += [activation(page, model), reconstruction(page, model)]
        result += hidden_units(page, model)
    return [*result, *weights(page, model)]


def energies(page: PageData, model: RBM) -> Panel:
    """Return the distribution of energies."""
    sets = {"train": page.train, "test": page.test, "generated": page.generated}
    found = {name: energies_of(model, one.states) for name, one in sets.items() if len(one)}
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


def reconstruction(page: PageData, model: RBM) -> Panel:
    """Return the reconstruction quality of neurons beside logistic regression."""
    states = page.test.states
    base = independent_quality(independent_field(page.train_tensor), states)
    rbm = normalised_log_likelihood(reconstruction_quality(model, states), base)
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


def hidden_units(page: PageData, model: RBM) -> list[Panel]:
    """Return <v h> and the covariances of hidden units, generated beside training activity."""
    sets = {"train": page.train, "test": page.test, "generated": page.generated}
    of = {name: hidden_moments(model, one.states) for name, one in sets.items()}
    compared = hidden_comparisons(model, of, page.penalties)
    shown = {
        "h": "Mean of a hidden unit",
        "vh": "Mean product of a neuron and a hidden unit's mean",
        "hh": "Covariance of the means of two hidden units",
    }
    result = []
    for name, what in shown.items():
        kinds: dict[str, Comparison] = compared[name]
        if not len(kinds["train"].values):
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
                [
                    draw(_hidden_figure(name, kind, kinds), f"{what}, {kind} against test")
                    for kind in kinds
                ],
                wide=True,
            )
        )
    return result


def _hidden_figure(name: str, kind: str, kinds: dict[str, Comparison]) -> Drawing:
    if name == "h":
        return figures.hidden_means.later(kinds[kind], kind)
    function = figures.hidden_products if name == "vh" else figures.hidden_covariances
    return function.later(kinds[kind], kind, limits=shared_limits(*kinds.values()))


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
