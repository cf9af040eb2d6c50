"""Two simulated animals from recordings to scores: what must be told apart, and resumed alike."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

import boltzbrain as bb
from boltzbrain.alignment.calibration import _silent_part, _slopes, calibrated
from boltzbrain.alignment.every import in_parallel, start_fits
from boltzbrain.alignment.scores import Places, blind_scores, spatial_correlation
from boltzbrain.alignment.translation import translated_rates
from boltzbrain.data.clusters import Clusters
from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.disk.files import sha256
from boltzbrain.foundations.random import Generator
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.simulated.animals import simulate_animals
from boltzbrain.sampling.synthetic import random_model
from boltzbrain.training.run.run import TrainingRun
from helpers.browsing import require_sound
from helpers.command_line import run_command

SMALL = {
    "hidden": 4,
    "weights_from": "data",
    "updates": 200,
    "batch": 300,
    "chains": 50,
    "ais_chains": 30,
    "ais_rungs": 50,
    "checkpoints": 4,
    "score_every": None,
}


@pytest.fixture(scope="module")
def animals():
    return simulate_animals(
        Generator.from_seed(0, "study"),
        neurons=(60, 70),
        bins=1000,
        paired=400,
        assemblies=3,
        radius=0.3,
        strength=5.0,
    )


@pytest.fixture(scope="module")
def study(animals, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    a, b = (one.recording().binarize().split(min_active_bins=0) for one in animals.animals.values())
    run = bb.fit(a, out=folder / "run", progress=False, device="cpu", **SMALL)
    return bb.align(
        run,
        b,
        folder / "study",
        names=["a", "b"],
        workers=0,
        device="cpu",
        progress=False,
    )


def test_neurons_that_were_not_started_find_their_assemblies(study):
    for pair in study.info["pairs"]:
        same, shuffled = pair["blind_half"], pair["blind_half_shuffled"]
        assert same["value"] - shuffled["value"] > 5 * np.hypot(same["stderr"], shuffled["stderr"])
        assert abs(shuffled["value"]) < 3 * shuffled["stderr"] + 0.1
        assert pair["spatial_correlation"]["value"] > 4 * pair["spatial_correlation"]["stderr"]
        assert pair["untrained"]["shuffled"]["value"] < pair["untrained"]["start"]["value"]
        assert pair["divergence"]["stderr"] > 0


def test_translation_is_worth_more_than_mean_rates(study, animals):
    stream = Generator.from_seed(5)
    for one, other in (("a", "b"), ("b", "a")):
        models = study.run(one).best, study.student(one, other).best
        rates, _ = translated_rates(*models, animals.animals[one].paired, stream)
        assert animals.score(one, other, rates) > 0.4


def test_animals_that_share_no_name_are_refused_before_anything_is_trained(
    study, animals, tmp_path
):
    b = animals.animals["b"].recording().binarize().split(min_active_bins=0)
    run = study.folder / "runs" / "a"
    with pytest.raises(InputError, match="by must tie neurons of b to neurons of a"):
        bb.align(run, b, tmp_path / "study", names=["a", "b"], by="names", progress=False)
    assert not (tmp_path / "study" / "study.json").exists()
    assert not (tmp_path / "study" / "runs").exists()


def test_killed_and_resumed_it_is_the_same_study(study, tmp_path):
    again = tmp_path / "again"
    shutil.copytree(study.folder, again)
    shutil.rmtree(again / "blind/b-of-a")
    place = again / "students/a-of-b"
    (place / "scores.json").unlink()
    # killed before the first checkpoint: its first model is made again
    shutil.rmtree(place / "checkpoints")
    told = json.loads((place / "run.json").read_text())
    told |= {"status": "started", "chosen_update": None}
    (place / "run.json").write_text(json.dumps(told))
    found = bb.resume_align(again, workers=0, device="cpu", progress=False)
    assert found.info["pairs"] == study.info["pairs"]


def test_a_student_tells_its_teacher_and_its_samples(study):
    run = study.student("a", "b")
    assert run.info["from"]["run"] == study.run("a").id
    assert run.plan.anchor.weight == 0.5
    assert run.plan.anchor.path(run.folder) == (study.folder / "samples/a.h5").absolute()
    # signs and order of the hidden units are the teacher's
    start = study.run("a").best.weights
    assert run.best.weights.shape[1] == start.shape[1]


def test_the_command_translates(study, tmp_path, capsys):
    out = tmp_path / "b_from_a.npz"
    words = ("translate", study.folder, "--from", "a", "--to", "b", "-o", out)
    assert run_command(words, capsys).status == 0
    with np.load(out) as found:
        assert found["rates"].shape == (150, 70)
        assert found["bin"].tolist() == study.activity("a").bins_of("test").tolist()
    with pytest.raises(InputError, match="from must be one of: a, b; got c"):
        bb.translate(study, "c", "b")
    with pytest.raises(InputError, match="hold no study yet"):
        bb.align(study.run("a"), study.activity("b"), study.folder, names=["a", "b"])


def test_a_consensus_has_no_teacher(study, tmp_path):
    """Every animal is trained on the samples of all of them, the first among them."""
    runs = [study.run(name) for name in "ab"]
    found = bb.align(
        *runs, tmp_path / "agreed", names=["a", "b"], teacher="consensus", rounds=2, updates=100,
        controls="none", workers=0, device="cpu", progress=False,
    )  # fmt: skip
    pairs = {(one["teacher"], one["receiver"]): one for one in found.info["pairs"]}
    assert set(pairs) == {("a", "b"), ("b", "a")}
    assert "students of a alone" in pairs["b", "a"]["blind_half"]["reason"]
    assert pairs["b", "a"]["spatial_correlation"]["value"] > 0.05
    anchors = [TrainingRun.open(tmp_path / f"agreed/rounds/2-{one}").plan.anchor for one in "ab"]
    assert {one.sha256 for one in anchors} == {sha256(found.samples_path("round-2"))}
    assert bb.translate(found, "b", "a").rates.shape == (150, 60)


def test_every_animal_is_trained_by_itself(study, tmp_path):
    plan = study.run("a").plan.model_copy(update={"updates": 20, "checkpoints": 2})
    activities = {name: study.activity(name) for name in "ab"}
    fits = start_fits(tmp_path / "fits", activities, plan)
    done = in_parallel(fits, workers=0, device="cpu")
    assert list(done) == ["a", "b"]
    assert fits.info["status"] == "fitted"
    assert fits.run("b").plan == plan
    # what is done is not done again
    assert in_parallel(fits, workers=0, device="cpu") == done


def test_the_page_shows_every_pair(browser, study, tmp_path, capsys):
    page = tmp_path / "study.html"
    assert run_command(("report", study.folder, "-o", page), capsys).status == 0
    text = page.read_text()
    for words in ("One set of assemblies in 2 animals", "b of a", "a of b", "Assembly 0 of a"):
        assert words in text
    assert "a 60, b 70" in repr(study)
    require_sound(browser, page)


def test_calibration_keeps_rates_and_takes_up_what_is_linear():
    stream = Generator.from_seed(6)
    teacher = random_model("drelu", 30, 4, stream, dtype=torch.float64)
    hidden = teacher.sample_hidden(teacher.sample(300, seed=1, sweeps=5, anneal=5), stream)
    weights = stream.normal((25, 4), torch.float64)
    rates = 0.02 + 0.3 * stream.uniform((1, 25))[0].to(torch.float64)
    student = calibrated(teacher, weights, rates, hidden)
    assert torch.allclose(student.mean_visible(hidden).mean(dim=0), rates, atol=1e-6)
    before, after = teacher.hidden.parameters(), student.hidden.parameters()
    name, sign = next(iter(teacher.hidden.input_shift.items()))
    shift = sign * (after[name] - before[name])
    apart = _silent_part(teacher, hidden) - _silent_part(student, hidden) - hidden @ shift
    assert float(_slopes(hidden, apart).abs().max()) < 1e-3
    for name in teacher.hidden.positive:
        assert torch.equal(before[name], after[name])


def test_a_teacher_is_its_own_perfect_student():
    """With its own weights and the rates of its samples, calibration gives back the model."""
    stream = Generator.from_seed(7)
    teacher = random_model("bernoulli", 20, 3, stream, dtype=torch.float64)
    hidden = teacher.sample_hidden(teacher.sample(500, seed=2, sweeps=5, anneal=5), stream)
    rates = teacher.mean_visible(hidden).mean(dim=0)
    student = calibrated(teacher, teacher.weights, rates, hidden)
    for mine, its in ((student.visible, teacher.visible), (student.hidden, teacher.hidden)):
        for name, value in mine.parameters().items():
            assert torch.allclose(value, its.parameters()[name], atol=1e-5), name


def test_an_assembly_that_an_animal_lacks_is_not_found():
    stream = Generator.from_seed(8)
    maps = np.abs(stream.normal((100, 3)).numpy().astype(np.float64))
    learnt = maps + 0.3 * stream.normal((100, 3)).numpy()
    learnt[:, 1] = 0.02 * stream.normal((1, 100)).numpy()[0]
    blind = np.ones(100, dtype=bool)
    same, other, units, found = blind_scores(learnt, maps, blind)
    assert found == [True, False, True]
    assert units[0] > 0.8 > 0.4 > abs(units[1])
    assert abs(other["value"]) < 0.15
    assert blind_scores(learnt, maps, blind & False)[0]["value"] is None
    assert same["stderr"] > 0


def test_the_spatial_correlation_of_bins_in_another_order_is_none(animals):
    from boltzbrain.alignment.register import Neurons, Register

    giver, taker = (
        Neurons(name, one.xyz_um, np.array(one.names), None)
        for name, one in animals.animals.items()
    )
    places = Places(Register.of("positions"), giver, taker, 60.0)
    states = animals.animals["a"].paired
    rates = animals.translated("a", "b")
    clusters = Clusters(np.arange(len(states)) // 20, "segment", None)
    right = spatial_correlation(places, states, rates, clusters, Generator.from_seed(9))
    wrong = spatial_correlation(places, states, rates[::-1], clusters, Generator.from_seed(9))
    assert right["value"] > 0.2
    assert abs(wrong["value"]) < 4 * wrong["stderr"]


def test_permuted_neurons_are_the_same_student():
    """The exact optimum is known: the same rows in another order, and so the same likelihood."""
    stream = Generator.from_seed(10)
    teacher = random_model("bernoulli", 12, 3, stream, dtype=torch.float64)
    hidden = teacher.sample_hidden(teacher.sample(400, seed=3, sweeps=5, anneal=5), stream)
    order = torch.from_numpy(stream.permutation(12))
    rates = teacher.mean_visible(hidden).mean(dim=0)
    student = calibrated(teacher, teacher.weights[order], rates[order], hidden)
    states = teacher.sample(50, seed=4, sweeps=5, anneal=5)
    mine = RBM(student.visible, student.hidden, student.weights).free_energy(states[:, order])
    assert torch.allclose(mine, teacher.free_energy(states), atol=1e-3)
