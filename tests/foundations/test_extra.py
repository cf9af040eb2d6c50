"""What an extra brings is asked for in a sentence where it is absent."""

from __future__ import annotations

import pytest

from boltzbrain.foundations.checks import InputError, extra


def test_an_absent_module_is_named_with_the_extra_that_brings_it():
    assert extra("json", "anything").loads("1") == 1
    with pytest.raises(
        InputError, match=r"no_such must be installed: pip install 'boltzbrain\[x]'"
    ):
        extra("no_such", "x")
