"""Training with a context: its gradient, chains of every bin, what it finds, and resuming."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import expit

import boltzbrain as bb
from boltzbrain.data.activity import Activity
from boltzbrain.data.steps import Step
from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.model.context.contextual import ContextualRBM
from boltzbrain.model.context.past import Past, RunningTraces, raw_traces
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.independent import independent_field
from boltzbrain.sampling.enumeration import (
    all_states,
    exact_log_partition,
    exact_log_partitions,
)
from boltzbrain.sampling.rows.estimate import jackknifed
from boltzbrain.training import train as training
from boltzbrain.training.context.fit import fit_contexts
from boltzbrain.training.context.likelihood import anneal_bins
from boltzbrain.training.context.recurrent import RecurrentState, by_parameters, through_time
from boltzbrain.training.context.state import ContextState, mean_by_label
from boltzbrain.training.plan import make_plan
from boltzbrain.training.train import resume, train
from boltzbrain.training.update.gradient import (
    Ascent,
    log_likelihood_gradient,
    parameters_of,
    with_parameters,
)
from helpers.activities import activity_of
from helpers.contexts import BINS, KINDS_TRIED, model_of, pieces_of, predictive
from helpers.trained_in_context import (
    ends,
    exact_chains,
    require_resumed_as_whole,
    slope,
)

QUICK = {
    "hidden": 3, "updates": 300, "batch": 300, "sweeps": 2, "checkpoints": 3, "weight_std": 0.3,
    "learning_rate": 1.0,
}  # fmt: skip
NEURONS, PIECE = 8, 20


def planted(names, bins=4000, seed=0):
    """Return activity of an assembly of four neurons, and what the contexts of these names add."""
    rng = np.random.default_rng(seed)
    states = np.zeros((bins, NEURONS), dtype=np.uint8)
    on = rng.random(bins) < 0.3
    place = np.arange(bins) % PIECE
    led = np.where(place > 0, np.roll(on, 1), rng.random(bins) < 0.3)
    shape = np.where(np.arange(NEURONS) % 2, 1.5, -1.5)
    epoch = (np.arange(bins) // PIECE % 2).astype(np.int32)
    member = np.arange(NEURONS) < 4
    for one in range(bins):
        odds = np.full(NEURONS, -1.6) + 3.0 * on[one] * member
        if "past" in names and place[one]:
            odds = odds + 2.0 * np.roll(states[one - 1], 1)
        if "trial" in names:
            odds = odds + shape * np.sin(place[one] / 3)
        if "epoch" in names:
            odds = odds + shape * (2 * epoch[one] - 1)
        if "own" in names and place[one]:
            odds = odds + 3.0 * states[one - 1]
        if "assemblies" in names:
            odds = odds + 3.0 * led[one] * ~member
        states[one] = rng.random(NEURONS) < expit(odds)
    made = activity_of(states, segment_bins=PIECE)
    return replace(made, epoch=epoch, epoch_names=("rest", "task"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Return activity and run of each context, by name."""
    folder = tmp_path_factory.mktemp("contexts")
    return {
        name: (planted(name), train(planted(name), make_plan(**QUICK, context=name), folder / name))
        for name in ("past", "trial", "epoch")
    }


def likelihood_of(model, given):
    """Return the mean log-likelihood as a function of parameters, and of contexts."""

    def likelihood(parameters, contexts=model.contexts):
        rbm = with_parameters(model.rbm, parameters)
        return predictive(ContextualRBM(rbm, contexts), given).mean()

    return likelihood


@pytest.mark.parametrize("kind", KINDS_TRIED)
@pytest.mark.parametrize("names", ["past", "trial,epoch"])
def test_the_gradient_is_that_of_the_enumerated_likelihood(kind, names):
    # bins against all states of their own law, weighted: what a step takes with chains for these
    model, given = model_of(kind, names), pieces_of(0, pieces=2)
    rbm, offsets = model.rbm, model.offsets(given)
    chains, apart = exact_chains(rbm, given, offsets)
    data = rbm.moments(torch.from_numpy(given.states), offsets=offsets)
    found = log_likelihood_gradient(rbm, data, chains, centred=False)
    likelihood, start = likelihood_of(model, given), parameters_of(rbm)
    for name, value in start.items():
        wanted = slope(value, lambda one, name=name: likelihood({**start, name: one}))
        assert float(found[name].reshape(-1)[1]) == pytest.approx(wanted, abs=2e-8), name
    for part in model.contexts.parts[names.count("past") :]:
        label = torch.from_numpy(part.labels(given))
        for name in ("visible", "hidden"):
            mean = mean_by_label(apart[name], label, len(part.visible))
            share = float((label == 0).double().mean())
            key = f"{part.name}.{name}"
            wanted = slope(
                getattr(part, name).double(),
                lambda one, key=key: likelihood(start, model.contexts.moved({key: one})),
            )
            assert share * float(mean[0, 1]) == pytest.approx(wanted, abs=2e-8), key


@pytest.mark.parametrize("kind", KINDS_TRIED)
def test_the_gradient_through_time_is_that_of_the_enumerated_likelihood(kind):
    model, given = model_of(kind, "assemblies"), pieces_of(0, pieces=2)
    rbm, offsets = model.rbm, model.offsets(given)
    (context,) = model.contexts.parts
    chains, apart = exact_chains(rbm, given, offsets)
    states = torch.from_numpy(given.states)
    inputs = rbm.inputs_to_hidden(states, offsets)
    variance = rbm.hidden.variance(inputs)
    later = through_time(apart["hidden"], variance, context.recurrence.double(), given.edges)
    pull = variance * later
    data = rbm.moments(states, offsets=offsets)
    found = log_likelihood_gradient(rbm, data, chains, centred=False, pull=pull)
    for name, change in by_parameters(rbm.hidden, inputs, later).items():
        found[f"hidden.{name}"] = found[f"hidden.{name}"] + change
    likelihood, start = likelihood_of(model, given), parameters_of(rbm)
    for name, value in start.items():
        wanted = slope(value, lambda one, name=name: likelihood({**start, name: one}))
        assert float(found[name].reshape(-1)[1]) == pytest.approx(wanted, abs=2e-7), name
    total, begins = apart["hidden"] + pull, torch.from_numpy(given.begins)
    before = rbm.mean_hidden(states, offsets)[:-1][~begins[1:]] - context.centre
    bins = len(given)
    gradient = {
        "recurrence": total[~begins].T @ before / bins,
        "first": total[begins].sum(dim=0) / bins,
    }
    for name, value in gradient.items():
        wanted = slope(
            getattr(context, name).double(),
            lambda one, name=name: likelihood(
                start, model.contexts.moved({f"assemblies.{name}": one})
            ),
        )
        assert float(value.reshape(-1)[1]) == pytest.approx(wanted, abs=2e-7), name


@pytest.mark.parametrize("kind", KINDS_TRIED)
@pytest.mark.parametrize("names", ["assemblies", "past,assemblies"])
def test_a_step_of_following_assemblies_is_that_gradient(kind, names):
    # what the training itself takes, self-history too, with the law of each bin for its chain
    model, given = model_of(kind, names), pieces_of(1, pieces=2)
    context = model.contexts.parts[-1]
    plan = make_plan(hidden=2, hidden_kind=kind, context=names, self_history=2, batch=50, l2=0.0)
    state = RecurrentState(plan, given, model.contexts, torch.device("cpu"), None)
    state.ascent = Ascent(model.rbm, plan)
    state._take(
        model.contexts.moved({key: one.double() for key, one in model.contexts.learnt().items()}),
        model.contexts,
    )
    bins = state._next_bins()
    assert bins.tolist() == list(range(2 * BINS))
    state.batch = state.data[bins]
    offsets = state._offsets(bins)
    data = model.rbm.moments(state.batch, offsets=offsets)
    chains, apart = exact_chains(model.rbm, given, offsets)
    chains = replace(
        chains, states=data.states - apart["visible"], means=data.means - apart["hidden"]
    )
    state._through(offsets)(data, chains)
    found = state._gradient(bins, data, chains)
    likelihood, start = likelihood_of(model, given), parameters_of(model.rbm)
    for name in ("recurrence", "first", "own"):
        wanted = slope(
            getattr(context, name).double(),
            lambda one, name=name: likelihood(
                start, model.contexts.moved({f"assemblies.{name}": one})
            ),
        )
        value = float(found[f"assemblies.{name}"].reshape(-1)[1])
        assert value == pytest.approx(wanted, abs=2e-7), name


def test_a_bin_without_a_label_moves_no_label():
    values = torch.tensor([[1.0], [2.0], [4.0]])
    assert mean_by_label(values, torch.tensor([-1, 0, 0]), 2).tolist() == [[3.0], [0.0]]


@pytest.mark.parametrize("name", ["past", "trial", "epoch"])
def test_what_is_planted_is_found(runs, name):
    # the context tells as much as it does, and the weights what is simultaneous beside it
    activity, run = runs[name]
    model = run.in_context()
    test = Sequences.of_fold(activity, "test")
    found = predictive(model.to(torch.float64), test)
    foot = replace(model.rbm.visible, field=model.contexts.foot.float())
    bare = ContextualRBM(replace(model.rbm, visible=foot, weights=0 * model.rbm.weights),
                         fit_contexts(activity, run.plan))  # fmt: skip
    alone = predictive(bare.to(torch.float64), test)
    gain = found - alone
    assert gain.mean() > 5 * gain.std() / np.sqrt(len(gain))
    # 0.30, 0.19 and 0.24 nats per bin over the three; less than half says that learning is broken
    assert gain.mean() > 0.1
    members = model.rbm.weights.abs().sum(dim=1)
    assert members[:4].min() > 2 * members[4:].max()


def test_an_assembly_that_leads_another_is_found(tmp_path):
    activity = planted("assemblies")
    run = train(activity, make_plan(**QUICK, context="assemblies"), tmp_path / "run")
    model, test = run.in_context(), Sequences.of_fold(activity, "test")
    (context,) = model.contexts.parts
    still = torch.zeros_like(context.recurrence)
    apart = model.contexts.moved({"assemblies.recurrence": still, "assemblies.first": still[0]})
    gain = predictive(model, test) - predictive(replace(model, contexts=apart), test)
    assert gain.mean() > 5 * gain.std() / np.sqrt(len(gain))
    # what the leading neurons' fields do to the led ones' in the next bin, and not the other way
    weights = model.rbm.weights.double()
    lead = (weights @ context.recurrence.double() @ weights.T)[4:, :4].mean()
    back = (weights @ context.recurrence.double() @ weights.T)[:4, 4:].mean()
    assert lead > 1
    assert lead > 3 * abs(back)


def unit_follows_itself(run):
    """Return what the mean of the members' fields gains by themselves a bin later, through U."""
    model = run.in_context()
    (context,) = model.contexts.parts
    weights, recurrence = model.rbm.weights.double(), context.recurrence.double()
    return float((weights @ recurrence @ weights.T)[:4, :4].mean())


def test_what_neurons_owe_themselves_is_not_read_as_an_assembly_that_lasts(tmp_path):
    # assemblies without memory, neurons with: U takes it for theirs where it is not told of it
    activity = planted("own")
    plan = {**QUICK, "context": "assemblies"}
    told = train(activity, make_plan(**plan, self_history=1), tmp_path / "told")
    untold = train(activity, make_plan(**plan, self_history=0), tmp_path / "untold")
    (context,) = told.in_context().contexts.parts
    assert context.own[0].min() > 1
    assert unit_follows_itself(untold) > 1
    assert abs(unit_follows_itself(told)) < 0.3 * unit_follows_itself(untold)


def test_assemblies_do_not_follow_each_other_in_shuffled_bins(tmp_path):
    activity, rng = planted("assemblies"), np.random.default_rng(1)
    bins = np.concatenate(
        [rng.permutation(PIECE) + first for first in range(0, activity.n_bins, PIECE)]
    )
    activity = replace(activity, states=activity.states[bins])
    run = train(activity, make_plan(**QUICK, context="assemblies"), tmp_path / "run")
    model, test = run.in_context(), Sequences.of_fold(activity, "test")
    (context,) = model.contexts.parts
    still = torch.zeros_like(context.recurrence)
    apart = model.contexts.moved({"assemblies.recurrence": still, "assemblies.first": still[0]})
    gain = predictive(model, test) - predictive(replace(model, contexts=apart), test)
    # beside what the planted bins gain in order: by what noise is learnt it may lie a little below
    assert gain.mean() < 3 * gain.std() / np.sqrt(len(gain))
    assert gain.mean() > -0.02


def test_calcium_traces_are_given_their_own_history_unless_the_past_is_known():
    activity = planted("past", bins=1500)
    calcium = replace(activity, steps=(Step("deconvolve", {}),))
    for which, asked, lags in (
        (activity, {}, 0), (calcium, {}, 2), (calcium, {"self_history": 0}, 0),
        (calcium, {"context": "past,assemblies"}, 0),
    ):  # fmt: skip
        plan = make_plan(**{"hidden": 3, "context": "assemblies", **asked})
        assert len(fit_contexts(which, plan).parts[-1].own) == lags


def test_a_run_in_context_tells_its_score_by_annealing(runs):
    activity, run = runs["past"]
    row = run.log().set_index("update").loc[run.chosen_update]
    exact = predictive(
        run.in_context().to(torch.float64), Sequences.of_fold(activity, "validation")
    )
    assert row["validation_nats_per_bin"] == pytest.approx(exact.mean(), abs=0.01)
    assert run.info["convergence"]["status"] == "converged"


def test_samples_of_a_run_in_context_follow_in_time(runs):
    run = runs["past"][1]
    drawn = bb.sample(run, 3010, seed=1, progress=False)
    assert drawn.n_bins == 3010
    assert np.array_equal(drawn.segment, np.arange(3010) // PIECE)
    # a neuron follows its neighbour of the bin before within a segment, and not over its edge
    states = drawn.states[:3000].reshape(-1, PIECE, NEURONS).astype(float)
    centred = states - states.mean(axis=(0, 1))
    within = (centred[:, 1:] * np.roll(centred[:, :-1], 1, axis=2)).mean()
    over = (centred[1:, 0] * np.roll(centred[:-1, -1], 1, axis=1)).mean()
    # 22,800 and 1,192 products of spread about 0.2
    assert within > 5 * 0.2 / np.sqrt(22_800)
    assert abs(over) < 4 * 0.2 / np.sqrt(1192)
    again = bb.sample(run, 3010, seed=1, progress=False)
    assert np.array_equal(again.states, drawn.states)
    with pytest.raises(InputError, match="sampler must be left out for a run with a context"):
        bb.sample(run, 10, sampler="gibbs", progress=False)


def test_the_model_at_its_mean_context_has_the_weights_of_all_bins(runs):
    run = runs["epoch"][1]
    model, alone = run.in_context(), run.at_mean_context()
    assert torch.equal(alone.weights, model.rbm.weights)
    mean = model.offsets(Sequences.of_fold(run.activity(), "train")).visible.mean(dim=0)
    moved = alone.visible.parameters()["field"] - model.rbm.visible.parameters()["field"]
    torch.testing.assert_close(moved, mean)


def test_log_z_of_bins_is_that_of_enumeration():
    model, given = model_of("bernoulli", "past,epoch"), pieces_of(1, pieces=20)
    single = model.to(torch.float32)
    generator = Generator.from_seed(0, "annealing")
    logs = anneal_bins(single.rbm, single.offsets(given), model.contexts.foot, generator)
    apart = (jackknifed(logs)[0] - exact_log_partitions(model.rbm, model.offsets(given))).numpy()
    # weights of 60 rungs spread little; five errors of the mean fail by chance once in a million
    assert abs(apart.mean()) < 5 * apart.std() / np.sqrt(len(apart))
    assert apart.std() < 0.1


def test_log_z_of_assemblies_that_move_nothing_is_that_of_the_rbm():
    model, given = model_of("drelu", "assemblies"), pieces_of(4, pieces=20)
    still = {name: torch.zeros_like(one) for name, one in model.contexts.learnt().items()}
    single = ContextualRBM(model.rbm, model.contexts.moved(still)).to(torch.float32)
    generator = Generator.from_seed(0, "annealing")
    logs = anneal_bins(single.rbm, single.offsets(given), model.contexts.foot, generator)
    apart = (jackknifed(logs)[0] - exact_log_partition(model.rbm)).numpy()
    # five errors of the mean: by chance once in a million
    assert abs(apart.mean()) < 5 * apart.std() / np.sqrt(len(apart))


def test_chains_of_bins_reach_the_means_of_their_own_bins():
    # a model that stands still, and one chain a bin: their means bin by bin are those of the law
    model, given = model_of("bernoulli", "past"), pieces_of(2, pieces=3)
    single = model.to(torch.float32)
    offsets = single.offsets(given)
    many = offsets[torch.arange(len(given)).repeat_interleave(400)]
    start = torch.zeros((len(many), 5), dtype=torch.uint8)
    drawn, _ = single.rbm.sweep(start, Generator.from_seed(3, "chains"), 30, many)
    means = drawn.reshape(len(given), 400, 5).double().mean(dim=1)
    every = all_states(model.rbm.visible)
    for place in range(len(given)):
        row = model.offsets(given)[torch.full((len(every),), place)]
        law = torch.softmax(-model.rbm.free_energy(every, row), dim=0)
        exact = law @ every.double()
        error = (exact * (1 - exact) / 400).sqrt()
        # of 120 means one lies beyond five errors by chance once in 15,000 times
        assert float(((means[place] - exact).abs() / error).max()) < 5


@pytest.mark.parametrize(
    "options",
    [
        {"context": "past,epoch", "context_hidden": True, "momentum": 0.5},
        {"context": "epoch,assemblies", "self_history": 1, "window": 8, "optimizer": "adam"},
    ],
)
def test_interrupted_training_ends_where_the_undisturbed_one_ends(tmp_path, monkeypatch, options):
    monkeypatch.setattr(training, "ROLLING_SECONDS", 0.0)
    activity = planted("past,epoch", bins=1500)
    plan = make_plan(**{**QUICK, "updates": 12, "batch": 200, **options})
    require_resumed_as_whole(activity, plan, tmp_path)


def test_a_training_starts_from_a_static_run(tmp_path, monkeypatch):
    activity = planted("past", bins=1500)
    static = train(activity, make_plan(**{**QUICK, "updates": 30}), tmp_path / "static")
    plan = make_plan(**{**QUICK, "updates": 2}, context="past")
    run = train(activity, plan, tmp_path / "run", start=static)
    assert run.info["from"] == {
        "folder": str(static.folder), "run": static.id, "update": static.chosen_update,
    }  # fmt: skip
    state = ContextState(
        plan, Sequences.of_fold(activity, "train"), fit_contexts(activity, plan),
        torch.device("cpu"), None, static.best,
    )  # fmt: skip
    assert torch.equal(state.live.weights, static.best.weights)
    with pytest.raises(InputError, match="hidden must be that of the run to start from, 3"):
        train(activity, make_plan(**{**QUICK, "hidden": 5}, context="past"),
              tmp_path / "other", start=static)  # fmt: skip
    with pytest.raises(InputError, match="from must be left out without a context"):
        train(activity, make_plan(**QUICK), tmp_path / "none", start=static)
    # killed before its first checkpoint it still knows where it began
    monkeypatch.setattr(training, "ROLLING_SECONDS", 1e9)
    with pytest.raises(KeyboardInterrupt):
        train(activity, plan, tmp_path / "cut", [_stop], start=static)
    shutil.rmtree(tmp_path / "static")
    cut = resume(tmp_path / "cut")
    assert all(torch.equal(value, ends(cut)[name]) for name, value in ends(run).items())


def _stop(progress):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("past", {"segment": "each"}, "few training bins follow one another"),
        ("trial", {"segment": "one"}, "fewer than 20 segments"),
        ("epoch", {"epoch": None}, "fewer than two epochs"),
    ],
)
def test_a_context_that_the_data_cannot_give_is_refused(tmp_path, name, change, words):
    activity: Activity = planted("past", bins=1500)
    bins = np.arange(len(activity.states), dtype=np.int32)
    segments = {"each": bins, "one": 0 * bins}
    if "segment" in change:
        change = {"segment": segments[change["segment"]]}
    with pytest.raises(InputError, match=words):
        train(replace(activity, **change), make_plan(**QUICK, context=name), tmp_path / "run")
    assert not Path(tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (
            {"context": "future"},
            "context must be one of: past, trial, epoch, behaviour, assemblies",
        ),
        ({"context": "past,past"}, "name each context once"),
        ({"context": "past", "score_every": 10}, "score_every must be none"),
        ({"context": "past", "preset": "assemblies"}, "another than `assemblies`"),
        ({"context": "past", "chains": 50}, "chains must be left out with a context"),
        (
            {"context": "assemblies", "preset": "compositional"},
            "context must move no hidden fields",
        ),
        ({"context": "epoch,assemblies", "context_hidden": True}, "beside assemblies"),
    ],
)
def test_a_plan_refuses_what_a_context_does_not_go_with(asked, words):
    with pytest.raises(InputError, match=words):
        make_plan(**asked)


def test_without_a_context_nothing_is_asked_of_the_plan():
    assert make_plan().contexts == ()
    assert make_plan(context="epoch, past").context == "past,epoch"


def delayed(bins=6000, seed=3):
    """Return activity in which every neuron follows its neighbour of three bins before."""
    rng = np.random.default_rng(seed)
    states = np.zeros((bins, NEURONS), dtype=np.uint8)
    for one in range(bins):
        seen = np.roll(states[one - 3], 1) if one % PIECE >= 3 else np.zeros(NEURONS)
        states[one] = rng.random(NEURONS) < expit(-1.6 + 3.0 * seen)
    return activity_of(states, segment_bins=PIECE)


def test_a_delay_is_found_with_as_many_lags_and_missed_without():
    activity = delayed()
    test = Sequences.of_fold(activity, "test")
    states, gain = torch.from_numpy(test.states).double(), {}

    def score(odds):
        return float((states * odds - torch.nn.functional.softplus(odds)).sum(dim=1).mean())

    base = score(independent_field(torch.from_numpy(activity.states_of("train"))))
    for lags in (1, 3):
        plan = make_plan(context="past", past_lags=lags, past_s="none")
        found = fit_contexts(activity, plan)
        (past,) = found.parts
        assert past.law.past.mean.shape == (lags, NEURONS)
        gain[lags] = score(past.law.odds(test) + found.foot) - base
    # 0.70 nats a bin by the law itself
    assert gain[3] > 0.4
    assert gain[1] < 0.1


def test_the_past_that_is_generated_is_that_of_the_bins():
    # traces bin by bin of pieces side by side against those of whole pieces, every lag
    given = pieces_of(7, pieces=3)
    raw = raw_traces(given, (0.0, 0.1), 3)
    past = Past(
        torch.zeros(raw.shape[1:]), torch.ones(raw.shape[1:]), torch.empty(0), (0.0, 0.1), 3
    )
    running = RunningTraces(past, 3, given.bin_width_s)
    states = torch.from_numpy(given.states).reshape(3, BINS, -1)
    wanted = raw.reshape(3, BINS, *raw.shape[1:])
    for place in range(BINS):
        torch.testing.assert_close(running.traces(3), wanted[:, place])
        running.see(states[:, place])
    assert torch.equal(wanted[:, 2:, 2], states[:, :-2].float())
