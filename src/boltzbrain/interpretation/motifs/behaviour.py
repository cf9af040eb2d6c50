"""What goes with a motif over time: covariates, and numbers of the trials that hold a window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.behaviour.nulls import SeriesNull
from boltzbrain.interpretation.behaviour.power import false_discoveries
from boltzbrain.interpretation.motifs.affinities import bounds_of
from boltzbrain.interpretation.motifs.changes import Signal

Floats = NDArray[np.float64]

DRAWS = 1000
_FEWEST = 20
"""Windows that must know a name."""


def motifs_and_behaviour(
    time: Floats,
    whose: NDArray[np.int64],
    signals: Mapping[str, Signal],
    window_s: float,
    generator: Generator,
) -> list[dict[str, Any]]:
    """Return how far the strength of motifs over windows goes with behaviour.

    Parameters
    ----------
    time
        (motif, window) strength.
    whose
        (window,) number of the animal of each window; all 0 where all animals share them.
    signals
        Animal to what its neurons did, with its behaviour.
    window_s
        Seconds of a window.
    generator
        Moves on; moves the strength in time.

    Returns
    -------
    list
        A row a motif, animal and name that is told in 20 windows or more and varies: ``motif``,
        ``animal``, ``name``, ``windows``, ``rank_correlation`` of the strength and the mean over
        the window, its ``p_value`` against strengths moved in a circle within segments (or segments
        swapped, `behaviour.nulls.SeriesNull`), and ``q_value`` over all rows of the animal.
    """
    result = []
    for number, (animal, signal) in enumerate(signals.items()):
        bounds = bounds_of(signal, window_s)
        mine = np.flatnonzero(whose == (number if whose.any() else 0))
        null = SeriesNull.of(signal.segment[bounds[:, 0]])
        orders = [null.draw(generator) for _ in range(DRAWS)]
        rows = []
        for name, values in _in_windows(signal, bounds):
            known = np.isfinite(values)
            if known.sum() < _FEWEST or np.ptp(values[known]) == 0:
                continue
            for motif, strength in enumerate(time[:, mine]):
                fixed = _unit(rankdata(values[known]))
                # ranks over all windows, so that they are found once and not for every draw
                ranks = rankdata(strength)
                rho = float(_unit(ranks[known]) @ fixed)
                drawn = np.array([_unit(ranks[one][known]) @ fixed for one in orders])
                beyond = int((np.abs(drawn) >= abs(rho) - 1e-12).sum())
                rows.append(
                    {
                        "motif": motif,
                        "animal": animal,
                        "name": name,
                        "windows": int(known.sum()),
                        "rank_correlation": rho,
                        "p_value": (1 + beyond) / (1 + DRAWS),
                    }
                )
        q_values = false_discoveries(np.array([one["p_value"] for one in rows]))
        result += [{**one, "q_value": float(q)} for one, q in zip(rows, q_values, strict=True)]
    return result


def _in_windows(signal: Signal, bounds: NDArray[np.int64]) -> Iterator[tuple[str, Floats]]:
    """Yield every name of numbers and its mean in every window, NaN where it is not known."""
    behaviour = signal.behaviour
    for name in () if behaviour is None else behaviour.names:
        assert behaviour is not None
        values = behaviour.values(name)
        if values.dtype.kind != "f":
            continue
        known = np.isfinite(values)
        sums = np.cumsum(np.r_[0.0, np.where(known, values, 0.0)])
        counts = np.cumsum(np.r_[0, known])
        total = sums[bounds[:, 1]] - sums[bounds[:, 0]]
        number = counts[bounds[:, 1]] - counts[bounds[:, 0]]
        yield name, np.where(number > 0, total / np.maximum(number, 1), np.nan)


def _unit(values: Floats) -> Floats:
    centred = values - values.mean()
    size = float(np.linalg.norm(centred))
    found: Floats = centred / size if size > 0 else centred
    return found
