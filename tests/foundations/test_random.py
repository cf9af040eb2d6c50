"""The generator against its published vectors, its specification and a chi-square battery.

The battery makes 56 tests of one stream and demands p > 1e-7 from each: a generator without fault
fails it for one key in 180,000. The keys are fixed, so it fails always or never. Philox with two
rounds and a linear congruential generator do not pass.
"""

import numpy as np
import pytest
import torch
from numba import njit
from scipy.stats import chi2

from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator, philox_block, philox_words

SMALLEST_P = 1e-7

# the known answers for "philox4x32 10" that come with Random123, the authors' own library
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    (
        (0xFFFFFFFF,) * 4,
        (0xFFFFFFFF,) * 2,
        (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    ),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@njit
def block_of(c0, c1, c2, c3, k0, k1):
    return philox_block(c0, c1, c2, c3, k0, k1)


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_philox_gives_the_published_vectors(counter, key, expected):
    given = [np.uint64(value) for value in (*counter, *key)]
    assert tuple(int(word) for word in block_of(*given)) == expected


def test_words_are_those_of_the_documented_counter():
    # the element in row r and column c is word c mod 4 of the block (c // 4, r, draw)
    key, draw = 0xFEDCBA9876543210, (5 << 32) + 7
    words = philox_words(3, 10, key, draw)
    for row in range(3):
        for column in range(10):
            counter = (column // 4, row, draw & 0xFFFFFFFF, draw >> 32)
            parts = [np.uint64(part) for part in (*counter, key & 0xFFFFFFFF, key >> 32)]
            assert int(words[row, column]) == int(block_of(*parts)[column % 4])


@pytest.mark.parametrize("shape", [(1, 1), (5, 4), (3, 17), (64, 129)])
def test_the_fast_words_are_the_specified_ones(shape):
    generator = Generator((1 << 64) - 3, (1 << 40) + 11)
    expected = philox_words(*shape, generator.key, generator.counter)
    assert torch.equal(generator.words(shape), expected)


def test_no_draw_number_is_used_twice():
    generator = Generator.from_seed(3, "test")
    generator.uniform((2, 3))
    generator.normal((2, 3))
    generator.permutation(10)
    generator.integers(5, 10)
    assert generator.take(4) == 4
    assert generator.counter == 8
    again = Generator(generator.key, 8)
    assert torch.equal(generator.uniform((4, 4)), again.uniform((4, 4)))


def test_streams_of_other_names_and_types_are_others():
    keys = {
        Generator.from_seed(1, *names).key
        for names in [(), ("a",), ("b",), ("a", "b"), ("ab",), ("1",), (1,), (1, 1), (11,)]
    }
    parent = Generator.from_seed(1)
    keys |= {parent.child("a").key, parent.child(1).key, Generator.from_seed(2).key}
    assert len(keys) == 12
    assert parent.counter == 0


def test_a_seed_that_is_no_whole_number_is_refused():
    with pytest.raises(InputError, match="seed must"):
        Generator.from_seed(-1)
    with pytest.raises(InputError, match="seed must"):
        Generator.from_seed(1.5)  # type: ignore[arg-type]


def p_value(observed, bins):
    """Return the p-value of equal counts, too high a fit counted as well as too low."""
    counts = np.bincount(observed.ravel(), minlength=bins)
    expected = observed.size / bins
    statistic = float(((counts - expected) ** 2).sum() / expected)
    return 2 * min(chi2.sf(statistic, bins - 1), chi2.cdf(statistic, bins - 1))


def neighbours(words, axis):
    """Return the elements of even and of odd place along an axis."""
    along = np.moveaxis(words, axis, 0)
    return along[0::2], along[1::2]


def battery(words):
    """Return the p-values of words (draw, row, column) below 2**32, independent if they are."""
    words = words.astype(np.uint64)

    def bits(values, low, count):
        return (values >> np.uint64(low)) & np.uint64((1 << count) - 1)

    results = [p_value(bits(words, 20, 12), 4096)]
    for low in range(0, 32, 4):
        results.append(p_value(bits(words, low, 4), 16))
        # with the same four bits of the next element along each axis
        for axis in range(3):
            here, there = neighbours(words, axis)
            results.append(p_value(16 * bits(here, low, 4) + bits(there, low, 4), 256))
    for axis in range(3):
        here, there = neighbours(words, axis)
        results.extend(p_value(bits(here ^ there, low, 8), 256) for low in (0, 8, 16, 24))
        # single bits of other rank
        results.extend(
            p_value(2 * bits(here, high, 1) + bits(there, low, 1), 4)
            for high, low in ((0, 31), (31, 0), (15, 16))
        )
    # five columns apart in the next row
    results.append(p_value(bits(words[:, 0::2, :-5] ^ words[:, 1::2, 5:], 0, 10), 1024))
    quads = words.reshape(*words.shape[:2], -1, 4)
    results.append(p_value(order_number(quads), 24))
    return results


def order_number(values):
    """Return the number, below 24, of the order of four values on the last axis."""
    total = np.zeros(values.shape[:-1], dtype=np.int64)
    for place, factor in ((0, 6), (1, 2), (2, 1)):
        smaller = (values[..., place + 1 :] < values[..., place : place + 1]).sum(axis=-1)
        total += factor * smaller
    return total


def philox_stream(seed):
    generator = Generator.from_seed(seed, "battery")
    return np.stack([generator.words((64, 256)).numpy() for _ in range(32)])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_words_pass_the_chi_square_battery(seed):
    results = battery(philox_stream(seed))
    assert len(results) == 56
    assert min(results) > SMALLEST_P


def test_streams_of_neighbouring_seeds_are_independent():
    streams = np.stack([Generator.from_seed(seed).words((64, 256)).numpy() for seed in range(32)])
    assert min(battery(streams)) > SMALLEST_P


def test_streams_of_neighbouring_keys_are_independent():
    streams = np.stack([philox_words(64, 256, key, 0).numpy() for key in range(32)])
    assert min(battery(streams)) > SMALLEST_P


@pytest.mark.parametrize("name", ["two rounds", "linear congruential"])
def test_the_battery_finds_a_bad_generator(name):
    if name == "two rounds":
        words = np.stack([weak_philox(64, 256, draw) for draw in range(32)])
    else:
        state, values = 1, np.empty(32 * 64 * 256, np.int64)
        for place in range(len(values)):
            state = (1664525 * state + 1013904223) % 2**32
            values[place] = state
        words = values.reshape(32, 64, 256)
    assert min(battery(words)) < SMALLEST_P


def weak_philox(rows, columns, draw):
    """Return words of Philox with two rounds in place of ten."""
    column, row = np.meshgrid(np.arange(columns // 4), np.arange(rows))
    c0, c1 = column.astype(np.uint64), row.astype(np.uint64)
    c2, c3 = np.full_like(c0, draw), np.zeros_like(c0)
    mask, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    for _ in range(2):
        first, second = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = (second >> shift) ^ c1, second & mask, (first >> shift) ^ c3, first & mask
    return np.stack((c0, c1, c2, c3), axis=-1).reshape(rows, columns)


def test_uniforms_lie_inside_the_unit_interval_and_have_its_moments():
    # 10**6 draws: the mean is off by more than 5.5 standard errors for one key in 26 million
    for dtype in (torch.float32, torch.float64):
        values = Generator.from_seed(5, "uniform").uniform((1000, 1000), dtype)
        assert values.dtype == dtype
        assert float(values.min()) > 0
        assert float(values.max()) < 1
        values = values.to(torch.float64)
        assert abs(float(values.mean()) - 0.5) < 5.5 * (1 / 12) ** 0.5 / 1000
        assert abs(float(values.square().mean()) - 1 / 3) < 5.5 * (4 / 45) ** 0.5 / 1000


def test_normals_have_the_moments_of_the_normal_law():
    values = Generator.from_seed(6, "normal").normal((1000, 1000), torch.float64)
    for power, expected, variance in ((1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)):
        mean = float((values**power).mean())
        assert abs(mean - expected) < 5.5 * variance**0.5 / 1000


def test_permutations_are_uniform():
    # 24,000 permutations of four: a fair generator fails for one key in 10 million
    generator = Generator.from_seed(7, "permutation")
    ranks = np.stack([generator.permutation(4) for _ in range(24_000)])
    assert p_value(order_number(ranks), 24) > SMALLEST_P


@pytest.mark.parametrize(("size", "number"), [(1000, 30), (5, 5), (4, 9), (7, 0)])
def test_some_of_a_range_are_the_first_of_a_permutation(size, number):
    one, other = (Generator.from_seed(5, "some") for _ in range(2))
    found = one.some_of(size, number)
    np.testing.assert_array_equal(found, np.sort(other.permutation(size)[:number]))
    assert one.counter == other.counter


def test_integers_cover_their_range_evenly():
    values = Generator.from_seed(8, "integers").integers(7, 70_000)
    assert p_value(values, 7) > SMALLEST_P
