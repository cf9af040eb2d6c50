"""A training in a process of its own that is killed and resumed, and what must then be equal."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

# the rolling checkpoint comes every 30 s; here so often that a kill falls between two, and into one
# and Ctrl-C reaches it although the tests may run in the background, where a shell has it ignored
DRIVER = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from boltzbrain.training import train
train.ROLLING_SECONDS = float(sys.argv[1])
from boltzbrain.cli.main import main
main(sys.argv[2:])
"""

EXEMPT = ("seconds",)
"""Columns and attributes that tell of the clock and may differ."""
TIES = ("run", "model_sha256")
"""Attributes that tell what a file belongs to: 0.1.0 wrote none; parameters are compared."""


def start(words: Sequence[object], rolling_s: float = 0.2) -> subprocess.Popen[str]:
    """Start the command line in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(rolling_s), *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_after(process: subprocess.Popen[str], folder: Path, seconds: float) -> bool:
    """Kill a process some time after its run began or went on; False if it had ended before."""
    began = _mark(folder)
    while process.poll() is None and _mark(folder) == began:
        time.sleep(0.005)
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.002)
    if process.poll() is not None:
        process.communicate()
        return False
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


def _mark(folder: Path) -> float:
    """Return when anything in the run was last written."""
    times = [path.stat().st_mtime for path in folder.rglob("*.h5")] if folder.exists() else []
    return max(times, default=0.0)


def differences(first: Path, second: Path) -> list[str]:
    """Return in what two finished runs differ, the clock left aside; an empty list is success."""
    found = []
    names = [{path.name for path in (run / "checkpoints").iterdir()} for run in (first, second)]
    if names[0] != names[1]:
        found.append(f"checkpoints: {sorted(names[0] ^ names[1])}")
    for name in sorted(names[0] & names[1]):
        with (
            h5py.File(first / "checkpoints" / name) as one,
            h5py.File(second / "checkpoints" / name) as other,
        ):
            found += [f"{name}: {what}" for what in _hdf5_differences(one, other)]
    logs = [pd.read_csv(run / "log.csv").drop(columns=list(EXEMPT)) for run in (first, second)]
    if not logs[0].equals(logs[1]):
        found.append("log.csv")
    return found


def _hdf5_differences(first: h5py.File, second: h5py.File) -> list[str]:
    found: list[str] = []
    seen: list[set[str]] = [set(), set()]
    for file, names in zip((first, second), seen, strict=True):
        file.visit(names.add)
    if seen[0] != seen[1]:
        found.append(f"members {sorted(seen[0] ^ seen[1])}")
    for name in [*sorted(seen[0] & seen[1]), "/"]:
        one, other = first[name], second[name]
        if isinstance(one, h5py.Dataset):
            a, b = one[()], other[()]
            if np.asarray(a).tobytes() != np.asarray(b).tobytes():
                found.append(name)
        # the row of the log is compared with the log
        found += [
            f"{name}@{key}"
            for key in (set(one.attrs) | set(other.attrs)) - {*EXEMPT, *TIES, "row"}
            if one.attrs.get(key) != other.attrs.get(key)
        ]
    return found
