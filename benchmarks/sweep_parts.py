"""What a Bernoulli sweep is made of, and what holds its sums: the second cache.

Usage: python -m benchmarks.sweep_parts [--json FILE]

One thread, seconds of the processor. Draws: the same sweep of a model whose units are never on, so
that nothing is summed. Sums: the rest. Beside them the time in which the second cache gives the
tables and rows that they read: of a listed sample one row of 64 numbers for each active unit and
tile, of another one entry of a table for every four units.
"""

# numba infers the types of the loops, so they carry none.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.cases import DATA, bernoulli_model, states
from benchmarks.sweep import CHAINS, SWEEPS, trained
from benchmarks.timing import Row, arguments, publish, rounds, row
from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.compiling import compiled
from boltzbrain.kernels.cpu.draws import TILE, whole_tiles
from boltzbrain.kernels.cpu.many_chains import LISTED, OUT
from boltzbrain.kernels.cpu.simd import load, store
from boltzbrain.kernels.cpu.threads import one_thread
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.rbm import RBM

CACHED = 64 * 1024
"""Numbers of float32 that lie in the second cache, and not in the first: 256 kB."""
_16, _32, _48 = np.uint64(16), np.uint64(32), np.uint64(48)


@compiled
def _read(values, times, out):
    s0 = s1 = s2 = s3 = load(out, np.uint64(0))
    for _ in range(times):
        for place in range(0, values.size, 64):
            at = np.uint64(place)
            s0, s1 = s0 + load(values, at), s1 + load(values, at + _16)
            s2, s3 = s2 + load(values, at + _32), s3 + load(values, at + _48)
    store(out, np.uint64(0), s0 + s1 + s2 + s3)


def reader(numbers: float) -> Callable[[], Any]:
    """Return what reads and adds so many numbers from the second cache."""
    values, out = torch.ones(CACHED).numpy(), torch.zeros(TILE).numpy()
    times = round(numbers / CACHED)
    return lambda: _read(values, times, out)


def numbers_read(states_of_layer: Tensor, others: int) -> float:
    """Return how many numbers the sums over a layer's states read for the other layer."""
    units = states_of_layer.shape[1]
    active = states_of_layer.sum(dim=1, dtype=torch.int64)
    rows = torch.where(active <= int(LISTED * units), active, -(-units // 4))
    return float(rows.sum()) * whole_tiles(others)


def parts(prefix: str, model: RBM, visible: Tensor) -> list[Row]:
    """Time the parts of ten sweeps."""
    units, others = model.weights.shape
    _, hidden = model.sweep(visible, Generator(3), 1)
    silent = RBM(
        Bernoulli(torch.full((units,), OUT)), Bernoulli(torch.full((others,), OUT)), model.weights
    )
    none = torch.zeros_like(visible)
    given, back = torch.randn(CHAINS, units), torch.randn(CHAINS, others)
    to, at = torch.empty(CHAINS, others), torch.empty(CHAINS, units)

    def products() -> None:
        for _ in range(SWEEPS):
            torch.mm(given, model.weights, out=to)
            torch.mm(back, model.weights.T, out=at)

    read = SWEEPS * (numbers_read(visible, others) + numbers_read(hidden, units))
    found = rounds(
        {
            "sweep": lambda: model.sweep(visible, Generator(1), SWEEPS),
            "draws": lambda: silent.sweep(none, Generator(1), SWEEPS),
            "read": reader(read),
            "mm": products,
        },
        15,
        time.process_time,
    )
    seconds = {name: np.array(values) for name, values in found.items()}
    sums = seconds["sweep"] - seconds["draws"]
    drawn = SWEEPS * CHAINS * (units + others)
    print(
        f"{prefix}: a draw takes {1e9 * np.median(seconds['draws']) / drawn:.2f} ns; sums read "
        f"{4e-9 * read:.1f} GB, {4e-9 * read / np.median(sums):.0f} a second, of which the second "
        f"cache gives {4e-9 * read / np.median(seconds['read']):.0f}"
    )
    work = f"{SWEEPS} sweeps, {CHAINS} chains, one thread"
    return [
        row(f"{prefix}_vs_mm", work, "mm", "float32", seconds["sweep"], seconds["mm"]),
        row(f"{prefix}_draws", work, "mm", "float32", seconds["draws"], seconds["mm"]),
        row(f"{prefix}_sums", work, "mm", "float32", sums, seconds["mm"]),
        row(f"{prefix}_reads", work, "sums", "float32", seconds["read"], sums),
    ]


def main() -> None:
    given = arguments(__doc__).parse_args()
    with one_thread():
        model = bernoulli_model(1560, 500, 0.04)
        visible, _ = model.sweep(states(CHAINS, 1560, 0.04, "sweep"), Generator(3), 20)
        rows = parts("parts_1560x500", model, visible)
        if DATA.exists():
            rows += parts("parts_918x100", *trained())
    publish(rows, given.json)


if __name__ == "__main__":
    main()
