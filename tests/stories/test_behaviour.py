"""Trials beside a recording, from the command line to the file, the page and the data frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import boltzbrain as bb
from boltzbrain.foundations.checks import InputError
from helpers.browsing import require_sound
from helpers.command_line import QUICK, SEGMENTS, make, run_command, small_arrays, write_small


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A run whose trials are told by how active the first assembly's neurons are in them."""
    folder = tmp_path_factory.mktemp("behaviour")
    recording = write_small(folder / "small.npz")
    states = small_arrays()["states"]
    loud = states.reshape(SEGMENTS, -1, states.shape[1]).mean(axis=(1, 2))
    coin = np.random.default_rng(0).integers(0, 2, SEGMENTS)
    lines = [
        f"{n},{'loud' if loud[n] > np.median(loud) else 'quiet'},{coin[n]},1"
        for n in range(SEGMENTS)
    ]
    trials = folder / "trials.csv"
    trials.write_text("\n".join(["segment,noise,coin,always", *lines]), encoding="utf-8")
    running = folder / "running.csv"
    speed = states.sum(axis=1) + np.random.default_rng(1).normal(size=len(states))
    running.write_text("\n".join(["speed [cm/s]", *map(str, speed)]), encoding="utf-8")
    make(
        "fit", recording, "--trials", trials, "--covariates", running, "--test", "0.3",
        "-o", folder / "run", *QUICK,
    )  # fmt: skip
    make("interpret", folder / "run", "--behaviour-draws", "300")
    return folder


def test_what_is_read_of_behaviour_is_in_the_file_and_what_is_not_has_its_reason(folder):
    found = bb.TrainingRun.open(folder / "run").interpretation
    told = found.summary["behaviour"]
    assert told["names"] == ["noise", "coin", "speed"]
    assert "two levels or more of 5 trials each; got 1 (50)" in found.reasons["behaviour.always"]
    row = {name: place for place, name in enumerate(told["names"])}
    q_value = found["behaviour/hidden/q_value"]
    assert q_value[row["noise"]].min() < 0.05
    assert q_value[row["speed"]].min() < 0.05
    for path, entry in found.entries.items():
        if path.startswith("behaviour/") and entry.values.dtype.kind == "f":
            assert np.isfinite(entry.values).all(), path
    assert found["behaviour/decoding/score"].shape[1] == 3


def test_the_data_frames_say_what_the_file_says(folder):
    run = folder / "run"
    found = bb.TrainingRun.open(run).interpretation
    table = bb.tuning(run, "speed", draws=300)
    row = found.summary["behaviour"]["names"].index("speed")
    np.testing.assert_allclose(table["effect"], found["behaviour/hidden/effect"][row], atol=0.02)
    assert {"region", "tuned"} <= set(bb.tuning(run, "noise", units="neurons", draws=200))
    decoded = bb.decode(run, "speed", draws=40)
    assert list(decoded.index) == ["hidden", "neurons", "components"]
    assert decoded.loc["neurons", "score"] > 0.5
    assert set(bb.explained(folder / "run", names=["speed", "coin"])["of"]) >= {"speed", "coin"}


def test_a_name_that_is_not_there_and_a_recording_without_behaviour_are_told(folder, tmp_path):
    with pytest.raises(InputError, match=r"of must be a column .* got spead \(did you mean 'speed"):
        bb.tuning(folder / "run", "spead")
    make("fit", folder / "small.npz", "-o", tmp_path / "bare", *QUICK)
    with pytest.raises(InputError, match="a recording with trials or covariates"):
        bb.tuning(tmp_path / "bare", "noise")


def test_the_page_shows_what_assemblies_do(browser, folder, quick_evaluation):
    run = bb.TrainingRun.open(folder / "run")
    make("evaluate", run.folder)
    make("report", run.folder)
    require_sound(browser, run.folder / "report.html")
    names = browser.execute_script("return [...document.querySelectorAll('figure')].map(f => f.id)")
    assert [one for one in names if one.startswith("behaviour")] == [
        "behaviour", "behaviour-trials-0", "behaviour-trials-1", "behaviour-curves",
        "behaviour-places", "behaviour-decoding", "behaviour-explained",
    ]  # fmt: skip
    title = "return document.querySelector('#behaviour-trials-0 h3').textContent"
    assert browser.execute_script(title) == "Trials by noise"
    assert browser.execute_script(
        "return [...document.querySelectorAll('[id^=behaviour] img')].every(i => i.naturalWidth)"
    )


def test_info_lists_trials_and_series(folder, capsys):
    words = ["info", folder / "small.npz", "--trials", folder / "trials.csv",
             "--covariates", folder / "running.csv"]  # fmt: skip
    said = " ".join(run_command(words, capsys).out.split())
    assert "trials 50; noise " in said
    assert "; coin 0 (" in said
    assert "cm/s (mean of a bin)" in said
    other = folder / "small.npz"
    wrong = folder / "short.csv"
    wrong.write_text("segment,noise\n0,loud\n1,quiet\n", encoding="utf-8")
    refused = run_command(["info", other, "--trials", wrong], capsys)
    assert refused.status == 2
    assert "one row for each of the 50 segments; got 2 rows" in " ".join(refused.err.split())
