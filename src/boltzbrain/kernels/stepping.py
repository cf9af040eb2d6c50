"""The step of Adam with soft thresholds on the CPU, in one pass over the parameters.

With ten million weights a step is what it reads and writes: done operation by operation it goes
through memory some twenty times and takes fresh memory for each result.
"""

# numba infers the types of the loops, so they carry none.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from boltzbrain.kernels import reference
from boltzbrain.kernels.compiling import compiled
from boltzbrain.kernels.threads import share


@compiled
def _step(
    parameter, gradient, mean, square, first, count, rate, beta1, beta2, epsilon, threshold
):  # fmt: skip
    """Move the elements `first` to `first` + `count`; `mean` may be empty. Rates are corrected."""
    one, nothing = np.float32(1.0), np.float32(0.0)
    (step, seen), has_mean = rate, len(mean) > 0
    for place in range(np.uint64(first), np.uint64(first + count)):
        slope = gradient[place]
        spread = beta2 * square[place] + (one - beta2) * slope * slope
        square[place] = spread
        if has_mean:
            slope = mean[place] + (one - beta1) * (slope - mean[place])
            mean[place] = slope
        inverse = one / (np.float32(math.sqrt(spread * seen)) + epsilon)
        moved = parameter[place] + step * slope * inverse
        size = max(abs(moved) - threshold * inverse, nothing)
        parameter[place] = math.copysign(size, moved) if size > nothing else nothing


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
    threshold: float = 0.0,
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
            threshold=threshold,
        )
        return
    moved, slopes, squares = (one.numpy().reshape(-1) for one in tensors[:3])
    means = np.empty(0, np.float32) if mean is None else mean.numpy().reshape(-1)
    single = np.float32
    numbers = (
        (single(rate / (1.0 - betas[0] ** count)), single(1.0 / (1.0 - betas[1] ** count))),
        *(single(number) for number in (*betas, epsilon, threshold)),
    )

    def task(first: int, size: int) -> None:
        _step(moved, slopes, means, squares, first, size, *numbers)

    share(task, len(moved), least=20_000, most=1_000_000)
