"""Simulated ground truth has the statistics that it was asked for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.layer import KINDS
from boltzbrain.sampling.enumeration import all_states, exact_samples
from boltzbrain.sampling.synthetic import (
    PlantedAssemblies,
    random_layer,
    random_model,
    simulate_assemblies,
)
from helpers.enumeration import exact_distribution


@pytest.fixture(scope="module")
def planted() -> PlantedAssemblies:
    return simulate_assemblies(Generator.from_seed(0, "planted"))


class TestAssemblies:
    def test_shapes_and_sizes(self, planted: PlantedAssemblies) -> None:
        assert planted.states.shape == (5000, 2000)
        assert planted.states.dtype == np.uint8
        assert int(planted.states.max()) == 1
        sizes = planted.membership.sum(axis=0)
        assert len(sizes) == 20
        assert (int(sizes.min()), int(sizes.max())) == (40, 200)
        memberships = planted.membership.sum(axis=1)
        assert float((memberships == 2).mean()) == 0.2
        assert int(memberships.max()) == 2

    def test_assemblies_are_on_by_themselves(self, planted: PlantedAssemblies) -> None:
        on = planted.on.astype(float)
        fraction = on.mean(axis=0)
        assert float(fraction.min()) >= 0.0299
        assert float(fraction.max()) <= 0.1001
        correlations = np.corrcoef(on.T)[np.triu_indices(20, 1)]
        # 190 correlations of standard error 0.014: one beyond 5 of them in 2e4 seeds
        assert float(np.abs(correlations).max()) < 5 / math.sqrt(5000)
        # nor do they follow themselves
        following = [np.corrcoef(one[1:], one[:-1])[0, 1] for one in on.T]
        assert float(np.abs(following).max()) < 5 / math.sqrt(5000)

    def test_members_fire_as_often_as_asked(self, planted: PlantedAssemblies) -> None:
        active = planted.on.astype(np.int64) @ planted.membership.T.astype(np.int64)
        for count, expected in ((1, 0.3), (2, 1 - 0.7**2)):
            where = active == count
            found = float(planted.states[where].mean())
            assert found == pytest.approx(expected, abs=5 * math.sqrt(0.25 / where.sum()))
        silent = planted.states[:, :].astype(float)
        silent[active > 0] = np.nan
        rates = np.nanmean(silent, axis=0)
        assert float(rates.mean()) == pytest.approx(0.02, rel=0.05)
        # log-normal with spread 0.5, less the noise of the counts (about 90 spikes each)
        assert float(np.log(planted.background).std()) == pytest.approx(0.5, rel=0.08)
        assert float(np.corrcoef(rates, planted.background)[0, 1]) > 0.95

    def test_the_on_times_identify_the_members(self, planted: PlantedAssemblies) -> None:
        # the oracle: given its on-times, members stand apart from everyone else
        for assembly in range(20):
            on = planted.on[:, assembly]
            gain = planted.states[on].mean(axis=0) - planted.states[~on].mean(axis=0)
            member = planted.membership[:, assembly]
            order = gain.argsort().argsort()
            wins = order[member].sum() - member.sum() * (member.sum() - 1) / 2
            area = wins / (member.sum() * (~member).sum())
            assert float(area) > 0.99

    def test_one_stream_one_recording(self) -> None:
        options: dict[str, Any] = {"neurons": 60, "assemblies": 4, "bins": 200, "sizes": (10, 20)}
        first = simulate_assemblies(Generator.from_seed(1), **options)
        again = simulate_assemblies(Generator.from_seed(1), **options)
        other = simulate_assemblies(Generator.from_seed(2), **options)
        assert bool((first.states == again.states).all())
        assert not bool((first.states == other.states).all())

    def test_the_activity_is_whole(self, planted: PlantedAssemblies) -> None:
        activity = planted.activity(0.02)
        assert activity.states is planted.states
        assert activity.bin_width_s == 0.02
        assert activity.n_neurons == 2000
        assert len(activity.bins_of("train")) == 5000

    @pytest.mark.parametrize(
        ("options", "named"),
        [
            ({"neurons": 0}, "neurons"),
            ({"firing": 1.5}, "firing"),
            ({"sizes": (300, 200)}, "sizes"),
            ({"sizes": (10, 20)}, "sizes must add up"),
            ({"overlap": -0.1}, "overlap"),
            ({"background_spread": -1.0}, "background_spread"),
        ],
    )
    def test_what_cannot_be_had_is_refused(self, options: dict[str, Any], named: str) -> None:
        with pytest.raises(InputError, match=named):
            simulate_assemblies(Generator.from_seed(0), **options)


class TestExactSamples:
    @pytest.mark.parametrize("visible_kind", ["bernoulli", "ising"])
    def test_follow_the_enumerated_law(self, visible_kind: str) -> None:
        model = random_model("drelu", 6, 3, Generator.from_seed(3), visible_kind=visible_kind)
        samples = exact_samples(model, 50_000, Generator.from_seed(4))
        states, log_probability = exact_distribution(model)
        probability = log_probability.exp()
        assert float(probability.sum()) == pytest.approx(1.0)
        place = 2 ** torch.arange(5, -1, -1)
        numbers = ((samples > 0).long() * place).sum(dim=1)
        assert bool((states[numbers] == samples).all())
        counts = torch.bincount(numbers, minlength=64)
        expected = 50_000 * probability
        chi2 = float(((counts - expected) ** 2 / expected).sum())
        # 63 degrees of freedom: beyond 120 in 2e-5 of the seeds
        assert chi2 < 120
        uniform = torch.full_like(expected, 50_000 / 64)
        assert float(((counts - uniform) ** 2 / uniform).sum()) > 120

    def test_a_wide_model_is_drawn_through_its_hidden_units(self) -> None:
        model = random_model("bernoulli", 60, 6, Generator.from_seed(5), weight_std=0.8)
        samples = exact_samples(model, 20_000, Generator.from_seed(6))
        hidden = all_states(model.hidden)
        weight = torch.softmax(-model.free_energy_of_hidden(hidden), dim=0)
        expected = (weight[:, None] * model.mean_visible(hidden).double()).sum(dim=0)
        error = ((expected * (1 - expected)) / 20_000).sqrt()
        scores = (samples.double().mean(dim=0) - expected) / error
        # 60 scores: one beyond 5 in 3e4 seeds
        assert float(scores.abs().max()) < 5

    @pytest.mark.parametrize("kind", sorted(KINDS))
    def test_a_random_layer_of_any_kind_has_a_law(self, kind: str) -> None:
        layer = random_layer(kind, 50, Generator.from_seed(7, kind), dtype=torch.float64)
        assert len(layer) == 50
        for name in layer.positive:
            assert float(layer.parameters()[name].min()) >= 0.5
        assert bool(layer.log_partition(torch.zeros(1, 50, dtype=torch.float64)).isfinite().all())
        with pytest.raises(InputError, match="did you mean"):
            random_layer(kind + "x", 5, Generator.from_seed(0))
