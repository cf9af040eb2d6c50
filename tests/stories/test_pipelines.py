"""From the folder of a common pipeline to a page, on real recordings."""

from __future__ import annotations

import json
from pathlib import Path

from helpers.command_line import QUICK, run_command


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
