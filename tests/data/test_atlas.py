"""Regions: overlapping masks merged, hemispheres, and the names of the real atlas files."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from scipy import sparse

from boltzbrain.data.atlas import (
    canonical_name,
    hemisphere_of,
    merge_regions,
    split_hemisphere,
    zbrain_group,
)
from boltzbrain.data.regions import Regions


def masks():
    membership = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]], dtype=np.uint8)
    names = ("Diencephalon - Habenula", "Diencephalon -", "Ganglia")
    return Regions(names, sparse.csr_array(membership), ("", "", ""))


def test_overlapping_masks_merge_into_their_union():
    merged = merge_regions(masks(), zbrain_group)
    assert merged.names == ("Diencephalon", "Ganglia")
    assert merged.membership.dtype == np.uint8
    assert merged.membership.toarray().tolist() == [[1, 0], [1, 0], [0, 1], [0, 0]]


def test_a_table_of_parents_may_drop_and_leaves_others_alone():
    merged = merge_regions(masks(), {"Ganglia": "", "Diencephalon -": "rest"})
    assert merged.names == ("Diencephalon - Habenula", "rest")
    assert merged.counts().tolist() == [1, 2]
    assert merge_regions(masks(), dict.fromkeys(masks().names, "")).names == ()


def test_hemispheres_stay_apart_when_merged():
    membership = sparse.csr_array(np.eye(3, dtype=np.uint8))
    regions = Regions(("a1", "a1", "b1"), membership, ("left", "right", ""))
    merged = merge_regions(regions, lambda name: name[0])
    assert merged.names == ("a_left", "a_right", "b")
    assert merged.hemisphere == ("left", "right", "")


def test_the_side_of_each_neuron_is_that_of_its_position():
    side = hemisphere_of(np.array([1.0, 5.0, 3.0, np.nan]))
    assert side.tolist() == ["left", "right", "right", ""]
    assert hemisphere_of(np.array([1.0, 5.0]), midline_um=9.0).tolist() == ["left", "left"]
    assert hemisphere_of(np.array([np.nan])).tolist() == [""]


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Anterior_reticular_formation_left", ("Anterior_reticular_formation", "left")),
        ("cerebellum RIGHT", ("cerebellum", "right")),
        ("tectum (Left)", ("tectum", "left")),
        ("brightness", ("brightness", "")),
        ("left", ("left", "")),
    ],
)
def test_the_side_of_a_name(name, parts):
    assert split_hemisphere(name) == parts


def test_the_structural_matrix_and_the_labels_name_the_same_regions(shared_data):
    folder = shared_data / "zebrafish"
    with (folder / "connectivity_matrix.csv").open(newline="", encoding="utf-8") as handle:
        matrix = {canonical_name(name) for name in next(csv.reader(handle))[1:]}
    lines = (folder / "region_names_baier_abbreviations.txt").read_text().splitlines()
    labels = {canonical_name(line.rsplit(" ", 1)[0]) for line in lines if line.strip()}
    assert len(matrix) == len(labels) == 72
    assert matrix == labels


def test_the_region_labels_of_a_real_fish(shared_data):
    # code k > 0 is line k of the names; a vector of codes is no recording, and is read as regions
    folder = shared_data / "zebrafish"
    (path,) = folder.glob("baier_rl-region-labels__*.npy")
    codes = np.load(path).astype(np.int64)
    lines = (folder / "region_names_baier_abbreviations.txt").read_text().splitlines()
    names = ["", *(canonical_name(line.rsplit(" ", 1)[0]) for line in lines if line.strip())]
    regions = Regions.from_labels([names[code] for code in codes.tolist()])
    assert len(codes) == 12_372
    assert len(regions.names) == 34
    assert regions.counts().sum() == (codes > 0).sum()
    assert {split_hemisphere(one)[1] for one in regions.names} == {"left", "right"}
