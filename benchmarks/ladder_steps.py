"""A step of a ladder beside the same rung by rung, and beside annealing; what it is of `evaluate`.

Usage: python -m benchmarks.ladder_steps [--json FILE]

Nine rungs, 100 columns: a step sweeps every rung, finds the log-weights of every second pair, and
swaps. `loop` is the same step rung by rung and pair by pair, `climb` annealing, which takes 100
chains through as many sweeps and twice the log-weights in one call. Seconds of the processor, so
that others may be at work. Last, of the evaluation of the small model (`small_model`), the share
that the ladder takes.
"""

from __future__ import annotations

import tempfile
import time
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np

import boltzbrain as bb
from benchmarks.cases import bernoulli_model, drelu_model
from benchmarks.small_model import small_activity
from benchmarks.timing import Row, arguments, compare, publish, row
from boltzbrain.evaluation import partitions
from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.cpu.threads import one_thread
from boltzbrain.sampling.annealing import AnnealedPath
from boltzbrain.sampling.exchange import exchange_step, start_replicas
from boltzbrain.sampling.ladder import Ladder, annealing_ladder

RUNGS, COLUMNS = 9, 100


def share_of_evaluation(rounds: int = 3) -> Row:
    """Return the row of the ladder's steps of a small model, beside its whole evaluation."""
    ladders, wholes = [], []
    run_ladder = partitions.sample_ladder

    def timed(*given: object, **options: object) -> object:
        began = time.process_time()
        found = run_ladder(*given, **options)
        ladders.append(time.process_time() - began)
        return found

    with tempfile.TemporaryDirectory() as folder, one_thread():
        run = bb.fit(small_activity(), hidden=20, out=Path(folder) / "run", seed=0, updates=400)
        with mock.patch.object(partitions, "sample_ladder", timed):
            for _ in range(rounds):
                began = time.process_time()
                bb.evaluate(run)
                wholes.append(time.process_time() - began)
    work, against = "ladder of an evaluation of 60 neurons, 20 hidden units", "the evaluation"
    return row("ladder_of_evaluate", work, against, "float32", np.array(ladders), np.array(wholes))


def main() -> None:
    given = arguments(__doc__).parse_args()
    rows = []
    for kind in ("binary", "drelu"):
        for visible, hidden in ((60, 20), (918, 100)):
            more = (0.0,) if kind == "drelu" else ()
            model = {"binary": bernoulli_model, "drelu": drelu_model}[kind](
                visible, hidden, 0.06, *more
            )
            ladder = annealing_ladder(model, Generator(1), rungs=RUNGS)
            loop = Ladder(ladder.rungs, ladder.method)
            vars(loop)["at_once"] = None
            replicas = start_replicas(ladder, COLUMNS, Generator(2))
            path = AnnealedPath(ladder.rungs[0], model)
            start = path.start(COLUMNS, Generator(3))
            ts = [rung / RUNGS for rung in range(RUNGS + 1)]
            contestants = {
                "ours": partial(exchange_step, ladder, replicas),
                "loop": partial(exchange_step, loop, replicas),
                "climb": partial(path.climb, start, ts, Generator(4)),
            }
            size = f"{RUNGS} rungs x {COLUMNS} columns, {visible} x {hidden} {kind}"
            against = {
                "loop": "the step rung by rung",
                "climb": f"{RUNGS} rungs of annealing in one call",
            }
            with one_thread():
                rows += compare(
                    f"ladder_step_{kind}_{visible}x{hidden}",
                    f"step of a ladder, {size}",
                    contestants,
                    against,
                    count=31,
                    clock=time.process_time,
                )
    rows.append(share_of_evaluation())
    publish(rows, given.json)


if __name__ == "__main__":
    main()
