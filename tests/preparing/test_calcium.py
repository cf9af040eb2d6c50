"""Calcium to events: the solver against a general one, planted events, kernels and thresholds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import nnls

from boltzbrain.data.recording import Recording, neuron_table, no_epochs
from boltzbrain.data.signals import Binned, Traces
from boltzbrain.data.steps import Source
from boltzbrain.foundations.checks import InputError
from boltzbrain.preparing.calcium.blind_deconvolution import (
    Kernel,
    deconvolve_trace,
    estimate_kernel,
)
from boltzbrain.preparing.calcium.deconvolve import deconvolve
from boltzbrain.preparing.calcium.dff import relative_change, sliding_baseline
from boltzbrain.preparing.calcium.scores import KERNELS
from boltzbrain.preparing.calcium.sparse_solver import solve, unit_peak
from boltzbrain.readers.resampling import at_common_times
from helpers.calcium import FRAME_S, planted, recording_of, response


@pytest.mark.parametrize("kernel", [Kernel(0.2, 1.0), Kernel(0.0, 0.8)])
@pytest.mark.parametrize("lam", [0.05, 1.0])
def test_the_solver_finds_what_a_general_one_finds(kernel: Kernel, lam: float):
    # with lam 1, completing the square turns the L1 penalty into a shift of the trace
    frames = 60
    _, traces = planted(kernel, frames=frames, cells=1, seed=3)
    trace = traces[:, 0].astype(np.float64)
    shape = response(kernel, frames)
    matrix = np.array(
        [[shape[t - s] if t >= s else 0.0 for s in range(frames)] for t in range(frames)]
    )
    shift = np.linalg.solve(matrix.T, np.full(frames, lam))
    expected, _ = nnls(matrix, trace - shift, maxiter=10_000)
    events = np.full(frames, 0.1)
    decay, rise = kernel.factors(FRAME_S)
    calcium = solve(trace, decay, rise, lam, events)
    np.testing.assert_allclose(calcium, matrix @ events, atol=1e-9)

    def cost(n):
        return 0.5 * ((trace - matrix @ n) ** 2).sum() + lam * n.sum()

    assert (events >= 0).all()
    assert cost(events) == pytest.approx(cost(expected), abs=2e-3)
    np.testing.assert_allclose(matrix @ events, matrix @ expected, atol=0.03)


def test_the_kernel_has_a_peak_of_one():
    for kernel in KERNELS.values():
        decay, rise = kernel.factors(0.05)
        power = np.arange(1, 500)
        shape = decay**power - rise**power
        made = np.zeros(499)
        first, second = decay + rise, -decay * rise
        made[0] = 1 / unit_peak(decay, rise)
        made[1] = first * made[0]
        for t in range(2, 499):
            made[t] = first * made[t - 1] + second * made[t - 2]
        np.testing.assert_allclose(made, shape / shape.max(), atol=1e-12)
        assert kernel.norm(0.05) == pytest.approx(np.linalg.norm(shape) / shape.max(), rel=1e-3)


def near(found: np.ndarray, true: np.ndarray, frames: int = 1) -> tuple[float, float]:
    """Return precision and recall of events within some frames."""
    width = np.ones(2 * frames + 1)
    wide_true, wide_found = (
        np.stack([np.convolve(c, width, "same") > 0 for c in one.T], 1) for one in (true, found)
    )
    precision = (found.astype(bool) & wide_true).sum() / max(1, found.sum())
    return float(precision), float((true.astype(bool) & wide_found).sum() / true.sum())


@pytest.mark.parametrize("method", ["bsd", "oasis"])
def test_planted_events_are_found(method: str):
    kernel = Kernel(0.15, 1.6)
    events, traces = planted(kernel, noise=0.08)
    found = deconvolve(recording_of(traces), method=method, kernel="gcamp6f").signal
    assert isinstance(found, Binned)
    precision, recall = near(found.counts, events)
    assert precision > 0.9
    assert recall > 0.85
    # noise alone has next to no events: the threshold is four of its standard deviations
    silence = np.random.default_rng(1).normal(size=traces.shape).astype(np.float32)
    none = deconvolve(recording_of(silence), method=method, kernel="gcamp6f")
    assert none.signal.counts.mean() < 0.002
    assert "fewer than the 0.02" in none.steps[-1].options["warning"]


@pytest.mark.parametrize(
    ("truth", "noise"), [(Kernel(0.2, 1.2), 0.05), (Kernel(0.2, 1.2), 0.2), (Kernel(0.1, 0.6), 0.1)]
)
def test_the_kernel_is_estimated(truth: Kernel, noise: float):
    _, traces = planted(truth, noise=noise)
    found = [estimate_kernel(trace, FRAME_S) for trace in traces.T.astype(np.float64)]
    decay = np.median([one.decay_s for one in found if one is not None])
    assert decay == pytest.approx(truth.decay_s, rel=0.25)
    assert estimate_kernel(np.ones(500), FRAME_S) is None


def test_noise_and_baseline_are_estimated():
    kernel = Kernel(0.15, 1.6)
    _, traces = planted(kernel, noise=0.1)
    for trace in traces.T.astype(np.float64):
        found = deconvolve_trace(trace, FRAME_S, kernel)
        assert found is not None
        assert found.noise == pytest.approx(0.1, rel=0.15)
        assert found.baseline == pytest.approx(0.3, abs=0.05)


def test_every_step_is_told_and_the_result_does_not_depend_on_the_threads():
    _, traces = planted(Kernel(0.15, 1.6))
    recording = recording_of(traces + 10, "fluorescence")
    one = deconvolve(recording, kernel="gcamp6f", workers=1)
    two = deconvolve(recording, kernel="gcamp6f", workers=2)
    np.testing.assert_array_equal(one.signal.counts, two.signal.counts)
    assert [step.name for step in one.steps] == ["dff", "deconvolve"]
    told = one.steps[1].options
    assert (told["rise_s"], told["decay_s"]) == (0.15, 1.6)
    assert told["rule"].startswith("event > 4 noise")
    rates = [row["rate"] for row in told["sensitivity"]]
    assert rates == sorted(rates, reverse=True)
    assert [row["threshold"] for row in told["sensitivity"]] == [2.0, 3.0, 4.0, 6.0, 8.0]
    assert told["sensitivity"][2]["agreement"] == pytest.approx(1.0)
    activity = one.binarize()
    assert [step.name for step in activity.steps] == ["dff", "deconvolve", "binarize"]
    np.testing.assert_array_equal(activity.states, one.signal.counts)


def test_traces_in_pieces_with_gaps_and_flat_cells():
    _, traces = planted(Kernel(0.15, 1.6), frames=600)
    traces[:, 1] = 0.0
    traces[100:103, 2] = np.nan
    times = np.arange(600) * FRAME_S
    times[300:] += 60.0
    recording = Recording(
        neuron_table(["a", "b", "c", "d"]), {}, Traces(traces, times, "dff"), no_epochs(),
        Source("test", "made", ""),
    )  # fmt: skip
    found = deconvolve(recording, kernel="gcamp6f")
    assert isinstance(found.signal, Binned)
    assert found.signal.segment.tolist() == [0] * 300 + [1] * 300
    assert found.signal.counts[[0, 300]].sum() == 0  # calcium left over from before is no event
    # the flat cell is left out by name, the gap is bridged
    assert found.neurons["id"].tolist() == ["a", "c", "d"]
    assert found.signal.counts[:, 1].sum() > 0
    told = found.steps[-1].options
    assert (told["left_out_one_value"], told["bridged"]) == (["b"], ["c"])
    each = deconvolve(recording, kernel="each").steps[-1].options
    assert len(each["decay_s_of_cells"]) == 3


def test_deconvolved_values_are_cut_by_their_own_scale_and_never_at_zero():
    generator = np.random.default_rng(5)
    values = generator.gamma(1.0, 7.0, size=(1000, 3)).astype(np.float32)
    recording = recording_of(values, "deconvolved")
    states = deconvolve(recording).signal
    assert 0.05 < states.counts.mean() < 0.25
    same = deconvolve(recording_of(values * 1000, "deconvolved")).signal
    np.testing.assert_array_equal(states.counts, same.counts)
    with pytest.raises(InputError, match="method must be 'deconvolved' for traces"):
        deconvolve(recording, method="bsd")
    with pytest.raises(InputError, match="method must be 'deconvolved'"):
        deconvolve(recording_of(values), method="deconvolved")
    # spks of suite2p are hardly ever 0: a cut at zero would be no cut
    assert (values > 0).mean() > 0.99


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"method": "bds"}, "method must be one of: bsd, .*'bsd'"),
        ({"kernel": "gcamp8"}, "kernel must be one of: gcamp6s"),
        ({"kernel": (1.0, 0.5)}, r"kernel \(decay\) must be a number in \(1"),
        ({"threshold": 0.0}, r"threshold must be a number in \(0"),
    ],
)
def test_bad_options_are_refused(options, told):
    with pytest.raises(InputError, match=told):
        deconvolve(recording_of(np.zeros((50, 2), np.float32)), **options)


def test_the_baseline_follows_bleaching():
    frames = np.arange(5000)
    bleached = 100 * np.exp(-frames / 4000)
    generator = np.random.default_rng(0)
    jumps = (generator.random(5000) < 0.02) * 50.0
    traces = (bleached + jumps)[:, None].astype(np.float32)
    base = sliding_baseline(traces, FRAME_S, window_s=20)
    assert np.abs(base[:, 0] / bleached - 1).max() < 0.05
    segment = np.zeros(5000, dtype=np.int32)
    changes, over_noise = relative_change(traces, segment, FRAME_S, window_s=20)
    change = changes[:, 0]
    assert not over_noise.any()
    assert abs(np.median(change[:1000]) - np.median(change[-1000:])) < 0.05
    # background is taken off below the line
    doubled, _ = relative_change(traces + 100, segment, FRAME_S, window_s=20, background=100.0)
    np.testing.assert_allclose(doubled[:, 0], change, atol=1e-4)
    nothing, over_noise = relative_change(traces * 0, segment, FRAME_S)
    assert (nothing == 0).all()
    assert over_noise.all()


def test_planes_are_brought_to_common_times():
    times = np.arange(50) * 0.2
    late = times + 0.1
    line = np.stack([3 * late, 5 - late], axis=1).astype(np.float32)
    common = at_common_times(line, late, times)
    np.testing.assert_allclose(common[1:, 0], 3 * times[1:], atol=1e-5)
    np.testing.assert_allclose(common[0], line[0])
    assert at_common_times(line, times, times) is line
