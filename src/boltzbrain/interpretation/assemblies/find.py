"""The assemblies of a model as they are kept in interpretation.h5."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity
from boltzbrain.data.regions import Regions
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.assemblies.assemblies import (
    Assemblies,
    assemblies_by_rule,
    hidden_activity,
    hidden_deviation,
    known_assemblies,
    order_by_activity,
)
from boltzbrain.interpretation.assemblies.membership import (
    compactness,
    effective_regions,
    embedding,
    region_occupancy,
    spanned_regions,
)
from boltzbrain.interpretation.choices import Choices
from boltzbrain.interpretation.file import Entries, Entry
from boltzbrain.interpretation.marginal import Floats
from boltzbrain.interpretation.references import some_bins
from boltzbrain.model.rbm import RBM

_BINS = 5000
_COMPACT_SHUFFLES = 200
_SHUFFLED_WEIGHTS = 50_000_000
_POSITION = ("x_um", "y_um", "z_um")


def find_assemblies(
    model: RBM,
    activity: Activity,
    regions: Regions | None,
    choices: Choices,
    generator: Generator,
    members: NDArray[np.bool_] | None = None,
) -> tuple[Entries, dict[str, Any], Assemblies]:
    """Return members, weights, regions and places of every assembly, their summary, themselves."""
    states = activity.states_of("train")
    weights, scale, found = assemblies_of(model, states, choices, members)
    activity_of = hidden_activity(model.in_sign_gauge(), some_bins(states, _BINS))
    top = np.where(np.isfinite(found.threshold), found.threshold, 0.0)
    entries: Entries = {
        "assemblies/weights": Entry(
            weights.astype(np.float32), "(neuron, hidden) weights, each unit's summing to 0 or "
            "more where its kind has a mirror image"
        ),
        "assemblies/scale": Entry(
            scale, "(hidden,) standard deviation of continuous hidden units over training bins, by "
            "which weights are multiplied before members are chosen; 1 for two-valued units"
        ),
        "assemblies/membership": Entry(
            found.membership.astype(np.uint8), f"(neuron, hidden) 1 for members, by {found.rule}"
        ),
        "assemblies/threshold": Entry(
            top, "(hidden,) least size of a member's scaled weight; 0 for a unit without members"
        ),
        "assemblies/sizes": Entry(found.sizes, "(hidden,) members"),
        "assemblies/order": Entry(
            order_by_activity(activity_of), "(hidden,) units by Ward's clustering of their activity"
        ),
        "assemblies/mean_activity": Entry(
            activity_of.mean(axis=0, dtype=np.float64), "(hidden,) mean of h over training bins"
        ),
        "neurons/strongest_assembly": Entry(
            found.strongest, "(neuron,) assembly of the largest scaled weight, -1 for none"
        ),
    }  # fmt: skip
    entries.update(_embedding(found, generator.child("embedding")))
    summary: dict[str, Any] = {
        "rule": found.rule,
        "embedded": found.embedded,
        "median_size": float(np.median(found.sizes)),
        "empty": int((found.sizes == 0).sum()),
    }
    if regions is not None and len(regions.names):
        occupancy = region_occupancy(found.weights, regions)
        spans = [", ".join(names) for names in spanned_regions(found.membership, regions)]
        effective = effective_regions(occupancy)
        summary["median_effective_regions"] = float(np.median(effective))
        entries["assemblies/region_names"] = Entry(
            np.array(regions.names, dtype=object), "(region,) every region of the atlas"
        )
        entries["assemblies/region_occupancy"] = Entry(
            occupancy, "(hidden, region) summed size of the scaled weights of a region's neurons, "
            "divided by their number (van der Plas et al. 2023, regional occupancy)"
        )  # fmt: skip
        entries["assemblies/effective_regions"] = Entry(
            effective, "(hidden,) participation ratio of the occupancy (eq. 19)"
        )
        entries["assemblies/spans"] = Entry(
            np.array(spans, dtype=object),
            "(hidden,) regions that hold a tenth of the members or more, most first",
        )
    xyz = positions(activity)
    if np.isfinite(xyz).all(axis=1).sum() > 1:
        entries.update(_compactness(found, xyz, generator.child("compactness")))
    return entries, summary, found


def assemblies_of(
    model: RBM,
    states: NDArray[np.uint8],
    choices: Choices,
    members: NDArray[np.bool_] | None = None,
) -> tuple[Floats, Floats, Assemblies]:
    """Return weights (neuron, hidden), what they are multiplied by (hidden,), and assemblies.

    Where training knows the members and no rule is asked for, they are these: its many small
    weights onto other neurons only undo what shared neurons do.

    Parameters
    ----------
    model, choices, members
        As in `interpret_model`.
    states
        (bin, neuron) training bins.
    """
    weights = model.in_sign_gauge().weights.to("cpu").numpy().astype(np.float64)
    values = model.hidden.all_states()
    # the size of a continuous unit is free, that of a two-valued one is not
    scale = hidden_deviation(model, states) if values is None else np.ones(weights.shape[1])
    if members is not None and "rule" not in choices.model_fields_set:
        return weights, scale, known_assemblies(weights * scale, members)
    return weights, scale, assemblies_by_rule(weights * scale, choices.rule, choices.threshold)


def positions(activity: Activity) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the positions of all neurons, (neuron, 3) micrometres, NaN where unknown."""
    if not set(_POSITION) <= set(activity.neurons):
        return np.full((activity.n_neurons, 3), np.nan)
    return activity.neurons[list(_POSITION)].to_numpy(dtype=np.float64)


def _embedding(found: Assemblies, generator: Generator) -> Entries:
    largest = float(np.abs(found.weights).max(initial=0.0))
    thresholds = np.geomspace(0.02, 1.0, 25) * (largest or 1.0)
    # as many shuffles as take some seconds; the size of the model decides, on any machine alike
    shuffles = min(20, max(2, _SHUFFLED_WEIGHTS // found.weights.size))
    curve = embedding(found.weights, thresholds, generator, shuffles=shuffles)
    what = "of neurons with a scaled weight of at least the threshold"
    return {
        "assemblies/embedding/thresholds": Entry(curve.thresholds, "(threshold,) size of a weight"),
        "assemblies/embedding/fraction": Entry(curve.fraction, f"(threshold,) fraction {what}"),
        "assemblies/embedding/shuffled": Entry(
            curve.shuffled, f"(threshold,) mean fraction {what}, all weights shuffled"
        ),
        "assemblies/embedding/shuffled_deviation": Entry(
            curve.shuffled_deviation, "(threshold,) its standard deviation over shuffles"
        ),
    }


def _compactness(
    found: Assemblies, xyz: np.ndarray[Any, np.dtype[np.float64]], generator: Generator
) -> Entries:
    told = compactness(found.membership, xyz, generator, shuffles=_COMPACT_SHUFFLES)
    has = np.flatnonzero(told.members >= 2)
    where = "assemblies/compactness"
    return {
        f"{where}/assembly": Entry(has, "(row,) assemblies of 2 or more members with a position"),
        f"{where}/radius_um": Entry(
            told.radius_um[has],
            "(row,) root mean square distance of members from their centre",
            "um",
        ),
        f"{where}/chance_um": Entry(
            told.chance_um[has], "(row,) mean of that over random sets of as many neurons", "um"
        ),
        f"{where}/p_value": Entry(
            told.p_value[has], "(row,) chance of a random set to be as compact, one-sided"
        ),
    }
