"""An option is written once: its default, meaning, unit and range, as a field of a model.

The command line, its help, the tables of the documentation, the schema and the messages of errors
are made from the fields of the three models that hold what may be chosen: `Preparation`,
`TrainingPlan` and `Choices`.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Union, get_args, get_origin

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo

from boltzbrain.foundations.checks import InputError, bad_input, closest, one_of

Names = Sequence[str] | Callable[[], Sequence[str]]

_BOUNDS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
_KINDS: Mapping[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
}
# what pydantic says in its own words and the field says in ours
_OF_THE_FIELD = (
    "int_from_float",
    "_type",
    "_parsing",
    "greater_than",
    "less_than",
    "finite_number",
    "literal_error",
)


@dataclass(frozen=True)
class Facts:
    """What a field says beside its description, default and bounds; see `setting`."""

    unit: str = ""
    none: str = ""
    flag: str = ""
    metavar: str = ""
    group: str = ""
    names: Names = ()

    @property
    def allowed(self) -> tuple[str, ...]:
        """The allowed words, none if any will do."""
        return tuple(self.names() if callable(self.names) else self.names)

    def __call__(self, schema: dict[str, Any]) -> None:
        """Add them to the JSON schema of the field, as pydantic asks for them."""
        told = {"unit": self.unit, "option": self.flag, "group": self.group, "null": self.none}
        schema.update({name: text for name, text in told.items() if text})
        if self.allowed:
            schema["names"] = list(self.allowed)


def setting(
    default: Any,
    text: str,
    *,
    unit: str = "",
    none: str = "",
    flag: str = "",
    metavar: str = "",
    group: str = "",
    names: Names = (),
    gt: float | None = None,
    ge: float | None = None,
    lt: float | None = None,
    le: float | None = None,
) -> Any:
    """Return a field of an `Options` model.

    Parameters
    ----------
    default
        The value that holds where none is given.
    text
        What it is, as a phrase: no capital, no full stop, words to type in backticks.
    unit
        Its unit.
    none
        What None stands for.
    flag
        Its spelling on the command line; it has no option of its own without one.
    metavar
        What the help writes for the value.
    group
        The options that it stands among; those of its model if empty.
    names
        The allowed words, or a function that returns them.
    gt, ge, lt, le
        Bounds.
    """
    return Field(
        default,
        description=text,
        gt=gt,
        ge=ge,
        lt=lt,
        le=le,
        json_schema_extra=Facts(unit, none, flag, metavar, group, names),
    )


class Options(BaseModel):
    """What may be chosen of one piece of work, each option a field made by `setting`.

    Raises
    ------
    InputError
        If a value is out of range or an option is not known, in the one shape of all errors.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    noun: ClassVar[str] = "an option"
    """What a field is called where an unknown one is refused."""
    takes_text: ClassVar[bool] = False
    """Whether a number may be given as text."""
    group: ClassVar[str] = ""
    """The group of the fields that name none."""

    def __init__(self, /, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            raise _refusal(type(self), error) from None

    @field_validator("*", mode="before")
    @classmethod
    def _as_python(cls, value: Any, info: ValidationInfo) -> Any:
        """Take the numbers of NumPy; True is no number, and text is one only where it may be."""
        value = value.item() if isinstance(value, np.generic) else value
        name = str(info.field_name)
        refused = bool if cls.takes_text else (bool, str)
        if isinstance(value, refused) and _inner(cls.model_fields[name]) in (int, float):
            raise bad_input(name, _must(cls, name), value)
        return value

    @field_validator("*")
    @classmethod
    def _allowed(cls, value: Any, info: ValidationInfo) -> Any:
        name = str(info.field_name)
        allowed = _facts(cls.model_fields[name]).allowed
        for word in value if isinstance(value, tuple) else (value,):
            if allowed and word is not None:
                one_of(name, word, allowed)
        return value

    @property
    def given(self) -> dict[str, Any]:
        """The options that were given, in the order of the fields."""
        return {
            name: value
            for name in type(self).model_fields
            if name in self.model_fields_set
            # 0 was given; None, False and nothing at all were not
            and (value := getattr(self, name)) is not None
            and value is not False
            and value not in ((), {})
        }


@dataclass(frozen=True)
class Described:
    """An option in words.

    Attributes
    ----------
    name, text, unit, flag, metavar, group
        As in `setting`.
    default
        The default; what None stands for where that is it; empty of a switch that is off.
    span
        The bounds; empty if there are none.
    hint
        The type of the value, None left out.
    """

    name: str
    text: str
    unit: str
    flag: str
    metavar: str
    group: str
    default: str
    span: str
    hint: Any
    facts: Facts

    @property
    def names(self) -> tuple[str, ...]:
        """The allowed words, none if any will do."""
        return get_args(self.hint) if get_origin(self.hint) is Literal else self.facts.allowed


def describe(model: type[Options], name: str) -> Described:
    """Return what the field of a model says of its option."""
    field = model.model_fields[name]
    facts, hint = _facts(field), _inner(field)
    return Described(
        name,
        field.description or "",
        facts.unit,
        facts.flag,
        facts.metavar,
        facts.group or model.group,
        facts.none if field.default is None else _words(field.default),
        _span(field),
        hint,
        facts,
    )


def options_of(model: type[Options], *groups: str) -> list[Described]:
    """Return the options of a model, or those of some of its groups, in order."""
    found = [describe(model, name) for name in model.model_fields]
    return [one for one in found if not groups or one.group in groups]


def names_of(model: type[Options], *groups: str) -> list[str]:
    """Return the names of the options of a model, or those of some of its groups, in order."""
    return [one.name for one in options_of(model, *groups)]


def _facts(field: FieldInfo) -> Facts:
    told = field.json_schema_extra
    return told if isinstance(told, Facts) else Facts()


def _inner(field: FieldInfo) -> Any:
    """Return the type of a field without None."""
    hint = field.annotation
    if get_origin(hint) in (Union, types.UnionType):
        return next(one for one in get_args(hint) if one is not types.NoneType)
    return hint


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, (int, float)):
        return f"{value:g}" if abs(value) < 1e5 else f"{value:,}"
    if isinstance(value, tuple):
        return ", ".join(_words(one) for one in value)
    return str(value or "")


def _span(field: FieldInfo) -> str:
    bounds = [
        f"{word} {getattr(one, name):g}"
        for one in field.metadata
        for name, word in _BOUNDS.items()
        if getattr(one, name, None) is not None
    ]
    return " and ".join(bounds)


def _must(model: type[Options], name: str) -> str:
    """Return the end of the sentence "NAME must ..."."""
    one = describe(model, name)
    if one.names:
        return "be one of: " + ", ".join(one.names)
    kind = _KINDS.get(one.hint, "several values" if get_origin(one.hint) is tuple else "a value")
    return f"be {kind}" + (f", {one.span}" if one.span else "")


def _refusal(model: type[Options], error: ValidationError) -> InputError:
    """Return the first of pydantic's complaints in the one shape of all errors."""
    first = error.errors(include_url=False)[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, InputError):
        return cause
    name = str(first["loc"][0]) if first["loc"] else model.__name__
    if first["type"] == "extra_forbidden":
        return bad_input(
            name, f"be {model.noun}", name, suggestion=closest(name, model.model_fields)
        )
    if cause is not None:
        must = str(cause)
    elif name in model.model_fields and any(word in first["type"] for word in _OF_THE_FIELD):
        must = _must(model, name)
    else:
        must = first["msg"].replace("Input should be", "be", 1)
    known = describe(model, name).names if name in model.model_fields else ()
    got = first["input"]
    return bad_input(name, must, got, suggestion=closest(str(got), known) if known else None)
