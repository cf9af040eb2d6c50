"""Motifs: factors exact, communities against all partitions, what was planted found again."""

from __future__ import annotations

from dataclasses import replace
from math import lgamma, log

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.stats import binom
from sklearn.decomposition import NMF
from sklearn.metrics import adjusted_rand_score

import boltzbrain as bb
from boltzbrain.data.behaviour.covariates import BinnedCovariate
from boltzbrain.data.behaviour.of_bins import BehaviourOfBins
from boltzbrain.data.behaviour.trials import no_trials
from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.behaviour.nulls import SeriesNull
from boltzbrain.interpretation.behaviour.power import false_discoveries
from boltzbrain.interpretation.motifs.affinities import affinities_of
from boltzbrain.interpretation.motifs.behaviour import motifs_and_behaviour
from boltzbrain.interpretation.motifs.changes import SPIKES, Signal, changes_of, signal_of
from boltzbrain.interpretation.motifs.choices import MotifChoices
from boltzbrain.interpretation.motifs.communities import find_communities, log_evidence
from boltzbrain.interpretation.motifs.factors import Block, factorise, pairs_given
from boltzbrain.interpretation.motifs.find import find_motifs, read_motifs
from boltzbrain.interpretation.motifs.rank import LEAST, Tried, shifted, with_chance
from helpers.motifs import planted_motifs, signal_of_traces


def block(values, animal=0, first=0, shown=None):
    shown = np.ones(values.shape[1], dtype=bool) if shown is None else shown
    every = slice(0, len(values))
    rows = slice(first, first + len(values))
    return Block(animal, rows, shown, lambda: iter([(every, values * shown)]))


def test_an_affinity_is_the_root_of_the_product_of_what_rises_or_falls_together():
    rng = np.random.default_rng(0)
    signal = signal_of_traces(rng.normal(size=(12, 4)))
    changes = changes_of(signal)
    found = affinities_of({"one": signal}, window_s=2.0, signed=True)
    values = np.concatenate([part for _, part in found.pieces(0)])
    for row, (first, second) in enumerate(found.pairs[: found.together].tolist()):
        product = changes[:, first] * changes[:, second]
        for column, sign in ((row, 1), (row + found.together, -1)):
            wanted = np.sqrt(np.maximum(sign * product, 0)).reshape(3, 4).mean(axis=1)
            np.testing.assert_allclose(values[:, column], wanted, rtol=1e-5, atol=1e-6)


def test_changes_do_not_look_beyond_a_segment():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(60, 3)).astype(np.float32)
    both = np.repeat([0, 1], 30).astype(np.int32)
    for kind in ("traces", SPIKES):
        whole = Signal(values, ("a", "b", "c"), 0.5, both, kind)
        other = values.copy()
        other[30:] = other[30:][::-1]
        turned = changes_of(Signal(other, ("a", "b", "c"), 0.5, both, kind))
        # the root mean square, over both segments, differs by a factor alone
        ratio = changes_of(whole)[:30] / turned[:30]
        np.testing.assert_allclose(ratio, np.broadcast_to(ratio[0], ratio.shape), rtol=1e-3)


def test_two_disjoint_components_are_found_to_rounding():
    rng = np.random.default_rng(2)
    time, pair = np.zeros((20, 2)), np.zeros((30, 2))
    time[:10, 0], time[10:, 1] = rng.random(10) + 0.1, rng.random(10) + 0.1
    pair[:12, 0], pair[15:, 1] = rng.random(12) + 0.1, rng.random(15) + 0.1
    best = factorise([block(time @ pair.T)], 2, Generator.from_seed(0), starts=2).factors[0]
    made = (best.time * best.size[:, None]).T @ best.pair
    np.testing.assert_allclose(made, time @ pair.T, atol=1e-6)
    cosine = np.abs(best.pair @ (pair / np.linalg.norm(pair, axis=0)))
    np.testing.assert_allclose(np.sort(cosine, axis=1)[:, -1], 1.0, atol=1e-6)


def test_one_animal_and_one_component_is_the_factorisation_of_scikit_learn():
    values = np.random.default_rng(3).random((25, 40))
    ours = factorise([block(values)], 1, Generator.from_seed(0), starts=1, tolerance=0.0)
    model = NMF(1, init="random", tol=1e-12, max_iter=5000, random_state=0)
    time = model.fit_transform(values)
    theirs = model.components_[0] / np.linalg.norm(model.components_[0])
    np.testing.assert_allclose(ours.factors[0].pair[0], theirs, atol=1e-6)
    left = np.square(values - time @ model.components_).sum() / np.square(values).sum()
    assert ours.residual[0] == pytest.approx(left, abs=1e-9)


@pytest.mark.parametrize("one_clock", [True, False])
def test_pairs_that_an_animal_lacks_do_not_count(one_clock):
    rng = np.random.default_rng(4)
    pair, shown = rng.random((2, 50)), np.ones((3, 50), dtype=bool)
    shown[0, :15], shown[1, 40:], shown[2, 10:30] = False, False, False
    time, blocks = rng.random((2, 30)), []
    for animal, weight in enumerate(rng.random((3, 2)) + 0.2):
        mine = time if one_clock else rng.random((2, 30))
        rows = 0 if one_clock else 30 * animal
        blocks.append(block((mine * weight[:, None]).T @ pair, animal, rows, shown[animal]))
    found = factorise(
        blocks, 2, Generator.from_seed(0), starts=4, sweeps=1000, tolerance=0, one_clock=one_clock
    )
    assert found.residual[0] < 1e-5
    best = found.factors[0]
    # the same pairs, from the same affinities, given windows and animals
    np.testing.assert_allclose(
        pairs_given(blocks, best), best.size[:, None] * best.pair, rtol=0.05, atol=0.02
    )


def partitions(nodes):
    labels = [[0]]
    for _ in range(nodes - 1):
        labels = [[*one, new] for one in labels for new in range(max(one) + 2)]
    return [np.array(one) for one in labels]


@pytest.mark.parametrize("law", ["normal", "exponential"])
@pytest.mark.parametrize("each_pair", [True, False])
def test_communities_of_six_nodes_are_the_best_of_all_203_partitions(law, each_pair):
    every = partitions(6)
    assert len(every) == 203
    for seed in range(4):
        rng = np.random.default_rng(seed)
        label = rng.integers(0, 2, 6)
        weights = rng.exponential(size=(6, 6)) * np.where(label[:, None] == label, 6, 1)
        weights = np.triu(weights * (rng.random((6, 6)) < 0.8), 1)
        weights = weights + weights.T
        options = {"law": law, "each_pair": each_pair}
        found = find_communities(weights, Generator.from_seed(seed), starts=30, **options)
        best = max(log_evidence(weights, one, **options) for one in every)
        assert found.log_evidence == pytest.approx(best, abs=1e-9)


def test_the_evidence_of_two_communities_is_the_formula_of_the_module():
    weights = np.zeros((4, 4))
    for (first, second), weight in {(0, 1): 3.0, (2, 3): 2.0, (0, 2): 1.0}.items():
        weights[first, second] = weights[second, first] = weight
    # pairs, connections and weights within each and between, weights in units of their mean of 2
    parts = ((1, 1, 1.5), (1, 1, 1.0), (4, 1, 0.5))
    wanted = sum(
        lgamma(1 + there) + lgamma(1 + pairs - there) - lgamma(2 + pairs)
        + lgamma(1 + there) - (1 + there) * log(1 + total)
        for pairs, there, total in parts
    )  # fmt: skip
    wanted += -log(4) - log(3) - log(24 / (2 * 2))
    found = log_evidence(weights, np.array([0, 0, 1, 1]), law="exponential")
    assert found == pytest.approx(wanted, abs=1e-12)


def test_a_constant_graph_is_one_community():
    for law in ("normal", "exponential"):
        found = find_communities(np.ones((15, 15)), Generator.from_seed(0), law=law)
        assert found.of.max() == 0


@pytest.fixture(scope="module")
def planted():
    signals, labels = planted_motifs(0, neurons=36, animals=4, frames=480, motifs=2, size=12)
    return signals, labels, find_motifs(signals, CHOICES.model_copy(update={"rank": 2}), seed=0)


CHOICES = MotifChoices(one_clock=True, most=3, starts=4, surrogates=5)


def test_the_number_of_motifs_is_the_planted_one_within_one(planted):
    found = find_motifs(planted[0], CHOICES.model_copy(update={"starts": 3}), seed=0)
    assert 1 <= len(found) <= 3
    chosen = found.summary["tried"][len(found) - 1]
    assert chosen["held_out"] > max(chosen["by_chance"])
    assert chosen["p_value"] == pytest.approx(1 / 6)


def test_planted_motifs_are_found_with_their_communities_and_the_animal_that_lacks_each(planted):
    _, labels, found = planted
    whose = []
    for motif in range(2):
        likeness = [adjusted_rand_score(one, found["motifs/community"][motif]) for one in labels]
        whose.append(int(np.argmax(likeness)))
        assert likeness[whose[-1]] > 0.8
        # the animal of the motif's number lacks it
        assert found["motifs/animal"][motif].argmin() == whose[-1]
        strength = found["motifs/time"][motif].reshape(2, -1).mean(axis=1)
        assert strength.argmax() == whose[-1]
    assert sorted(whose) == [0, 1]


def test_shifted_traces_have_no_motif(planted):
    signals = planted[0]
    changes = {name: one.values for name, one in signals.items()}
    moved = shifted(changes, signals, Generator.from_seed(5))
    broken = {name: signal_of_traces(values) for name, values in zip(signals, moved, strict=True)}
    assert len(find_motifs(broken, CHOICES, seed=1)) == 0


def test_traces_that_know_nothing_of_each_other_have_motifs_as_seldom_as_is_promised():
    # four surrogates: one recording in five at most. A right program has more than 12 of 30 in
    # three of a thousand seeds
    false, agreed = 0, 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        time, begin = np.arange(120), rng.integers(0, 120, 8)
        # a third of the recording, elsewhere for each neuron, in which it does more
        more = 1 + 3 * ((time[:, None] - begin) % 120 < 40)
        traces = gaussian_filter1d(more * rng.normal(size=(120, 8)), 2.0, axis=0, mode="wrap")
        few = MotifChoices(most=2, starts=2, surrogates=4)
        found = find_motifs({"a": signal_of_traces(traces)}, few, seed=seed)
        false += len(found) > 0
        agreed += any(one["least"] >= LEAST for one in found.summary["tried"])
    assert binom.sf(12, 30, 1 / 5) < 0.004
    assert false <= 12
    # agreement of starts alone would not do
    assert agreed > 12


def test_the_best_of_several_numbers_is_beyond_chance_once_in_twenty_times():
    # 2,000 recordings as good as their surrogates: 5 % +- .5 %, so a right program fails for one
    # of 10,000 seeds
    rng = np.random.default_rng(1)
    any_beyond, any_alone = 0, 0
    for _ in range(2000):
        # scores of numbers lie on levels of their own, and some spread far
        scores = rng.standard_t(4, (6, 20)) * np.array([[0.1, 1, 1, 1, 5, 5]]).T + rng.random(
            (6, 1)
        )
        tried = [Tried(rank, 0.5, 1.0, 1.0, scores[rank - 1, 0]) for rank in range(1, 7)]
        any_beyond += any(one.beyond_chance for one in with_chance(tried, scores[:, 1:]))
        any_alone += bool((scores[:, 0] > scores[:, 1:].max(axis=1)).any())
    assert 0.03 < any_beyond / 2000 < 0.07
    # each number against its own surrogates alone would find something five times as often
    assert any_alone / 2000 > 0.2


def test_lags_between_two_shifted_neurons_are_all_as_likely():
    # chi-square of 15 degrees: above 50 for one of 80,000 seeds
    null, stream = SeriesNull.of(np.zeros(16, dtype=np.int32)), Generator.from_seed(0)
    for anywhere in (True, False):
        lags = [
            (null.draw(stream, anywhere=anywhere)[0] - null.draw(stream, anywhere=anywhere)[0]) % 16
            for _ in range(5000)
        ]
        counts = np.bincount(lags, minlength=16)
        even = np.square(counts - 312.5).sum() / 312.5 < 50
        assert even == anywhere


def test_affinities_that_do_not_fit_are_made_anew_and_give_the_same_motifs(monkeypatch):
    signals, _ = planted_motifs(1, neurons=12, animals=2, frames=120, motifs=1, size=5)
    few = MotifChoices(rank=1, starts=2, surrogates=2, signed=True)
    whole = find_motifs(signals, few)
    monkeypatch.setattr("boltzbrain.interpretation.motifs.affinities.KEPT_BYTES", 0)
    monkeypatch.setattr("boltzbrain.interpretation.motifs.affinities.VALUES", 1000)
    assert not affinities_of(signals).kept
    assert len(list(affinities_of(signals).pieces(0))) > 1
    again = find_motifs(signals, few)
    for name in ("motifs/time", "motifs/pair", "motifs/chance"):
        np.testing.assert_allclose(again[name], whole[name], rtol=1e-4, atol=1e-6)


def test_the_file_holds_what_was_found(planted, tmp_path):
    found = planted[2]
    found.save(tmp_path / "motifs.h5")
    again = read_motifs(tmp_path / "motifs.h5")
    assert again.summary == found.summary
    for name in found.entries:
        assert (again[name] == found[name]).all()


def test_animals_that_share_too_few_names_and_clocks_that_differ_are_refused():
    rng = np.random.default_rng(6)
    one = signal_of_traces(rng.normal(size=(40, 4)))
    other = signal_of_traces(rng.normal(size=(40, 4)), names=("n0", "n1", "x", "y"))
    with pytest.raises(InputError, match="share at least 3 neurons by name"):
        find_motifs({"a": one, "b": other}, CHOICES)
    longer = signal_of_traces(rng.normal(size=(60, 4)))
    with pytest.raises(InputError, match="one_clock must"):
        find_motifs({"a": one, "b": longer}, CHOICES)
    with pytest.raises(InputError, match="memory_limit_gb"):
        affinities_of({"a": one, "b": longer}, memory_limit_gb=1e-6)


def test_a_region_is_the_mean_of_its_neurons_each_in_units_of_its_spread():
    states = (np.random.default_rng(3).random((300, 5)) < 0.3).astype(np.uint8)
    states[:, 4] = 0  # never active: it is in no mean
    labels = np.array(["CA1", "VISp", "CA1", "", "VISp"])
    recording = bb.from_states(states, 0.05, region=labels)
    found = signal_of(recording, next(iter(recording.regions)))
    scaled = states / np.where(states.std(axis=0) > 0, states.std(axis=0), 1.0)
    expected = {"CA1": scaled[:, [0, 2]].mean(axis=1), "VISp": scaled[:, 1]}
    assert found.names == ("CA1", "VISp")
    for column, name in enumerate(found.names):
        np.testing.assert_allclose(found.values[:, column], expected[name], rtol=1e-5)


def test_a_motif_goes_with_the_covariate_of_its_interval_and_with_no_slow_one():
    # slow series go together by chance: one of 20 p-values of a right program is below .05, while
    # the planted one has the least there is
    signals, _ = planted_motifs(seed=3, neurons=24, animals=1, frames=800, motifs=1, size=8)
    found = find_motifs(signals, MotifChoices(rank=1, starts=2, surrogates=2))
    strength = found["motifs/time"][0].repeat(4)
    rng = np.random.default_rng(0)
    slow = np.cumsum(rng.normal(size=800))
    series = {
        "driver": BinnedCovariate(strength + 0.01 * rng.normal(size=800)),
        "slow": BinnedCovariate(slow),
        "constant": BinnedCovariate(np.ones(800)),
    }
    beside = BehaviourOfBins(series, no_trials(), np.arange(800))
    named = {name: replace(one, behaviour=beside) for name, one in signals.items()}
    again = find_motifs(named, MotifChoices(rank=1, starts=2, surrogates=2))
    rows = {one["name"]: one for one in again.summary["behaviour"]}
    assert set(rows) == {"driver", "slow"}
    assert rows["driver"]["rank_correlation"] > 0.5
    # the least that the 150 shifts of 200 windows allow, of which two names are told
    assert rows["driver"]["p_value"] == pytest.approx(1 / 151)
    assert rows["driver"]["q_value"] < 0.02
    assert rows["slow"]["p_value"] > 0.05


def test_labels_of_the_trials_in_which_a_motif_is_strong_are_told_and_slow_ones_are_not():
    # of eight p-values that chance makes a right program has one below .01 in 8 % of the seeds
    rng = np.random.default_rng(0)
    side = rng.choice(["left", "right"], 40)
    trials = pd.DataFrame(
        {
            "first_bin": np.arange(0, 800, 20),
            "stop_bin": np.arange(20, 801, 20),
            "side": side,
            "feedback": rng.choice(["reward", "none"], 40),
            "half": np.where(np.arange(40) < 20, "first", "second"),
            "once": ["odd"] + ["even"] * 39,
            "contrast": rng.random(40),
        }
    )
    # five windows a trial: one motif lives on the left, the other drifts
    left = (side == "left").repeat(5) + 0.5 * rng.random(200)
    drift = np.linspace(0, 1, 200) + 0.1 * rng.random(200)
    beside = BehaviourOfBins({}, trials, np.arange(800))
    signal = replace(signal_of_traces(rng.normal(size=(800, 3))), behaviour=beside)
    stream = Generator.from_seed(0)
    numbers, labels = motifs_and_behaviour(
        np.array([left, drift]), np.zeros(200, dtype=int), {"a": signal}, 2.0, stream
    )
    rows = {(one["name"], one["motif"]): one for one in labels}
    assert set(rows) == {(name, motif) for name in ("side", "feedback", "half") for motif in (0, 1)}
    found = rows["side", 0]
    assert found["preferred"] == "left"
    assert found["levels"] == ["left", "right"]
    assert found["trials"] == 40
    assert found["effect"] > 0.8
    assert found["q_value"] < 0.001
    del rows["side", 0]
    # what drifts differs between the halves, as much as anything could: the null keeps that
    assert rows["half", 1]["effect"] < 0.3
    assert min(one["p_value"] for one in rows.values()) > 0.01
    # all rows of the animal are corrected together
    every = [*numbers, *labels]
    wanted = false_discoveries(np.array([one["p_value"] for one in every]))
    np.testing.assert_allclose([one["q_value"] for one in every], wanted)
    assert [one["name"] for one in numbers] == ["contrast", "contrast"]
