"""Options: those made from the fields of a model, and those that several commands share."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, get_origin

import typer

from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.options import Described, Options, describe
from boltzbrain.training.plan import TrainingPlan

LEARNING = (
    f"{TrainingPlan.group} (defaults: those of the preset "
    f"'{TrainingPlan.model_fields['preset'].default}')"
)


def option(
    *names: str,
    text: str,
    default: str | None = None,
    panel: str | None = None,
    metavar: str | None = None,
) -> Any:
    """Return an option whose default is told in words, as it is chosen further down."""
    told = "" if default is None else f" [dim]\\[default: {default}][/]"
    return typer.Option(
        *names, help=text + told, show_default=False, rich_help_panel=panel, metavar=metavar
    )


def takes(
    parameter: str,
    model: type[Options],
    names: Iterable[str],
    *,
    panel: str | None = None,
    listed: bool = False,
    whole: bool = False,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of some fields of a model in place of one of its parameters.

    Parameters
    ----------
    parameter
        The parameter of the command, which is passed those that were given, by name.
    model
        The model.
    names
        Its fields.
    panel
        Where the help shows them; in the field's own group if None.
    listed
        Each takes several values to try, with commas between, and is passed as that text.
    whole
        The parameter is passed the model itself.
    """
    fields = [describe(model, name) for name in names]
    in_place = [
        inspect.Parameter(
            one.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=_listed(one, panel) if listed else _annotation(one, panel),
        )
        for one in fields
    ]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def filled(**words: Any) -> None:
            found = {one.name: _value(one, words.pop(one.name)) for one in fields}
            given = {name: value for name, value in found.items() if value is not None}
            command(**words, **{parameter: model(**given) if whole else given})

        signature = inspect.signature(command, eval_str=True)
        parameters: list[inspect.Parameter] = []
        for one in signature.parameters.values():
            keyword = one.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            parameters += in_place if one.name == parameter else [keyword]
        # what typer reads the options from
        filled.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return filled

    return decorate


def _annotation(one: Described, panel: str | None) -> Any:
    """Return the type of an option and how it is told."""
    hint: Any = one.hint if one.hint in (int, float, bool) else str
    text = _sentence(one.text)
    if _several(one):
        hint = list[str]
        text += " May be given several times."
    if any(f"`{name}`" not in one.text for name in one.names):
        text += f" One of {', '.join(one.names)}."
    shown = option(
        one.flag,
        text=text,
        default="; ".join(part for part in (_default(one), one.span) if part) or None,
        panel=panel or one.group,
        metavar=one.metavar or None,
    )
    return Annotated[hint | None, shown]


def _default(one: Described) -> str:
    number = re.fullmatch(r"[\d.,e-]+", one.default)
    return f"{one.default} {one.unit}".strip() if number else one.default


def _listed(one: Described, panel: str | None) -> Any:
    letter = "N" if one.hint is int else "X"
    shown = option(
        one.flag,
        text=_sentence(f"{one.text}: values to try"),
        default=_default(one),
        panel=panel or one.group,
        metavar=f"{letter},{letter},...",
    )
    return Annotated[str | None, shown]


def _sentence(phrase: str) -> str:
    marked = re.sub(r"`([^`]+)`", r"[bold]\1[/]", phrase)
    return f"{marked[0].upper()}{marked[1:]}."


def _several(one: Described) -> bool:
    return one.hint == tuple[str, ...] or get_origin(one.hint) is Mapping


def _value(one: Described, words: Any) -> Any:
    """Return what was given as the model takes it, None if nothing was."""
    if not _several(one):
        return words
    if not words:
        return None
    return tuple(words) if one.hint == tuple[str, ...] else named_values(one.flag, words)


def named_values(option_name: str, texts: list[str] | None) -> dict[str, str]:
    """Return what was given as NAME=VALUE, none of the names twice.

    Examples
    --------
    >>> named_values("--set", ["optimizer=adam", "ais-rungs=100"])
    {'optimizer': 'adam', 'ais_rungs': '100'}
    """
    values: dict[str, str] = {}
    for text in texts or []:
        name, equals, value = (part.strip() for part in text.partition("="))
        name = name.replace("-", "_")
        if not (equals and name and value):
            raise bad_input(option_name, "be NAME=VALUE", text)
        if name in values:
            raise bad_input(name, "be given once", f"{values[name]} and {value}")
        values[name] = value
    return values


def merged(named: dict[str, Any], other: list[str] | None) -> dict[str, Any]:
    """Return the hyperparameters given as options and by ``--set``, none of them twice.

    Examples
    --------
    >>> merged({"hidden": 50}, ["optimizer=adam"])
    {'hidden': 50, 'optimizer': 'adam'}
    """
    more = named_values("--set", other)
    for name in set(named) & set(more):
        raise bad_input(name, "be given once", f"{named[name]} and {more[name]}")
    return {**named, **more}


RecordingPaths = Annotated[
    list[str],
    typer.Argument(
        metavar="RECORDING...",
        help="File or folder of the recording, or the http address of an HDF5 file; "
        "docs/recordings.md lists the formats. Several are joined as --join says.",
    ),
]
RunFolder = Annotated[
    Path, typer.Argument(metavar="RUN", help="Run folder that 'boltzbrain fit' wrote.")
]
Device = Annotated[
    str,
    option(
        "--device",
        metavar="NAME",
        text="Where to work: [bold]cpu[/], [bold]cuda[/], [bold]cuda:1[/], or [bold]auto[/]: a GPU "
        "if there is one and it pays (what was begun goes on where it began).",
        default="auto",
    ),
]
Others = Annotated[
    list[str] | None,
    option(
        "--set",
        metavar="NAME=VALUE",
        text="Any other hyperparameter of the plan, e.g. --set optimizer=adam; may be given "
        "several times. docs/training.md lists them.",
        panel=LEARNING,
    ),
]
