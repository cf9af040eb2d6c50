"""Where it pays to leave weights of exactly 0 out of the product of few chains, many neurons.

Usage: python -m benchmarks.exact_zeros [--json FILE]

The kernel multiplies four neurons by their weights that are not 0 alone where these are less than
the share `kernels.cpu.products.SPARSE`. It runs beside copies of itself with other shares and
beside one that multiplies by every weight and counts none. All give the same bits.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numba import njit

from benchmarks.cases import drelu_model
from benchmarks.timing import Row, arguments, publish, rounds, row
from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.cpu import few_chains, products
from boltzbrain.kernels.cpu.products import VECTOR

CHAINS = 100
SHARES = (0.12, products.SPARSE)
ZEROS = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
SIZES = ((1000, 100), (5000, 200), (50_000, 200))


def copy_of(module: Any) -> Any:
    """Return a second copy of a module, whose globals may be changed."""
    spec = importlib.util.spec_from_file_location(module.__name__, module.__file__)
    assert spec is not None
    assert spec.loader is not None
    twin = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(twin)
    return twin


def with_product(product: Callable[..., Any]) -> ModuleType:
    """Return a copy of the kernel that multiplies by another product."""
    twin = copy_of(few_chains)
    twin.multiply = product
    # not `compiled`: what is kept on disk for this file has the package's own product
    twin.draw_stretch = njit(nogil=True)(twin.draw_stretch.py_func)
    return twin


def below(share: float) -> Any:
    """Return the product with another share."""
    twin = copy_of(products)
    twin.SPARSE = share
    return twin.multiply


@njit
def multiply_all(weights, row, present, units, values, stride, listed, inputs):
    """Multiply four rows by all weights."""
    threes = (4 - stride // VECTOR % 4) % 4 * 48
    for start in range(0, threes, 48):
        products._all_to_48(weights, row, units, values, stride, start, inputs)
    for start in range(threes, stride, 64):
        products._all_to_64(weights, row, units, values, stride, start, inputs)


def at(neurons: int, hidden: int, zeros: float, twins: dict[float, Any], every: Any) -> list[Row]:
    """Time the draw of all neurons and the sums of their rows."""
    model = drelu_model(neurons, hidden, 0.03, zeros)
    values = Generator.from_seed(0, "hidden").normal((CHAINS, hidden))
    given = values, model.weights, model.visible.field, 1, 2
    expected = few_chains.draw_and_sum(*given)
    for twin in (every, *twins.values()):
        found = twin.draw_and_sum(*given)
        assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))
    repeats = max(1, 50_000 // neurons)

    def repeated(module: Any) -> Callable[[], None]:
        def run() -> None:
            for _ in range(repeats):
                module.draw_and_sum(*given)

        return run

    contestants = {"all": every} | {str(share): twin for share, twin in twins.items()}
    # seconds of the processor on one thread, which other jobs stretch least
    seconds = rounds(
        {name: repeated(module) for name, module in contestants.items()}, 15, time.thread_time
    )
    work = (
        f"{repeats} x draw_and_sum, {CHAINS} chains, {neurons} neurons 3 % active, {hidden} hidden "
        f"units, {zeros:.0%} of the weights 0, these left out where less than {{:.0%}} are not 0"
    )
    return [
        row(
            f"{neurons}x{hidden}_zeros_{100 * zeros:.0f}_below_{share}",
            work.format(share),
            "all weights",
            "float32",
            np.array(seconds[str(share)]),
            np.array(seconds["all"]),
        )
        for share in twins
    ]


def main() -> None:
    given = arguments(__doc__).parse_args()
    torch.set_num_threads(1)
    every, twins = with_product(multiply_all), {s: with_product(below(s)) for s in SHARES}
    rows = [row for size in SIZES for zeros in ZEROS for row in at(*size, zeros, twins, every)]
    publish(rows, given.json)


if __name__ == "__main__":
    main()
