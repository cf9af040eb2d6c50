"""The estimator keeps scikit-learn's promises and ours: binary values, log Z, no pickled model."""

from __future__ import annotations

import pickle
import pickletools

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator

import boltzbrain as bb
from boltzbrain.estimator import BoltzmannMachine
from boltzbrain.foundations.checks import InputError
from boltzbrain.model.hidden_activity import hidden_activity
from boltzbrain.sampling.enumeration import exact_log_partition

QUICK = {"checkpoints": 1, "ais_chains": 10, "ais_rungs": 5, "chains": 10, "batch": 20, "sweeps": 1}
EXCEPTIONS: dict[str, str] = {}
"""Checks that fail, and why; at most five."""


def machine(**changes) -> BoltzmannMachine:
    return BoltzmannMachine(**{"hidden": 3, "updates": 10, "options": QUICK, **changes})


def rows(seed: int = 0, count: int = 300) -> np.ndarray:
    """Return rows of two groups of features that go together."""
    generator = np.random.default_rng(seed)
    on = np.repeat(generator.random((count, 2)) < 0.4, 3, axis=1)
    return (generator.random((count, 6)) < np.where(on, 0.8, 0.1)).astype(np.uint8)


@pytest.fixture(scope="module")
def fitted() -> BoltzmannMachine:
    finer = {**QUICK, "chains": 100, "batch": 100, "ais_rungs": 200}
    return machine(updates=400, options=finer).fit(rows())


def test_it_passes_the_checks_of_scikit_learn():
    quick = machine(hidden=2, updates=4, threshold=0, options={**QUICK, "score_every": "none"})
    assert len(EXCEPTIONS) <= 5
    found = check_estimator(quick, expected_failed_checks=EXCEPTIONS, on_fail=None, on_skip=None)
    failed = {one["check_name"]: one["exception"] for one in found if one["status"] == "failed"}
    assert failed == {}
    assert sum(one["status"] == "passed" for one in found) > 40


def test_scores_are_log_probabilities_and_log_z_is_kept_with_its_error(fitted):
    every = np.array(list(np.ndindex(*[2] * 6)), dtype=np.uint8)
    total = np.exp(fitted.score_samples(every)).sum()
    assert np.log(total) == pytest.approx(0, abs=6 * fitted.log_partition_stderr_ + 1e-6)
    exact = exact_log_partition(fitted.model_)
    assert abs(fitted.log_partition_ - exact) < 6 * fitted.log_partition_stderr_ + 1e-6
    assert 0 < fitted.log_partition_stderr_ < 0.1
    assert fitted.log_partition_doubt_ is None
    assert fitted.score(rows(1)) == pytest.approx(fitted.score_samples(rows(1)).mean())


def test_transform_gives_hidden_means_and_back_probabilities(fitted):
    hidden = fitted.transform(rows(1))
    np.testing.assert_array_equal(hidden, hidden_activity(fitted.model_, rows(1)))
    back = fitted.inverse_transform(hidden)
    assert back.shape == (300, 6)
    # what is on is given back as more probable
    assert back[rows(1) == 1].mean() > back[rows(1) == 0].mean() + 0.1
    with pytest.raises(InputError, match=r"one column per hidden unit \(3\)"):
        fitted.inverse_transform(hidden[:, :2])
    names = [f"boltzmannmachine{unit}" for unit in range(3)]
    assert fitted.get_feature_names_out().tolist() == names
    assert fitted.components_.shape == (3, 6)


def test_samples_are_rows_of_the_model(fitted):
    drawn = fitted.sample(2000)
    assert drawn.shape == (2000, 6)
    assert set(np.unique(drawn)) == {0, 1}
    np.testing.assert_array_equal(drawn, fitted.sample(2000))
    assert (drawn != fitted.sample(2000, random_state=1)).any()
    np.testing.assert_allclose(drawn.mean(axis=0), rows().mean(axis=0), atol=0.15)


@pytest.mark.parametrize("value", [2, -1, 0.5])
def test_values_that_are_not_binary_are_refused_unless_cut(value):
    wrong = rows().astype(float)
    wrong[5, 2] = value
    with pytest.raises(InputError, match=f"X must hold only 0 and 1, or .*; got {value}"):
        machine().fit(wrong)
    with pytest.raises(InputError, match="only 0 and 1"):
        machine().fit(rows()).transform(wrong)
    cut = machine(threshold=0).fit(wrong)
    same = machine().fit(wrong > 0)
    np.testing.assert_array_equal(cut.components_, same.components_)


@pytest.mark.parametrize(
    "form",
    [
        lambda states: states.astype(bool),
        lambda states: states.astype(">i4"),
        lambda states: np.asfortranarray(states.astype(np.float32)),
        sparse.csr_array,
        sparse.csc_matrix,
        pd.DataFrame,
    ],
)
@pytest.mark.parametrize("threshold", [None, 0])
def test_the_form_of_the_rows_does_not_matter(form, threshold):
    plain = machine().fit(rows())
    given = form(rows())
    if isinstance(given, pd.DataFrame):
        given.columns = list("abcdef")
    other = machine(threshold=threshold).fit(given)
    np.testing.assert_array_equal(other.components_, plain.components_)
    np.testing.assert_array_equal(other.score_samples(given), plain.score_samples(rows()))


def test_groups_are_held_out_whole_in_any_order():
    groups = np.repeat(np.arange(30), 10)
    activity = machine()._folds(rows(), groups, 0)
    held = {number: set(activity.fold[activity.segment == number]) for number in range(30)}
    assert all(len(folds) == 1 for folds in held.values())
    assert {0, 1} == set().union(*held.values())
    mixed = np.random.default_rng(0).permutation(300)
    other = machine()._folds(rows()[mixed], groups[mixed], 0)
    assert [set(other.fold[other.segment == number]) for number in range(30)] == [*held.values()]
    # neighbours without groups: blocks; too few rows: none
    assert (machine()._folds(rows(), None, 0).fold == 1).sum() > 20
    assert not (machine()._folds(rows(count=40), None, 0).fold == 1).any()
    assert not (machine(validation=0)._folds(rows(), None, 0).fold == 1).any()


def test_the_seed_settles_everything_and_clones_are_equal():
    first, again = machine().fit(rows()), clone(machine()).fit(rows())
    np.testing.assert_array_equal(first.components_, again.components_)
    assert first.log_partition_ == again.log_partition_
    other = machine(random_state=1).fit(rows())
    assert (first.components_ != other.components_).any()
    assert machine().set_params(hidden=5).get_params()["hidden"] == 5


def test_a_pickle_and_a_file_hold_the_same_and_no_class_of_a_tensor(fitted, tmp_path):
    content = pickle.dumps(fitted)
    named = " ".join(str(value) for _, value, _ in pickletools.genops(content))
    assert "torch" not in named
    fitted.save(tmp_path / "machine.h5")
    for other in (pickle.loads(content), BoltzmannMachine.load(tmp_path / "machine.h5")):
        assert other.get_params() == fitted.get_params()
        np.testing.assert_array_equal(other.score_samples(rows(1)), fitted.score_samples(rows(1)))
        assert other.convergence_ == fitted.convergence_
    assert pickle.loads(pickle.dumps(machine())).get_params() == machine().get_params()
    fitted.model_.save(tmp_path / "model.h5")
    with pytest.raises(InputError, match="boltzbrain estimator"):
        BoltzmannMachine.load(tmp_path / "model.h5")


def test_names_of_features_are_asked_for_again(tmp_path):
    table = pd.DataFrame(rows(), columns=list("abcdef"))
    named = machine().fit(table)
    named.save(tmp_path / "machine.h5")
    loaded = BoltzmannMachine.load(tmp_path / "machine.h5")
    assert loaded.feature_names_in_.tolist() == list("abcdef")
    with pytest.raises(ValueError, match="feature names"):
        loaded.transform(table[list("fedcba")])


def test_it_works_in_a_pipeline_and_a_grid_search_with_groups():
    groups = np.repeat(np.arange(30), 10)
    with sklearn.config_context(enable_metadata_routing=True):
        steps = make_pipeline(
            FunctionTransformer(),
            machine().set_fit_request(groups=True),
        )
        search = GridSearchCV(steps, {"boltzmannmachine__hidden": [1, 2]}, cv=GroupKFold(3)).fit(
            rows(), groups=groups
        )
    assert search.best_params_["boltzmannmachine__hidden"] in (1, 2)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.transform(rows()).shape[0] == 300


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden": 0}, "hidden must be a whole number, at least 1"),
        ({"preset": "binray"}, "did you mean 'binary'"),
        ({"options": {"hiden": 3}}, "hiden"),
        ({"options": {"hidden": 3}}, "options must leave out hidden"),
        ({"options": {"seed": 3}}, "options must leave out seed"),
        ({"options": {"l2": 0.0}}, "options must leave out l2"),
        ({"options": {"context": "past"}}, "options must leave out context"),
        ({"validation": 1.0}, "validation"),
        ({"threshold": "a"}, "threshold"),
        ({"random_state": "a"}, "seed"),
        ({"device": "gpu"}, "device must be one of"),
    ],
)
def test_a_wrong_parameter_is_named(changes, message):
    with pytest.raises(InputError, match=message):
        machine(**changes).fit(rows())


def test_groups_of_another_length_are_refused():
    with pytest.raises(InputError, match=r"one value per row \(300\)"):
        machine().fit(rows(), groups=np.zeros(5))


def test_it_is_a_public_name():
    assert bb.BoltzmannMachine is BoltzmannMachine
