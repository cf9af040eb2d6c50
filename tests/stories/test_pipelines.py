"""From the folder of a common pipeline to a page, on real recordings."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch

import boltzbrain as bb
from helpers.command_line import NEURONS, QUICK, run_command, small_arrays, write_small


def test_a_phy_folder_from_end_to_end(shared_data: Path, tmp_path: Path, capsys):
    run = tmp_path / "run"
    shown = run_command(["info", shared_data / "phy", "--json"], capsys)
    assert shown.status == 0, shown.err
    assert json.loads(shown.out)["neurons"] == 295
    words = ["fit", shared_data / "phy", "-o", run, "--min-active-bins", "300"]
    fitted = run_command([*words, *QUICK], capsys)
    assert fitted.status == 0, fitted.err
    scored = run_command(["evaluate", run], capsys)
    assert scored.status == 0, scored.err
    assert run_command(["report", run], capsys).status == 0
    assert (run / "report.html").stat().st_size > 10_000
    result = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))
    assert result


def test_a_folder_and_a_table_become_files(shared_data: Path, tmp_path: Path, capsys):
    written = run_command(["convert", shared_data / "phy", tmp_path / "a.nwb"], capsys)
    assert written.status == 0, written.err
    again = run_command(["info", tmp_path / "a.nwb", "--json"], capsys)
    assert json.loads(again.out)["neurons"] == 295
    table = shared_data / "spikefinder" / "5.train.spikes.csv"
    options = ["--read", "axes=time,neuron", "--read", "frame_s=0.01"]
    refused = run_command(["info", table, *options[2:]], capsys)
    assert refused.status == 2
    assert "axes must be given" in refused.err
    binned = run_command(["convert", table, tmp_path / "b.npz", *options, "--bin-ms", "20"], capsys)
    assert binned.status == 0, binned.err


def test_a_model_of_one_day_reads_another_from_the_command_line(tmp_path, capsys):
    ids = np.array([f"n{number}" for number in range(NEURONS)])
    first = write_small(tmp_path / "first.npz", neuron_id=ids)
    run, written = tmp_path / "run", tmp_path / "hidden.csv"
    assert run_command(["fit", first, "-o", run, *QUICK], capsys).status == 0
    turned = {name: value[:, ::-1] for name, value in small_arrays(1).items() if name == "states"}
    second = write_small(tmp_path / "second.npz", neuron_id=ids[::-1], **turned)
    done = run_command(["transform", run, second, "-o", written], capsys)
    assert done.status == 0, done.err
    table = pd.read_csv(written)
    model = bb.TrainingRun.open(run).best
    rows = [f"n{number}" for number in range(NEURONS)]
    kept = [rows.index(name) for name in bb.TrainingRun.open(run).activity().neurons["id"]]
    expected = model.mean_hidden(torch.from_numpy(small_arrays(1)["states"][:, kept]))
    np.testing.assert_allclose(table.filter(like="hidden_"), expected, atol=1e-6)
    assert "matched by id" in done.out
    fewer = write_small(
        tmp_path / "fewer.npz", neuron_id=ids[1:], region=None,
        states=small_arrays(1)["states"][:, 1:],
    )  # fmt: skip
    refused = run_command(["transform", run, fewer, "-o", tmp_path / "b.csv"], capsys)
    assert refused.status == 2
    assert "missing: n0" in refused.err
    assert not (tmp_path / "b.csv").exists()
    told = run_command(
        ["transform", run, fewer, "-o", tmp_path / "b.csv", "--missing", "mean"], capsys
    )
    assert told.status == 0, told.err
    assert "Warning: 1 neurons were taken at their mean over the training bins: n0" in told.err
