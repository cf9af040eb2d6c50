"""Clamped hidden units as interpretation.h5 keeps them: changes in steps, chance left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.file import Entries, Entry, Interpretation
from boltzbrain.interpretation.in_silico.clamped_units import clamp_units, low_and_high
from boltzbrain.interpretation.marginal import Floats
from boltzbrain.interpretation.references import some_bins
from boltzbrain.model.rbm import RBM

_AT = "in_silico/clamped"
_LEVELS = 127
_VALUE_BINS = 2000
"""Bins that low and high values are taken from."""


@dataclass(frozen=True, eq=False)
class Clamps:
    """How every neuron's probability to be active changes with each hidden unit held.

    Attributes
    ----------
    values
        (hidden, 2) low and high value at which each unit is held, in the gauge of
        `Interpretation.weights`.
    before
        (neuron,) float32 probability with nothing held.
    change, step
        (hidden, 2, neuron) int8 change of it in steps, 0 where it is not beyond chance; (hidden, 2)
        probability of a step.
    support
        (hidden, 2) effective number of the states that each clamp rests on; None if all were
        summed.
    generated
        Whether these states are samples of the model, or training bins.
    """

    values: Floats
    before: NDArray[np.float32]
    change: NDArray[np.int8]
    step: Floats
    support: Floats | None
    generated: bool


def find_clamps(
    model: RBM, bins: NDArray[np.uint8], samples: NDArray[np.uint8] | None, generator: Generator
) -> Clamps:
    """Hold every hidden unit of a model at its low and its high value.

    Parameters
    ----------
    model
        Two-valued visible units.
    bins
        (bin, neuron) recorded, from which low and high values are taken.
    samples
        (sample, neuron) of the model, that a clamp rests on where the model is too large to be
        summed; recorded bins stand for them if None.
    generator
        Moves on unless everything is summed.
    """
    model = model.in_sign_gauge()
    values = low_and_high(model, some_bins(bins, _VALUE_BINS))
    held = clamp_units(model, values, bins if samples is None else samples, generator)
    told = held.told()
    most = np.abs(told).max(axis=2, initial=0.0).astype(np.float64)
    step: Floats = np.where(most > 0, most, 1.0) / _LEVELS
    change = (told / step[:, :, None].astype(np.float32)).round().astype(np.int8)
    support = None if held.exact else held.support
    return Clamps(
        values, held.before.astype(np.float32), change, step, support, samples is not None
    )


def clamp_entries(clamps: Clamps) -> tuple[Entries, dict[str, Any]]:
    """Return the entries of clamps, and what the summary tells of them."""
    entries = {
        f"{_AT}/values": Entry(
            clamps.values, "(hidden, side) low and high value at which a hidden unit is held"
        ),
        f"{_AT}/before": Entry(clamps.before, "(neuron,) P(active) with nothing held"),
        f"{_AT}/change": Entry(
            clamps.change,
            "(hidden, side, neuron) change of P(active) with the unit held, in steps; 0 where it "
            "is not beyond chance",
        ),
        f"{_AT}/step": Entry(clamps.step, "(hidden, side) probability of a step of the change"),
    }
    if clamps.support is not None:
        entries[f"{_AT}/support"] = Entry(
            clamps.support, "(hidden, side) effective number of states that the change rests on"
        )
    return entries, {"exact": clamps.support is None, "generated": clamps.generated}


def kept_clamps(found: Interpretation) -> Clamps | None:
    """Return what a reading holds of clamps; None where an older version wrote it."""
    told: Mapping[str, Any] | None = found.summary.get("clamped")
    if told is None:
        return None
    return Clamps(
        found[f"{_AT}/values"],
        found[f"{_AT}/before"],
        found[f"{_AT}/change"],
        found[f"{_AT}/step"],
        None if told["exact"] else found[f"{_AT}/support"],
        bool(told["generated"]),
    )
