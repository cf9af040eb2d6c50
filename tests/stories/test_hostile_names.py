"""Names that look like markup, and terminals that know few signs: every command that prints."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from boltzbrain.cli.main import main
from helpers.browsing import open_page
from helpers.command_line import NEURONS, QUICK, make, write_small

REGIONS = (
    "V1[/b]", "CA1[x]", "[bold]DG", ":brain:", "</script><b>CA3", "=1+1", "$x_1$ $", "_CA2",
    "\x1b[31mred", "é−σ",
)  # fmt: skip
SHOWN = {"\x1b[31mred": "\\x1b[31mred"}
PLAIN = {"é−σ": "e-sigma"}
RECORDING, RUN, OTHER = "[bold]re.npz", "[b]run[/x]", "-r:brain:"

pytestmark = pytest.mark.usefixtures("quick_evaluation")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, quick_evaluation):
    """A folder with a recording of hostile names, two runs of it, evaluated and interpreted."""
    folder = tmp_path_factory.mktemp("hostile")
    region = np.array([REGIONS[number % len(REGIONS)] for number in range(NEURONS)])
    ids = np.array([f"[red]{number}[/]" for number in range(NEURONS)])
    xyz = np.random.default_rng(0).random((NEURONS, 3)) * 500
    write_small(folder / RECORDING, region=region, neuron_id=ids, xyz_um=xyz)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for seed, run in enumerate((RUN, OTHER)):
            name = f"./{run}"
            make("fit", RECORDING, "-o", run, "--seed", seed, *QUICK)
            make("evaluate", name)
            make("interpret", name, "--min-neurons", "2")
    return folder


def told_by(words, encoding, monkeypatch):
    """Return the status of a command, and what it wrote to stdout and stderr, as written."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2)]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    status = 0
    try:
        main([str(word) for word in words])
    except SystemExit as end:
        status = end.code or 0
    for stream in streams:
        with suppress(ValueError):
            stream.flush()
    return status, *(one.buffer.getvalue().decode(encoding, "surrogateescape") for one in streams)


COMMANDS = {
    "info": (["info", RECORDING], [RECORDING, *REGIONS]),
    "info --check": (["info", RECORDING, "--check"], ["verdict"]),
    "fit": (["fit", f"./{RUN}", "--resume"], [RUN, f"boltzbrain evaluate '{RUN}'"]),
    "fit, a dash": (["fit", f"./{OTHER}", "--resume"], [f"boltzbrain evaluate ./{OTHER}"]),
    "evaluate": (["evaluate", RUN], [f"written: {RUN}/evaluation.json"]),
    "interpret": (["interpret", RUN], [f"written: {RUN}/interpretation.h5"]),
    "sample": (["sample", RUN, "-n", "50", "-o", "{}[i].npz"], ["[i].npz: 50 samples"]),
    "report": (["report", RUN], [f"{RUN}/report.html"]),
    "view": (["view", RUN], [f"{RUN}/view.html"]),
    "compare": (["compare", RUN, f"./{OTHER}", "-o", "[c]{}"], [RUN, OTHER, "written: [c]"]),
    "convert": (["convert", RECORDING, "[n]{}.npz"], ["[n]"]),
    "sweep": (
        ["sweep", RECORDING, "-o", "[s]{}", "--hidden", "3", "--updates", "10", "--set",
         "ais_chains=20", "--set", "ais_rungs=10"],
        ["[s]", "next: boltzbrain evaluate '[s]"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("command", COMMANDS)
def test_names_are_shown_as_they_are(folder, command, encoding, monkeypatch, in_process, undrawn):
    monkeypatch.chdir(folder)
    words, expected = COMMANDS[command]
    words = [word.replace("{}", f"{encoding}") for word in words]
    status, out, err = told_by(words, encoding, monkeypatch)
    assert status == 0, err
    flat = " ".join(out.split())
    for name in expected:
        name = SHOWN.get(name, name)
        assert (PLAIN.get(name, name) if encoding == "ascii" else name) in flat
    assert "\x1b" not in out + err
    assert "Traceback" not in err


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "koi8-r"])
def test_other_encodings_get_plain_signs_for_those_that_they_lack(folder, encoding, monkeypatch):
    monkeypatch.chdir(folder)
    status, out, err = told_by(["info", RECORDING], encoding, monkeypatch)
    assert (status, err.count("Traceback")) == (0, 0)
    assert "-" in out
    assert "\\u2212" not in out


@pytest.mark.parametrize(
    "words",
    [
        ["info", "[bold]none[/x].npz"],
        ["fit", RECORDING, "--preset", "[red]x[/]"],
        ["[b]none[/x]"],
        ["info", RECORDING, "--[/x]"],
        ["sample", RUN, "-n", "[/x]", "-o", "a.npz"],
        ["convert", "[/x]\x1b[31m.npz", "a.txt"],
        ["compare", RUN, "[/x]", "-o", "new"],
    ],
    ids=lambda words: words[0],
)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_errors_show_what_was_typed(folder, words, encoding, monkeypatch):
    monkeypatch.chdir(folder)
    status, _, err = told_by(words, encoding, monkeypatch)
    assert status == 2
    assert "Traceback" not in err
    assert "\x1b" not in err
    if words[0] not in ("sample", "convert"):  # these tell the option, and the ending, alone
        typed = next(word for word in reversed(words) if "[/x]" in word or "[/]" in word)
        assert typed.split("\x1b")[0].lstrip("-") in err


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_json_keeps_every_name(folder, encoding, monkeypatch):
    monkeypatch.chdir(folder)
    status, out, _ = told_by(["info", RECORDING, "--json"], encoding, monkeypatch)
    assert status == 0
    assert set(json.loads(out)["regions"]) == set(REGIONS)


def test_help_is_plain_where_it_must_be(monkeypatch):
    for command in ([], ["fit"], ["interpret"]):
        status, out, err = told_by([*command, "--help"], "ascii", monkeypatch)
        assert (status, err) == (0, "")
        assert "--help" in out


@pytest.mark.parametrize("name", ["bad\udcff", "tab\t", "two\nlines"])
def test_names_of_files_that_are_no_text_are_shown_and_kept(name, monkeypatch, tmp_path, undrawn):
    monkeypatch.chdir(tmp_path)
    with suppress(OSError):
        write_small(tmp_path / f"{name}.npz")
        status, out, err = told_by(["info", f"{name}.npz"], "utf-8", monkeypatch)
        assert status == 0, err
        assert name[:3] in out
        status, _, err = told_by(["fit", f"{name}.npz", "-o", name, *QUICK], "utf-8", monkeypatch)
        assert status == 0, err
        status, _, err = told_by(["evaluate", name], "utf-8", monkeypatch)
        assert status == 0, err
        status, out, err = told_by(["report", name], "utf-8", monkeypatch)
        assert status == 0, err


def test_a_page_named_to_a_program_is_named_byte_by_byte(folder, monkeypatch, undrawn):
    monkeypatch.chdir(folder)
    for encoding in ("utf-8", "ascii"):
        name = "é[page].html"
        Path(name).unlink(missing_ok=True)
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        monkeypatch.setattr(sys, "stdout", stream)
        with pytest.raises(SystemExit):
            main(["report", RUN, "-o", name])
        assert stream.buffer.getvalue() == os.fsencode(name) + b"\n"


def test_a_run_that_did_not_converge_says_so_before_anything_else(folder, monkeypatch, undrawn):
    monkeypatch.chdir(folder)
    for command in ("interpret", "report", "sample", "compare", "evaluate"):
        words = [COMMANDS[command][0], "once"]
        typed = [word.replace("{}", "once") for word in words[0]]
        kept = {run: (folder / run / "run.json").read_text("utf-8") for run in (RUN, OTHER)}
        for status, complaint in (("failed", "not converged: because"), ("converged", None)):
            for run, text in kept.items():
                told = json.loads(text)
                told["convergence"] |= {
                    "status": status,
                    "reason": "because" if complaint else None,
                }
                (folder / run / "run.json").write_text(json.dumps(told), "utf-8")
            once = [word.replace("once", f"once-{status}") for word in typed]
            _, _, err = told_by(once, "utf-8", monkeypatch)
            lines = [line for line in err.splitlines() if not line.endswith("...")]
            assert (complaint in lines[0]) if complaint else ("not converged" not in err)
        for run, text in kept.items():
            (folder / run / "run.json").write_text(text, "utf-8")


@pytest.fixture(scope="module")
def page(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        make("report", RUN, "-o", "page.html")
    return folder / "page.html"


def test_the_page_shows_names_as_text(browser, page):
    browser.get_log("browser")
    open_page(browser, page, 1280)
    assert [one for one in browser.get_log("browser") if one["level"] == "SEVERE"] == []
    assert browser.execute_script("return document.querySelectorAll('td b').length") == 0
    text = browser.execute_script("return document.body.textContent")
    for name in (RECORDING, *REGIONS):
        assert name in text


def test_names_in_space_hold_no_tag_and_in_a_saved_table_no_formula(browser, page):
    open_page(browser, page, 1280)
    browser.execute_script("document.getElementById('viewer').scrollIntoView()")
    browser.set_script_timeout(60)
    tags, words = browser.execute_async_script(
        "const done = arguments[arguments.length - 1]; const wait = () => {"
        "const root = document.getElementById('viewer'), v = root.viewer;"
        "if (!v) { setTimeout(wait, 100); return; } v.colourBy('region'); v.chooseNeuron(4);"
        "done([root.querySelectorAll('.legend b, .chosen h3 b').length,"
        "root.querySelector('.legend').textContent]) }; wait()"
    )
    assert "</script><b>CA3" in words
    assert tags == 0
    browser.execute_script(
        "window.saved = new Promise(done => {"
        "URL.createObjectURL = blob => { blob.text().then(done); return 'blob:x' };"
        "HTMLAnchorElement.prototype.click = () => {} });"
        "document.querySelector('#table-neurons button').click()"
    )
    text = browser.execute_async_script("window.saved.then(arguments[arguments.length - 1])")
    regions = {row[1] for row in list(csv.reader(io.StringIO(text)))[1:]}
    assert "'=1+1" in regions
    assert "CA1[x]" in regions
    assert not any(one.startswith("=") for one in regions)
    # numbers below 0 stay numbers
    fields = [row[3] for row in list(csv.reader(io.StringIO(text)))[1:]]
    assert any(float(one) < 0 for one in fields)
