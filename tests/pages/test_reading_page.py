"""The reading on the page, at the size of a whole zebrafish brain."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from boltzbrain.data.regions import Regions
from boltzbrain.evaluation.bins import BinSet
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.couplings.all_pairs import no_entries
from boltzbrain.interpretation.couplings.low_rank import LowRank
from boltzbrain.interpretation.file import Entry, Interpretation, map_entries, pair_entries
from boltzbrain.interpretation.regions.maps import RegionMaps
from boltzbrain.pages.page import PageData
from boltzbrain.pages.panels.findings import assembly_findings, coupling_findings
from boltzbrain.pages.panels.interpretation import interpretation_section
from boltzbrain.pages.panels.tables import interpretation_tables
from boltzbrain.sampling.synthetic import random_model

NEURONS, UNITS, REGIONS = 40_000, 200, 72


def interpretation() -> Interpretation:
    """A reading of the right shapes; its numbers are noise."""
    generator = np.random.default_rng(0)
    labels = np.array([f"region {number}" for number in generator.integers(0, REGIONS, NEURONS)])
    modes = generator.standard_normal((NEURONS, 3)).astype(np.float32)
    pairs = LowRank(modes, np.ones(3), no_entries(modes.shape), no_entries((NEURONS, NEURONS)))
    weights = generator.standard_normal((NEURONS, UNITS)).astype(np.float32) ** 3
    strongest = np.abs(weights).argmax(axis=1)
    membership = np.zeros((NEURONS, UNITS), dtype=np.uint8)
    membership[np.arange(NEURONS), strongest] = 1
    values: dict[str, np.ndarray] = {
        "couplings/fields": generator.standard_normal(NEURONS),
        "couplings/data/fields": generator.standard_normal(NEURONS),
        "couplings/partners": generator.integers(0, NEURONS, (NEURONS, 10)),
        "couplings/partner_values": generator.standard_normal((NEURONS, 10)),
        "couplings/triplets/values": generator.standard_normal(500),
        "regions/names": np.unique(labels).astype(object),
        "assemblies/weights": weights,
        "assemblies/scale": np.ones(UNITS),
        "assemblies/membership": membership,
        "assemblies/threshold": np.ones(UNITS),
        "assemblies/sizes": membership.sum(axis=0, dtype=np.int64),
        "assemblies/order": np.arange(UNITS),
        "assemblies/mean_activity": np.zeros(UNITS),
        "assemblies/region_names": np.unique(labels).astype(object),
        "assemblies/region_occupancy": np.abs(generator.standard_normal((UNITS, REGIONS))),
        "assemblies/effective_regions": np.ones(UNITS),
        "assemblies/spans": np.array(["region 1, region 2"] * UNITS, dtype=object),
        "neurons/id": np.array([f"neuron-{n}" for n in range(NEURONS)], dtype=object),
        "neurons/region": labels.astype(object),
        "neurons/rate": generator.random(NEURONS),
        "neurons/strongest_assembly": strongest,
        "neurons/xyz_um": generator.uniform(0, 1000, (NEURONS, 3)),
        "neurons/positioned": np.ones(NEURONS, dtype=np.uint8),
    }
    for name in ("thresholds", "fraction", "shuffled", "shuffled_deviation"):
        values[f"assemblies/embedding/{name}"] = np.linspace(0.1, 1, 5)
    for name in ("update", "fields", "pairs", "triplets", "triplets_stderr"):
        values[f"couplings/norms/{name}"] = np.arange(1.0, 4.0)
    entries = {name: Entry(array, "noise") for name, array in values.items()}
    names = tuple(str(name) for name in np.unique(labels))
    square = np.abs(generator.standard_normal((REGIONS, REGIONS)))
    counts = Regions.from_labels(labels).counts()
    maps = RegionMaps(names, counts, np.outer(counts, counts), square, square, square)
    entries["regions/counts"] = Entry(maps.counts, "noise")
    entries["regions/pairs"] = Entry(maps.pairs, "noise")
    for reference in ("uniform", "data"):
        entries |= pair_entries(pairs, reference, "noise")
        entries |= map_entries(maps, reference, "noise", "1")
    told = {"neurons": 9, "mean": 0.1, "deviation": 1.0, "skewness": None, "count_ratio": 1.5,
            "strength_ratio": None}  # fmt: skip
    norms = {"fields": 1.0, "pairs": 1.0, "triplets": 1.0, "explained": None}
    summary = {
        "couplings": {"norms": norms, "strong_pairs": 9, "strong_pairs_that_change_sign": 0.1},
        "assemblies": {"embedded": 1.0, "rule": "one_per_neuron", "median_size": 200.0},
        "regions": {
            "distributions": {"J": [{"name": str(name), **told} for name in maps.names]},
            "label_tests": {},
        },
    }
    return Interpretation(entries, summary)


@pytest.fixture(scope="module")
def page() -> PageData:
    model = random_model("drelu", NEURONS, UNITS, Generator.from_seed(0), weight_std=0.1)
    states = (np.random.default_rng(1).random((30, NEURONS)) < 0.02).astype(np.uint8)
    bins = BinSet(states, np.arange(30))
    return PageData(
        title="fish", card=[], plan=[], log=pd.DataFrame(), chosen_update=3, evaluation={},
        train=bins, test=bins, generated=bins, test_segment=np.zeros(30, dtype=np.int32),
        bin_width_s=0.4, regions=[""] * NEURONS, neuron_ids=[""] * NEURONS, model=model,
        interpretation=interpretation(),
    )  # fmt: skip


def test_a_whole_brain_fits_on_the_page(page):
    found = interpretation_section(page)
    size = len(found.data)
    size += sum(len(image.address) for one in found.findings for image in one.images)
    # the panels of the evaluation take a few megabytes of the 15
    assert size < 10e6
    assert "</script" not in found.data
    data = json.loads(found.data)
    assert len(data["neurons"]["known"]) == NEURONS
    assert sum(len(one["members"]) for one in data["assemblies"]["units"]) == NEURONS
    assert data["tables"]["regions"]["columns"][4][0] is None
    assert [len(column) for column in data["tables"]["neurons"]["columns"]] == [NEURONS] * 7


def with_region(read: Interpretation, name: str) -> Interpretation:
    labels = np.array([name] * NEURONS, dtype=object)
    return replace(read, entries={**read.entries, "neurons/region": Entry(labels, "one")})


@pytest.mark.parametrize("name", ["", "CA1"])
def test_no_column_and_no_word_is_of_regions_where_there_are_none_to_tell_apart(name, page):
    read = with_region(page.interpretation, name)
    tables = interpretation_tables(read)
    heads = [
        head for table in ("assemblies", "couplings", "neurons") for head in tables[table].heads
    ]
    assert not [head for head in heads if "region" in head]
    assert "egion" not in tables["assemblies"].words
    (assemblies,) = assembly_findings(read)
    assert [image.heading for image in assemblies.images] == ["embedded"]
    assert "egion" not in assemblies.caption


def test_what_is_too_small_to_be_seen_is_told_and_not_drawn(page):
    read = page.interpretation
    small = 1e-9 * read["couplings/triplets/values"]
    read = replace(
        read, entries={**read.entries, "couplings/triplets/values": Entry(small, "small")}
    )
    for one, headings in (
        (page.interpretation, ["fields", "pairs", "triplets"]),
        (read, ["fields", "pairs"]),
    ):
        found = coupling_findings(one, 3)[0]
        assert [image.heading for image in found.images] == headings
        assert ("triplets" in found.caption) == (len(headings) == 3)
    assert "triplets are below a thousandth" in found.found


def test_nothing_is_added_before_the_model_is_read(page):
    assert interpretation_section(replace(page, interpretation=None)) is None
