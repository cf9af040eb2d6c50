"""The data of the viewer: what is packed comes out again, and places are found for every neuron."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from boltzbrain.data.activity import Activity
from boltzbrain.data.recording import neuron_table
from boltzbrain.data.steps import Source
from boltzbrain.evaluation.samples import Samples
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.choices import RULES as KNOWN_RULES
from boltzbrain.interpretation.in_silico.perturb import Clamp, perturb
from boltzbrain.pages.viewer.content import RULES, pack_scene
from boltzbrain.pages.viewer.places import find_places, region_hulls
from boltzbrain.pages.viewer.scene import _free_run, _recorded, drawn
from boltzbrain.pages.viewer.view import render_scene
from helpers.scenes import make_scene

ROOT = Path(__file__).parents[2]


def unpacked(parts):
    """Return the header and the arrays as a browser reads them."""
    raw = {name: gzip.decompress(base64.b64decode(text)) for name, text in parts.items()}
    header = json.loads(raw.pop("header"))
    assert set(raw) == set(header["arrays"])
    return header, {
        name: np.frombuffer(content, header["arrays"][name]["type"]).reshape(
            header["arrays"][name]["shape"]
        )
        for name, content in raw.items()
    }


@pytest.fixture(scope="module")
def scene():
    return make_scene()


@pytest.fixture(scope="module")
def packed(scene):
    return unpacked(pack_scene(scene).parts)


def test_states_and_members_come_out_as_they_went_in(scene, packed):
    header, arrays = packed
    neurons = len(scene.ids)
    for place, frames in enumerate(scene.frames):
        bits = np.unpackbits(arrays[f"states{place}"], axis=1)[:, :neurons]
        np.testing.assert_array_equal(bits, frames.states)
        told = header["sources"][place]
        assert told["frames"] == len(frames.states)
        assert told["breaks"] == list(frames.breaks)
        assert told["timed"] == frames.timed
        assert [tuple(one) for one in told["bands"]] == list(frames.bands)
    members = np.unpackbits(arrays["members"], axis=1)[:, :neurons]
    np.testing.assert_array_equal(members.T, scene.membership)
    assert header["ids"] == scene.ids
    assert [header["regions"][one] for one in arrays["region"]] == scene.regions


def test_what_assemblies_are_tuned_to_comes_out_where_it_is_known(packed):
    assert "tuned" not in packed[0]
    tuned = np.arange(60) % 3 - 1
    scene = make_scene(tuned=tuned, tuned_names=["side", "speed"])
    header, arrays = unpacked(pack_scene(scene).parts)
    assert header["tuned"] == ["side", "speed"]
    np.testing.assert_array_equal(arrays["tuned"], tuned)


def test_places_weights_couplings_and_traces_come_out_within_a_step(scene, packed):
    header, arrays = packed
    places = header["places"]
    xyz = places["low"] + arrays["xyz"] * np.array(places["step"])
    np.testing.assert_allclose(xyz, scene.xyz_um, atol=0.51 * max(places["step"]))
    weights = arrays["weights"] * np.array(header["weight_step"])[:, None]
    np.testing.assert_allclose(weights.T, scene.weights, atol=0.51 * max(header["weight_step"]))
    step = np.array(header["coupling_step"])[:, None]
    couplings = arrays["couplings"].reshape(scene.couplings.shape) * step
    assert (np.abs(couplings - scene.couplings) <= 0.51 * step).all()
    # of the largest of their row
    assert (step <= 1.01 * np.abs(scene.couplings).max(axis=1, keepdims=True) / 127).all()
    np.testing.assert_array_equal(arrays["partners"], scene.partners)
    told = header["sources"][0]
    low, high = np.array(told["low"])[:, None], np.array(told["high"])[:, None]
    traces = low + arrays["traces0"] / 255 * (high - low)
    inputs = scene.frames[0].states @ scene.weights - 2.0
    truth = 1 / (1 + np.exp(-inputs.T))
    np.testing.assert_allclose(traces, truth, atol=0.6 / 255)


def test_clamps_are_those_of_the_perturbation(scene, packed):
    header, arrays = packed
    assert header["clamp"]["how"] == "exact"
    step = np.array(header["clamp"]["step"])
    for unit in range(scene.weights.shape[1]):
        for side, value in enumerate(header["clamp"]["values"][unit]):
            truth = perturb(scene.model, Clamp(hidden={unit: value}), Generator.from_seed(0))
            found = arrays["held"][unit, side] * step[unit, side]
            np.testing.assert_allclose(found, truth.change, atol=0.51 * step[unit, side] + 1e-6)
            np.testing.assert_allclose(arrays["before"], truth.before.mean, atol=1e-6)
    assert header["clamp"]["values"][0] == [0.0, 1.0]
    assert np.abs(arrays["held"]).max() == 127


def test_the_same_scene_gives_the_same_page(scene):
    assert render_scene(scene) == render_scene(make_scene())


def test_without_a_reading_and_samples_there_are_no_couplings_and_draws(scene):
    bare = replace(scene, partners=None, couplings=None, frames=scene.frames[:1])
    header, arrays = unpacked(pack_scene(bare).parts)
    assert not {"partners", "couplings", "states1"} & set(arrays)
    assert len(header["sources"]) == 1


def test_positions_are_kept_and_neurons_without_one_left_out():
    xyz = np.random.default_rng(0).uniform(0, 100, (30, 3))
    xyz[4] = np.nan
    places = find_places(xyz, np.ones((30, 2)), np.arange(2))
    assert not places.flat
    assert places.names == ("x", "y", "z")
    assert np.flatnonzero(~places.known).tolist() == [4]
    np.testing.assert_array_equal(places.xyz[places.known], xyz[places.known])
    assert "1 without a place" in places.words


@pytest.mark.parametrize("known", [(0, 1), (1, 2), (0, 2)])
def test_two_known_axes_make_a_plane_of_them(known):
    xyz = np.full((30, 3), np.nan)
    xyz[:, known] = np.random.default_rng(0).uniform(0, 100, (30, 2))
    places = find_places(xyz, np.ones((30, 2)), np.arange(2))
    assert places.flat
    assert places.names == (*("xyz"[axis] for axis in known), "")
    np.testing.assert_array_equal(places.xyz[:, :2], xyz[:, known])


def test_a_plane_of_recorded_zeros_is_flat():
    xyz = np.random.default_rng(0).uniform(0, 100, (30, 3)) * (1, 1, 0)
    places = find_places(xyz, np.ones((30, 2)), np.arange(2))
    assert places.flat
    np.testing.assert_array_equal(places.xyz[:, :2], xyz[:, :2])


def test_a_probe_is_stretched_and_says_so():
    depth = np.linspace(0, 3800, 40)
    places = find_places(np.column_stack((np.tile((10.0, 50.0), 20), depth, np.full(40, np.nan))),
                         np.ones((40, 2)), np.arange(2))  # fmt: skip
    spans = np.ptp(places.xyz, axis=0)
    assert spans[1] / spans[0] == pytest.approx(4, rel=0.05)
    assert places.stretched
    assert "x stretched" in places.words


def test_depth_alone_stands_upright():
    xyz = np.full((30, 3), np.nan)
    xyz[:, 1] = np.linspace(0, 900, 30)
    places = find_places(xyz, np.ones((30, 2)), np.arange(2))
    assert places.flat
    assert places.names == ("", "y", "")
    np.testing.assert_array_equal(places.xyz[:, 1], xyz[:, 1])
    assert np.ptp(places.xyz[:, 0]) > 100


def test_neurons_of_one_place_are_told_apart():
    xyz = np.repeat(np.random.default_rng(0).uniform(0, 100, (5, 3)), 6, axis=0)
    places = find_places(xyz, np.ones((30, 2)), np.arange(2))
    assert len(np.unique(places.xyz, axis=0)) == 30
    assert np.linalg.norm(places.xyz - xyz, axis=1).max() < 5
    assert "beside each other" in places.words


def test_without_positions_each_assembly_is_a_disc_of_its_own():
    generator = np.random.default_rng(0)
    group = np.repeat([2, 0, 1, 3], (40, 10, 25, 5))
    weights = np.eye(4)[group][:, :3] * generator.uniform(0.2, 3, (80, 1))
    places = find_places(np.full((80, 3), np.nan), weights, np.array([1, 0, 2]))
    assert places.flat
    assert "No positions are known" in places.words
    for one in range(4):
        mine = np.flatnonzero(group == one)
        middle = places.xyz[mine].mean(axis=0)
        radius = np.linalg.norm(places.xyz[mine] - middle, axis=1).max()
        others = np.linalg.norm(places.xyz[group != one] - middle, axis=1)
        assert others.min() > radius
        if one < 3:
            far = np.linalg.norm(places.xyz[mine] - middle, axis=1)
            assert np.corrcoef(far, weights[mine, one])[0, 1] < -0.8
    assert len(np.unique(places.xyz, axis=0)) == 80


def test_weights_that_tell_nothing_still_give_places():
    places = find_places(np.full((9, 3), np.nan), np.zeros((9, 1)), np.arange(1))
    assert len(np.unique(places.xyz, axis=0)) == 9


def test_hulls_hold_all_neurons_of_their_region():
    generator = np.random.default_rng(0)
    xyz = generator.uniform(0, 100, (60, 3))
    labels = ["a"] * 30 + ["b"] * 27 + ["few"] * 2 + [""]
    places = find_places(xyz, np.ones((60, 2)), np.arange(2))
    faces, of = region_hulls(places, labels)
    assert set(of) == {"a", "b"}
    for name in ("a", "b"):
        mine = [n for n in range(60) if labels[n] == name]
        sides = faces[np.array(of) == name]
        assert set(sides.ravel()) <= set(mine)
        centre = xyz[mine].mean(axis=0)
        for side in sides:
            normal = np.cross(xyz[side[1]] - xyz[side[0]], xyz[side[2]] - xyz[side[0]])
            height = (xyz[mine] - xyz[side[0]]) @ normal
            outward = np.sign((centre - xyz[side[0]]) @ normal)
            assert (outward * height).min() > -1e-6 * np.abs(height).max()


def test_hulls_of_a_plane_are_areas_and_a_line_has_none():
    generator = np.random.default_rng(0)
    xyz = np.column_stack((generator.uniform(0, 100, (40, 2)), np.full(40, np.nan)))
    xyz[30:, 0] = 7.0
    places = find_places(xyz, np.ones((40, 2)), np.arange(2))
    faces, of = region_hulls(places, ["a"] * 30 + ["line"] * 10)
    assert set(of) == {"a"}
    assert len(faces) >= 1


def test_draws_come_from_different_chains():
    states = np.arange(12, dtype=np.uint8)[:, None].repeat(3, axis=1) % 2
    chain = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 3, 3, 3])
    shown = drawn(Samples(states, chain, 10))
    np.testing.assert_array_equal(shown.states, states[[0, 1, 2, 9]])
    assert not shown.timed


def activity_of(bins, epoch=None, names=()):
    fold = np.zeros(bins, dtype=np.int8)
    fold[bins // 2 :] = 2
    fold[bins // 2 - 2 : bins // 2] = -1
    return Activity(
        np.random.default_rng(0).integers(0, 2, (bins, 3)).astype(np.uint8), 0.1,
        np.zeros(bins, dtype=np.int32), fold, neuron_table(list("abc")), {}, (),
        Source("npz", "x.npz", "0"), epoch=epoch, epoch_names=names,
    )  # fmt: skip


def test_a_short_recording_is_shown_whole_and_its_folds_are_marked():
    activity = activity_of(40)
    shown = _recorded(activity)
    np.testing.assert_array_equal(shown.states, activity.states)
    assert shown.bands_are == "fold"
    assert [shown.band_names[of] for _, _, of in shown.bands] == ["training", "test"]
    assert [(first, stop) for first, stop, _ in shown.bands] == [(0, 18), (20, 40)]


def test_of_a_long_recording_the_test_fold_is_shown_and_no_fold_marked():
    activity = activity_of(9000)
    shown = _recorded(activity)
    np.testing.assert_array_equal(shown.states, activity.states[4500:8500])
    assert shown.bands == []
    assert "the first 4,000 of 4,500 bins of the test fold" in shown.words


def test_epochs_are_marked_where_there_are_some_and_end_where_time_does():
    epoch = np.repeat(np.array([1, -1, 0, 1], dtype=np.int32), 10)
    shown = _recorded(activity_of(40, epoch, ("rest", "<task>")))
    assert shown.bands_are == "epoch"
    assert [(first, stop, shown.band_names[of]) for first, stop, of in shown.bands] == [
        (0, 10, "<task>"), (20, 30, "rest"), (30, 40, "<task>"),
    ]  # fmt: skip


def test_a_free_run_is_played_and_begins_anew_at_its_pieces():
    states = np.random.default_rng(0).integers(0, 2, (7, 11)).astype(np.uint8)
    kept = {"free_run/states": np.packbits(states, axis=1), "free_run/piece": np.arange(7) // 4}
    (shown,) = _free_run(kept, 11)
    np.testing.assert_array_equal(shown.states, states)
    assert shown.timed
    assert shown.breaks == [4]
    assert _free_run({}, 11) == []


def test_every_rule_of_members_is_told_in_words():
    assert set(RULES) == {*KNOWN_RULES, "training"}


def test_names_of_a_file_cannot_end_the_script():
    hostile = '</script><b>MB & "x"</b>'
    scene = make_scene(regions=[hostile] * 60, title=hostile)
    text = render_scene(scene)
    assert hostile not in text
    assert text.count("</script>") == text.count("<script")
    assert hostile in unpacked(pack_scene(scene).parts)[0]["regions"]


def test_the_bundle_was_made_of_the_committed_sources():
    folder = ROOT / "viewer"
    names = ["build.mjs", "package-lock.json", "package.json",
             *(f"src/{path.name}" for path in sorted((folder / "src").iterdir()))]  # fmt: skip
    digest = hashlib.sha256()
    for name in names:
        text = (folder / name).read_text(encoding="utf-8")
        digest.update(f"{name}\n{text}".encode())
    bundle = ROOT / "src/boltzbrain/pages/templates/viewer/viewer.js"
    head = bundle.read_text(encoding="utf-8").splitlines()[0]
    assert re.search(r"sha256 (\w+)", head)[1] == digest.hexdigest(), "make viewer"


@pytest.mark.parametrize("neurons", [1, 2])
def test_a_run_of_one_neuron_is_packed_too(neurons):
    packed = pack_scene(make_scene(neurons=neurons))
    assert "header" in packed.parts
