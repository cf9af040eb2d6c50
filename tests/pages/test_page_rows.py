"""The rows of the data card on the page: steps of the preprocessing in words."""

from __future__ import annotations

import numpy as np

from boltzbrain.data.activity import Activity
from boltzbrain.data.recording import neuron_table
from boltzbrain.data.steps import Source, Step
from boltzbrain.pages.page import card_rows


def rows_of(*steps):
    states = np.random.default_rng(0).integers(0, 2, (40, 3)).astype(np.uint8)
    activity = Activity(
        states, 0.02, np.zeros(40, np.int32), np.zeros(40, np.int8),
        neuron_table(["a", "b", "c"]), {}, steps, Source("simulated", "memory", ""),
    )  # fmt: skip
    return dict(card_rows(activity))


def test_what_a_list_holds_is_named():
    said = rows_of(
        Step(
            "drop_rare_neurons",
            {
                "min_active_bins": 20,
                "dropped": [str(one) for one in range(24)],
                "kept": 3,
                "never_active": ["294"],
                "always_active": [],
            },
        ),
        Step("binarize", {"segments_dropped": [3, 8]}),
    )
    assert said["step: drop rare neurons"] == (
        "min active bins 20, dropped 24 neurons, kept 3, never active 1 neuron: 294"
    )
    assert said["step: binarize"] == "segments dropped 2 segments: 3; 8"


def test_the_sensitivity_is_one_readable_line():
    table = [
        {"threshold": 2.0, "rate": 0.242277, "correlation": 0.1, "lag1": 0.1, "agreement": None},
        {"threshold": 4.0, "rate": 0.0512, "correlation": 0.1, "lag1": 0.1, "agreement": 1.0},
    ]
    said = rows_of(Step("deconvolve", {"method": "bsd", "sensitivity": table}))
    assert said["step: deconvolve"] == (
        "method bsd, sensitivity of the events per neuron and frame to the threshold "
        "(0.24 at 2, 0.051 at 4)"
    )
