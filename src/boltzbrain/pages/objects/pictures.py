"""The small pictures of objects in a notebook."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, cast

import numpy as np

from boltzbrain.data.regions import Regions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

MOST_BINS, MOST_NEURONS = 500, 150
"""What a small raster shows of a recording: its first bins, and neurons spread over all."""


def picture_of_states(
    states: NDArray[np.uint8], bin_width_s: float, regions: Mapping[str, Regions]
) -> str:
    """Return the raster of the first bins, neurons by region and rate.

    Parameters
    ----------
    states
        (bin, neuron) the first bins, 0 where silent.
    bin_width_s
        Seconds per bin.
    regions
        Atlas name to `Regions`; the first is shown.
    """
    from boltzbrain.pages.figures.rasters import raster, region_order

    atlas = next(iter(regions.values()), None)
    labels = [""] * states.shape[1] if atlas is None else atlas.labels().tolist()
    some = np.linspace(0, states.shape[1] - 1, min(states.shape[1], MOST_NEURONS)).astype(int)
    active = (states[:, some] > 0).astype(np.uint8)
    names = [labels[one] for one in some.tolist()]
    order = region_order(names, active.mean(axis=0))
    drawn = raster(active[:, order], [names[one] for one in order.tolist()], bin_width_s)
    return _png(drawn)


def picture_of_traces(frames: NDArray[np.float32], frame_s: float) -> str:
    """Return some traces, (frame, neuron), one above the other."""
    from matplotlib.figure import Figure

    from boltzbrain.pages.style import TEST, house_style

    with house_style():
        ax = Figure(figsize=(3.4, 2.6), layout="constrained").add_subplot()
        time = np.arange(len(frames)) * frame_s
        for row, trace in enumerate(frames.T):
            span = float(np.nanmax(trace) - np.nanmin(trace)) if np.isfinite(trace).any() else 0.0
            scaled = (trace - np.nanmin(trace)) / span if span > 0 else np.zeros(len(trace))
            ax.plot(time, 0.9 * scaled - row, color=TEST, linewidth=0.6)
        ax.set_yticks([])
        ax.set_xlabel("time (s)")
        ax.set_ylabel(f"{frames.shape[1]} neurons")
    return _png(ax)


def picture_of_training(log: pd.DataFrame, chosen: int | None) -> str:
    """Return the training curve of log.csv, one row or more."""
    from boltzbrain.pages.figures.training import training_curve

    return _png(training_curve(log, chosen))


def picture_of_scores(
    names: Sequence[str], values: Sequence[float], errors: Sequence[float]
) -> str:
    """Return scores with their errors side by side, in nats per bin."""
    from matplotlib.figure import Figure

    from boltzbrain.pages.style import TEST, house_style

    with house_style():
        ax = Figure(figsize=(2.6, 2.4), layout="constrained").add_subplot()
        ax.errorbar(range(len(names)), values, yerr=errors, fmt="o", color=TEST, capsize=3)
        ax.set_xticks(range(len(names)), names, rotation=20)
        ax.margins(x=0.25, y=0.25)
        ax.set_ylabel("log-likelihood (nats per bin)")
    return _png(ax)


def picture_of_map(
    names: Sequence[str], counts: NDArray[np.int64], values: NDArray[np.float64]
) -> str:
    """Return the map of |J| between regions, (region, region)."""
    from boltzbrain.pages.figures.couplings import region_map

    return _png(region_map(names, counts, values, "mean |J| (nats)"))


def picture_of_courses(
    courses: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]],
) -> str:
    """Return the strength of motifs over the time of the first animal, by name."""
    from boltzbrain.pages.figures.motifs import motif_course

    return _png(motif_course(courses))


def _png(ax: Axes) -> str:
    from matplotlib.figure import Figure

    from boltzbrain.pages.style import house_style

    with house_style(), io.BytesIO() as buffer:
        cast(Figure, ax.figure).savefig(buffer, format="png", dpi=110)
        content = base64.b64encode(buffer.getvalue()).decode("ascii")
        return f"data:image/png;base64,{content}"
