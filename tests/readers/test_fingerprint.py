"""Large files are known by their size, ends and what was read; what older versions wrote counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

import boltzbrain as bb
from boltzbrain.foundations.disk.files import sha256
from boltzbrain.readers import fingerprint as module
from boltzbrain.readers import read
from boltzbrain.readers.fingerprint import is_same_recording
from helpers.layouts import LAYOUTS
from helpers.nwb_layouts import write_plain


@pytest.fixture
def large(tmp_path: Path, monkeypatch) -> Path:
    """Return a file that is large, as here all of them are, with data in it that nobody reads."""
    monkeypatch.setattr(module, "WHOLE_BYTES", 1000)
    monkeypatch.setattr(module, "_END", 100)
    path = tmp_path / "a.nwb"
    write_plain(path)
    with h5py.File(path, "a") as file:
        file["acquisition/raw"] = np.zeros(5000)
    return path


def test_what_was_read_tells_large_files_apart_and_what_was_not_does_not(large: Path):
    first = read(large).source
    assert len(first.sha256) == 64
    assert first.sha256 != sha256(large)
    assert read(large).source == first
    with h5py.File(large, "a") as file:
        file["acquisition/raw"][2500] = 1.0
    assert read(large).source.sha256 == first.sha256
    with h5py.File(large, "a") as file:
        times = file["units/spike_times"]
        times[10] = times[10] + 1e-6
    assert read(large).source.sha256 != first.sha256


def test_a_run_of_an_older_version_knows_its_recording_by_the_whole_hash(large: Path, monkeypatch):
    now = read(large).source
    then = replace(now, sha256=sha256(large))
    assert is_same_recording(now, then)
    assert not is_same_recording(now, replace(now, sha256=64 * "0"))
    assert not is_same_recording(now, replace(now, sha256=""))
    # of a folder, and of sessions that were joined
    folder = LAYOUTS["phy"].write(large.parent / "phy")
    monkeypatch.setattr(module, "_END", 10)
    now = read(folder).source
    assert is_same_recording(now, replace(now, sha256=sha256(folder / "spike_times.npy")))
    both = [read(large), read(large)]
    joined = bb.join_sessions(both).source
    parts = [{**one, "sha256": sha256(large)} for one in joined.options["parts"]]
    older = replace(joined, sha256="older", options={**joined.options, "parts": parts})
    assert is_same_recording(joined, older)
    parts[1]["sha256"] = "another"
    assert not is_same_recording(joined, older)
