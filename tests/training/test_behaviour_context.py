"""Fields that follow behaviour: what is refused, the levels, resuming, and common drive found."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import boltzbrain as bb
from boltzbrain.data.regions import Regions
from boltzbrain.evaluation.in_context.predict import predicted
from boltzbrain.evaluation.in_context.split import gain_split
from boltzbrain.evaluation.likelihood import independent_log_likelihood, log_likelihood
from boltzbrain.foundations.checks import InputError
from boltzbrain.interpretation.choices import Choices
from boltzbrain.interpretation.common_drive import (
    common_drive,
    compare_couplings,
    find_common_drive,
)
from boltzbrain.model.context.contextual import ContextualRBM
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.independent import independent_field
from boltzbrain.sampling.enumeration import exact_log_partition
from boltzbrain.training.context.fit import fit_contexts, require_contexts
from boltzbrain.training.plan import make_plan
from boltzbrain.training.train import train
from helpers.common_drive import EACH, TRIAL, driven_and_coupled
from helpers.trained_in_context import require_resumed_as_whole

QUICK = {
    "hidden": 4, "updates": 300, "batch": 300, "sweeps": 2, "checkpoints": 2, "weight_std": 0.3,
    "learning_rate": 1.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def activity():
    return driven_and_coupled()


@pytest.fixture(scope="module")
def runs(activity, tmp_path_factory):
    """Return a run without a context, and one that begins with it whose fields follow the side."""
    folder = tmp_path_factory.mktemp("drive")
    without = train(activity, make_plan(**QUICK), folder / "without")
    plan = make_plan(**QUICK, context="behaviour:side")
    return without, train(activity, plan, folder / "given", start=without)


@pytest.mark.parametrize(
    ("context", "words"),
    [
        ("behaviour:sude", "be one of: side, contrast, idle, speed, gaps; got sude"),
        ("behaviour:gaps", "have a value in every bin .*speed; got none in 10.0% of them"),
        ("behaviour:idle", "take two values or more in the training bins; got one"),
        ("behaviour", "be `behaviour:NAME` with a column of the trials or a covariate"),
        ("behaviour:side,behaviour:side", "name each context once"),
        ("states:2,behaviour:side", "be `states` alone"),
        ("side:3", "or a name after `behaviour:`"),
    ],
)  # fmt: skip
def test_a_context_that_behaviour_cannot_give_is_refused_with_what_there_is(
    activity, context, words
):
    with pytest.raises(InputError, match=words):
        require_contexts(activity, make_plan(context=context))


def test_a_recording_without_behaviour_says_so(activity):
    bare = replace(activity, trials=activity.trials[:0], covariates={})
    with pytest.raises(InputError, match="the recording has none"):
        require_contexts(bare, make_plan(context="behaviour:side"))


def test_a_trial_without_a_value_is_refused(activity):
    table = activity.trials.assign(side=["", *activity.trials.side[1:]])
    with pytest.raises(InputError, match=r"have a value in every bin .* got none in 0\.3%"):
        require_contexts(replace(activity, trials=table), make_plan(context="behaviour:side"))


def test_labels_are_levels_in_parts_of_a_trial_and_eighths_of_a_covariate(activity, tmp_path):
    # 0.1 s of 20 ms bins are five; the last of 20 bins lies outside of its trial
    trials = activity.trials.assign(stop_bin=activity.trials.stop_bin - 1)
    activity = replace(activity, trials=trials)
    plan = make_plan(hidden=2, context="trial,behaviour:speed,behaviour:contrast,behaviour:side")
    contexts = fit_contexts(activity, plan)
    assert [one.key for one in contexts.parts] == [
        "trial", "behaviour.0", "behaviour.1", "behaviour.2"
    ]  # fmt: skip
    given = Sequences.of_segments(activity)
    _, speed, contrast, side = (one.labels(given) for one in contexts.parts)
    right = (activity.trials.side == "right").to_numpy().repeat(TRIAL)
    place = np.arange(activity.n_bins) % TRIAL
    wanted = np.where(place == TRIAL - 1, -1, right * 4 + place // 5)
    assert np.array_equal(side, wanted)
    assert np.array_equal(contrast, wanted)
    train_bins = activity.bins_of("train")
    assert np.bincount(speed[train_bins]).tolist() == [len(train_bins) // 8] * 8
    values = activity.covariates["speed"].values
    assert values[speed == 3].max() < values[speed == 4].min()
    # and a file gives them back, each by its own name
    rbm = bb.RBM(
        visible=bb.Bernoulli(torch.zeros(activity.n_neurons)),
        hidden=bb.Bernoulli(torch.zeros(2)),
        weights=torch.zeros(activity.n_neurons, 2),
    )
    ContextualRBM(rbm, contexts).save(tmp_path / "model.h5")
    again = ContextualRBM.load(tmp_path / "model.h5").contexts
    assert [one.key for one in again.parts] == [one.key for one in contexts.parts]
    for one, other in zip(contexts.parts, again.parts, strict=True):
        assert np.array_equal(one.labels(given), other.labels(given))
        assert torch.equal(one.visible, other.visible)
        assert one.words() == other.words()


def test_a_training_that_follows_behaviour_resumes_bit_for_bit(tmp_path):
    plan = make_plan(
        hidden=2, updates=10, batch=200, checkpoints=3,
        context="behaviour:side,behaviour:speed", context_hidden=True, normalised=False,
    )  # fmt: skip
    require_resumed_as_whole(driven_and_coupled(1000), plan, tmp_path)


def test_common_drive_is_gone_given_the_stimulus_and_couplings_remain(runs):
    # the seed is fixed; over seeds the driven share lies about .9 and the coupled one about 0,
    # each with a spread of some .05: a right program fails in fewer than one of 10 000
    found = common_drive(runs[1], min_neurons=EACH).set_index(["first", "second"])
    share = found.share
    assert share["driven", "driven"] > 0.7
    assert abs(share["coupled", "coupled"]) < 0.2
    assert found.without["driven", "driven"] > 0.5 * found.without["coupled", "coupled"]
    assert (found.stderr["driven", "driven"], found.stderr["coupled", "coupled"]) < (0.2, 0.2)


def test_a_context_that_drives_nobody_takes_nothing_away(runs, activity, tmp_path):
    # negative control: levels of a covariate that is nothing to the neurons
    plan = make_plan(**QUICK, context="behaviour:speed")
    run = train(activity, plan, tmp_path / "speed", start=runs[0])
    share = common_drive(run, min_neurons=EACH).set_index(["first", "second"]).share
    assert abs(share["driven", "driven"]) < 0.2
    assert abs(share["coupled", "coupled"]) < 0.2


def test_a_run_that_knows_of_behaviour_is_drawn_from(runs):
    drawn = [bb.sample(one, 30, seed=0) for one in runs]
    assert [len(one.trials) for one in drawn] == [0, 0]
    # given the context, the covariates are those of the bins whose context was given
    assert not drawn[0].covariates
    assert len(drawn[1].covariates["speed"].values) == 30


def test_interpretation_holds_the_shares_and_which_assemblies_remain(runs, activity):
    entries, told, why = find_common_drive(runs[1], activity, Choices(min_neurons=EACH))
    assert not why
    assert told["context"] == "behaviour:side"
    assert entries["common_drive/share"].values.shape == (3, 3)
    assert told["totals"]["within"]["value"] > told["totals"]["within"]["stderr"] > 0
    # at least the unit of the driven ones loses its weights, and not all units do
    assert 0 < told["remaining"] < told["assemblies"]
    nothing, none, why = find_common_drive(runs[0], activity, Choices())
    assert (nothing, none) == ({}, None)
    assert "began with no other run" in why["common_drive"]


def test_the_gain_is_split_into_the_stimulus_and_the_couplings(runs, activity):
    without, run = runs
    model, start = run.in_context(), without.best
    log_z = exact_log_partition(start)
    found = predicted(model, activity, 0)
    told = gain_split(model, run.plan, found, activity, (start, log_z))
    assert [one["name"] for one in told["parts"]] == ["behaviour:side", "couplings"]
    side, rest = told["parts"]
    bins = activity.bins_of("test")
    field = independent_field(torch.from_numpy(activity.states_of("train")))
    alone = independent_log_likelihood(field, activity.states[bins])
    assert side["value"] + rest["value"] == pytest.approx((found.scores - alone).mean())
    assert side["value"] > 5 * side["stderr"] > 0
    assert rest["value"] > 5 * rest["stderr"] > 0
    drive = told["common_drive"]
    before = log_likelihood(start, log_z, activity.states[bins]) - alone
    assert drive["value"] == pytest.approx(1 - rest["value"] / before.mean())
    assert 0.1 < drive["value"] < 0.9
    assert 0 < drive["stderr"] < 0.2


def test_shares_and_errors_are_those_of_their_definition():
    rng = np.random.default_rng(0)
    before = np.abs(rng.normal(size=(20, 20)))
    before += before.T
    kept = np.where(np.arange(20) < 10, 0.5, 1.0)
    after = before * kept[:, None] * kept
    regions = Regions.from_labels(["a"] * 10 + ["b"] * 10)
    found = compare_couplings(before, [after], regions)
    assert found.share == pytest.approx(np.array([[0.75, 0.5], [0.5, 0.0]]))
    # all of a region alike: nothing depends on which neurons there are
    assert found.stderr == pytest.approx(0.0, abs=1e-9)
    assert found.totals["between"] == pytest.approx((0.5, 0.0), abs=1e-9)
    # repeats that differ are an error
    other = compare_couplings(before, [after, 0.5 * after], regions)
    wanted = np.std([[0.75, 0.875], [0.5, 0.75], [0.0, 0.5]], axis=1, ddof=1)
    assert other.stderr[[0, 0, 1], [0, 1, 1]] == pytest.approx(wanted)
