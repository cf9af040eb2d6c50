"""The part of the page that one zooms and points at: raster and hidden units over the same bins.

The data stand in the page as text, one bit per neuron and bin and one byte per hidden unit and bin,
and a script of our own draws what is in view, so that the page needs no library.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.pages.figures.rasters import region_order
from boltzbrain.pages.page import PageData
from boltzbrain.pages.style import CATEGORIES

MOST_BINS, MOST_NEURONS, MOST_HIDDEN = 1500, 2500, 500


def explore_data(page: PageData) -> dict[str, Any]:
    """Return what the script of the page draws, in the types of JSON.

    Returns
    -------
    dict
        ``fold``; ``bins``, ``neurons``, ``of_neurons``, ``hidden``; ``width_s``; ``breaks``
        (bins at which a segment begins); ``ids`` and ``region`` of each neuron in the order of the
        rows, ``regions`` and their ``colours``; ``raster`` (neuron, bin) bits and
        ``traces`` (hidden, bin) bytes from 0 to 255 between ``low`` and ``high`` of each
        unit, all in base64; ``units``, the numbers of the hidden units.
    """
    reference, segment = page.in_time
    bins = min(MOST_BINS, len(reference))
    states = reference.states[:bins]
    order = region_order(page.regions, reference.states.mean(axis=0))
    kept = np.unique(np.linspace(0, len(order) - 1, min(len(order), MOST_NEURONS)).round())
    order = order[kept.astype(int)]
    names = [page.regions[one] for one in order.tolist()]
    regions = list(dict.fromkeys(names))
    number = {name: place for place, name in enumerate(regions)}
    return {
        "fold": "test" if len(page.test) else "train",
        "bins": bins,
        "neurons": len(order),
        "of_neurons": page.neurons,
        "width_s": page.bin_width_s,
        "breaks": (np.flatnonzero(np.diff(segment[:bins])) + 1).tolist(),
        "ids": [page.neuron_ids[one] for one in order.tolist()],
        "region": [number[name] for name in names],
        "regions": regions,
        "colours": [CATEGORIES[place % len(CATEGORIES)] for place in range(len(regions))],
        "raster": _bits(states[:, order]),
        **_traces(page, bins),
    }


def _traces(page: PageData, bins: int) -> Mapping[str, Any]:
    if page.model is None:
        return {"hidden": 0, "units": [], "traces": "", "low": [], "high": []}
    # the order that the figures of the page have
    order = page.details["dynamics/hidden/order"][:MOST_HIDDEN]
    shown = page.hidden_in_time[:bins][:, order]
    low, high = shown.min(axis=0), shown.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    scaled = ((shown - low) / span * 255).round().astype(np.uint8)
    return {
        "hidden": len(order),
        "units": order.tolist(),
        "traces": base64.b64encode(np.ascontiguousarray(scaled.T).tobytes()).decode("ascii"),
        "low": [round(one, 5) for one in low.astype(float).tolist()],
        "high": [round(one, 5) for one in high.astype(float).tolist()],
    }


def _bits(states: NDArray[np.uint8]) -> str:
    """Return states (bin, neuron) as base64 of (neuron, byte), the first bin in the highest bit."""
    packed = np.packbits(np.ascontiguousarray(states.T), axis=1)
    return base64.b64encode(packed.tobytes()).decode("ascii")
