"""Opening a recording is no pass over its file: an NWB of 2 GB whose units table is 5 MB.

The raw data of the file are declared, and stored as a hole: the file system keeps no block of them,
and whoever goes through the file reads 2 GB of zeros all the same. ``boltzbrain info`` opens it in
a fresh process, and must end within 3 s and 300 MB of memory above what importing it takes.
A control reads the whole file once.

    python proofs/open_large.py [GB] [OUTPUT]

Writes open_large.txt beside this file unless told otherwise and exits 1 if it took more.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from helpers.nwb_layouts import new_file, put

MOST_S, MOST_MB = 3.0, 300.0
_UNITS, _EACH = 200, 3_000  # 5 MB of spike times
_CHILD = """
import json, sys, time
import boltzbrain.cli.main as cli, boltzbrain.readers.detect, boltzbrain.preparing.card.card
def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
start, began = peak(), time.perf_counter()
sys.argv = ["boltzbrain", "info", sys.argv[1]]
try:
    cli.main()
except SystemExit as ended:
    status = ended.code
else:
    status = 0
print(json.dumps([status, time.perf_counter() - began, peak() - start]))
"""


def write(path: Path, size: int) -> None:
    """Write an NWB file whose raw data take as many bytes, none of them on the disk."""
    draw = np.random.default_rng(0)
    early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    early.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    with new_file(path) as file:
        group = file.create_group("acquisition/raw")
        space = h5py.h5s.create_simple((size // 2,))
        h5py.h5d.create(group.id, b"data", h5py.h5t.STD_I16LE, space, early)
        units = file.create_group("units")
        trains = np.sort(draw.uniform(0, 3000, (_UNITS, _EACH)), axis=1)
        put(units, id=np.arange(_UNITS), spike_times=trains.ravel(),
            spike_times_index=_EACH * np.arange(1, _UNITS + 1),
            quality=["good"] * _UNITS)  # fmt: skip


def main() -> int:
    """Run the proof; return the exit code."""
    gigabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    output = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).with_suffix(".txt")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "raw.nwb"
        write(path, int(gigabytes * 1e9))
        stored = path.stat()
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, str(path)], capture_output=True, text=True, check=True
        )
        status, seconds, megabytes = json.loads(done.stdout.splitlines()[-1])
        began = time.perf_counter()
        with path.open("rb") as stream:
            hashlib.file_digest(stream, "sha256")
        whole = time.perf_counter() - began
    lines = [
        f"an NWB of {stored.st_size / 1e9:.2f} GB, {stored.st_blocks * 512 / 1e6:.1f} MB on disk",
        f"boltzbrain info: {seconds:.2f} s, {megabytes:.0f} MB",
        f"a hash of the whole file (the control): {whole:.2f} s",
    ]
    print("\n".join(lines))
    output.write_text("\n".join(lines) + "\n")
    return int(status != 0 or seconds > MOST_S or megabytes > MOST_MB)


if __name__ == "__main__":
    sys.exit(main())
