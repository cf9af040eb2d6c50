"""The sampling rate in params.py of a phy folder: looked at as text, never run."""

from __future__ import annotations

import ast
import warnings
from pathlib import Path

from boltzbrain.foundations.checks import InputError, bad_input

_LARGEST_TEXT = 1 << 26
_SHOWN = 60


def sampling_rate(folder: Path) -> float:
    """Return ``sample_rate`` of the params.py of a folder, in Hz.

    Raises
    ------
    InputError
        If it is not there, or no number.
    """
    path = folder / "params.py"
    if not path.is_file():
        raise bad_input(
            "params.py",
            "be there and hold sample_rate, or sampling_hz be given",
            "no such file",
            file=folder,
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of backslashes in the paths of Windows
            tree = ast.parse(text_of(path))
        for node in tree.body:
            if isinstance(node, ast.Assign) and any(
                isinstance(target, ast.Name) and target.id == "sample_rate"
                for target in node.targets
            ):
                return _rate(node.value, folder)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        if isinstance(error, InputError):
            raise
        raise bad_input(
            "params.py", "be Python that holds sample_rate as a number", "other text", file=folder
        ) from error
    raise bad_input(
        "params.py", "hold sample_rate, or sampling_hz be given", "no sample_rate", file=folder
    )


def _rate(node: ast.expr, folder: Path) -> float:
    """Return a number, or a product or quotient of numbers, as it is written in Python.

    Raises
    ------
    InputError
        If it is anything else: nothing is run.
    """
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        left, right = _rate(node.left, folder), _rate(node.right, folder)
        if isinstance(node.op, ast.Mult):
            return left * right
        if right:
            return left / right
    elif (
        isinstance(node, ast.Constant)
        and isinstance(node.value, int | float)
        and not isinstance(node.value, bool)
    ):
        return float(node.value)
    written = ast.unparse(node)
    shown = written if len(written) <= _SHOWN else written[:_SHOWN] + " ..."
    raise bad_input(
        "params.py",
        "hold sample_rate as a number (it is not run), or --read sampling_hz= be given",
        shown,
        file=folder,
    )


def text_of(path: Path) -> str:
    """Return the text of a small file.

    Raises
    ------
    InputError
        If it cannot be read, or is too long for a table or settings.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(_LARGEST_TEXT + 1)
    except OSError as error:
        raise bad_input(path.name, "be readable", str(error), file=path.parent) from error
    if len(raw) > _LARGEST_TEXT:
        raise bad_input(path.name, "be a small text file", f"{len(raw):,} bytes", file=path.parent)
    return raw.decode("utf-8-sig", "replace")
