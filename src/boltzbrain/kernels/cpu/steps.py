"""The step of Adam with soft thresholds on the CPU, in one pass over the parameters.

With ten million weights a step is what it reads and writes: done operation by operation it goes
through memory some twenty times and takes fresh memory for each result.
"""

# numba infers the types of the loops, so they carry none.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.kernels import reference
from boltzbrain.kernels.compiling import compiled
from boltzbrain.kernels.cpu.simd import (
    bits_of,
    floats_of,
    load,
    magnitude,
    root,
    signs,
    smaller,
    store,
)
from boltzbrain.kernels.cpu.threads import share

_VECTOR, _SIGN = 16, np.uint32(0x80000000)


@compiled
def _step(
    parameter, gradient, mean, square, first, count, rate, beta1, beta2, epsilon, longest,
    thresholds,
):  # fmt: skip
    """Move the elements `first` to `first` + `count`, whole vectors of them.

    `mean` may be empty. Direction and mean square are corrected for the start, by the factors that
    come as (rate, of the direction, of the square).
    Element n has the threshold n modulo their number; the first ones come once more at the end, so
    that a vector can be read from any of them.
    """
    one, nothing = np.float32(1.0), np.float32(0.0)
    (step, ahead, seen), has_mean, columns = rate, len(mean) > 0, len(thresholds) - _VECTOR
    for start in range(first, first + count, _VECTOR):
        at = np.uint64(start)
        slope = load(gradient, at)
        spread = beta2 * load(square, at) + (one - beta2) * slope * slope
        store(square, at, spread)
        if has_mean:
            before = load(mean, at)
            slope = before + (one - beta1) * (slope - before)
            store(mean, at, slope)
        inverse = one / (root(spread * seen) + epsilon)
        length = ahead * slope * inverse
        bounded = floats_of(bits_of(smaller(magnitude(length), longest)) | (signs(length) & _SIGN))
        moved = load(parameter, at) + step * bounded
        size = magnitude(moved) - load(thresholds, np.uint64(start % columns)) * inverse
        size = size - smaller(size, nothing)
        store(parameter, at, floats_of(bits_of(size) | (signs(moved) & _SIGN)))


def adam_step(
    parameter: Tensor,
    gradient: Tensor,
    mean: Tensor | None,
    square: Tensor,
    *,
    count: int,
    rate: float,
    betas: tuple[float, float],
    epsilon: float,
    longest: float = math.inf,
    thresholds: Tensor | None = None,
) -> None:
    """Step as `kernels.reference.adam_step` does."""
    tensors = [parameter, gradient, square, *([] if mean is None else [mean])]
    if not all(one.dtype == torch.float32 and one.is_contiguous() for one in tensors):
        reference.adam_step(
            parameter,
            gradient,
            mean,
            square,
            count=count,
            rate=rate,
            betas=betas,
            epsilon=epsilon,
            longest=longest,
            thresholds=thresholds,
        )
        return
    moved, slopes, squares = (one.numpy().reshape(-1) for one in tensors[:3])
    means = np.empty(0, np.float32) if mean is None else mean.numpy().reshape(-1)
    single = np.float32
    numbers = (
        (single(rate), *(single(1.0 / (1.0 - beta**count)) for beta in betas)),
        *(single(number) for number in (*betas, epsilon, longest)),
    )
    pulls = np.zeros(1) if thresholds is None else thresholds.numpy()
    vectors = len(moved) // _VECTOR
    cycle = _cycle(pulls, 0)

    def task(first: int, size: int) -> None:
        _step(moved, slopes, means, squares, _VECTOR * first, _VECTOR * size, *numbers, cycle)

    share(task, vectors, least=2000, most=65_536)
    rest = slice(_VECTOR * vectors, None)
    if len(moved[rest]):
        padded = [np.zeros(_VECTOR, np.float32) for _ in range(4)]
        arrays = (moved, slopes, means, squares)
        for room, array in zip(padded, arrays, strict=True):
            room[: len(array[rest])] = array[rest]
        room_of_means = padded[2] if len(means) else means
        cycle = _cycle(pulls, _VECTOR * vectors)
        _step(padded[0], padded[1], room_of_means, padded[3], 0, _VECTOR, *numbers, cycle)
        for room, array in zip(padded, arrays, strict=True):
            if len(array) and array is not slopes:
                array[rest] = room[: len(array[rest])]


def _cycle(pulls: NDArray[Any], first: int) -> NDArray[np.float32]:
    """Return the pulls from the `first` on, cyclically, and a vector of them more."""
    places = (first + np.arange(len(pulls) + _VECTOR)) % len(pulls)
    return pulls.astype(np.float32)[places]
