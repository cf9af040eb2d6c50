"""Long loops go by pieces: every row once, in order, and never more than the budget."""

import numpy as np
import pytest

from boltzbrain.foundations.memory import rows_at_once, slices


@pytest.mark.parametrize(
    ("count", "width", "budget"), [(10, 3, 7), (10, 3, 2), (4, 0, 5), (0, 3, 7)]
)
def test_every_row_comes_once_and_no_piece_is_above_its_budget(count, width, budget):
    rows = np.arange(count)
    pieces = list(slices(count, width, budget))
    assert [row for piece in pieces for row in rows[piece]] == list(range(count))
    for piece in pieces:
        assert piece.stop - piece.start == 1 or (piece.stop - piece.start) * width <= budget


def test_a_piece_is_as_large_as_its_budget_and_the_most_rows_allow():
    assert list(slices(7, 2, 6)) == [slice(0, 3), slice(3, 6), slice(6, 7)]
    assert list(slices(5, 2, 100, most=4)) == [slice(0, 4), slice(4, 5)]
    assert rows_at_once(0, 6) == 6
