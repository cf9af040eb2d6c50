"""Populations that a stimulus drives, that are coupled, and that do neither."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.special import expit

from boltzbrain.data.activity import Activity
from boltzbrain.data.behaviour.covariates import BinnedCovariate
from boltzbrain.data.regions import Regions
from helpers.activities import activity_of

EACH, TRIAL = 6, 20
"""Neurons of a population, and bins of a trial."""


def driven_and_coupled(bins: int = 6000, seed: int = 0) -> Activity:
    """Return activity of three populations, each a region: driven, coupled, alone.

    The driven ones follow the side of the stimulus of each trial and nothing else; the coupled ones
    share an assembly that is on in three of ten bins. Beside `side` and `contrast` there are
    `idle`, a column of one level, and covariates `speed`, which is nothing to anybody, and `gaps`.
    """
    rng = np.random.default_rng(seed)
    trials = bins // TRIAL
    right = rng.random(trials) < 0.5
    on = rng.random(bins) < 0.3
    odds = np.full((bins, 3 * EACH), -1.4)
    odds[:, :EACH] += np.where(right, 1.3, -1.3).repeat(TRIAL)[:, None]
    odds[:, EACH : 2 * EACH] += 2.6 * (on[:, None] - 0.3)
    states = (rng.random(odds.shape) < expit(odds)).astype(np.uint8)
    made = activity_of(states, segment_bins=TRIAL)
    first = np.arange(trials) * TRIAL
    table = pd.DataFrame(
        {
            "start_s": first * made.bin_width_s,
            "stop_s": (first + TRIAL) * made.bin_width_s,
            "first_bin": first,
            "stop_bin": first + TRIAL,
            "side": np.where(right, "right", "left").astype(object),
            "contrast": np.where(right, 1.0, 0.25),
            "idle": np.zeros(trials),
        }
    )
    speed = rng.normal(size=bins)
    series = {
        "speed": BinnedCovariate(speed, "cm/s"),
        "gaps": BinnedCovariate(np.where(np.arange(bins) % 10, speed, np.nan)),
    }
    regions = {"atlas": Regions.from_labels(np.repeat(["driven", "coupled", "alone"], EACH))}
    return replace(made, trials=table, covariates=series, regions=regions)
