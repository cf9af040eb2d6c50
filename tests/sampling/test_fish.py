"""The simulated fish: every ingredient has the statistics that it says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.sampling.simulated.fish import SimulatedFish, simulate_fish

SMALL: dict[str, Any] = {"neurons": 600, "assemblies": 10, "frames": 3000, "sizes": (50, 70)}
NONE: dict[str, Any] = {
    "overlap": 0.0, "firing_spread": 0.0, "background_spread": 0.0, "graded": 0.0, "nested": 0.0,
    "drift": 0.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def fish() -> SimulatedFish:
    return simulate_fish(Generator.from_seed(1, "fish"), **SMALL)


def runs(on: np.ndarray) -> np.ndarray:
    """Lengths of the whole stretches of ones."""
    edges = np.flatnonzero(np.diff(np.concatenate([[on[0]], on, [on[-1]]])))
    lengths = np.diff(edges)
    return lengths[::2] if not on[0] else lengths[1::2]


def test_so_many_neurons_belong_to_two_assemblies(fish: SimulatedFish) -> None:
    top = fish.membership[:, fish.parent < 0]
    count = top.sum(axis=1)
    assert (count == 2).mean() == 0.3
    assert count.max() == 2
    assert (top.sum(axis=0).min(), top.sum(axis=0).max()) == (50, 70)


def test_members_fire_at_log_normal_rates(fish: SimulatedFish) -> None:
    rates = fish.firing[fish.membership]
    assert not fish.firing[~fish.membership].any()
    inside = np.log(rates[rates < 0.95])
    # some 560 memberships: errors of .021 and of .015
    assert abs(inside.mean() - (np.log(0.3) - 0.125)) < 0.1
    assert abs(inside.std() - 0.5) < 0.07
    even = simulate_fish(Generator.from_seed(1), **{**SMALL, "frames": 10, **NONE})
    assert np.ptp(even.firing[even.membership]) < 1e-12


def test_assemblies_are_on_for_two_to_twenty_frames(fish: SimulatedFish) -> None:
    lengths = np.concatenate([runs(one) for one in fish.amplitude[:, ~fish.graded].T])
    assert (lengths.min(), lengths.max()) == (2, 20)
    # all lengths equally often: some 250 stretches, an error of .34
    assert abs(lengths.mean() - 11.0) < 1.4


def test_assemblies_are_on_as_often_as_was_asked_for() -> None:
    rare, often = (
        simulate_fish(
            Generator.from_seed(2),
            **{**SMALL, **NONE, "neurons": 60, "sizes": (3, 4), "on_fraction": (share, share)},
        )
        for share in (0.02, 0.3)
    )
    # ten assemblies, 3,000 frames, some 22 of which count as one: errors of .004 and .012
    assert abs(rare.amplitude.mean() - 0.02) < 0.016
    assert abs(often.amplitude.mean() - 0.3) < 0.05
    never = simulate_fish(Generator.from_seed(2), **{**SMALL, **NONE, "on_fraction": (0.0, 0.0)})
    assert not never.amplitude.any()


def test_one_assembly_lies_within_another_in_neurons_and_in_time(fish: SimulatedFish) -> None:
    inner = np.flatnonzero(fish.parent >= 0)
    assert len(inner) == 2
    for one in inner:
        outer = fish.parent[one]
        assert not (fish.membership[:, one] & ~fish.membership[:, outer]).any()
        assert fish.membership[:, one].sum() == round(fish.membership[:, outer].sum() / 2)
        assert not (fish.amplitude[:, one] > fish.amplitude[:, outer]).any()
        stretches = [len(runs(fish.amplitude[:, which])) for which in (one, outer)]
        assert abs(stretches[0] / stretches[1] - 0.5) < 0.1


def test_graded_assemblies_take_every_amplitude_and_remember_it(fish: SimulatedFish) -> None:
    series = fish.amplitude[:, fish.graded]
    assert series.shape[1] == 2
    assert (np.flatnonzero(fish.graded) == (8, 9)).all()
    # 3,000 frames, some 22 of which count as one: an error of .025 each
    assert abs(series.mean() - 0.5) < 0.1
    assert (np.quantile(series, (0.1, 0.9)) - (0.1, 0.9)) == pytest.approx(0.0, abs=0.07)
    near = np.corrcoef(series[:-1, 0], series[1:, 0])[0, 1]
    far = np.corrcoef(series[:-60, 0], series[60:, 0])[0, 1]
    assert near > 0.85
    assert abs(far) < 0.4
    rest = fish.amplitude[:, ~fish.graded]
    assert set(np.unique(rest)) == {0.0, 1.0}


def test_drift_moves_log_odds_slowly_by_so_much(fish: SimulatedFish) -> None:
    moved = fish.course @ fish.leaning.T
    assert abs(moved.std() - 0.3) < 0.03
    assert np.abs(np.diff(fish.course, axis=0)).max() < 0.004
    assert abs(fish.course.mean()) < 1e-9
    still = simulate_fish(Generator.from_seed(1), **{**SMALL, **NONE, "on_fraction": (0.0, 0.0)})
    assert np.ptp(still.rates()) < 1e-12


def test_neurons_fire_at_their_rates(fish: SimulatedFish) -> None:
    # by neuron and in the frames with each assembly on: 600 + 10 figures, 4.5 errors are 1 in 240
    chance = fish.rates()
    apart, error = fish.states - chance, np.sqrt(chance * (1 - chance))
    z = apart.sum(axis=0) / np.sqrt((error**2).sum(axis=0))
    assert np.abs(z).max() < 4.5
    for one, members in enumerate(fish.membership.T):
        weight = fish.amplitude[:, one] > 0.5
        part = np.ix_(weight, members)
        assert abs(apart[part].sum()) < 4.5 * np.sqrt((error[part] ** 2).sum())
    # negative control: of assemblies a frame late nothing fits
    late = np.roll(chance, 20, axis=0)
    part = np.ix_(fish.amplitude[:, 0] > 0.5, fish.membership[:, 0])
    off = (fish.states - late)[part].sum() / np.sqrt((late * (1 - late))[part].sum())
    assert abs(off) > 10


def test_two_assemblies_that_are_on_make_a_member_fire_by_either() -> None:
    fish = simulate_fish(
        Generator.from_seed(3), neurons=40, assemblies=2, frames=50, sizes=(20, 20),
        **{**NONE, "overlap": 0.5, "on_fraction": (0.5, 0.5)},
    )  # fmt: skip
    both = fish.amplitude.sum(axis=1) == 2
    chance = fish.rates()[np.ix_(both, fish.membership.all(axis=1))]
    assert chance == pytest.approx(1 - 0.98 * 0.7**2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nested": 0.6, "graded": 0.5}, "nested must leave some of 10 assemblies"),
        ({"stay": (5, 4)}, "stay must"),
        ({"drift": -1.0}, "drift must"),
        ({"overlap": 1.5}, "overlap must"),
    ],
)
def test_what_cannot_be_simulated_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        simulate_fish(Generator.from_seed(0), **{**SMALL, **options})
