"""What a dReLU update of few neurons is made of, and what of it does not shrink with them.

Usage: python -m benchmarks.update_parts [--json FILE]

One thread, seconds of the processor, so that others may be at work; each part beside the bare
products of the whole update (two a sweep). `products` and `draws` are the sweeps' own: inputs to
neurons, and draws of the hidden units by the loops; binary draws of the neurons, and sums over
active ones, are the rest of a sweep. `step` are moments, derivatives, gradient and optimiser.
"""

# numba infers the types of the loops, so they carry none.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated"

from __future__ import annotations

import time
from functools import partial

import numpy as np
import torch

from benchmarks import peers
from benchmarks.cases import drelu_model, states
from benchmarks.scaling import SWEEPS, plan_of, update
from benchmarks.small_updates import CHAINS, HIDDEN
from benchmarks.timing import Row, arguments, publish, rounds, row
from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.compiling import compiled
from boltzbrain.kernels.cpu.arrays import flat
from boltzbrain.kernels.cpu.doubles.rectified import draw_row, law_of, room_to_draw
from boltzbrain.kernels.cpu.few_chains import side_by_side
from boltzbrain.kernels.cpu.products import multiply, padded_samples
from boltzbrain.kernels.cpu.rectified import QUANTILES, TABLE
from boltzbrain.kernels.cpu.threads import one_thread
from boltzbrain.sampling.gibbs import advance, start_chains
from boltzbrain.training.update.gradient import Ascent


@compiled
def _multiply(times, weights, units, hidden, values, stride, listed, inputs):
    for _ in range(times):
        for unit in range(0, units, 4):
            multiply(weights, unit * hidden, 4, hidden, values, stride, listed, inputs)


@compiled
def _draw(times, inputs, samples, law, tables, drawn):
    tools, hidden = room_to_draw(), law[0].shape[1]
    for number in range(times):
        state = np.uint64(1), np.uint64(2 * number)
        for sample in range(samples):
            draw_row(inputs, sample * hidden, sample, law, state, tables, tools, drawn)


def parts(neurons: int) -> list[Row]:
    """Time the parts of an update of so many neurons."""
    model, plan = drelu_model(neurons, HIDDEN, 0.03, 0.0), plan_of(HIDDEN, CHAINS)
    chains = start_chains(model, CHAINS, Generator(1))
    batch, stride = states(CHAINS, neurons, 0.03, "data"), padded_samples(CHAINS)
    hidden = side_by_side(chains.hidden, stride)
    room = np.empty(HIDDEN, np.int64), torch.empty(4 * stride).numpy()
    inputs = flat(model.inputs_to_hidden(chains.visible))
    law = law_of(*model.hidden.sides())
    drawn = np.empty_like(inputs)
    calls = {
        "whole": update(neurons, HIDDEN, CHAINS)[0],
        "sweeps": partial(advance, model, chains, SWEEPS),
        "products": partial(
            _multiply, SWEEPS, flat(model.weights), neurons, HIDDEN, hidden, stride, *room
        ),
        "draws": partial(_draw, SWEEPS, inputs, CHAINS, law, (TABLE, QUANTILES), drawn),
        "step": partial(Ascent(model, plan).step, batch, chains.visible, 1000),
        "mm": peers.bare_products(model, CHAINS, SWEEPS),
    }
    seconds = {name: np.array(each) for name, each in rounds(calls, 31, time.process_time).items()}
    work = f"of a dReLU update, k = {SWEEPS}, {neurons} neurons, 200 hidden, 100 chains, one thread"
    return [
        row(
            f"update_drelu_{neurons}x200_{name}_vs_mm",
            f"{name} {work}",
            f"{2 * SWEEPS} {peers.MM}",
            "float32",
            seconds[name],
            seconds["mm"],
        )
        for name in calls
        if name != "mm"
    ]


def main() -> None:
    given = arguments(__doc__).parse_args()
    with one_thread():
        rows = [each for neurons in (500, 1000) for each in parts(neurons)]
    publish(rows, given.json)


if __name__ == "__main__":
    main()
