"""The data card: its figures against hand counts, nulls with reasons, warnings in words."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest

from boltzbrain.data.recording import Recording, neuron_table, no_epochs
from boltzbrain.data.regions import Regions
from boltzbrain.data.signals import Binned, SpikeTimes, Traces
from boltzbrain.data.steps import Source
from boltzbrain.data.timescale import (
    independent_bins,
    lag1_correlation,
    lag1_correlation_of_neurons,
    population_count,
)
from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.memory import slices
from boltzbrain.foundations.random import Generator
from boltzbrain.preparing.card.card import data_card
from boltzbrain.preparing.card.words import card_in_words


def make(signal, regions=None, epochs=None, options=None):
    return Recording(
        neuron_table([f"n{k}" for k in range(len(signal))]),
        {} if regions is None else {"area": Regions.from_labels(regions)},
        signal,
        no_epochs() if epochs is None else epochs,
        Source("npz", "file.npz", "", options or {}),
    )


def binned(counts, segment=None, width=0.01):
    counts = np.asarray(counts, dtype=np.uint8)
    if segment is None:
        segment = np.zeros(len(counts))
    times = np.arange(len(counts)) * width
    return Binned(counts, width, np.asarray(segment, dtype=np.int32), times)


def has_no_nan(value):
    return bool(json.dumps(value, allow_nan=False))


class TestFigures:
    counts = np.array([[1, 0, 0], [3, 0, 0], [0, 0, 1], [1, 0, 2]])

    def card(self):
        epochs = pd.DataFrame(
            [(0.5, 1.0, "b"), (0.0, 0.25, "a"), (0.25, 0.5, "a"), (0.0, 0.1, None)],
            columns=["start_s", "stop_s", "label"],
        )
        options = {"dropped": {"snr": 4, "none": 0}}
        return data_card(make(binned(self.counts, [0, 0, 1, 1]), ["x", "", "y"], epochs, options))

    def test_against_counts_by_hand(self):
        card = self.card()
        assert (card.neurons, card.bins, card.segments) == (3, 4, 2)
        assert card.bin_width_s == 0.01
        assert card.duration_s == pytest.approx(0.04)
        assert card.mean_activity == pytest.approx(5 / 12)
        assert card.rates_hz["mean"] == pytest.approx(5 / 12 / 0.01)
        assert card.rates_hz["50%"] == pytest.approx(50.0)
        assert card.silent_neurons == 1
        assert card.silent_bins_fraction == 0.0
        assert card.regions == {"x": 1, "y": 1}
        assert card.neurons_without_region == 1
        assert card.multi_spike_fraction == pytest.approx(2 / 5)
        assert card.multi_spike_fraction_of_all == pytest.approx(2 / 12)
        assert card.spikes_lost == 3
        assert card.memory_bytes == 12
        assert card.epochs == (
            {"label": "a", "intervals": 2, "seconds": 0.5},
            {"label": "b", "intervals": 1, "seconds": 0.5},
        )
        assert card.dropped == {"snr": 4, "none": 0}
        assert card.folds is None

    def test_the_names_that_programs_rely_on(self):
        told = self.card().to_json()
        assert has_no_nan(told)
        for name in ("neurons", "bins", "bin_width_s", "segments", "mean_activity", "regions"):
            assert told[name] is not None
        varied = data_card(make(binned([[1, 0], [0, 0], [1, 1], [0, 1]]))).to_json()
        assert isinstance(varied["lag1_correlation"], float)

    def test_the_rows_are_text(self):
        rows = dict(card_in_words(self.card()))
        assert rows["bins"] == "4 of 10 ms in 2 segments, 0.0 s"
        assert rows["regions"] == "2: x 1, y 1"
        assert rows["multi-spike bins"].startswith("40.0 % of active bins, 16.67 % of all bins")
        assert rows["epochs"] == "a (2 x, 0.5 s); b (1 x, 0.5 s)"
        assert rows["dropped units"] == "snr: 4, none: 0"
        assert all(isinstance(text, str) and text for text in rows.values())

    def test_nothing_undefined_is_left_without_its_reason(self):
        for signal in (
            binned([[1], [1]], [0, 1]),
            binned([[0, 0], [0, 0]]),
            binned([[1]]),
            Traces(np.array([[0.2], [0.4]], np.float32), np.array([0.0, 0.1]), "dff"),
        ):
            told = data_card(make(signal)).to_json()
            assert has_no_nan(told)
            undefined = {name for name, value in told.items() if value is None}
            assert undefined == set(told["reasons"])
            assert undefined >= {"lag1_correlation", "independent_bins"}
            assert all(told["reasons"].values())

    def test_traces_say_what_they_need(self):
        signal = Traces(np.array([[0.2], [0.4]], np.float32), np.array([0.0, 0.1]), "dff")
        card = data_card(make(signal))
        assert card.neurons == 1
        assert card.values == "dff traces"
        assert (card.bins, card.bin_width_s, card.segments) == (2, pytest.approx(0.1), 1)
        assert card.mean_activity is None
        assert "binary first" in card.warnings[0]
        rows = dict(card_in_words(card))
        assert rows["bins"] == "2 of 100 ms in 1 segment, 0.2 s"
        # the reason that holds for many figures is told once
        assert sum("binary first" in text for text in rows.values()) == 1
        told = [(label, text) for label, text in card_in_words(card) if label == "not known"]
        names = "mean activity, rates, silent, multi-spike bins, lag-1 correlation, "
        assert told == [("not known", f"{names}independent bins, memory: {card.warnings[0]}")]
        assert "not known" not in rows["bins"]

    def test_traces_whose_times_do_not_ascend_tell_no_frames(self):
        signal = Traces(np.array([[0.2], [0.4]], np.float32), np.array([0.1, 0.1]), "dff")
        card = data_card(make(signal))
        assert card.bins is None
        assert "times must ascend" in card.warnings[0]
        assert data_card(make(replace(signal, kind="unknown"))).values == "traces"
        assert card.reasons["bins"] == card.warnings[0]

    def test_other_errors_are_not_hidden(self):
        signal = SpikeTimes(np.array([np.nan]), np.array([1]), 0.0, 1.0)
        with pytest.raises(InputError, match="spike_times of neuron 0"):
            data_card(make(signal))
        with pytest.raises(InputError, match="a recording or an activity"):
            data_card(None)


class TestOfAnActivity:
    def test_it_tells_folds_and_drops_without_the_recording(self):
        rng = np.random.default_rng(0)
        counts = (rng.random((2000, 5)) < [0.5, 0.4, 0.3, 0.2, 0.001]).astype(np.uint8)
        epochs = pd.DataFrame([(0.0, 20.0, "a")], columns=["start_s", "stop_s", "label"])
        recording = make(binned(counts), ["x", "x", "y", "y", "z"], epochs)
        activity = recording.binarize().split(seed=0)
        card = data_card(None, activity)
        assert card.neurons == 4
        assert card.dropped == {"active in fewer than 20 training bins": 1}
        assert card.dropped_neurons == ("n4",)
        assert card.folds == activity.step("split").options["bins"]
        assert card.regions == {"x": 2, "y": 2}
        assert card.to_json() == data_card(recording, activity).to_json()
        assert has_no_nan(card.to_json())
        assert dict(card_in_words(card))["folds"].startswith("train ")

    def test_a_leak_is_told(self):
        activity = make(binned(np.tile([[1, 0], [0, 1]], (50, 1)))).binarize()
        with pytest.warns(UserWarning, match="one by one"):
            shuffled = activity.split(by="shuffled")
        assert any("one by one" in text for text in data_card(None, shuffled).warnings)
        assert any(
            "no held-out score" in text
            for text in data_card(None, activity.split(by="none")).warnings
        )


class TestWarnings:
    def warned(self, counts, **more):
        return " | ".join(data_card(make(binned(counts, **more))).warnings)

    def test_many_spikes_in_a_bin(self):
        counts = np.ones((100, 1))
        counts[:5] = 2
        assert "more than one spike" not in self.warned(counts)
        counts[5] = 2
        assert "6.0 % of the active bins hold more than one spike" in self.warned(counts)
        assert "bins shorter than 10 ms" in self.warned(counts)

    def test_silence_and_its_opposite(self):
        silent = np.zeros((100, 2))
        silent[0, 0] = 1
        assert "neurons never active: 1;" in self.warned(silent)
        assert "99 % of the bins hold no active neuron" in self.warned(silent)
        assert "the right way round" in self.warned(1 - silent)
        assert "no neuron is ever active" in self.warned(0 * silent)

    def test_bins_that_lose_spikes_are_not_to_be_longer(self):
        counts = np.zeros((100, 1))
        counts[:10] = 2
        told = self.warned(counts)
        assert "more neurons would tell more" in told
        assert "longer bins" not in told

    @pytest.mark.parametrize("unit", [1.0, 1000.0])
    def test_times_of_another_unit(self, unit):
        times = np.sort(np.random.default_rng(0).random(100)) * 100 * unit
        signal = SpikeTimes(times, np.array([100]), 0.0, 100.0 * unit)
        told = data_card(make(signal)).warnings
        assert any("are its times in seconds?" in text for text in told) == (unit > 1)

    def test_a_gap_shorter_than_the_memory(self):
        rng = np.random.default_rng(0)
        for states, remembers in ((rng.integers(0, 2, 300).repeat(200), True),
                                  (rng.integers(0, 2, 60_000), False)):  # fmt: skip
            activity = make(binned(states[:, None] * np.ones((1, 2)))).binarize()
            found = data_card(None, activity.split(by="blocks", gap_s=0.5, seed=0)).warnings
            # states of 200 bins, 2 s each
            assert any("and the gap between folds is 0.5 s" in text for text in found) == remembers

    def test_few_independent_bins(self):
        slow = np.repeat(np.arange(10) % 2, 50)[:, None] * np.ones((1, 60))
        assert "fewer than the 60 neurons" in self.warned(slow)


class TestTimescales:
    def test_lag_1_against_numpy_within_segments(self):
        rng = np.random.default_rng(0)
        states = (rng.random((40, 3)) < 0.4).astype(np.uint8)
        segment = np.repeat([3, 1, 2], [10, 1, 29]).astype(np.int32)
        now = np.r_[0:9, 11:39]
        expected = [np.corrcoef(states[now, k], states[now + 1, k])[0, 1] for k in range(3)]
        np.testing.assert_allclose(lag1_correlation_of_neurons(states, segment), expected)
        count = population_count(states)
        np.testing.assert_allclose(
            lag1_correlation(count, segment), np.corrcoef(count[now], count[now + 1])[0, 1]
        )
        # the control: across the edges it is another number
        assert lag1_correlation(count, np.zeros(40, np.int32)) != lag1_correlation(count, segment)

    def test_pieces_add_up(self, monkeypatch):
        rng = np.random.default_rng(1)
        states = (rng.random((41, 3)) < 0.4).astype(np.uint8)
        segment = np.repeat([0, 1], [20, 21]).astype(np.int32)
        whole = lag1_correlation_of_neurons(states, segment)
        monkeypatch.setattr("boltzbrain.data.timescale.slices", partial(slices, budget=12))
        np.testing.assert_array_equal(lag1_correlation_of_neurons(states, segment), whole)

    def test_a_neuron_that_does_not_vary_is_left_out(self):
        states = np.array([[1, 0, 0], [1, 0, 1], [1, 0, 0], [1, 0, 1]], np.uint8)
        np.testing.assert_allclose(
            lag1_correlation_of_neurons(states, np.zeros(4, np.int32)), [-1.0]
        )

    @pytest.mark.parametrize("segments", [1, 40])
    def test_independent_bins_of_an_autoregression(self, segments):
        # x' = 0.8 x + noise: bins / (1 + 2 sum 0.8**k) = bins / 9. The estimate's relative error is
        # about sqrt(2 (2 window + 1) / bins) = 0.043 at a window of 36 (Madras and Sokal 1988), so
        # 25 % is beyond 5 errors; the control is white noise, which must come out near all bins
        noise = Generator.from_seed(0, "card").normal((1, 80_000)).numpy()[0].astype(np.float64)
        values = noise.copy()
        for k in range(1, len(values)):
            values[k] += 0.8 * values[k - 1]
        segment = np.repeat(np.arange(segments), len(values) // segments).astype(np.int32)
        scaled = np.round(1000 * values).astype(np.int64)
        assert independent_bins(scaled, segment) == pytest.approx(80_000 / 9, rel=0.25)
        white = np.round(1000 * noise).astype(np.int64)
        assert independent_bins(white, segment) == pytest.approx(80_000, rel=0.1)

    def test_independent_bins_of_a_long_stretch_take_little_memory(self):
        """Times in milliseconds that are read as seconds make a night of three hours 120 days."""
        bins = 8_000_000
        values = np.zeros(bins, np.int64)
        values[::40] = 1
        tracemalloc.start()
        found = independent_bins(values, np.zeros(bins, np.int32))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found is not None
        assert peak < 20 * bins


def test_a_real_recording(shared_data):
    stored = np.load(shared_data / "steinmetz" / "session10.npz", allow_pickle=False)
    signal = Binned(
        stored["counts"],
        float(stored["bin_width_s"]),
        stored["segment"],
        np.arange(len(stored["counts"])) * 0.01,
    )
    card = data_card(make(signal, stored["region"].tolist()))
    assert (card.neurons, card.bins, card.segments) == (1172, 17_880, 447)
    assert card.bin_width_s == 0.01
    assert card.mean_activity == pytest.approx(0.028, abs=0.0005)
    assert len(card.regions) == 13
    assert sum(card.regions.values()) == 1172
    assert has_no_nan(card.to_json())
