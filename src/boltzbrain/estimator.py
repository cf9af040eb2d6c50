"""The Boltzmann machine as an estimator of scikit-learn, for any binary data."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from boltzbrain.data.activity import TEST, TRAIN, Activity
from boltzbrain.data.recording import neuron_table
from boltzbrain.data.steps import Source
from boltzbrain.evaluation.likelihood import log_likelihood
from boltzbrain.foundations.checks import InputError, bad_input, number_in
from boltzbrain.foundations.disk.files import FileFormat, atomic_hdf5, open_ours
from boltzbrain.foundations.disk.hdf5_tables import plain
from boltzbrain.model.files import write_model
from boltzbrain.model.hidden_activity import hidden_activity
from boltzbrain.model.rbm import RBM
from boltzbrain.preparing.folds.split import split
from boltzbrain.training.plan import TrainingPlan, make_plan
from boltzbrain.training.score.likelihood_log import LikelihoodLog
from boltzbrain.training.train import train

FORMAT = FileFormat("boltzbrain estimator", what="the estimator's file")
FEWEST_ROWS = 50
"""With fewer rows, none is held out to choose the update by."""
CHAINS, RUNGS = 500, 1000
"""Of the estimate of log Z: those of `boltzbrain evaluate`."""

_FITTED = ("log_partition_", "log_partition_stderr_", "log_partition_doubt_", "chosen_update_",
           "convergence_", "n_features_in_")  # fmt: skip


class BoltzmannMachine(
    ClassNamePrefixFeaturesOutMixin,  # type: ignore[misc]  # scikit-learn has no types
    TransformerMixin,  # type: ignore[misc]
    BaseEstimator,  # type: ignore[misc]
):
    """A Restricted Boltzmann Machine with visible units of {0, 1}.

    Parameters
    ----------
    hidden
        Number of hidden units.
    preset
        Recipe of the training, one of `training.plan.PRESETS`.
    updates, learning_rate, l1, l2
        Hyperparameters of the plan; the recipe's if None.
    options
        Any other field of `TrainingPlan`, by name.
    threshold
        Values above it are 1, others 0. None refuses values other than 0 and 1.
    validation
        Share of the rows, or of the groups, that `fit` holds out to choose the update by, and for
        nothing else. With 0, or fewer than `FEWEST_ROWS` rows, all train and the last is taken.
    device
        Where to train: "auto", "cpu", "cuda" or "cuda:1".
    random_state
        Seed, or what scikit-learn takes for one.

    Attributes
    ----------
    model_
        The `RBM`.
    components_
        (hidden, feature) weights.
    log_partition_, log_partition_stderr_
        log Z in nats by annealed importance sampling, and its standard error: of `score`, an error
        that all rows share.
    log_partition_doubt_
        Why log Z may not be trusted, in words; None without a doubt.
    chosen_update_, convergence_
        As a run keeps them (`TrainingRun.info`).

    Examples
    --------
    >>> rows = np.random.default_rng(0).random((200, 6)) < 0.3
    >>> machine = BoltzmannMachine(hidden=2, updates=20, options={"checkpoints": 1}).fit(rows)
    >>> machine.transform(rows).shape, machine.inverse_transform(machine.transform(rows)).shape
    ((200, 2), (200, 6))
    """

    def __init__(
        self,
        hidden: int = 100,
        preset: str = "binary",
        *,
        updates: int | None = None,
        learning_rate: float | None = None,
        l1: float | None = None,
        l2: float | None = None,
        options: Mapping[str, Any] | None = None,
        threshold: float | None = None,
        validation: float = 0.15,
        device: str = "auto",
        random_state: Any = 0,
    ) -> None:
        self.hidden = hidden
        self.preset = preset
        self.updates = updates
        self.learning_rate = learning_rate
        self.l1 = l1
        self.l2 = l2
        self.options = options
        self.threshold = threshold
        self.validation = validation
        self.device = device
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def fit(self, X: Any, y: object = None, groups: ArrayLike | None = None) -> Self:
        """Train on rows; whole groups are held out to choose the update by.

        Parameters
        ----------
        X
            (row, feature), dense or sparse.
        y
            Ignored.
        groups
            (row,) segment, trial, session or subject of each row: rows that resemble each other
            beyond what the model says. Without three of them blocks of neighbours are held out.

        Warns
        -----
        UserWarning
            If log Z may not be trusted.

        Raises
        ------
        InputError
            If a parameter is unknown or out of range, or values are not binary.
        TrainingFailedError
            If the training goes wrong and no restart mends it.
        """
        states = self._states(X, reset=True)
        if len(states) < 2:
            raise bad_input("X", "have at least 2 rows", f"n_samples = {len(states)}")
        plan = self._plan()
        activity = self._folds(states, groups, plan.seed)
        with tempfile.TemporaryDirectory(prefix="boltzbrain_") as folder:
            run = train(activity, plan, Path(folder) / "run", device=self.device)
            self.model_, info, fitted = run.best, run.info, run.plan
        # as the plan was in the end: another recipe may have taken over
        finer = fitted.model_copy(
            update={
                "ais_chains": max(CHAINS, plan.ais_chains),
                "ais_rungs": max(RUNGS, plan.ais_rungs),
            }
            if "ais_rungs" not in (self.options or {})
            else {}
        )
        estimate = LikelihoodLog.of(activity, finer).estimate(self.model_, plan.updates + 1)
        self.log_partition_, self.log_partition_stderr_ = estimate.value, estimate.stderr
        self.log_partition_doubt_ = estimate.warning
        self.chosen_update_, self.convergence_ = info["chosen_update"], info["convergence"]
        if estimate.warning is not None:
            warnings.warn(f"log Z is {estimate.warning}; so are scores", stacklevel=2)
        return self

    @property
    def components_(self) -> NDArray[np.float32]:
        """(hidden, feature) weights."""
        weights: NDArray[np.float32] = self.model_.weights.numpy().T
        return weights

    @property
    def _n_features_out(self) -> int:
        return int(self.model_.weights.shape[1])

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Return the mean of every hidden unit given each row, (row, hidden)."""
        check_is_fitted(self, "model_")
        return hidden_activity(self.model_, self._states(X))

    def inverse_transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the probability of a 1 of every feature given hidden means, (row, feature)."""
        check_is_fitted(self, "model_")
        hidden = check_array(X, dtype=np.float32)
        if hidden.shape[1] != self._n_features_out:
            must = f"have one column per hidden unit ({self._n_features_out})"
            raise bad_input("X", must, hidden.shape[1])
        visible: NDArray[np.float32] = self.model_.mean_visible(torch.from_numpy(hidden)).numpy()
        return visible

    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """Return log P of each row, (row,) in nats."""
        check_is_fitted(self, "model_")
        return log_likelihood(self.model_, self.log_partition_, self._states(X))

    def score(self, X: Any, y: object = None, sample_weight: ArrayLike | None = None) -> float:
        """Return the mean log P of the rows, nats per row.

        `log_partition_stderr_` is an error that all rows share. `sample_weight` (row,) weights
        them.
        """
        scores = self.score_samples(X)
        if sample_weight is None:
            return float(scores.mean())
        return float(np.average(scores, weights=np.asarray(sample_weight, dtype=np.float64)))

    def sample(self, n_samples: int = 1, random_state: Any = None) -> NDArray[np.uint8]:
        """Draw rows of the model, (row, feature) in {0, 1}, each of a chain of its own.

        Parameters
        ----------
        n_samples
            Number of rows.
        random_state
            As of the class; that of the estimator if None.
        """
        check_is_fitted(self, "model_")
        seed = _seed(self.random_state if random_state is None else random_state)
        drawn: NDArray[np.uint8] = self.model_.sample(n_samples, seed=seed).numpy()
        return drawn.astype(np.uint8)

    def save(self, path: str | Path) -> None:
        """Write the fitted estimator to an HDF5 file without pickle; one of that name is replaced.

        Raises
        ------
        InputError
            If a parameter cannot be told in JSON, or the file cannot be written.
        """
        check_is_fitted(self, "model_")
        with atomic_hdf5(Path(path)) as file:
            self._write(file)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        InputError
            If the file is missing, damaged or of another format.
        """
        with open_ours(Path(path), FORMAT) as file:
            machine = cls(**json.loads(file.attrs["parameters"]))
            machine._read(file)
        return machine

    def _write(self, file: h5py.File) -> None:
        parameters = self.get_params(deep=False)
        seed = self.random_state
        parameters["random_state"] = int(seed) if isinstance(seed, int | np.integer) else None
        names = getattr(self, "feature_names_in_", None)
        fitted = {name: getattr(self, name) for name in _FITTED}
        fitted["feature_names_in_"] = None if names is None else [str(name) for name in names]
        file.attrs.update(
            FORMAT.told,
            parameters=json.dumps(plain(parameters)),
            fitted=json.dumps(plain(fitted)),
        )
        write_model(file.create_group("model"), self.model_)

    def _read(self, file: h5py.File) -> None:
        self.model_ = RBM.read(file["model"])
        fitted = json.loads(file.attrs["fitted"])
        names = fitted.pop("feature_names_in_")
        for name in _FITTED:
            setattr(self, name, fitted[name])
        if names is not None:
            self.feature_names_in_ = np.array(names, dtype=object)

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        if "model_" not in state:
            return state
        # the fitted part as the bytes of our own file: no tensor and no class of ours is pickled
        with tempfile.TemporaryDirectory(prefix="boltzbrain_") as folder:
            path = Path(folder) / "machine.h5"
            self.save(path)
            kept = {**dict.fromkeys(_FITTED), "model_": None, "feature_names_in_": None}
            rest = {name: value for name, value in state.items() if name not in kept}
            return {**rest, "_file": np.frombuffer(path.read_bytes(), dtype=np.uint8)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        told = dict(state)
        content = told.pop("_file", None)
        super().__setstate__(told)
        if content is not None:
            with tempfile.TemporaryDirectory(prefix="boltzbrain_") as folder:
                path = Path(folder) / "machine.h5"
                path.write_bytes(content.tobytes())
                with open_ours(path, FORMAT) as file:
                    self._read(file)

    def _plan(self) -> TrainingPlan:
        named = {
            name: getattr(self, name)
            for name in ("preset", "hidden", "updates", "learning_rate", "l1", "l2")
        }
        options = dict(self.options or {})
        for name in ("seed", *named):
            if name in options:
                raise bad_input("options", f"leave out {name}, a parameter of its own", name)
        if options.get("context") is not None:
            must = "leave out context: rows are looked at one by one (bb.fit takes one)"
            raise bad_input("options", must, options["context"])
        return make_plan(**named, **options, seed=_seed(self.random_state))

    def _folds(self, states: NDArray[np.uint8], groups: Any, seed: int) -> Activity:
        """Return the rows as an activity, its segments the groups, some held out."""
        number_in("validation", self.validation, low=0.0, high=1.0, include_high=False)
        segment = np.zeros(len(states), dtype=np.int32)
        if groups is not None:
            named = np.asarray(groups)
            if named.shape != (len(states),):
                raise bad_input("groups", f"have one value per row ({len(states)})", named.shape)
            segment = np.unique(named, return_inverse=True)[1].astype(np.int32)
            order = np.argsort(segment, kind="stable")
            states, segment = states[order], segment[order]
        activity = Activity(
            states,
            1.0,
            segment,
            np.full(len(states), TRAIN, dtype=np.int8),
            neuron_table([str(number) for number in range(states.shape[1])]),
            {},
            (),
            Source("array", "X", ""),
        )
        several = groups is not None and len(np.unique(segment)) >= 3
        if not self.validation or len(states) < FEWEST_ROWS:
            return split(activity, by="none", min_active_bins=0)
        # a test fold is held out by whoever scores; what `split` takes for one trains
        divided = split(
            activity,
            by="segments" if several else "blocks",
            validation=self.validation,
            test=min(0.05, (1 - self.validation) / 2),
            seed=seed,
            min_active_bins=0,
        )
        fold = np.where(divided.fold == TEST, TRAIN, divided.fold)
        return divided.with_fold(fold, divided.steps[-1])

    def _states(self, X: Any, *, reset: bool = False) -> NDArray[np.uint8]:
        """Return rows as (row, feature) uint8 in {0, 1}."""
        values: Any = validate_data(
            self, X, reset=reset, accept_sparse=("csr",), dtype="numeric", order="C"
        )
        limit = self.threshold
        if limit is not None:
            number_in("threshold", limit)
        if sparse.issparse(values):
            ones: Any = values.copy()  # type: ignore[attr-defined]  # any of scipy's has it
            stored = ones.data
            if limit is not None and limit < 0:
                raise bad_input("threshold", "be at least 0 for sparse rows", limit)
            self._require_binary(stored)
            ones.data = (stored > (0 if limit is None else limit)).astype(np.uint8)
            return np.ascontiguousarray(ones.astype(np.uint8).toarray())
        self._require_binary(values)
        return np.ascontiguousarray(values > (0 if limit is None else limit)).astype(np.uint8)

    def _require_binary(self, values: NDArray[Any]) -> None:
        if self.threshold is not None or values.dtype == bool:
            return
        wrong = values[(values != 0) & (values != 1)]
        if len(wrong):
            must = "hold only 0 and 1, or threshold= be given, above which a value is 1"
            raise bad_input("X", must, wrong[0])


def _seed(random_state: Any) -> int:
    """Return a seed of ours for what scikit-learn takes as one."""
    if isinstance(random_state, (int, np.integer)) and not isinstance(random_state, bool):
        return int(random_state)
    try:
        generator = check_random_state(random_state)
    except ValueError as error:
        raise InputError(str(error)) from error
    return int(generator.randint(2**31 - 1))
