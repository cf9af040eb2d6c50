"""Figures with their errors in words."""

from __future__ import annotations

import math

import pytest

from boltzbrain.foundations.showing.numbers import digits_of, error_words, number, with_error


@pytest.mark.parametrize(
    ("value", "error", "sign", "text"),
    [
        (5.0, 1.0, "+", "+5.00 ± 1.00"),
        (0.0012, 0.0016, "+", "+0.001 ± 0.002"),
        (-0.0012, 0.00016, "", "−0.0012 ± 0.0002"),
        (-0.0004, 0.004, "", "0.000 ± 0.004"),
        (1e-17, 1e-16, "+", "+0.00 ± 0"),
        (-0.001, None, "+", "+0.00"),
    ],
)
def test_an_error_keeps_a_significant_digit(value, error, sign, text):
    assert with_error(value, error, 2, sign) == text


@pytest.mark.parametrize("error", [0.0051, 0.0049, 0.0096, 0.00095, 9.6e-7, 0.1, 3.0])
def test_no_error_reads_as_zero_and_none_is_far_off(error):
    text = error_words(error, 2)
    assert float(text) == pytest.approx(error, rel=0.5)
    assert len(text.split(".")[1]) == digits_of(error, 2) >= 2


def test_a_figure_without_a_finite_error_has_the_digits_asked_for():
    assert digits_of(math.nan, 3) == digits_of(None, 3) == digits_of(0.0, 3) == 3
    assert number(-2.5, 2) == "−2.50"
