"""The contexts that a plan may name, told without what takes seconds to import."""

from __future__ import annotations

from boltzbrain.foundations.checks import bad_input, one_of

NAMES = ("past", "trial", "epoch")
"""In the order in which they are fitted."""


def in_order(value: str) -> str:
    """Return names with commas between in the order of `NAMES`.

    Raises
    ------
    InputError
        If one is unknown, or named twice.

    Examples
    --------
    >>> in_order("epoch, past")
    'past,epoch'
    """
    names = [one.strip() for one in value.split(",")]
    for name in names:
        one_of("context", name, NAMES)
    if len(set(names)) < len(names):
        raise bad_input("context", "name each context once", value)
    return ",".join(sorted(names, key=NAMES.index))
