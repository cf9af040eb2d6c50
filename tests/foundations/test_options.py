"""An option is told by its field alone: what it must be, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
import pytest

from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.options import Options, describe, names_of, setting


class Walk(Options):
    noun: ClassVar[str] = "an option of the walk"
    group: ClassVar[str] = "Walk"

    steps: int = setting(10, "number of steps", flag="--steps", ge=1, le=99)
    length_m: float | None = setting(None, "length of a step", unit="m", none="any", gt=0)
    gait: Literal["walk", "run"] = setting("walk", "how it goes")
    shoes: str = setting("boots", "what is worn", names=("boots", "none"), group="Clothes")
    names: tuple[str, ...] | None = setting(None, "who walks", names=lambda: ("ann", "bob"))
    more: Mapping[str, str] = setting({}, "what else")
    uphill: bool = setting(False, "whether it goes up")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"steps": 0}, "steps must be a whole number, at least 1 and at most 99; got 0"),
        ({"steps": 2.5}, "steps must be a whole number, at least 1 and at most 99; got 2.5"),
        ({"steps": "3"}, "steps must be a whole number, at least 1 and at most 99; got 3"),
        ({"steps": True}, "steps must be a whole number, at least 1 and at most 99; got True"),
        ({"length_m": float("nan")}, "length_m must be a number, above 0; got nan"),
        ({"gait": "rn"}, "gait must be one of: walk, run; got rn (did you mean 'run'?)"),
        ({"shoes": "boot"}, "shoes must be one of: boots, none; got boot (did you mean 'boots'?)"),
        ({"names": ("ann", "bo")}, "names must be one of: ann, bob; got bo (did you mean 'bob'?)"),
        ({"step": 3}, "step must be an option of the walk; got step (did you mean 'steps'?)"),
    ],
)
def test_what_an_option_must_be_is_told_by_its_field(given, message):
    with pytest.raises(InputError) as caught:
        Walk(**given)
    assert str(caught.value) == message
    assert caught.value.argument == next(iter(given))


def test_numbers_of_numpy_are_numbers():
    walk = Walk(steps=np.int64(3), length_m=np.float32(0.5))
    assert (walk.steps, walk.length_m) == (3, 0.5)


def test_what_was_given_is_known():
    # 0 is given where None, False and nothing at all are not
    assert Walk().given == {}
    assert Walk(steps=10, names=(), uphill=False, length_m=None, more={}).given == {"steps": 10}


def test_an_option_is_described_and_in_the_schema():
    one = describe(Walk, "length_m")
    assert (one.default, one.unit, one.span, one.hint) == ("any", "m", "above 0", float)
    assert describe(Walk, "steps").default == "10"
    assert names_of(Walk, "Clothes") == ["shoes"]
    told = Walk.model_json_schema()["properties"]
    assert told["steps"]["option"] == "--steps"
    assert (told["steps"]["minimum"], told["steps"]["maximum"]) == (1, 99)
    assert (told["length_m"]["unit"], told["length_m"]["null"]) == ("m", "any")
    assert told["shoes"]["names"] == ["boots", "none"]
