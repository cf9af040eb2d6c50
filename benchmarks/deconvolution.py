"""Seconds of blind sparse deconvolution: from traces to binary states, beside OASIS.

Usage: python -m benchmarks.deconvolution [--json FILE] [--cells 1000] [--frames 10000]

Simulated dF/F at 4 Hz: events of gamma-distributed height, 3 % of the frames, through the kernel of
GCaMP6s, and noise of a fifth of a mean event. `Recording.deconvolve` is timed whole, with the
sensitivity table that it makes: with the kernel estimated (one for all cells, the default) or
given, and on a tenth of the cells with that of each cell estimated and beside OASIS. Exits 1 if the
default takes more than 60 seconds.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from benchmarks.timing import Row, arguments, publish, row
from boltzbrain.data.recording import Recording, neuron_table, no_epochs
from boltzbrain.data.signals import Traces
from boltzbrain.data.steps import Source

FRAME_S, RATE, NOISE = 0.25, 0.03, 0.2
LIMIT_S = 60.0
ROUNDS = 3


def simulated(cells: int, frames: int) -> Recording:
    """Return a recording of traces with planted events."""
    generator = np.random.default_rng(0)
    time_s = FRAME_S * np.arange(1, int(12 * 3.55 / FRAME_S))
    kernel = np.exp(-time_s / 3.55) - np.exp(-time_s / 0.2)
    kernel /= kernel.max()
    traces = np.empty((frames, cells), np.float32)
    for cell in range(cells):
        events = (generator.random(frames) < RATE) * generator.gamma(4.0, 0.25, frames)
        noise = NOISE * generator.standard_normal(frames)
        traces[:, cell] = np.convolve(events, kernel)[:frames] + noise
    signal = Traces(traces, FRAME_S * np.arange(frames), "dff")
    ids = [str(cell) for cell in range(cells)]
    return Recording(neuron_table(ids), {}, signal, no_epochs(), Source("simulated", "traces", ""))


def timed(recording: Recording, **options: object) -> float:
    """Return the seconds of one call."""
    began = time.perf_counter()
    recording.deconvolve(**options)
    return time.perf_counter() - began


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--cells", type=int, default=1000)
    parser.add_argument("--frames", type=int, default=10_000)
    given = parser.parse_args()
    recording = simulated(given.cells, given.frames)
    few = recording.select(np.arange(given.cells) < max(1, given.cells // 10))
    for method in ("bsd", "oasis"):
        timed(few, method=method)  # compiles, and fills the caches
    contestants = {
        "estimate": lambda: timed(recording),
        "gcamp6s": lambda: timed(recording, kernel="gcamp6s"),
        "each": lambda: timed(few, kernel="each"),
        "few": lambda: timed(few, kernel="gcamp6s"),
        "oasis": lambda: timed(few, method="oasis", kernel="gcamp6s"),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(ROUNDS):
        for name, call in contestants.items():
            seconds[name].append(call())
    found = {name: np.array(values) for name, values in seconds.items()}
    size = f"{len(recording)} cells x {given.frames} frames"
    words = {
        "estimate": f"blind sparse deconvolution, {size}, one kernel estimated",
        "gcamp6s": f"blind sparse deconvolution, {size}, kernel given",
        "each": f"blind sparse deconvolution, {len(few)} cells x {given.frames} frames, kernel of "
        "each cell estimated",
    }
    rows: list[Row] = [
        row(f"deconvolution_{name}", work, "", "float64", found[name], found[name])
        for name, work in words.items()
    ]
    work = f"blind sparse deconvolution, {len(few)} cells x {given.frames} frames, kernel given"
    against = "oasis-deconv, kernel given"
    rows.append(
        row("deconvolution_vs_oasis", work, against, "float64", found["few"], found["oasis"])
    )
    publish(rows, given.json)
    holds = float(np.median(found["estimate"])) <= LIMIT_S
    print(f"kernel estimated, at most {LIMIT_S:g} s: {'yes' if holds else 'NO'}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
