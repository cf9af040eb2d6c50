"""The evaluation of a run as an object: the content of evaluation.json, and its figures by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from boltzbrain.foundations.showing.numbers import with_error
from boltzbrain.foundations.showing.told import SelfTold

_STATISTICS = ("rates", "covariances", "correlations", "triplets", "triplets_most_active")
_COLUMNS = ("pearson", "slope", "rmse", "normalised_rmse")


@dataclass(frozen=True)
class Figure:
    """A figure with its standard error.

    Attributes
    ----------
    value, stderr
        None where it does not exist.
    reason
        Why it does not.
    """

    value: float | None
    stderr: float | None = None
    reason: str | None = None

    def __float__(self) -> float:
        return float("nan") if self.value is None else self.value

    def __str__(self) -> str:
        return "none" if self.value is None else with_error(self.value, self.stderr, 3)


class Evaluation(SelfTold, dict[str, Any]):
    """What `boltzbrain.evaluate` returns: the dictionary of evaluation.json, with attributes.

    docs/page.md lists its keys; the attributes are the figures that are looked for first.
    """

    @property
    def train(self) -> Figure:
        """Log-likelihood of the training fold, nats per bin."""
        return self._of_fold("train")

    @property
    def validation(self) -> Figure:
        """Log-likelihood of the validation fold, nats per bin."""
        return self._of_fold("validation")

    @property
    def test(self) -> Figure:
        """Log-likelihood of the test fold, nats per bin."""
        return self._of_fold("test")

    @property
    def gain(self) -> Figure:
        """That of the test fold over independent neurons, paired, nats per bin."""
        return self._figure("log_likelihood.gain", "value", "stderr")

    @property
    def bits_per_spike(self) -> Figure:
        """The gain in bits per spike of the test fold."""
        return self._figure("log_likelihood", "bits_per_spike", "bits_per_spike_stderr")

    @property
    def log_partition(self) -> Figure:
        """Log Z, by annealing forward."""
        return self._figure("log_likelihood.log_partition.forward", "value", "stderr")

    @property
    def unreliable(self) -> tuple[str, ...]:
        """What to doubt of the scores, in words; empty where nothing is."""
        return tuple(self["log_likelihood"]["unreliable"])

    @property
    def statistics(self) -> pd.DataFrame:
        """How generated activity compares with the test fold, a row for each kind of statistic.

        Beside each figure stands the ceiling: that of the training fold. NaN where undefined.
        """
        told = self.get("statistics", {})
        ceiling = told.get("ceiling", {})
        rows = {
            name: {
                **{column: told[name].get(column) for column in _COLUMNS},
                "pearson_ceiling": ceiling.get(name, {}).get("pearson"),
            }
            for name in _STATISTICS
            if name in told
        }
        return pd.DataFrame.from_dict(rows, orient="index", dtype=float)

    @property
    def reasons(self) -> Mapping[str, str]:
        """Why figures are None, by their dotted path."""
        told: Mapping[str, str] = self.get("reasons", {})
        return told

    @property
    def chosen_update(self) -> int:
        """Update of the model that was scored."""
        return int(self["chosen_update"])

    def to_dataframe(self) -> pd.DataFrame:
        """Return the scores of every fold beside those of independent neurons, nats per bin."""
        scores = self["log_likelihood"]
        independent = scores["independent"]
        rows = {
            fold: {
                "nats_per_bin": scores[fold]["nats_per_bin"],
                "stderr": scores[fold]["stderr"],
                "independent": independent[fold],
            }
            for fold in ("train", "validation", "test")
        }
        return pd.DataFrame.from_dict(rows, orient="index", dtype=float)

    def _of_fold(self, fold: str) -> Figure:
        return self._figure(f"log_likelihood.{fold}", "nats_per_bin", "stderr")

    def _figure(self, path: str, value: str, stderr: str) -> Figure:
        told: Any = self
        for name in path.split("."):
            told = told[name]
        return Figure(told[value], told.get(stderr), self.reasons.get(f"{path}.{value}"))
