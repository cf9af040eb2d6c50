"""What every training promises: it repeats, it resumes, it never looks at the test fold."""

import hashlib
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from boltzbrain.api import fit
from boltzbrain.data.activity import Activity
from boltzbrain.foundations.checks import InputError, TrainingFailedError
from boltzbrain.foundations.progress import Progress
from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.enumeration import exact_log_partition
from boltzbrain.sampling.synthetic import simulate_assemblies
from boltzbrain.training import train as training
from boltzbrain.training.plan import PRESETS, TrainingPlan, make_plan
from boltzbrain.training.run.past_plans import ADDED, past_plan
from boltzbrain.training.run.run import TrainingRun
from boltzbrain.training.train import resume, train
from boltzbrain.training.update.gradient import parameters_of
from boltzbrain.training.update.optimiser import ADAM_DECAY, ADAM_EPSILON
from helpers.activities import activity_of

SMALL: dict[str, Any] = {
    "hidden": 4,
    "updates": 24,
    "batch": 50,
    "chains": 20,
    "sweeps": 2,
    "checkpoints": 5,
    "ais_chains": 20,
    "ais_rungs": 20,
    "averaging": 0.9,
    "l2": 0.01,
}


def teacher() -> RBM:
    generator = Generator.from_seed(11, "teacher")
    return RBM(
        Bernoulli(torch.full((8,), -1.0)),
        Bernoulli(torch.full((2,), -0.5)),
        2.0 * generator.normal((8, 2)),
    )


@pytest.fixture(scope="module")
def activity() -> Activity:
    return activity_of(teacher().sample(400, seed=3, sweeps=50, anneal=20).numpy())


def same_end(first: TrainingRun, second: TrainingRun) -> bool:
    ends = [run.load(run.checkpoints()[-1].update) for run in (first, second)]
    one, two = (parameters_of(end.live) | parameters_of(end.model) for end in ends)
    return all(torch.equal(one[name], two[name]) for name in one) and all(
        torch.equal(getattr(ends[0].chains, name), getattr(ends[1].chains, name))
        for name in ("visible", "hidden")
    )


def scores(run: TrainingRun) -> list[list[float]]:
    return run.log().drop(columns="seconds").to_numpy().tolist()


def test_same_seed_repeats_and_another_does_not(activity: Activity, tmp_path: Path) -> None:
    first = train(activity, make_plan(**SMALL), tmp_path / "a")
    second = train(activity, make_plan(**SMALL), tmp_path / "b")
    third = train(activity, make_plan(**SMALL, seed=1), tmp_path / "c")
    assert same_end(first, second)
    assert scores(first) == scores(second)
    assert not same_end(first, third)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop"])
def test_interrupted_training_ends_where_the_undisturbed_one_ends(
    activity: Activity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optimizer: str
) -> None:
    monkeypatch.setattr(training, "ROLLING_SECONDS", 0.0)
    plan = make_plan(**SMALL, optimizer=optimizer, momentum=0.5)
    whole = train(activity, plan, tmp_path / "whole")

    def stop_at(update: int) -> Callable[[Progress], None]:
        def callback(progress: Progress) -> None:
            if progress.done == update:
                raise KeyboardInterrupt

        return callback

    with pytest.raises(KeyboardInterrupt):
        train(activity, plan, tmp_path / "cut", [stop_at(3)])
    for update in (4, 5, 11, 24):
        with pytest.raises(KeyboardInterrupt):
            resume(tmp_path / "cut", [stop_at(update)])
    cut = resume(tmp_path / "cut")
    assert same_end(whole, cut)
    assert scores(whole) == scores(cut)
    assert cut.info["status"] == "finished"
    assert resume(tmp_path / "cut").chosen_update == whole.chosen_update


@pytest.mark.parametrize("spoilt", [False, True])
def test_the_latest_model_as_good_as_the_best_is_chosen(
    activity: Activity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoilt: bool
) -> None:
    if spoilt:
        # a validation fold whose neurons are independent: learning makes it less likely
        generator, states = np.random.default_rng(0), activity.states.copy()
        states[activity.fold == 1] = generator.permuted(states[activity.fold == 1], axis=0)
        activity = replace(activity, states=states)
    plan = make_plan(**{**SMALL, "learning_rate": 1.0 if spoilt else 0.1, "ais_rungs": 200})
    run = train(activity, plan, tmp_path / "run")
    log = run.log().set_index("update")
    assert run.chosen_update >= log["validation_nats_per_bin"].idxmax()
    assert torch.equal(run.best.weights, run.load(run.chosen_update).model.weights)
    if spoilt:
        assert run.chosen_update < log.index[-1]


def test_test_fold_is_never_looked_at(activity: Activity, tmp_path: Path) -> None:
    states = activity.states.copy()
    states[activity.fold == 2] = 1 - states[activity.fold == 2]
    other = replace(activity, states=states)
    first = train(activity, make_plan(**SMALL), tmp_path / "a")
    second = train(other, make_plan(**SMALL), tmp_path / "b")
    assert same_end(first, second)
    assert scores(first) == scores(second)


def test_without_validation_the_last_update_is_chosen(activity: Activity, tmp_path: Path) -> None:
    everything = replace(activity, fold=np.zeros_like(activity.fold))
    run = train(everything, make_plan(**SMALL), tmp_path / "run")
    assert run.chosen_update == SMALL["updates"]
    assert "validation_nats_per_bin" not in run.log()


def test_patience_ends_a_training_that_no_longer_improves(
    activity: Activity, tmp_path: Path
) -> None:
    eager = {**SMALL, "updates": 3000, "checkpoints": 40, "learning_rate": 0.5, "l2": 0.0}
    plan = make_plan(**eager, patience=60, score_every="none")
    run = train(activity, plan, tmp_path / "run")
    log = run.log()
    since = log["update"] - run.chosen_update
    assert run.info["updates_done"] < 3000
    assert since.iloc[-1] >= 60
    assert (since.iloc[:-1] < 60).all()


def test_runaway_training_fails_and_keeps_its_checkpoints(
    activity: Activity, tmp_path: Path
) -> None:
    with pytest.raises(TrainingFailedError, match="run away"):
        train(activity, make_plan(**{**SMALL, "learning_rate": 1e38}), tmp_path / "run")
    for one in TrainingRun.open(tmp_path / "run").checkpoints():
        assert bool(
            torch.isfinite(TrainingRun(tmp_path / "run").load(one.update).model.weights).all()
        )


def test_folder_that_holds_a_run_is_refused_untouched(activity: Activity, tmp_path: Path) -> None:
    run = train(activity, make_plan(**SMALL), tmp_path / "run")
    before = (run.folder / "run.json").read_bytes()
    with pytest.raises(InputError, match=r"hold no run yet \(--resume or bb\.resume goes"):
        train(activity, make_plan(**SMALL), tmp_path / "run")
    assert (run.folder / "run.json").read_bytes() == before


def test_empty_training_fold_is_refused_before_any_work(activity: Activity, tmp_path: Path) -> None:
    empty = replace(activity, fold=np.full_like(activity.fold, 2))
    with pytest.raises(InputError, match="train fold"):
        train(empty, make_plan(**SMALL), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_student_reaches_the_teacher(tmp_path: Path) -> None:
    """Exact likelihoods by enumeration; the bound is 0.02 nats, with a student that must fail."""
    model = teacher()
    states = model.sample(5000, seed=5, sweeps=100, anneal=50).numpy()
    plan = make_plan(
        hidden=3,
        updates=800,
        batch=300,
        chains=300,
        sweeps=3,
        learning_rate=1.0,
        final_learning_rate=0.02,
        weight_std=0.1,
        checkpoints=3,
        ais_chains=20,
        ais_rungs=20,
        averaging=0.98,
    )
    run = train(activity_of(states), plan, tmp_path / "run")
    data = torch.from_numpy(run.activity().states_of("train"))

    def exact(one: RBM) -> float:
        return float(-one.free_energy(data).mean()) - exact_log_partition(one)

    assert exact(model) - exact(run.load(800).model) < 0.02
    assert exact(model) - exact(run.load(1).model) > 0.02


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_presets_are_valid_plans(preset: str) -> None:
    plan = make_plan(preset)
    assert plan.preset == preset
    assert hash(plan) == hash(make_plan(preset))
    assert TrainingPlan(**plan.model_dump()) == plan


def digest_of_then(plan: TrainingPlan) -> str:
    """Return the digest of the hyperparameters that version 0.1.0 knew."""
    since = {name for version in ADDED if version != "0.1.0" for name in ADDED[version]}
    return hashlib.sha256(plan.model_dump_json(exclude=since).encode()).hexdigest()


def test_the_plan_is_the_recipe_that_it_names() -> None:
    """Its digest of version 0.1.0, so that no value has moved since."""
    digests = {
        "binary": "f44a87c2a67d9bbaa1c4230ac867576fdeb5cc447503d6287806d0e54b12ce04",
        "bereux2026": "cd06ec088791b8790da90ca78db7efab0d416860271400cc6ac84fb82c79420b",
        "compositional": "74aa5b733add2548bb6233fff0d04a335e7676dbe4ebf30234efaa9b13feef28",
        "vanderplas2023": "7d9af9c8e54d3fd1e59d294f583e7c679f48b01d00f570a767a8202f92487595",
    }
    assert {name: digest_of_then(make_plan(name)) for name in digests} == digests
    assert set(PRESETS) - set(digests) == {"assemblies"}
    assert TrainingPlan() == make_plan("binary") == make_plan()
    for preset in PRESETS:
        assert TrainingPlan(preset=preset) == make_plan(preset)
    # what is given beside the recipe keeps its proportions
    assert TrainingPlan(learning_rate=0.25).final_learning_rate == 0.01
    assert TrainingPlan(preset="compositional", l1=0.01).l1_choices is None


def test_the_plan_of_an_older_run_keeps_its_digest() -> None:
    with zipfile.ZipFile(Path(__file__).parents[1] / "frozen" / "0.1.0.zip") as frozen:
        told = json.loads(frozen.read("drelu/run.json"))
    assert digest_of_then(past_plan(told["plan"], "run.json")) == told["plan_sha256"]


def test_a_plan_may_be_given_whole(tmp_path: Path) -> None:
    states = (np.random.default_rng(0).random((60, 6)) < 0.3).astype(np.uint8)
    plan = TrainingPlan(hidden=2, updates=2, checkpoints=1, seed=3)
    activity = activity_of(states).split(by="none", min_active_bins=0)
    run = fit(activity, out=tmp_path / "run", plan=plan, hidden=2)
    assert run.plan == plan
    for options, message in (
        ({"hidden": 3}, r"hidden must be left out beside a plan, .* \(2\); got 3"),
        ({"preset": "compositional"}, "preset must be left out beside a plan"),
        ({"seed": 0}, "seed must be left out"),
        ({"hiden": 2}, "did you mean 'hidden'"),
    ):
        with pytest.raises(InputError, match=message):
            fit(activity, out=tmp_path / "other", plan=plan, **options)


def test_the_published_settings_are_those_of_the_paper() -> None:
    """Van der Plas et al. 2023, Methods, 'Stimulus-driven' fish: M = 200, lambda = 0.02."""
    plan = make_plan("vanderplas2023")
    assert (plan.hidden, plan.hidden_kind, plan.l1, plan.l1_choices) == (200, "drelu", 0.02, None)
    assert (plan.batch, plan.chains, plan.sweeps, plan.updates) == (100, 100, 15, 200_000)
    assert (plan.optimizer, plan.normalised, plan.release) == ("rmsprop", True, 0.0)
    assert plan.rate_at(50_000) == plan.rate_at(1) == 5e-3
    assert plan.rate_at(200_000) == pytest.approx(1e-5)
    assert (ADAM_DECAY, ADAM_EPSILON) == (0.999, 1e-6)


def test_the_published_settings_train(tmp_path: Path) -> None:
    truth = simulate_assemblies(
        Generator.from_seed(0, "published"),
        neurons=100, assemblies=3, bins=1500, sizes=(20, 30), overlap=0.1,
        on_fraction=(0.15, 0.3), firing=0.7,
    )  # fmt: skip
    # with so few neurons small weights vanish under this penalty: they see a hundred, not 40,000
    plan = make_plan(
        "vanderplas2023", hidden=6, updates=600, weight_std=0.2,
        checkpoints=3, ais_chains=100, ais_rungs=100,
    )  # fmt: skip
    run = train(truth.activity().split(by="blocks", seed=0), plan, tmp_path / "run")
    row = run.log().set_index("update").loc[run.chosen_update]
    assert (
        row["validation_nats_per_bin"] - row["validation_independent"]
        > 5 * row["validation_stderr"]
    )
    assert 0.05 < float((run.best.weights == 0).double().mean()) < 0.98
    inputs = run.best.inputs_to_hidden(torch.from_numpy(run.activity().states_of("train")))
    layer = run.best.hidden
    spread = layer.mean(inputs).var(dim=0, correction=0) + layer.variance(inputs).mean(dim=0)
    assert torch.allclose(spread, torch.ones(6), atol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hiden": 5}, "did you mean 'hidden'"),
        ({"hidden": 0}, "hidden must be a whole number, at least 1; got 0"),
        ({"hidden_kind": "bernouli"}, "did you mean 'bernoulli'"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"optimizer": "adamw"}, "optimizer"),
        ({"learning_rate": 0.1, "final_learning_rate": 0.2}, "at most learning_rate"),
        ({"preset": "binry"}, "did you mean 'binary'"),
    ],
)
def test_impossible_plan_is_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match="must") as caught:
        make_plan(**options)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_learning_rate_decays_geometrically_to_its_end() -> None:
    plan = make_plan(updates=100, learning_rate=0.1, final_learning_rate=0.001, decay_from=0.25)
    assert plan.rate_at(25) == 0.1
    assert plan.rate_at(100) == pytest.approx(0.001)
    ratios = [plan.rate_at(update + 1) / plan.rate_at(update) for update in range(30, 99)]
    assert np.ptp(ratios) < 1e-12


def test_checkpoints_are_log_spaced_and_end_with_the_last_update() -> None:
    kept = make_plan(updates=2000, checkpoints=30).checkpoint_updates()
    assert kept[0] == 1
    assert kept[-1] == 2000
    assert len(kept) <= 30
    late = np.diff(np.log(kept))[-10:]
    assert np.ptp(late) < 0.02
