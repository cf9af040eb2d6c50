"""Functional against structural maps, and several animals: planted relations and their absence."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from boltzbrain.data.regions import Regions
from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.animals.agreement import (
    average_maps,
    map_agreement,
    match_assemblies,
)
from boltzbrain.interpretation.animals.structure import (
    RegionMatrix,
    compare_with_structure,
    match_names,
    read_structure,
    structural_estimate,
)
from boltzbrain.interpretation.regions.maps import RegionMaps, region_maps


def anatomy(regions: int, seed: int) -> RegionMatrix:
    """Log-normal strengths, two thirds of the pairs unconnected."""
    generator = np.random.default_rng(seed)
    values = np.exp(generator.standard_normal((regions, regions)))
    values *= generator.random((regions, regions)) < 1 / 3
    upper = np.triu(values)
    names = tuple(f"region {number}" for number in range(regions))
    return RegionMatrix(names, upper + np.triu(upper, 1).T)


def functional(structure: RegionMatrix, weight: float, seed: int) -> np.ndarray:
    """Positive values that follow the structure with the given weight."""
    noise = np.random.default_rng(seed).standard_normal(structure.values.shape)
    upper = np.triu(np.exp(weight * np.log1p(structure.values) + 0.5 * noise - 3))
    return upper + np.triu(upper, 1).T


def write_csv(path, names, values, rows=None):
    lines = ["," + ",".join(names)]
    for name, row in zip(rows or names, values, strict=True):
        lines.append(name + "," + ",".join(f"{value:.17g}" for value in row))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_matrix_is_read_as_it_was_written(tmp_path):
    one = anatomy(6, 0)
    path = write_csv(tmp_path / "s.csv", one.names, one.values)
    back = read_structure(path)
    assert back.names == one.names
    np.testing.assert_array_equal(back.values, one.values)


def test_the_published_matrix_and_its_labels_fit_without_loss(shared_data):
    folder = shared_data / "zebrafish"
    structure = read_structure(folder / "connectivity_matrix.csv")
    assert len(structure.names) == 72
    lines = (folder / "region_names_baier_abbreviations.txt").read_text(encoding="utf-8")
    labels = tuple(line.split()[0] for line in lines.splitlines())
    place = match_names(labels, structure.names)
    assert sorted(place.tolist()) == list(range(72))
    # and each to itself: "Cerebellum_left" to "cerebellum_LEFT"
    same = [labels[n].lower() == structure.names[place[n]].lower() for n in range(72)]
    assert sum(same) >= 70


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda n, v: (n, -v, None), "finite values from 0"),
        (lambda n, v: (n, v + np.triu(np.ones(v.shape), 1), None), "symmetric"),
        (lambda n, v: ((*n[:-1], "Region_0"), v, None), "name every region once"),
        (lambda n, v: (n, v, ("other", *n[1:])), "be named as column 2, region 0"),
        (lambda n, v: (n, v[:, :3], None), "have 6 cells"),
    ],
)
def test_a_damaged_matrix_is_refused_with_the_name_of_the_file(tmp_path, change, words):
    one = anatomy(5, 1)
    names, values, rows = change(one.names, one.values)
    path = write_csv(tmp_path / "s.csv", names, values, rows)
    with pytest.raises(InputError, match=words) as told:
        read_structure(path)
    assert "s.csv" in str(told.value)


def test_a_missing_file_or_a_word_for_a_number_is_refused(tmp_path):
    with pytest.raises(InputError, match="csv file that can be read"):
        read_structure(tmp_path / "none.csv")
    (tmp_path / "s.csv").write_text(",a,b\na,1,x\nb,x,1\n")
    with pytest.raises(InputError, match="row 2 must hold numbers"):
        read_structure(tmp_path / "s.csv")
    (tmp_path / "s.csv").write_text(",a,b\n")
    with pytest.raises(InputError, match="row of names and rows of values"):
        read_structure(tmp_path / "s.csv")


def test_a_map_that_follows_the_structure_is_told_from_one_that_does_not():
    structure = anatomy(30, 2)
    generator = Generator.from_seed(0)
    planted = compare_with_structure(
        structure.names, functional(structure, 1.0, 3), structure, generator, permutations=2000
    )
    assert planted.mantel_p < 1e-3
    assert planted.spearman > 0.4
    assert planted.spearman_all > 0.4
    assert planted.pearson_log > 0.4
    assert planted.distance_p < 1e-6
    # the more, the likelier: the evidence for a connection rises with the functional strength
    evidence = planted.evidence(np.array([0.02, 0.1, 0.5]))
    assert (np.diff(evidence) > 0).all()
    # 30 maps without relation: more than 8 of them below 0.1 has a chance of 2e-3
    found = [
        compare_with_structure(
            structure.names, functional(structure, 0.0, 100 + seed), structure, generator,
            permutations=99,
        ).mantel_p
        for seed in range(30)
    ]  # fmt: skip
    assert (np.array(found) <= 0.1).sum() <= 8


def test_the_comparison_is_that_of_plain_scipy():
    structure = anatomy(12, 5)
    values = functional(structure, 0.7, 6)
    # regions in another order and spelling, two of them unknown to the structure
    order = np.random.default_rng(0).permutation(12)
    names = (*(f"REGION_{n}" for n in order), "elsewhere", "nowhere")
    whole = np.full((14, 14), 0.3)
    whole[:12, :12] = values[np.ix_(order, order)]
    found = compare_with_structure(names, whole, structure, Generator.from_seed(1), permutations=50)
    upper = np.triu_indices(12, 1)
    x, y = values[upper], structure.values[upper]
    has = y > 0
    assert (found.pairs, found.connected) == (66, int(has.sum()))
    assert found.names == names[:12]
    expected = stats.spearmanr(x[has], y[has])
    assert found.spearman == pytest.approx(expected.statistic)
    assert found.spearman_p == pytest.approx(expected.pvalue)
    assert found.spearman_all == pytest.approx(stats.spearmanr(x, y).statistic)
    assert found.pearson_log == pytest.approx(np.corrcoef(np.log(x[has]), np.log(y[has]))[0, 1])
    gap = stats.ks_2samp(x[has], x[~has])
    assert (found.distance, found.distance_p) == (gap.statistic, pytest.approx(gap.pvalue))
    density = [
        stats.norm(np.log(g).mean(), np.log(g).std()).pdf(np.log(0.2)) for g in (x[has], x[~has])
    ]
    assert found.evidence(np.array([0.2]))[0] == pytest.approx(density[0] / density[1])
    # the null is Spearman's correlation with the rows and columns of the map permuted
    generator, here = Generator.from_seed(1), whole[:12, :12]
    there = structure.values[np.ix_(order, order)][upper]
    for value in found.null[:10]:
        shuffle = generator.permutation(12)
        slow = stats.spearmanr(here[np.ix_(shuffle, shuffle)][upper], there).statistic
        assert value == pytest.approx(slow)
    assert found.mantel_p == (1 + (found.null >= found.spearman_all - 1e-12).sum()) / 51


def test_figures_without_data_are_none_and_strangers_are_refused():
    generator = Generator.from_seed(0)
    full = RegionMatrix(tuple("abcd"), np.ones((4, 4)))
    found = compare_with_structure(
        full.names, functional(full, 1.0, 0), full, generator, permutations=10
    )
    assert (found.spearman, found.mantel_p, found.distance, found.log_means) == (None,) * 4
    assert found.evidence(np.array([0.1])) is None
    with pytest.raises(InputError, match=r"share at least 3 regions.*did you mean"):
        compare_with_structure(("region 1x", "b", "c"), np.ones((3, 3)), anatomy(5, 0), generator)


def test_structural_estimate_is_equation_20():
    generator = np.random.default_rng(7)
    neurites, soma = generator.random((20, 4)), generator.integers(-1, 3, 20)
    volumes, names = 1 + generator.random(4), tuple("abcd")
    found = structural_estimate(neurites, soma, volumes, names)
    for one in range(4):
        for two in range(4):
            ways = []
            for here, there in ((one, two), (two, one)):
                mine = [n for n in range(20) if soma[n] == here]
                if mine:
                    total = sum(neurites[n, there] for n in mine)
                    ways.append(total / (volumes[there] * len(mine)))
            # nobody was traced in the last region: only the other direction is known
            assert found.values[one, two] == pytest.approx(np.mean(ways) if ways else 0.0)
    for bad in ({"volumes": np.zeros(4)}, {"soma": np.full(20, 4)}, {"neurites": neurites[:, :3]}):
        with pytest.raises(InputError):
            structural_estimate(
                **{"neurites": neurites, "soma": soma, "volumes": volumes, "names": names, **bad}
            )


def maps_of(labels: list[str], seed: int, common: np.ndarray | None = None) -> RegionMaps:
    neurons = len(labels)
    values = np.random.default_rng(seed).standard_normal((neurons, neurons))
    values = values + values.T if common is None else common + 0.2 * (values + values.T)
    return region_maps(values, Regions.from_labels(labels), min_neurons=2)


def test_average_over_animals_is_equation_22():
    one = maps_of(["A_left"] * 4 + ["b"] * 3 + ["c"] * 2, 0)
    two = maps_of(["a LEFT"] * 2 + ["b"] * 6, 1)
    found = average_maps([one, two], [100.0, 50.0])
    assert found.names == ("A_left", "b", "c")
    weight = 100 * (4 + 3) / 2, 50 * (2 + 6) / 2
    expected = (weight[0] * one.l1[0, 1] + weight[1] * two.l1[0, 1]) / sum(weight)
    assert found.values[0, 1] == pytest.approx(expected)
    assert found.values[1, 2] == pytest.approx(one.l1[1, 2])
    assert found.weight[0, 1] == pytest.approx(sum(weight))
    assert found.animals.tolist() == [[2, 2, 1], [2, 2, 1], [1, 1, 1]]
    with pytest.raises(InputError, match="one entry per map"):
        average_maps([one], [1.0, 2.0])
    with pytest.raises(InputError, match="durations_s"):
        average_maps([one], [0.0])


def test_maps_of_animals_agree_where_they_share_something():
    labels = [f"r{number // 4}" for number in range(40)]
    block = 1 + np.random.default_rng(0).standard_normal((10, 10)) ** 2
    common = np.kron(block + block.T, np.ones((4, 4)))
    found = map_agreement([maps_of(labels, 1, common), maps_of(labels, 2, common)])[0]
    assert (found.regions, found.pairs) == (10, 55)
    assert found.correlation > 0.9
    assert found.log_correlation > 0.9
    # without anything in common, 55 pairs: |r| above 0.5 has a chance of 1e-4
    other = map_agreement([maps_of(labels, 1), maps_of(labels, 2)])[0]
    assert abs(other.correlation) < 0.5
    few = map_agreement([maps_of(["a"] * 5, 0), maps_of(["a"] * 3, 1)])[0]
    assert (few.regions, few.correlation) == (1, None)


def test_assemblies_are_found_again_in_another_order_and_sign():
    generator = np.random.default_rng(0)
    first = generator.standard_normal((200, 8)) ** 3
    order = generator.permutation(8)
    sign = np.where(generator.random(8) < 0.5, -1.0, 1.0)
    second = (first + 0.3 * generator.standard_normal(first.shape))[:, order] * sign
    found = match_assemblies(first, second, Generator.from_seed(0))
    assert all(order[two] == one for one, two in found.pairs.tolist())
    assert found.similarity.min() > 0.9
    assert (np.diff(found.similarity) <= 0).all()
    assert found.chance < 0.2
    signed = match_assemblies(first, second, Generator.from_seed(0), signed=True)
    right = [order[two] == one for one, two in signed.pairs.tolist() if sign[two] > 0]
    assert np.mean(right) > 0.7
    strangers = match_assemblies(first, generator.standard_normal((200, 5)), Generator(0))
    assert len(strangers.pairs) == 5
    assert strangers.similarity.mean() < 2 * strangers.chance
    with pytest.raises(InputError, match="second must have shape"):
        match_assemblies(first, second[:50], Generator(0))
    with pytest.raises(InputError, match="at least 3 rows"):
        match_assemblies(first[:2], second[:2], Generator(0))
