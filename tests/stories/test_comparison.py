"""The page of a comparison: its sentences come from comparison.json, its figures from the maps."""

from __future__ import annotations

import numpy as np
import pytest

from boltzbrain.interpretation.animals.agreement import AverageMap
from boltzbrain.interpretation.animals.compare import Comparison
from boltzbrain.pages.comparison import comparison_words, write_comparison_page
from helpers.browsing import console, open_page, serious_faults

HOSTILE = "</script><b>CA1"


def summary(**more):
    pair = {"mean_similarity": 0.8, "chance": 0.3, "similarity": [0.9, 0.7], "pairs": [[0, 1]]}
    run = {"duration_s": 9.0, "gain": 2.0, "gain_stderr": 0.1, "converged": True}
    return {
        "options": {"kind": "l1"},
        "runs": [
            {**run, "folder": "one", "animal": 0},
            {**run, "folder": "two", "animal": 0},
            {**run, "folder": "three", "animal": 1, "gain": None, "converged": False},
        ],
        "maps": {
            "uniform": {
                "repeats": [{"first": "one", "second": "two", "correlation": 0.95}],
                "animals": [],
            }
        },
        "assemblies": [{"first": "one", "second": "two", "weights": pair, "activity": pair}],
        "structure": {"uniform": {"spearman": 0.4, "mantel_p": 0.01}},
        "reasons": {"maps.ising": "no converged run has this region map"},
        **more,
    }


def test_what_was_found_is_told_in_sentences():
    told = comparison_words(summary())
    assert told[0] == "3 runs of 2 animals; 2 converged, and only these count below."
    assert "two repeats of one animal correlate at 0.95." in told[1]
    assert "resemble each other at 0.80 (by chance 0.30)" in told[2]
    assert "rank correlation of 0.40 (p = 0.01" in told[3]
    undefined = {"uniform": {"spearman": None, "mantel_p": None}}
    for structure in (None, undefined):
        assert len(comparison_words(summary(maps={}, assemblies=[], structure=structure))) == 1


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_opens_and_holds_text_as_text(browser, tmp_path, width):
    counts = np.array([[2, 1], [1, 0]])
    average = AverageMap(("LP", HOSTILE), np.array([[1.0, 0.2], [0.2, 0.0]]), 1.0 * counts, counts)
    found = Comparison(summary(), {"uniform": average, "ising": average})
    open_page(browser, write_comparison_page(found, tmp_path / "comparison.html"), width)
    assert console(browser) == []
    assert browser.execute_script("return document.querySelectorAll('b').length") == 0
    assert browser.execute_script("return document.images.length") == 4
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert "no converged run has this region map" in browser.find_element("tag name", "body").text
    assert serious_faults(browser) == []
