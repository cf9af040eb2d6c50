"""One shape for every message about bad input: the name, what it must be, what it got."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np


class InputError(ValueError):
    """What the user gave cannot be used; the message names it and says what it must be.

    The command line prints the message on stderr and exits with code 2.

    Attributes
    ----------
    argument
        The argument that the message begins with; None if it names something else, as a field of a
        file.
    """

    def __init__(self, message: str, argument: str | None = None) -> None:
        super().__init__(message)
        self.argument = argument


class TrainingFailedError(RuntimeError):
    """A training that could not be saved; the command line exits with code 3."""


def bad_input(
    name: str, must: str, got: object, *, suggestion: str | None = None, file: object = None
) -> InputError:
    r"""Build the one message shape.

    Parameters
    ----------
    name
        The field, option or argument.
    must
        What it must be, as the end of the sentence "NAME must ...".
    got
        What was found; strings are shown as they are, numbers as Python writes them, and of any
        other object its kind.
    suggestion
        The name that was probably meant.
    file
        The file that holds the field.

    Examples
    --------
    >>> str(bad_input("bin_ms", "be a number above 0", -1.0))
    'bin_ms must be a number above 0; got -1.0'
    >>> str(bad_input("preset", "be one of: binary", "binray", suggestion="binary"))
    "preset must be one of: binary; got binray (did you mean 'binary'?)"

    A name from a damaged file may hold anything; the message stays one line.

    >>> str(bad_input("the array", "be known", "a\nb\x00"))
    'the array must be known; got a\\nb\\x00'
    """
    where = f"{file}: " if file is not None else ""
    shown = _shown(got)
    meant = f" (did you mean '{suggestion}'?)" if suggestion else ""
    message = f"{where}{name} must {must}; got {shown}{meant}"
    if not message.isprintable():
        message = "".join(
            sign if sign.isprintable() else sign.encode("unicode_escape").decode()
            for sign in message
        )
    return InputError(message, argument=name if file is None else None)


def _shown(got: object) -> str:
    """Return a value as a user would write it, without the names of Python's classes."""
    if isinstance(got, str):
        return got
    if isinstance(got, np.ndarray | np.generic):
        got = got.tolist()
    if isinstance(got, type):
        return got.__name__
    if isinstance(got, np.dtype):
        return str(got)
    if isinstance(got, Path):
        return str(got)
    if isinstance(got, list | tuple):
        inside = ", ".join(repr(one) if isinstance(one, str) else _shown(one) for one in got)
        return f"[{inside}]" if isinstance(got, list) else f"({inside})"
    text = repr(got)
    if text.startswith("<") or " object at 0x" in text:
        return f"an object of the kind {type(got).__name__}"
    return text


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word nearest in spelling to `word`, or None if none is near."""
    options = list(known)
    folded = {option.lower(): option for option in options}
    matches = difflib.get_close_matches(word.lower(), list(folded), n=1, cutoff=0.6)
    return folded[matches[0]] if matches else None


def one_of(name: str, value: str, known: Iterable[str], *, file: object = None) -> str:
    """Return `value` if it is one of the known words, else raise with the nearest one.

    Raises
    ------
    InputError
        If `value` is not known.
    """
    options = list(known)
    if value not in options:
        raise bad_input(
            name,
            "be one of: " + ", ".join(options),
            value,
            suggestion=closest(str(value), options),
            file=file,
        )
    return value


def number_in(
    name: str,
    value: Any,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    include_low: bool = True,
    include_high: bool = True,
    file: object = None,
) -> float:
    """Return `value` as float if it is a finite number in the interval.

    Raises
    ------
    InputError
        If it is no number, not finite, or outside the interval.
    """
    interval = f"{'[' if include_low else '('}{low:g}, {high:g}{']' if include_high else ')'}"
    must = f"be a number in {interval}"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.number)):
        raise bad_input(name, must, value, file=file)
    number = float(value)
    above = number >= low if include_low else number > low
    below = number <= high if include_high else number < high
    if not (math.isfinite(number) and above and below):
        raise bad_input(name, must, value, file=file)
    return number


def whole_number_in(
    name: str, value: Any, *, low: int, high: int | None = None, file: object = None
) -> int:
    """Return `value` as int if it is a whole number with low <= value <= high.

    Raises
    ------
    InputError
        If it is not a whole number or outside the interval.
    """
    top = "" if high is None else f" and at most {high}"
    must = f"be a whole number, at least {low}{top}"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise bad_input(name, must, value, file=file)
    if value < low or (high is not None and value > high):
        raise bad_input(name, must, value, file=file)
    return int(value)


def has_shape(name: str, value: Any, shape: tuple[int | None, ...], *, file: object = None) -> None:
    """Raise unless ``value.shape`` equals `shape`, where None stands for any size.

    Raises
    ------
    InputError
        If the number of axes or a size differs.
    """
    got = tuple(value.shape)
    fits = len(got) == len(shape) and all(
        want is None or want == have for want, have in zip(shape, got, strict=True)
    )
    if not fits:
        wanted = "(" + ", ".join("any" if size is None else str(size) for size in shape) + ")"
        raise bad_input(name, f"have shape {wanted}", f"shape {got}", file=file)


@dataclass(frozen=True)
class Undefined:
    """A figure that does not exist, and why."""

    reason: str


def extra(module: str, of: str) -> Any:
    """Return a module that comes with an extra of the package.

    Parameters
    ----------
    module
        Its name.
    of
        The extra.

    Raises
    ------
    InputError
        If it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise InputError(f"{module} must be installed: pip install 'boltzbrain[{of}]'") from error
