"""Interleaved rounds: every contestant once per round, so that a slow moment is shared by all."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

# as the command line does it: threads of OpenMP that wait sleep and leave the cores to the others
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch

from boltzbrain.kernels.machine import cores
from boltzbrain.kernels.machine import machine as loops

ROUNDS = 9


@dataclass(frozen=True)
class Row:
    """One line of a benchmark's file.

    Attributes
    ----------
    id
        Name of the figure.
    work, against
        What was timed, and what it is compared with.
    precision
        Floating type of ours.
    ratio
        Median over the rounds of our seconds over theirs in the same round; 1 with nothing to
        compare.
    median_seconds
        Our median.
    spread
        Distance of the quartiles of our seconds, over their median.
    """

    id: str
    work: str
    against: str
    precision: str
    ratio: float
    median_seconds: float
    spread: float


def rounds(
    contestants: Mapping[str, Callable[[], object]],
    count: int = ROUNDS,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Return the seconds of each contestant in each round, after one call to warm up.

    The order is turned by one place from round to round, so that none always follows the same.
    `clock` tells the seconds.
    """
    names = list(contestants)
    for name in names:
        contestants[name]()
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(count):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            began = clock()
            contestants[name]()
            seconds[name].append(clock() - began)
    return seconds


def compare(
    prefix: str,
    work: str,
    contestants: Mapping[str, Callable[[], object]],
    against: Mapping[str, str],
    *,
    precision: str = "float32",
    count: int = ROUNDS,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Row]:
    """Time the contestant "ours" beside the others; return a row for each of them.

    Parameters
    ----------
    prefix
        Begin of the rows' ids, `prefix`_vs_NAME.
    work
        What is done.
    contestants
        Name to call.
    against
        Name to words, for the contestants other than "ours".
    precision
        Floating type of ours.
    count, clock
        Number of rounds, and what tells the seconds.
    """
    seconds = rounds(contestants, count, clock)
    ours = np.array(seconds["ours"])
    return [
        row(f"{prefix}_vs_{name}", work, words, precision, ours, np.array(seconds[name]))
        for name, words in against.items()
    ]


def row(
    name: str, work: str, against: str, precision: str, ours: np.ndarray, theirs: np.ndarray
) -> Row:
    """Return the row of seconds by round, ours and theirs."""
    low, middle, high = np.percentile(ours, (25, 50, 75))
    ratio, spread = float(np.median(ours / theirs)), float((high - low) / middle)
    return Row(name, work, against, precision, round(ratio, 4), float(middle), round(spread, 4))


def arguments(description: str) -> argparse.ArgumentParser:
    """Return a parser that knows --json."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the rows are written")
    return parser


def publish(rows: list[Row], path: Path | None) -> None:
    """Print the rows, and write them if a file is given."""
    print(machine())
    print(f"{'id':<44} {'ratio':>8} {'seconds':>10} {'spread':>7}  against")
    for each in rows:
        print(
            f"{each.id:<44} {each.ratio:>8.3f} {each.median_seconds:>10.4g} {each.spread:>7.3f}"
            f"  {each.against}"
        )
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps([asdict(each) for each in rows], indent=1)
        path.write_text(text + "\n", encoding="utf-8")


def machine() -> str:
    """Return what the figures were measured on."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":", 1)[1].strip() if names else model
    here = loops()
    return (
        f"{cores()} cores of {model}, Python {platform.python_version()}, "
        f"torch {torch.__version__} ({torch.backends.cpu.get_cpu_capability()}), "
        f"{torch.get_num_threads()} threads, loops by {here.path} ({here.processor}, "
        f"{here.registers} registers of {here.lanes}, tile {here.tile}), "
        f"OMP_WAIT_POLICY={os.environ.get('OMP_WAIT_POLICY')}, {sys.platform}"
    )


def kind() -> str:
    """Return the folder of `benchmarks/results` for processors of this kind."""
    return loops().path.lower().replace("-", "")


if __name__ == "__main__":
    print(kind())
