"""Results as plain JSON: every figure finite, or null with the reason why it is undefined."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from boltzbrain.evaluation.samples import Samples, read_samples
from boltzbrain.evaluation.scores import Evaluation
from boltzbrain.foundations.checks import Undefined, bad_input
from boltzbrain.foundations.disk.files import FileFormat, read_ours, require_sha256, write_ours
from boltzbrain.training.run.run import TrainingRun

FORMAT = FileFormat("boltzbrain evaluation", what="evaluation.json", command="boltzbrain evaluate")


def plain(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return a nested result in the types of JSON.

    `Undefined` values become null, and so do numbers that are not finite. The entry ``reasons`` of
    the returned dict gives the reason of each null by its dotted path.

    Examples
    --------
    >>> plain({"test": {"stderr": Undefined("one segment")}, "bins": 3})
    {'test': {'stderr': None}, 'bins': 3, 'reasons': {'test.stderr': 'one segment'}}
    """
    reasons: dict[str, str] = {}
    settled = _settle(result, "", reasons)
    return {**settled, "reasons": reasons}


def _settle(value: Any, path: str, reasons: dict[str, str]) -> Any:
    if isinstance(value, Mapping):
        dot = f"{path}." if path else ""
        return {str(key): _settle(one, f"{dot}{key}", reasons) for key, one in value.items()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_settle(one, f"{path}[{place}]", reasons) for place, one in enumerate(value)]
    if isinstance(value, Undefined):
        reasons[path] = value.reason
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        reasons[path] = f"the value is {value}"
        return None
    return value


def write_evaluation(path: Path, evaluation: Mapping[str, Any]) -> None:
    """Write evaluation.json, whole or not at all.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    write_ours(path, FORMAT, evaluation)


def read_evaluation(path: Path) -> dict[str, Any]:
    """Read evaluation.json.

    Raises
    ------
    InputError
        If the file is missing, damaged or of another format.
    """
    return read_ours(path, FORMAT)


def evaluation_of(run: TrainingRun) -> Evaluation:
    """Read the evaluation of a run, which must be of its chosen model.

    Raises
    ------
    InputError
        If it is missing, damaged, or of another run or update.
    """
    path = run.folder / "evaluation.json"
    evaluation = read_evaluation(path)
    told = evaluation.get("belongs", {}).get("run")
    require_of_run(run, told, evaluation["chosen_update"], path, "boltzbrain evaluate")
    return Evaluation(evaluation)


def require_of_run(
    run: TrainingRun, told: str | None, update: int | None, path: Path, command: str
) -> None:
    """Refuse a file that was made of another model than the chosen one of a run.

    Parameters
    ----------
    run
        The run.
    told
        The hash of its run that the file tells, None where an older version wrote it.
    update
        The update that it tells.
    path
        The file.
    command
        What makes it anew.

    Raises
    ------
    InputError
        If it was.
    """
    chosen = run.chosen_update
    if not _is_of_run(run, told, update):
        raise bad_input(
            path.name,
            f"be of this run and its chosen update {chosen} (make it anew: `{command}`)",
            f"that of update {update}" + ("" if told in (None, run.id) else " of another run"),
            file=run.folder,
        )


def _is_of_run(run: TrainingRun, told: str | None, update: int | None) -> bool:
    return update == run.chosen_update and told in (None, run.id)


def samples_of(run: TrainingRun) -> Samples | None:
    """Read what the chosen model of a run generated; None where `evaluate` has not drawn of it.

    Raises
    ------
    InputError
        If a file is damaged, or the samples are not those of the evaluation.
    """
    path, samples = run.folder / "evaluation.json", run.folder / "samples.h5"
    if not (path.exists() and samples.exists()):
        return None
    evaluation = read_evaluation(path)
    told = evaluation.get("belongs", {}).get("run")
    if not _is_of_run(run, told, evaluation["chosen_update"]):
        return None
    return read_samples(require_beside(evaluation, samples))


def require_beside(evaluation: Mapping[str, Any], path: Path) -> Path:
    """Return a file beside evaluation.json, refused if it is not the one that it tells of.

    Raises
    ------
    InputError
        If it is another.
    """
    told = evaluation.get("belongs", {}).get("sha256", {}).get(path.name)
    what = "the one that evaluation.json was written with"
    require_sha256(path, told, what, "write both anew: `boltzbrain evaluate`")
    return path
