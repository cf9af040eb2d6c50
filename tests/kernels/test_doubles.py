"""Rectified units eight at a time have the bits of one at a time, however far their inputs lie."""

import numpy as np
import pytest
import torch

from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.cpu.doubles import rectified
from boltzbrain.kernels.cpu.doubles.rectified import law_of
from boltzbrain.kernels.cpu.rectified import QUANTILES, TABLE

SAMPLES = 400


def _case(units: int, halves: int, spread: float):
    generator = Generator.from_seed(units, "doubles", halves, str(spread))
    inputs = spread * generator.normal((SAMPLES, units))
    # some that no table holds, and some that are no numbers
    inputs[0, :] = float("nan")
    inputs[1, :], inputs[2, :] = 1e6, -1e6
    fields = generator.normal((halves, units), torch.float64)
    roots = 0.2 + 2.0 * generator.uniform((halves, units))
    return inputs.numpy().reshape(-1), law_of(fields, roots)


@pytest.mark.parametrize("spread", [0.3, 1.0, 3.0, 10.0, 50.0])
@pytest.mark.parametrize("halves", [1, 2])
@pytest.mark.parametrize("units", [3, 8, 77])
def test_draws_and_log_partitions_are_those_of_one_unit_at_a_time(units, halves, spread):
    inputs, law = _case(units, halves, spread)
    state, tables = (np.uint64(2**63 + 5), np.uint64(2**33)), (TABLE, QUANTILES)
    found, wanted = (np.zeros(inputs.size, np.float32) for _ in range(2))
    rectified._draw_rows(inputs, units, law, state, tables, 0, SAMPLES, found)
    rectified._draw_each(inputs, units, law, state, tables, 0, SAMPLES, wanted)
    np.testing.assert_array_equal(found, wanted)
    assert np.isnan(found[:units]).all()
    assert np.std(found[3 * units :]) > 0
    rectified._partition_rows(inputs, units, law, TABLE, 0, SAMPLES, found)
    rectified._partition_each(inputs, units, law, TABLE, 0, SAMPLES, wanted)
    np.testing.assert_array_equal(found, wanted)
