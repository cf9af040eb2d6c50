"""A step of a ladder beside what its sweeps and log-weights take in one call.

Usage: python -m benchmarks.ladder_steps [--json FILE]

Nine rungs, 100 columns: a step sweeps every rung, finds the log-weights of every second pair, and
swaps. In one call, annealing takes 100 chains through as many sweeps and twice the log-weights:
what a ladder written as one loop could come to. Seconds of the processor, so that others may be at
work.
"""

from __future__ import annotations

import time

from benchmarks.cases import bernoulli_model
from benchmarks.timing import arguments, compare, publish
from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.cpu.threads import one_thread
from boltzbrain.sampling.annealing import AnnealedPath
from boltzbrain.sampling.exchange import exchange_step, start_replicas
from boltzbrain.sampling.ladder import annealing_ladder

RUNGS, COLUMNS = 9, 100


def main() -> None:
    given = arguments(__doc__).parse_args()
    rows = []
    for visible, hidden in ((60, 20), (918, 100)):
        model = bernoulli_model(visible, hidden, 0.06)
        ladder = annealing_ladder(model, Generator(1), rungs=RUNGS)
        replicas = start_replicas(ladder, COLUMNS, Generator(2))
        path = AnnealedPath(ladder.rungs[0], model)
        start = path.start(COLUMNS, Generator(3))
        ts = [rung / RUNGS for rung in range(RUNGS + 1)]
        contestants = {
            "ours": lambda ladder=ladder, replicas=replicas: exchange_step(ladder, replicas),
            "climb": lambda path=path, start=start, ts=ts: path.climb(start, ts, Generator(4)),
        }
        work = f"step of a ladder, {RUNGS} rungs x {COLUMNS} columns, {visible} x {hidden}"
        against = {"climb": f"{RUNGS} rungs of annealing in one call"}
        with one_thread():
            rows += compare(
                f"ladder_step_{visible}x{hidden}", work, contestants, against, count=31,
                clock=time.process_time,
            )  # fmt: skip
    publish(rows, given.json)


if __name__ == "__main__":
    main()
