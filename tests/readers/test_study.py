"""Studies from toml files and folders: positions in one frame, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import boltzbrain as bb
from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.sampling.simulated.animals import simulate_animals
from boltzbrain.writers.npz import write_npz
from helpers.command_line import run_command


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("animals")
    told = simulate_animals(Generator.from_seed(1), neurons=(20, 30), bins=200, paired=50)
    for name, one in told.animals.items():
        write_npz(place / f"{name}.npz", one.recording())
    return place


def toml(folder, text):
    path = folder.parent / f"{abs(hash(text))}.toml"
    path.write_text(text.replace("FOLDER", str(folder)))
    return path


def places(study, name):
    return dict(study)[name].neurons[["x_um", "y_um", "z_um"]].to_numpy()


def test_a_folder_is_a_study_of_its_recordings(folder):
    study = bb.read_study(folder)
    assert study.names == ("a", "b")
    assert len(dict(study)["b"]) == 30


def test_positions_are_brought_into_the_frame(folder, capsys):
    plain = bb.read_study(folder)
    path = toml(
        folder,
        '[study]\natlas = "cube"\naxes = "RAS"\nhemisphere = "left"\nmidline_um = 200\n'
        '[animals.a]\nrecording = "FOLDER/a.npz"\nunit = "mm"\naxes = "ARI"\n'
        '[animals.b]\nrecording = "FOLDER/b.npz"\nhemisphere = "right"\n',
    )
    study = bb.read_study(path)
    before = places(plain, "a")
    assert study.frame.axes == "RAS"
    assert np.allclose(places(study, "a"), 1e3 * before[:, [1, 0, 2]] * [1, 1, -1])
    mirrored = places(plain, "b") * [-1, 1, 1] + [400, 0, 0]
    assert np.allclose(places(study, "b"), mirrored)
    shown = run_command(("info", path), capsys)
    assert shown.status == 0
    assert "30 neurons" in shown.out


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('[animals.a]\nrecording = "FOLDER/a.npz"\nunits = "mm"\n', r"did you mean 'unit'"),
        ('[animals.a]\nunit = "mm"\n', r"animals\.a\.recording must be given"),
        ('[animals.a]\nrecording = "FOLDER/a.npz"\nunit = "inch"\n', "unit must be one of"),
        ("[study]\n", r"animals must be tables"),
        ("what", "the study must be a toml file"),
        (
            '[study]\nhemisphere="left"\n[animals.a]\nrecording="FOLDER/a.npz"\n'
            'hemisphere="right"\n',
            "axes must be declared to mirror a hemisphere",
        ),
    ],
)
def test_what_is_wrong_is_named(folder, text, match):
    with pytest.raises(InputError, match=match):
        bb.read_study(toml(folder, text))
