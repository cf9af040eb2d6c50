"""Two groups of animals from their recordings to the page of their differences."""

from __future__ import annotations

import json

import pytest

import boltzbrain as bb
from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.sampling.simulated.animals import simulate_animals
from boltzbrain.writers.npz import write_npz
from helpers.command_line import run_command

NAMES = ("one", "two", "three", "four")
READ = ["--triplets", "20", "--shuffles", "10", "--spread-samples", "2", "--min-neurons", "2",
        "--checkpoints", "1", "--bins", "20"]  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Return a toml file of four animals, two of each group."""
    place = tmp_path_factory.mktemp("groups")
    told = simulate_animals(Generator.from_seed(1), neurons=(30,) * 4, bins=300, paired=20)
    text = ""
    for name, one in zip(NAMES, told.animals.values(), strict=True):
        write_npz(place / f"{name}.npz", one.recording())
        group = "wt" if name in NAMES[:2] else "mut"
        text += f'[animals.{name}]\nrecording = "{name}.npz"\ngroup = "{group}"\n'
    path = place / "study.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_study_with_groups_is_trained_read_and_compared(
    study, in_process, undrawn, tmp_path, capsys
):
    folder, out = tmp_path / "animals", tmp_path / "out"
    assert bb.read_study(study).groups == ("wt", "wt", "mut", "mut")
    for words in (
        ["fit", study, "-o", folder, "--hidden", "2", "--updates", "3", "--chains", "10"],
        ["interpret", folder, *READ],
        ["compare", folder, "-o", out],
    ):
        done = run_command(words, capsys)
        assert done.status == 0, done.err
    assert "groups.csv" in done.out
    told = json.loads((out / "comparison.json").read_text(encoding="utf-8"))["groups"]
    assert told["names"] == ["wt", "mut"]
    assert told["animals"] == {"wt": ["one", "two"], "mut": ["three", "four"]}
    assert "Two groups of animals" in (out / "comparison.html").read_text(encoding="utf-8")
    # typed, or from a table, in Python as well; a group more is refused
    runs = [folder / "runs" / name for name in NAMES]
    table = tmp_path / "groups.csv"
    table.write_text("run,group\n" + "".join(f"{one},{one[0]}\n" for one in NAMES))
    done = run_command(["compare", *runs, "-o", out, "--groups", table], capsys)
    assert "groups must name two groups; got o, t, f" in done.err
    table.write_text("run,group\none,a\n")
    done = run_command(["compare", *runs, "-o", out, "--groups", table], capsys)
    assert "groups must have a row of the run two" in done.err
    done = run_command(["compare", *runs, "-o", out, "--groups", "a,b,a"], capsys)
    assert "groups must name the group of each of 4 runs; got 3" in done.err
    found = bb.compare(runs, groups=["a", "b", "a", "b"]).groups
    assert found is not None
    assert found.families["whole"].assignments == 6


def test_a_study_tells_the_groups_of_all_animals_or_of_none(study):
    text = study.read_text(encoding="utf-8").replace('group = "wt"\n', "", 1)
    path = study.with_name("bare.toml")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"animals\.one\.group must be given"):
        bb.read_study(path)
