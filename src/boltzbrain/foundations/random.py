"""The package's one source of randomness: Philox4x32-10 with a counter that is never used twice.

Philox is the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random numbers:
as easy as 1, 2, 3" (SC 2011). A block of four 32-bit words is a function of a 64-bit key and a
128-bit counter. Here the counter is (column block, row, draw low, draw high): every call that draws
takes a fresh *draw number* from the generator, and inside one draw the element in row r and column
c is word c mod 4 of the block (c // 4, r, draw). No two draws share a counter, results do not
depend on the number of cores, and a key's period is 2**64 draws of up to 2**32 rows by 2**34
columns. Streams are told apart by their keys, a 64-bit BLAKE2b hash of (seed, names).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.foundations.checks import whole_number_in
from boltzbrain.foundations.compiling.cache import kept

_MULTIPLIER_0, _MULTIPLIER_1 = 0xD2511F53, 0xCD9E8D57
_WEYL_0, _WEYL_1 = 0x9E3779B9, 0xBB67AE85
_MASK = 0xFFFFFFFF


@njit(inline="always")
def philox_block(c0, c1, c2, c3, k0, k1):  # type: ignore[no-untyped-def]  # numba infers the types
    """Return the four 32-bit words of one counter block, as uint64 below 2**32.

    The operands may be vectors of `kernels.cpu.simd`; the masks before the products tell the
    compiler that 32 bits times 32 bits will do.
    """
    mask = np.uint64(0xFFFFFFFF)
    shift = np.uint64(32)
    for _ in range(10):
        product_0 = np.uint64(0xD2511F53) * (c0 & mask)
        product_1 = np.uint64(0xCD9E8D57) * (c2 & mask)
        c0 = (product_1 >> shift) ^ c1 ^ k0
        c1 = product_1 & mask
        c2 = (product_0 >> shift) ^ c3 ^ k1
        c3 = product_0 & mask
        k0 = (k0 + np.uint64(0x9E3779B9)) & mask
        k1 = (k1 + np.uint64(0xBB67AE85)) & mask
    return c0, c1, c2, c3


@kept
def _fill_words(words, key, draw):  # type: ignore[no-untyped-def]
    mask = np.uint64(0xFFFFFFFF)
    k0, k1 = np.uint64(key) & mask, np.uint64(key) >> np.uint64(32)
    d0, d1 = np.uint64(draw) & mask, np.uint64(draw) >> np.uint64(32)
    rows, columns = words.shape
    blocks = (columns + 3) // 4
    for row in range(rows):
        for block in range(blocks):
            w0, w1, w2, w3 = philox_block(np.uint64(block), np.uint64(row), d0, d1, k0, k1)
            first = 4 * block
            words[row, first] = w0
            if first + 1 < columns:
                words[row, first + 1] = w1
            if first + 2 < columns:
                words[row, first + 2] = w2
            if first + 3 < columns:
                words[row, first + 3] = w3


def _multiply_high_low(multiplier: int, value: Tensor) -> tuple[Tensor, Tensor]:
    """Return high and low 32 bits of multiplier * value, in int64 without overflow."""
    low_half, high_half = value & 0xFFFF, value >> 16
    first = multiplier * low_half
    second = multiplier * high_half + (first >> 16)
    return second >> 16, ((second & 0xFFFF) << 16) | (first & 0xFFFF)


def philox_words(
    rows: int, columns: int, key: int, draw: int, device: torch.device | str = "cpu"
) -> Tensor:
    """Return the 32-bit words of one draw in plain torch, the specification of every kernel.

    Parameters
    ----------
    rows, columns
        Shape of the draw.
    key, draw
        64-bit key and draw number.
    device
        Where to compute.

    Returns
    -------
    Tensor
        (rows, columns) int64 in [0, 2**32).
    """
    blocks = (columns + 3) // 4
    c0 = torch.arange(blocks, device=device, dtype=torch.int64).expand(rows, blocks)
    c1 = torch.arange(rows, device=device, dtype=torch.int64)[:, None].expand(rows, blocks)
    c2 = torch.full_like(c0, draw & _MASK)
    c3 = torch.full_like(c0, (draw >> 32) & _MASK)
    k0, k1 = key & _MASK, (key >> 32) & _MASK
    for _ in range(10):
        high_0, low_0 = _multiply_high_low(_MULTIPLIER_0, c0)
        high_1, low_1 = _multiply_high_low(_MULTIPLIER_1, c2)
        c0, c1, c2, c3 = high_1 ^ c1 ^ k0, low_1, high_0 ^ c3 ^ k1, low_0
        k0, k1 = (k0 + _WEYL_0) & _MASK, (k1 + _WEYL_1) & _MASK
    return torch.stack((c0, c1, c2, c3), dim=2).reshape(rows, 4 * blocks)[:, :columns]


@dataclass
class Generator:
    """A stream of random numbers: a key and the number of the next draw.

    Attributes
    ----------
    key
        64-bit key of the stream.
    counter
        Number of the next draw; the pair (key, counter) is the whole state and is stored with
        chains.

    Examples
    --------
    >>> generator = Generator.from_seed(0, "training")
    >>> first = generator.uniform((2, 3))
    >>> again = Generator(generator.key, 0).uniform((2, 3))
    >>> bool((first == again).all()), generator.counter
    (True, 1)
    """

    key: int
    counter: int = 0

    @classmethod
    def from_seed(cls, seed: int, *names: str | int) -> Generator:
        """Return the stream of a seed and any number of names, e.g. ``(seed, "ais", update)``.

        Raises
        ------
        InputError
            If the seed is not a whole number from 0 to 2**63 - 1.
        """
        whole_number_in("seed", seed, low=0, high=2**63 - 1)
        text = "\x1f".join([str(seed), *(f"{type(name).__name__}:{name}" for name in names)])
        digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
        return cls(int.from_bytes(digest, "little"))

    def child(self, *names: str | int) -> Generator:
        """Return a stream of its own for these names; this generator does not move."""
        text = "\x1f".join([hex(self.key), *(f"{type(name).__name__}:{name}" for name in names)])
        digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
        return Generator(int.from_bytes(digest, "little"))

    def take(self, draws: int = 1) -> int:
        """Reserve `draws` draw numbers for a kernel and return the first."""
        first = self.counter
        self.counter += draws
        return first

    def copy(self) -> Generator:
        """Return a generator in the same state."""
        return Generator(self.key, self.counter)

    def words(self, shape: tuple[int, int], device: torch.device | str = "cpu") -> Tensor:
        """Return one draw of 32-bit words, (row, column) int64 in [0, 2**32)."""
        draw = self.take()
        if torch.device(device).type == "cpu":
            return torch.from_numpy(self._numpy_words(shape, draw).astype(np.int64))
        return philox_words(shape[0], shape[1], self.key, draw, device)

    def uniform(
        self,
        shape: tuple[int, int],
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
    ) -> Tensor:
        """Return one draw, uniform on the open interval (0, 1), shape (row, column).

        The value is (word + 1/2) / 2**32 in float64, and 24 leading bits, (word // 256 + 1/2) /
        2**24, in float32, so that neither 0 nor 1 occurs.
        """
        words = self.words(shape, device)
        if dtype == torch.float64:
            return (words.to(torch.float64) + 0.5) * 2.0**-32
        return ((words >> 8).to(torch.float32) + 0.5) * 2.0**-24

    def normal(
        self,
        shape: tuple[int, int],
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> Tensor:
        """Return one draw of standard normals, by the inverse of the distribution function."""
        normal: Tensor = torch.special.ndtri(self.uniform(shape, torch.float64, device))
        return normal.to(dtype)

    def permutation(self, size: int) -> NDArray[np.int64]:
        """Return a random order of ``range(size)``: the ranks of 62-bit words, ties by index."""
        return np.argsort(self._ranked(size), kind="stable").astype(np.int64)

    def some_of(self, size: int, number: int) -> NDArray[np.int64]:
        """Return the first `number` of a `permutation` of ``range(size)``, ascending."""
        words = self._ranked(size)
        if number >= size:
            return np.arange(size)
        limit = np.partition(words, number)[number]
        below, at = np.flatnonzero(words < limit), np.flatnonzero(words == limit)
        return np.sort(np.concatenate((below, at[: number - len(below)])))

    def _ranked(self, size: int) -> NDArray[np.int64]:
        words = self.words((2, max(size, 1)))[:, :size].numpy()
        ranked: NDArray[np.int64] = (words[0] << 30) ^ words[1]
        return ranked

    def integers(self, high: int, size: int) -> NDArray[np.int64]:
        """Return `size` draws uniform on range(high), by the high part of word * high.

        The bias of a value is below high / 2**32.
        """
        words = self.words((1, max(size, 1)))[0, :size].numpy()
        result: NDArray[np.int64] = (words * np.int64(high)) >> 32
        return result

    def _numpy_words(self, shape: tuple[int, int], draw: int) -> NDArray[np.uint32]:
        words = np.empty(shape, dtype=np.uint32)
        _fill_words(words, np.uint64(self.key), np.uint64(draw))
        return words
