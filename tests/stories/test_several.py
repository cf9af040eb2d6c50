"""Several recordings given to one command: joined as asked, and never without being asked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import boltzbrain as bb
from helpers.command_line import BINS, NEURONS, QUICK, run_command, small_arrays, write_small
from helpers.layouts import LAYOUTS
from helpers.serving import serve


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    first = write_small(tmp_path / "first.npz")
    return [first, write_small(tmp_path / "second.npz", states=small_arrays(1)["states"])]


def test_probes_lie_side_by_side_and_sessions_follow_each_other(two, capsys):
    for way, neurons, bins in (("probes", 2 * NEURONS, BINS), ("sessions", NEURONS, 2 * BINS)):
        told = run_command(["info", *two, "--join", way, "--json"], capsys)
        assert told.status == 0, told.err
        card = json.loads(told.out)
        assert (card["neurons"], card["bins"]) == (neurons, bins)


def test_joined_recordings_are_converted_and_read_back(two, tmp_path, capsys):
    told = run_command(["convert", *two, tmp_path / "both.npz", "--join", "probes"], capsys)
    assert told.status == 0, told.err
    both = bb.read(tmp_path / "both.npz")
    assert both.neurons["id"].tolist()[::NEURONS] == ["first_0", "second_0"]
    for number, path in enumerate(two):
        part = both.signal.counts[:, number * NEURONS : (number + 1) * NEURONS]
        np.testing.assert_array_equal(part, bb.read(path).signal.counts)
    assert [step.name for step in both.steps] == ["join_probes"]


def test_a_fit_of_joined_recordings_is_resumed_from_them_alone(two, tmp_path, capsys):
    words = [*two, "--join", "sessions", "-o", tmp_path / "run", *QUICK]
    told = run_command(["fit", *words], capsys)
    assert told.status == 0, told.err
    activity = bb.TrainingRun.open(tmp_path / "run").activity()
    assert activity.states.shape == (2 * BINS, NEURONS)
    assert len(activity.source.sha256) == 64
    assert activity.step("join_sessions").options["sessions"] == ["first", "second"]
    assert run_command(["fit", *words, "--resume"], capsys).status == 0
    turned = [*two[::-1], *words[2:]]
    refused = run_command(["fit", *turned, "--resume"], capsys)
    assert refused.status == 2
    assert "sha256 must be that of the recording" in refused.err


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["a", "b"], "--join must be probes or sessions for several recordings, and only for them"),
        (["a", "--join", "probes"], "got a --join for 1"),
        (["a", "b", "--join", "animals"], "--join must be one of: probes, sessions; got animals"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_read(more, told, capsys):
    refused = run_command(["info", *more], capsys)
    assert refused.status == 2
    assert told in refused.err


def test_a_recording_on_a_web_server(tmp_path, capsys):
    LAYOUTS["nwb_allen"].write(tmp_path / "session.nwb")
    with serve(tmp_path) as served:
        words = ["info", f"{served.url}/session.nwb", "--units", "good", "--json"]
        told = run_command(words, capsys)
    assert told.status == 0, told.err
    local = run_command(["info", tmp_path / "session.nwb", *words[2:]], capsys)
    far, near = json.loads(told.out), json.loads(local.out)
    assert far["neurons"] == near["neurons"] == 8
    assert far["mean_activity"] == near["mean_activity"]
