"""How many rungs one call takes, so that Ctrl-C is heard and progress told."""

from __future__ import annotations

import itertools

_MOST_PRODUCTS = 1e10
"""Products of a call: seconds of one core."""


def stretches_of(steps: int, products: int) -> list[tuple[int, int]]:
    """Return where calls begin and end that cover range(steps), given the products of a step."""
    calls = min(steps, 1 + int(steps * products / _MOST_PRODUCTS))
    edges = [steps * number // calls for number in range(calls + 1)]
    return list(itertools.pairwise(edges))
