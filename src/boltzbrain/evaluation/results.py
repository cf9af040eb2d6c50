"""Results as plain JSON: every figure finite, or null with the reason why it is undefined."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from boltzbrain.foundations.checks import Undefined
from boltzbrain.foundations.files import FileFormat, read_ours, write_ours

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
