"""What assemblies do, on the page: their tuning, trials and averages, places, decoding."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.foundations.showing.told import counted, listed
from boltzbrain.interpretation.behaviour.power import LEVEL
from boltzbrain.interpretation.behaviour.tuned import tuned_to
from boltzbrain.interpretation.file import Interpretation
from boltzbrain.pages import figures
from boltzbrain.pages.panels.findings import Finding
from boltzbrain.pages.panels.panel import Image, draw

COLUMNS_SHOWN, CURVES_SHOWN, REGION_NAMES = 3, 4, 4
"""Columns with their trials, covariates with curves, names by region: those most are tuned to."""
FEWEST_AVERAGED = 3
"""Trials below which no average is shown."""
FEWEST_OF_REGION = 10
"""Neurons of a region that a share is taken of."""


def behaviour_findings(found: Interpretation) -> list[Finding]:
    """Return the figures of behaviour, none where the recording has no trials or covariates."""
    told = found.summary.get("behaviour")
    if not told:
        return []
    return [
        _tuned(found, told),
        *_trials(found, told),
        *_curves(found, told),
        *_places(found, told),
        *_decoding(found, told),
        *_explained(found),
    ]


def _tuned(found: Interpretation, told: dict[str, Any]) -> Finding:
    names = list(told["names"])
    tuned = found["behaviour/hidden/q_value"] <= LEVEL
    effect = np.maximum(found["behaviour/hidden/effect"], 0.0)
    signed = effect * np.where(found["behaviour/hidden/direction"] < 0, -1.0, 1.0)
    most = np.where(tuned, effect, effect / 1e3).argmax(axis=0)
    order = np.lexsort((-signed[most, np.arange(len(most))], most))
    units = told["units"]
    words = {
        name: f"{told['of'][name]['tuned_hidden']} of {units['hidden']} assemblies, "
        f"{told['of'][name]['tuned_neurons']:,} of {units['neurons']:,} neurons"
        for name in names
    }
    smallest = ", ".join(f"{name} {told['of'][name]['smallest_hidden']:.1%}" for name in names)
    plain = sum(one["plain_hidden"] for one in told["of"].values())
    ours = sum(one["tuned_hidden"] for one in told["of"].values())
    return Finding(
        "behaviour",
        "By behaviour",
        "Share of the variance of each assembly that a column of the trials explains beyond "
        "chance (over trials), or a covariate in bins that it was not fitted to. A dot: tuned, at "
        f"most {LEVEL:.0%} false discoveries over assemblies. Chance keeps the memory of time: "
        + "; ".join(dict.fromkeys(f"{one['null']}" for one in told["of"].values()))
        + ".",
        f"Tuned: {'; '.join(f'{name} {text}' for name, text in words.items())}. Share from which "
        f"on four of five recordings would show it, for the median assembly: {smallest}. Tests "
        f"that take trials or bins for independent would call {plain} tuned (p ≤ {LEVEL:g}), where "
        f"{ours} are here.",
        [
            draw(
                figures.tuning_map.later(names, signed[:, order], tuned[:, order]),
                "Tuning of every assembly to every column and covariate",
            )
        ],
        wide=True,
    )


def _shown(found: Interpretation, told: dict[str, Any], trials: bool, most: int) -> list[int]:
    """Return the places of the names that most assemblies are tuned to, of one kind."""
    mine = np.flatnonzero(found["behaviour/of_trials"].astype(bool) == trials)
    best = found["behaviour/hidden/effect"].max(axis=1)
    number = (found["behaviour/hidden/q_value"] <= LEVEL).sum(axis=1)
    order = mine[np.lexsort((-best[mine], -number[mine]))]
    return [int(place) for place in order[:most]]


def _trials(found: Interpretation, told: dict[str, Any]) -> list[Finding]:
    result = []
    for place in _shown(found, told, True, COLUMNS_SHOWN):
        name, base = told["names"][place], f"behaviour/{place:03d}"
        levels = _levels(found, told["of"][name]["levels"], base)
        unit = int(found[f"{base}/best"][0])
        effect, q_value, smallest = (
            float(found[f"behaviour/hidden/{one}"][place, unit])
            for one in ("effect", "q_value", "smallest")
        )
        seconds = found[f"{base}/seconds"]
        raster = figures.trial_raster.later(
            found[f"{base}/single"][0], found[f"{base}/sorted"], levels, seconds
        )
        mean = found[f"{base}/mean"][:, :, unit]
        mean = np.where(found[f"{base}/counts"] >= FEWEST_AVERAGED, mean, np.nan)
        average = figures.trial_average.later(
            mean, found[f"{base}/stderr"][:, :, unit], levels, seconds
        )
        result.append(
            Finding(
                f"behaviour-trials-{place}",
                f"Trials by {name}",
                f"The assembly of the largest effect, number {unit}: the mean of its hidden unit "
                f"in every trial, sorted by {name} (dark: high), and averaged, with bands of one "
                "standard error over trials.",
                f"{name} explains {effect:.1%} of its variance over trials beyond chance (q = "
                f"{q_value:.2g}; from {smallest:.1%} on it would have been seen).",
                [
                    draw(raster, f"Assembly {unit} in every trial, by {name}", "trials"),
                    draw(average, f"Assembly {unit} on average, by {name}", "average"),
                ],
                wide=True,
            )
        )
    return result


def _levels(found: Interpretation, names: list[str], base: str) -> list[str]:
    thirds = ["lowest third", "middle third", "highest third"]
    return list(names) or thirds[: found[f"{base}/mean"].shape[0]]


def _curves(found: Interpretation, told: dict[str, Any]) -> list[Finding]:
    images: list[Image] = []
    for place in _shown(found, told, False, CURVES_SHOWN):
        name, base = told["names"][place], f"behaviour/{place:03d}"
        effect = found["behaviour/hidden/effect"][place]
        tuned = found["behaviour/hidden/q_value"][place] <= LEVEL
        best = [unit for unit in np.argsort(-effect, kind="stable").tolist() if tuned[unit]][:6]
        if not best:
            continue
        curves = {f"{unit} ({effect[unit]:.0%})": found[f"{base}/curve"][:, unit] for unit in best}
        drawn = figures.tuning_curves.later(found[f"{base}/centres"], curves, name)
        images.append(draw(drawn, f"Tuning curves of assemblies over {name}", name))
    if not images:
        return []
    return [
        Finding(
            "behaviour-curves",
            "Tuning curves",
            "Mean of the hidden unit in each eighth of the covariate, of the assemblies that "
            "follow it most; in brackets the share of variance in bins that the curve was not "
            "fitted to.",
            "",
            images,
            wide=True,
        )
    ]


def _places(found: Interpretation, told: dict[str, Any]) -> list[Finding]:
    """Return the tuned neurons by region, and neurons in the colour of what their assembly does."""
    names = list(told["names"])
    images: list[Image] = []
    labels = found["neurons/region"]
    regions = [
        one for one in sorted(set(labels.tolist()) - {""})
        if (labels == one).sum() >= FEWEST_OF_REGION
    ]  # fmt: skip
    order = [*_shown(found, told, True, REGION_NAMES), *_shown(found, told, False, REGION_NAMES)]
    counts = (found["behaviour/neurons/q_value"] <= LEVEL).sum(axis=1)
    order = sorted(order, key=lambda place: -int(counts[place]))[:REGION_NAMES]
    member, tuned = found.membership, found["behaviour/hidden/q_value"] <= LEVEL
    if regions:
        words = [f"{one} ({int((labels == one).sum())})" for one in regions]
        of_neurons = {
            names[place]: _by_region(
                (found["behaviour/neurons/q_value"] <= LEVEL)[place], labels, regions
            )
            for place in order
        }
        of_members = {
            names[place]: _by_region(member[:, tuned[place]].sum(axis=1) > 0, labels, regions)
            for place in order
        }
        for shares, label, heading in (
            (of_neurons, "share of the region's neurons that are tuned", "tuned neurons"),
            (of_members, "share that belong to a tuned assembly", "members of tuned assemblies"),
        ):
            images.append(draw(figures.tuned_regions.later(words, shares, label), label, heading))
    by_region = (
        "By region: the share of neurons that are tuned, and that are members of an assembly that "
        "is. "
    )
    caption = by_region if images else ""
    known = found["neurons/positioned"].astype(bool)
    if known.sum() > 1:
        caption += (
            "In space: every neuron in the colour of what its strongest assembly is tuned to most "
            "(grey: to nothing)."
        )
        colour = tuned_to(found)
        xyz = found["neurons/xyz_um"]
        first, second = np.sort(np.argsort(-np.ptp(xyz, axis=0), kind="stable")[:2])
        drawn = figures.neuron_colours.later(
            xyz[:, [first, second]], colour[known], ("xyz"[first], "xyz"[second])
        )
        images.append(
            draw(drawn, "Neurons in the colour of what their assembly is tuned to", "in space")
        )
    if not images:
        return []
    return [
        Finding(
            "behaviour-places",
            "Where what is tuned lies",
            caption.strip(),
            "",
            images,
            wide=True,
        )
    ]


def _by_region(chosen: Any, labels: NDArray[Any], regions: list[str]) -> NDArray[np.float64]:
    return np.array([float(chosen[labels == one].mean()) for one in regions])


def _decoding(found: Interpretation, told: dict[str, Any]) -> list[Finding]:
    if "behaviour/decoding/score" not in found:
        return []
    names = [str(one) for one in found["behaviour/decoding/names"]]
    kinds = [str(one) for one in found["behaviour/decoding/units"]]
    score, stderr, chance, high = (
        found[f"behaviour/decoding/{one}"] for one in ("score", "stderr", "chance", "chance_95")
    )
    p_value = found["behaviour/decoding/p_value"]
    images = []
    for measure, label in (
        ("balanced accuracy", "balanced accuracy on the test fold"),
        ("r2", "share of variance on the test fold"),
    ):
        rows = [row for row, one in enumerate(names) if told["decoding"][one]["measure"] == measure]
        if rows:
            scores = {
                kind: [
                    (
                        float(score[row, place]),
                        float(stderr[row, place]),
                        float(chance[row, place]),
                        float(high[row, place]),
                    )
                    for row in rows
                ]
                for place, kind in enumerate(kinds)
            }
            drawn = figures.decoding_scores.later([names[row] for row in rows], scores, label)
            heading = "share of variance" if measure == "r2" else measure
            images.append(draw(drawn, f"Decoding by {label}", heading))
    above = {
        kind: [name for row, name in enumerate(names) if p_value[row, place] <= LEVEL]
        for place, kind in enumerate(kinds)
    }
    nouns = {"hidden": "hidden units", "neurons": "neurons", "components": "components"}
    return [
        Finding(
            "behaviour-decoding",
            "What they tell",
            "Linear models with a squared penalty, trained on the training and validation fold, "
            f"tell behaviour on the test fold, from {told['units']['hidden']} hidden units, all "
            f"{counted(told['units']['neurons'], 'neuron')}, and as many principal components as "
            "hidden units; error over segments. The dark bars are chance: the same with behaviour "
            "broken from the activity.",
            "Above chance (p ≤ 0.05): "
            + "; ".join(
                f"{nouns.get(kind, kind)} tell {listed(some) if some else 'nothing'}"
                for kind, some in above.items()
            )
            + ".",
            images,
            wide=True,
        )
    ]


def _explained(found: Interpretation) -> list[Finding]:
    base = "behaviour/explained"
    if f"{base}/together" not in found:
        return []
    names = [str(one) for one in found[f"{base}/names"]]
    together = found[f"{base}/together"]
    drawn = figures.explained_shares.later(
        names, found[f"{base}/alone"], found[f"{base}/unique"], together
    )
    return [
        Finding(
            "behaviour-explained",
            "What behaviour explains",
            "Share of the variance of the assemblies over bins of the test fold that behaviour "
            "explains: each name alone (columns of the trials beyond the place in the trial), what "
            "is lost without it, and all together. Below 0: worse than the mean.",
            f"All together: {float(np.median(together)):.1%} of the median assembly, "
            f"{float(together.max()):.1%} of the best.",
            [draw(drawn, "Variance explained by each name")],
            wide=True,
        )
    ]
