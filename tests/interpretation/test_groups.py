"""Two groups of animals: exact permutation, false alarms, power, and what not to permute."""

import itertools
import json

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_ind

from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.animals.by_group import OfAnimal, compare_groups, two_groups
from boltzbrain.interpretation.animals.groups import GroupTest, group_test
from boltzbrain.interpretation.file import Entry, Interpretation
from boltzbrain.pages.groups import group_words

SETS, EACH, ENTRIES = 400, 5, 12


def compared(values, second, **options) -> GroupTest:
    names = [f"e{one}" for one in range(values.shape[1])]
    return group_test(names, values, second, Generator.from_seed(0), **options)


def null_animals(rng, bins=0):
    """Return values of ten animals that differ as animals do; or of their bins, and whose."""
    animal = rng.normal(size=(2 * EACH, ENTRIES)) + rng.normal(size=(2 * EACH, 1))
    second = np.arange(2 * EACH) < EACH
    if not bins:
        return animal, second
    noise = rng.normal(size=(2 * EACH, bins, ENTRIES))
    return (animal[:, None] + noise).reshape(-1, ENTRIES), second.repeat(bins)


def test_p_values_are_those_of_the_plain_enumeration():
    rng = np.random.default_rng(1)
    values, second = rng.normal(size=(7, 3)), np.arange(7) < 3
    found = compared(values, second)
    every = [np.isin(np.arange(7), one) for one in itertools.combinations(range(7), 3)]
    t = np.array([np.abs(ttest_ind(values[one], values[~one]).statistic) for one in every])
    own = np.abs(ttest_ind(values[second], values[~second]).statistic)
    assert found.exact
    assert found.assignments == len(every) == 35
    assert found.p_value == pytest.approx((t >= own - 1e-9).mean(axis=0))
    assert found.corrected == pytest.approx((t.max(axis=1)[:, None] >= own - 1e-9).mean(axis=0))
    assert found.least == pytest.approx(1 / 35)


def test_drawn_assignments_agree_with_all_of_them():
    # 4000 draws: the error of a p-value is at most .008, five of them pass in all but one of 10^6
    rng = np.random.default_rng(2)
    values, second = rng.normal(size=(12, 4)), np.arange(12) < 6
    whole, some = compared(values, second), compared(values, second, most=900)
    assert (whole.exact, some.exact, some.assignments) == (True, False, 900)
    assert np.abs(whole.p_value - some.p_value).max() < 5 * 0.5 / np.sqrt(900)


def test_false_alarms_over_all_entries_are_five_of_a_hundred_and_bins_have_many_times_that():
    # 400 sets without a difference; the exact binomial test fails a right program in 1 of 1000
    rng = np.random.default_rng(3)
    alarms = sum(len(compared(*null_animals(rng)).found) > 0 for _ in range(SETS))
    assert binomtest(alarms, SETS, 0.05, alternative="greater").pvalue > 1e-3
    assert alarms > 4  # and it is no test that never finds anything
    # negative control: bins permuted in place of animals
    wrong = 0
    for _ in range(40):
        values, second = null_animals(rng, bins=20)
        wrong += len(compared(values, second, most=400).found) > 0
    assert wrong > 5 * 0.05 * 40


def test_a_planted_difference_is_found_and_the_power_is_what_is_told():
    # at the smallest effect told, four of five sets: 100 sets lie within 4 errors of it, .04 each
    rng = np.random.default_rng(4)
    second = np.arange(16) < 8
    smallest = compared(rng.normal(size=(16, ENTRIES)), second).smallest
    seen = 0
    for _ in range(100):
        values = rng.normal(size=(16, ENTRIES))
        values[second, 3] += smallest
        seen += 3 in compared(values, second, most=500).found
    assert abs(seen / 100 - 0.8) < 0.16
    values[second, 3] += 3
    found = compared(values, second)
    assert found.found.tolist() == [3]
    assert found.effect[3] > 2
    assert found.needed[3] < 8 < np.median(found.needed)


def test_too_few_animals_say_so_and_what_is_constant_does_not_differ():
    rng = np.random.default_rng(5)
    values, second = rng.normal(size=(5, 2)), np.arange(5) < 2
    values[:, 1] = 3.0
    values[second, 0] += 100
    found = compared(values, second)
    assert found.least == pytest.approx(0.1)
    assert (len(found.found), found.smallest) == (0, None)
    assert (found.p_value[1], found.corrected[1], found.effect[1]) == (1, 1, 0)
    with pytest.raises(InputError, match="two animals or more each; got 4 and 1"):
        compared(values, np.arange(5) < 1)


def animal(number, group, moved=0.0, names=("CA1", "VISp"), ids=("AVAL", "RIM")):
    """Return an animal whose couplings of the first region are moved."""
    rng = np.random.default_rng(number)
    maps = np.abs(rng.normal(1.0, 0.1, (2, 2)))
    maps = maps + maps.T
    maps[0, 0] += moved
    pairs = rng.normal(size=(2, 2))
    arrays = {
        "regions/names": np.array(names, dtype=object),
        "regions/counts": np.array([9, 9]),
        "regions/pairs": np.array([[72, 81], [81, 72]]),
        **{f"regions/{kind}": maps for kind in ("mean", "l1", "rms")},
        "assemblies/region_names": np.array([*names, f"only{number}"], dtype=object),
        "assemblies/region_occupancy": np.abs(rng.normal(1.0, 0.1, (4, 3))),
        "assemblies/sizes": np.array([3, 4, 5, 6]),
        "assemblies/mean_activity": rng.random(4),
        "neurons/id": np.array(ids, dtype=object),
        "neurons/rate": rng.random(2),
        "couplings/pairs": pairs + pairs.T,
    }
    found = Interpretation({path: Entry(one, "") for path, one in arrays.items()}, {})
    return OfAnimal(f"animal{number}", group, [found])


def groups_of(animals, kind="l1"):
    names = two_groups([one.group for one in animals], range(len(animals)))
    return compare_groups(animals, names, ("uniform", "data"), kind, Generator.from_seed(0))


def test_a_planted_difference_of_maps_is_named_and_the_rest_is_not():
    other = ("visp", "ca1 ")  # another spelling, another order
    animals = [animal(one, "wt") for one in range(5)]
    animals += [animal(one, "mut", moved=2.0) for one in range(5, 10)]
    found = groups_of(animals)
    assert found.names == ("wt", "mut")
    assert set(found.families) == {"maps.uniform", "occupancy", "couplings", "whole"}
    maps = found.families["maps.uniform"]
    assert maps.entries == ("CA1", "CA1, VISp", "VISp")
    assert [maps.entries[one] for one in maps.found] == ["CA1"]
    assert maps.effect[0] > 3
    assert not any(len(found.families[one].found) for one in ("occupancy", "couplings"))
    assert found.left_out["occupancy"] == 10
    table = found.to_dataframe().set_index(["family", "entry"])
    row = table.loc["maps.uniform", "CA1"]
    assert row["mut"] - row["wt"] == pytest.approx(row.difference)
    assert table.loc["couplings", "AVAL, RIM"].corrected > 0.05
    said = " ".join(group_words(json.loads(json.dumps(found.told()))))
    assert "1 of 3 differs between wt and mut: CA1." in said
    assert "5 wt, 5 mut; all 252 assignments" in said
    turned = groups_of([*animals[:9], animal(9, "mut", 2.0, names=other)])
    assert turned.families["maps.uniform"].entries == maps.entries


def test_rows_numbers_are_no_names_and_animals_with_nothing_in_common_say_so():
    found = groups_of([animal(one, "ab"[one % 2], ids=("0", "1")) for one in range(4)])
    assert "couplings" not in found.families
    assert "So few animals cannot differ" in " ".join(group_words(found.told()))


@pytest.mark.parametrize(
    ("groups", "animals", "words"),
    [
        (["a", "b", "c"], [0, 1, 2], "name two groups; got a, b, c"),
        (["a", "a"], [0, 1], "name two groups; got a"),
        (["a", "b", "b"], [0, 0, 1], "be one for all runs of an animal; got a and b"),
        (["a", "b"], [0, 1, 2], "the group of each of 3 runs; got 2"),
    ],
)
def test_groups_that_are_no_two_are_refused(groups, animals, words):
    with pytest.raises(InputError, match=words):
        two_groups(groups, animals)
