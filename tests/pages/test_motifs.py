"""The page of motifs, the folder that `connectome` writes, and its command."""

from __future__ import annotations

import numpy as np
import pytest

import boltzbrain as bb
from boltzbrain.cli.main import main
from boltzbrain.foundations.checks import InputError
from boltzbrain.interpretation.motifs.find import read_motifs
from boltzbrain.pages.motifs.page import write_motifs_page
from boltzbrain.pages.motifs.words import motif_doubts, motif_words
from helpers.browsing import require_sound

FEW = {"rank": 1, "starts": 2, "surrogates": 2}


@pytest.fixture(scope="module")
def recordings():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(300, 1))
    return {
        name: bb.from_traces(
            np.hstack((rng.normal(size=(300, 4)) + 2 * shared, rng.normal(size=(300, 4)))), 0.5
        )
        for name in ("one", "<two>")
    }


def test_the_page_tells_animals_communities_and_numbers(browser, recordings, tmp_path):
    found = bb.connectome(recordings, out=tmp_path / "found", progress=False, **FEW)
    page = (tmp_path / "found" / "motifs.html").read_text(encoding="utf-8")
    assert "1 motif of 8 neurons in 2 animals" in page
    assert "<two>" not in page
    assert page.count("data:image/svg+xml") == 3
    assert "1 (taken)" in page
    require_sound(browser, tmp_path / "found" / "motifs.html")
    assert (
        read_motifs(tmp_path / "found" / "motifs.h5")["motifs/pair"] == found["motifs/pair"]
    ).all()
    # those that share a signal are a community
    label = found["motifs/community"][0]
    assert len(set(label[:4])) == 1
    assert label[0] not in label[4:]


def test_motifs_whose_number_fails_are_greyed_out_and_say_so(recordings, tmp_path):
    found = bb.connectome(recordings, progress=False, **FEW)
    (row,) = found.summary["tried"]
    row |= {"agreement": 0.99, "least": 0.97, "p_value": 0.05, "by_chance": [0.1] * 19}
    assert motif_doubts(found) == []
    assert 'class="doubtful"' not in write_motifs_page(found, tmp_path / "a.html").read_text()
    row |= {"least": 0.5, "p_value": 0.1}
    assert motif_words(found)[-1] == (
        "These motifs should not be interpreted: random starts do not agree on them; they tell "
        "entries that were held out no better than shifted neurons do."
    )
    assert 'class="doubtful"' in write_motifs_page(found, tmp_path / "b.html").read_text()


def test_spikes_work_too_and_an_atlas_that_is_not_there_is_refused():
    rng = np.random.default_rng(1)
    states = (rng.random((400, 6)) < 0.2).astype(np.uint8)
    found = bb.connectome(bb.from_states(states, 0.05), progress=False, **FEW)
    assert found.summary["windows"] == [10]
    with pytest.raises(InputError, match="atlas must"):
        bb.connectome(bb.from_states(states, 0.05), progress=False, atlas="none", **FEW)


def test_the_command_writes_the_folder(tmp_path, capsys):
    rng = np.random.default_rng(2)
    paths = []
    for name in ("a", "b"):
        paths.append(str(tmp_path / f"{name}.npz"))
        labels = np.array(["AVA", "AVB", "AVD", "AVE"])
        np.savez(paths[-1], traces=rng.normal(size=(120, 4)), t=np.arange(120) * 0.5, label=labels)
    words = ["connectome", *paths, "-o", str(tmp_path / "out"), "--rank", "1", "--starts", "2"]
    with pytest.raises(SystemExit) as ended:
        main([*words, "--surrogates", "2"])
    assert ended.value.code == 0
    assert "1 motif of 4 neurons in 2 animals" in capsys.readouterr().out
    found = read_motifs(tmp_path / "out" / "motifs.h5")
    assert sorted(found["nodes/name"]) == ["AVA", "AVB", "AVD", "AVE"]
    told = '[animals.larva]\nrecording = "a.npz"\n[animals.adult]\nrecording = "b.npz"\n'
    (tmp_path / "study.toml").write_text(told)
    words[1:3] = [str(tmp_path / "study.toml")]
    words[words.index("-o") + 1] = str(tmp_path / "of_study")
    with pytest.raises(SystemExit) as ended:
        main([*words, "--surrogates", "2"])
    assert ended.value.code == 0
    assert list(read_motifs(tmp_path / "of_study" / "motifs.h5")["animals/name"]) == [
        "larva",
        "adult",
    ]
