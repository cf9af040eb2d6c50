"""What the stories of the command line share: small recordings, and a command run in process."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from boltzbrain.cli.main import main
from boltzbrain.foundations.random import Generator
from boltzbrain.sampling.synthetic import simulate_assemblies

NEURONS, BINS, SEGMENTS = 24, 1500, 50

# a training of a second or less, every part of it included
QUICK = (
    "--hidden", "6", "--updates", "40", "--batch", "100", "--chains", "50", "--sweeps", "2",
    "--learning-rate", "0.3", "--set", "checkpoints=6", "--set", "ais_chains=50",
    "--set", "ais_rungs=30",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """Exit status and what was written to stdout and stderr."""

    status: int
    out: str
    err: str


def run_command(words: Sequence[object], capsys: pytest.CaptureFixture[str]) -> Outcome:
    """Run the command line in this process."""
    capsys.readouterr()
    status = 0
    try:
        main([str(word) for word in words])
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    written = capsys.readouterr()
    return Outcome(status, written.out, written.err)


def make(*words: object) -> None:
    """Run a command that a fixture needs; it must succeed."""
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    assert end.value.code == 0


def small_arrays(seed: int = 0) -> dict[str, np.ndarray]:
    """Return the arrays of a small npz recording: assemblies, segments, regions."""
    truth = simulate_assemblies(
        Generator.from_seed(seed, "story"), neurons=NEURONS, assemblies=4, bins=BINS,
        sizes=(4, 7), on_fraction=(0.1, 0.2), firing=0.5, background=0.08, overlap=0.2,
        background_spread=0.2,
    )  # fmt: skip
    return {
        "states": truth.states,
        "bin_width_s": np.array(0.02),
        "region": np.array(["CA1", "VISp"] * (NEURONS // 2)),
        "segment": np.repeat(np.arange(SEGMENTS, dtype=np.int32), BINS // SEGMENTS),
    }


def write_small(path: Path, **changes: np.ndarray | None) -> Path:
    """Write the small recording, some of its arrays replaced or left out."""
    arrays = {**small_arrays(), **changes}
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path


def digests(folder: Path) -> dict[str, str]:
    """Return the hash of every file below a folder, and the names of the folders."""
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        )
        for path in sorted(folder.rglob("*"))
    }
