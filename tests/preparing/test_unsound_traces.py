"""Traces with a low baseline, without values, clipped, or of events: right, or refused by name."""

from __future__ import annotations

import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest

import boltzbrain as bb
from boltzbrain.data.recording import Recording
from boltzbrain.data.signals import Traces
from boltzbrain.foundations.checks import InputError
from boltzbrain.preparing.calcium.blind_deconvolution import Kernel
from boltzbrain.preparing.calcium.deconvolve import deconvolve
from boltzbrain.preparing.card.card import data_card
from boltzbrain.preparing.faults.find import Validation, validate
from boltzbrain.preparing.faults.points import Point
from helpers.calcium import FRAME_S, planted, recording_of
from helpers.other_layouts import write_caiman, write_suite2p

CELLS = 6


def fluorescence(level: float = 1.0) -> np.ndarray:
    """Return cells at a level, with noise of a twentieth, and events that peak at 1."""
    return planted(Kernel(0.15, 1.6), cells=CELLS, noise=0.05)[1] + np.float32(level - 0.3)


def found(recording: Recording, **options) -> Recording:
    """Return the events; a warning, of numpy for instance, is an error."""
    given = {} if recording.signal.kind == "deconvolved" else {"kernel": "gcamp6f"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return deconvolve(recording, **given, **options)


def check(recording: Recording) -> Validation:
    traces = isinstance(recording.signal, Traces)
    return validate(recording, None if traces else recording.binarize())


def point(recording: Recording, name: str) -> Point:
    return next(one for one in check(recording).points if one.name == name)


def told(recording: Recording) -> dict:
    return dict(recording.steps[-1].options)


def differ(first: np.ndarray, second: np.ndarray) -> float:
    """Return 1 - F1 of two binary traces, frame by frame."""
    return 1 - 2 * float((first & second).sum()) / float(first.sum() + second.sum())


@pytest.mark.parametrize("level", [-1.0, -0.05, 0.0, 0.1])
def test_events_do_not_depend_on_a_background_that_was_taken_off(level):
    whole = found(recording_of(fluorescence(), "fluorescence"))
    assert whole.steps[0].options["over_noise"] == []
    assert check(whole).verdict == "clean"
    lowered = recording_of(fluorescence(level), "fluorescence")
    fault = point(lowered, "baseline near zero")
    assert (fault.severity, fault.mend, fault.neurons) == (
        "mend",
        "--calcium bsd",
        (0, 1, 2, 3, 4, 5),
    )
    assert "6 of 6 cells (100 %)" in fault.found
    low = found(lowered)
    assert low.steps[0].options["over_noise"] == list("012345")
    assert differ(whole.signal.counts, low.signal.counts) < 0.05
    done = point(low, "baseline near zero")
    assert (done.severity, done.mended) == ("note", "F - F0 over the noise in place of dF/F")
    assert any(
        "F0 is not well above its noise in 6 of 6" in note for note in data_card(low).warnings
    )


def test_a_quotient_by_a_low_baseline_gives_other_events():
    # the control: dF/F itself, of the traces that the test above lowers to a tenth
    whole = found(recording_of(fluorescence(), "fluorescence")).signal.counts
    lowered = fluorescence(0.0)
    base = np.percentile(lowered.reshape(6, 500, CELLS), 10, axis=1).repeat(500, axis=0)
    with np.errstate(all="ignore"):
        quotient = np.where(base > 0, (lowered - base) / base, 0.0).astype(np.float32)
    broken = found(recording_of(quotient))
    assert broken.signal.counts.shape != whole.shape or differ(whole, broken.signal.counts) > 0.2


def test_only_the_cells_with_a_low_baseline_are_taken_over_their_noise():
    traces = fluorescence()
    traces[:, 2] -= 1.0
    events = found(recording_of(traces, "fluorescence"))
    assert events.steps[0].options["over_noise"] == ["2"]
    alone = found(recording_of(fluorescence(), "fluorescence")).signal.counts
    others = [0, 1, 3, 4, 5]
    np.testing.assert_array_equal(events.signal.counts[:, others], alone[:, others])


def spoilt(how: str) -> np.ndarray:
    traces = fluorescence()
    if how == "no number":
        traces[:, 1] = np.nan
    elif how == "infinite":
        traces[:, 1] = np.inf
    elif how == "one value":
        traces[:, 1] = 3.0
    elif how == "one value where it is a number":
        traces[:, 1] = np.where(np.arange(len(traces)) % 50, 3.0, np.nan)
    elif how == "half missing":
        traces[:1500, 1] = np.nan
    elif how == "denoised":
        traces[:, 1] = np.where(traces[:, 1] > 1.8, traces[:, 1], 1.0)
    return traces


LEFT_OUT = {
    "no number": ("left_out_no_number", "flat traces"),
    "infinite": ("left_out_no_number", "flat traces"),
    "one value": ("left_out_one_value", "flat traces"),
    "one value where it is a number": ("left_out_one_value", "flat traces"),
    "half missing": ("left_out_gaps", "missing frames"),
    "denoised": ("left_out_no_noise", "flat traces"),
}


@pytest.mark.parametrize("kind", ["fluorescence", "dff", "unknown"])
@pytest.mark.parametrize("how", LEFT_OUT)
def test_a_cell_of_no_use_is_left_out_by_name_and_the_others_stay_as_they_were(how, kind):
    name, fault = LEFT_OUT[how]
    recording = recording_of(spoilt(how), kind)
    before = check(recording)
    assert before.verdict == "mend first"
    assert point(recording, fault).severity == "mend"
    assert point(recording, fault).neurons == (1,)
    events = found(recording)
    assert told(events)[name] == ["1"]
    assert events.neurons["id"].tolist() == ["0", "2", "3", "4", "5"]
    clean = found(recording_of(fluorescence(), kind)).signal.counts
    np.testing.assert_array_equal(events.signal.counts, np.delete(clean, 1, axis=1))
    after = point(events, fault)
    assert (after.severity, after.mended) == ("note", "left out")
    assert "1 of 6 cells (16.7 %)" in after.found
    assert any(key.startswith("traces that") for key in data_card(events).dropped)
    if fault == "flat traces":
        assert recording.mend("silent").neurons["id"].tolist() == ["0", "2", "3", "4", "5"]


@pytest.mark.parametrize("value", [np.nan, np.inf, 2.0])
def test_traces_without_any_cell_of_use_are_refused_for_the_reason(value):
    traces = np.full((300, 3), value, dtype=np.float32)
    reason = "3 that hold a single value" if np.isfinite(value) else "3 that hold no number"
    with pytest.raises(InputError, match=f"must have a cell that can be used; got {reason}"):
        found(recording_of(traces, "fluorescence"))
    assert check(recording_of(traces, "fluorescence")).verdict == "mend first"


def test_short_gaps_are_bridged_and_said():
    traces = fluorescence()
    traces[100:105, 2] = np.nan
    traces[2000, 4] = -np.inf
    recording = recording_of(traces, "fluorescence")
    fault = point(recording, "missing frames")
    assert (fault.severity, fault.mend, fault.neurons) == ("mend", "--calcium bsd", (2, 4))
    events = found(recording)
    assert told(events)["bridged"] == ["2", "4"]
    assert told(events)["share_bridged"] == pytest.approx(6 / traces.size)
    clean = found(recording_of(fluorescence(), "fluorescence")).signal.counts
    assert differ(events.signal.counts[:, [2, 4]], clean[:, [2, 4]]) < 0.05
    assert point(events, "missing frames").mended == "bridged, without an event"
    assert check(events).verdict == "usable"


def test_frames_that_every_cell_lacks_are_no_time_in_which_all_are_silent():
    traces = fluorescence()
    traces[1000:1400] = np.nan
    events = found(recording_of(traces, "fluorescence"))
    assert len(events.signal.counts) == 2600
    assert told(events)["frames_left_out"] == 400
    assert events.signal.segment.tolist() == [0] * 1000 + [1] * 1600
    assert events.signal.times[1000] == pytest.approx(1400 * FRAME_S)
    assert events.signal.counts.shape[1] == CELLS
    # the control: a gap of a second is bridged
    traces = fluorescence()
    traces[1000:1010] = np.nan
    assert len(found(recording_of(traces, "fluorescence")).signal.counts) == 3000


def test_stretches_too_short_to_find_events_in_are_not_made_silent():
    traces = fluorescence()[:2006]
    recording = recording_of(traces, "fluorescence")
    times = recording.signal.times.copy()
    times[2000:] += 30.0
    late = Recording(recording.neurons, {}, Traces(traces, times, "fluorescence"),
                     recording.epochs, recording.source)  # fmt: skip
    assert found(late).signal.counts.shape == (2000, CELLS)
    with pytest.raises(InputError, match="at least 10 frames without a pause; got 6 frames"):
        found(recording_of(traces[:6], "fluorescence"))
    assert check(recording_of(traces[:6], "fluorescence")).verdict == "mend first"


@pytest.mark.parametrize("kind", ["fluorescence", "dff", "unknown"])
def test_a_clipped_top_is_found_before_and_after_and_dropped_when_asked(kind):
    traces = fluorescence()
    traces[:, 3] = np.minimum(traces[:, 3], 1.6)
    recording = recording_of(traces, kind)
    for one in (recording, found(recording)):
        fault = point(one, "saturated traces")
        assert (fault.severity, fault.mend, fault.neurons) == ("mend", "--mend saturated", (3,))
        assert check(one).verdict == "mend first"
        mended = one.mend("saturated")
        assert mended.neurons["id"].tolist() == ["0", "1", "2", "4", "5"]
        assert "saturated traces" not in {p.name for p in check(mended).points}


def of_few_levels() -> np.ndarray:
    """Return traces at their top in 3 % of the frames, and just below it in 15 %."""
    return np.random.default_rng(2).binomial(4, 0.4, (3000, 3)).astype(np.float32)


@pytest.mark.parametrize("traces", [of_few_levels(), np.round(5 * fluorescence()), fluorescence()])
def test_coarse_numbers_are_not_taken_for_a_clipped_top(traces):
    # the control: what a camera of few levels gives
    names = {one.name for one in check(recording_of(traces, "dff")).points}
    assert "saturated traces" not in names


def events_matrix(rate: float, amplitude: str, frames: int = 6000, cells: int = 8) -> np.ndarray:
    generator = np.random.default_rng(1)
    on = generator.random((frames, cells)) < rate
    size = generator.gamma(1.0, 0.05, on.shape) if amplitude == "gamma" else np.full(on.shape, 0.05)
    return np.where(on, size, 0.0).astype(np.float32)


@pytest.mark.parametrize("amplitude", ["gamma", "constant"])
@pytest.mark.parametrize("rate", [0.001, 0.01, 0.05])
def test_where_nearly_all_values_are_zero_active_means_above_zero(rate, amplitude):
    values = events_matrix(rate, amplitude)
    recording = recording_of(values, "deconvolved")
    before = check(recording)
    assert before.verdict == "mend first"
    assert {one.mend for one in before.points} == {"--calcium deconvolved"}
    assert "active will mean above 0" in point(recording, "exact zeros").found
    events = found(recording)
    np.testing.assert_array_equal(events.signal.counts, values > 0)
    assert told(events)["threshold"] == 0.0
    assert told(events)["rule"].startswith("value > 0, as 9")
    rates = [row["rate"] for row in told(events)["sensitivity"]]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] == pytest.approx(float((values > 0).mean()))
    rule = f"that leaves {100 * rates[0]:.3g} % of the values"
    assert rule in point(events, "threshold").found
    assert any(rule in note for note in data_card(events).warnings)
    # a threshold that is given holds
    asked = found(recording, threshold=3.0)
    assert asked.signal.counts.mean() < events.signal.counts.mean()


def test_dense_deconvolved_values_keep_their_threshold():
    # the control: as suite2p's spks, where small values are noise
    generator = np.random.default_rng(0)
    values = generator.gamma(1.0, 7.0, size=(3000, 4)) * (generator.random((3000, 4)) < 0.33)
    events = found(recording_of(values.astype(np.float32), "deconvolved"))
    assert told(events)["threshold"] == 3.0
    assert "exact zeros" not in {
        one.name for one in check(recording_of(values.astype(np.float32), "deconvolved")).points
    }


def test_no_event_is_made_up_between_two_that_are_known():
    values = events_matrix(0.05, "constant")
    row = int(np.flatnonzero(values[:, 0])[5])
    values[row + 1 : row + 4, 0] = np.nan
    events = found(recording_of(values, "deconvolved")).signal.counts
    assert events[row, 0] == 1
    assert events[row + 1 : row + 4, 0].sum() == 0


def test_an_activity_that_the_split_would_empty_is_not_called_usable():
    rare = found(recording_of(events_matrix(0.001, "gamma"), "deconvolved"))
    fault = point(rare, "rarely active neurons")
    assert (fault.severity, len(fault.neurons)) == ("mend", 8)
    with pytest.raises(InputError, match=r"the most active one is active in \d+ of \d+ training"):
        rare.binarize().split()
    assert rare.binarize().split(min_active_bins=1).n_neurons == 8
    # the control
    often = check(found(recording_of(events_matrix(0.05, "gamma"), "deconvolved")))
    assert often.verdict == "clean"


def test_what_is_deconvolved_is_never_to_be_deconvolved():
    recording = recording_of(events_matrix(0.05, "gamma"), "deconvolved")
    with pytest.raises(InputError, match=r"made binary first \(--calcium deconvolved, or"):
        recording.binarize()
    with pytest.raises(InputError, match=r"made binary first \(--calcium bsd, or"):
        recording_of(fluorescence()).binarize()


def test_components_of_caiman_without_a_number_are_left_out(tmp_path: Path):
    path = tmp_path / "results.hdf5"
    write_caiman(path)
    with h5py.File(path, "r+") as file:
        traces = file["estimates/F_dff"][()]
        traces[1] = np.nan
        traces[3, 5] = np.nan
        file["estimates/F_dff"][...] = traces
    recording = bb.read(path)
    assert check(recording).verdict == "mend first"
    events = deconvolve(recording, kernel="0,0.3")
    assert told(events)["left_out_no_number"] == ["1"]
    assert told(events)["bridged"] == ["3"]
    assert events.neurons["id"].tolist() == ["0", "3", "4"]


def test_cells_of_suite2p_that_their_neuropil_outshines_keep_their_events(tmp_path: Path):
    write_suite2p(tmp_path / "plane0")
    traces = 100 * fluorescence(1.0).T
    np.save(tmp_path / "plane0" / "F.npy", np.ascontiguousarray(traces))
    around = np.zeros(traces.shape, np.float32)
    around[2] = 101.4 / 0.7
    np.save(tmp_path / "plane0" / "Fneu.npy", around)
    recording = bb.read(tmp_path)
    events = found(recording)
    assert events.steps[0].options["over_noise"] == ["2"]
    clean = found(recording_of(fluorescence(), "fluorescence")).signal.counts
    column = events.neurons["id"].tolist().index("2")
    assert differ(events.signal.counts[:, column], clean[:, 2]) < 0.05


def test_the_real_cell_below_zero_has_events(shared_data):
    events = deconvolve(bb.read(shared_data / "suite2p", frame_s=1 / 30), kernel="0.1,1.2")
    assert events.steps[-2].options["over_noise"] == ["210"]
    assert told(events)["neurons_without_events"] == 0
