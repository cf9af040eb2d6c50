"""Peak memory of reading large files: the result, and 200 MB at most above it.

Files are written to a scratch folder and each is read in a fresh process: 1 GB of spike times as a
phy folder, a TsGroup of pynapple, NWB, and NWB in compressed chunks on a web server on this
machine; a trace matrix of 3 GB (float64 .npy, neuron by time), such traces as HDF5 in compressed
chunks, and a suite2p folder of two planes with neuropil. The peak is
that of the resident memory above the process after import; what the result takes is counted from
its arrays.

    python proofs/memory.py [SHARE] [OUTPUT]

SHARE scales the files (1 by default). Writes memory.txt beside this file unless told otherwise and
exits 1 if a peak is too high.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import zarr

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from helpers.nwb_layouts import new_file, put
from helpers.serving import serve

EXTRA_MB = 200.0
_CHILD = """
import json, sys
import boltzbrain as bb
from boltzbrain.data.recording import SpikeTimes
bb.read
import boltzbrain.readers.detect
def peak():  # of this program alone: getrusage counts what started it, too
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
start = peak()
signal = bb.read(sys.argv[1], **json.loads(sys.argv[2])).signal
arrays = [signal.times, signal.index] if isinstance(signal, SpikeTimes) else [signal.frames]
held = sum(array.nbytes for array in arrays) / 2**20
print(json.dumps([start, held, peak() - start]))
"""


def write_phy(folder: Path, spikes: int) -> Path:
    """Write a folder of ascending samples, 2,000 clusters."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    steps = generator.integers(1, 3, size=spikes, dtype=np.int64)
    np.save(folder / "spike_times.npy", np.cumsum(steps))
    np.save(folder / "spike_clusters.npy", generator.integers(0, 2000, spikes, dtype=np.int32))
    (folder / "params.py").write_text("sample_rate = 30000\n")
    return folder


def write_nwb(path: Path, spikes: int, **layout: object) -> Path:
    """Write 2,000 units of as many spikes, with waveforms that are declared and not stored."""
    units = 2000
    each = spikes // units
    generator = np.random.default_rng(3)
    with new_file(path) as file:
        group = file.create_group("units")
        times = group.create_dataset("spike_times", (each * units,), "f8", **layout)
        for first in range(0, units, 20):
            trains = np.sort(np.round(generator.uniform(0, 9000, (20, each)) * 30_000) / 30_000)
            times[first * each : (first + 20) * each] = trains.ravel()
        put(group, id=np.arange(units), spike_times_index=each * np.arange(1, units + 1))
        group.create_dataset("waveform_mean", (10**9, 82), "f4", chunks=(1000, 82))
    return path


def write_zarr(folder: Path, spikes: int) -> Path:
    """Write the units of `write_nwb` as a zarr store in chunks of a megabyte."""
    path = write_nwb(folder.with_name("store.h5"), spikes)
    with h5py.File(path) as file:
        store = zarr.open_group(str(folder), mode="w")
        store.attrs["nwb_version"] = "2.7.0"
        for name in ("id", "spike_times", "spike_times_index"):
            data = file["units"][name]
            array = store.create_dataset(
                f"units/{name}", shape=data.shape, dtype=data.dtype, chunks=(1 << 17,)
            )
            for first in range(0, len(data), 1 << 17):
                array[first : first + (1 << 17)] = data[first : first + (1 << 17)]
    path.unlink()
    return folder


def write_pynapple(path: Path, spikes: int) -> Path:
    """Write a TsGroup of 2,000 neurons, ascending in time as pynapple stores it."""
    generator = np.random.default_rng(4)
    times = np.cumsum(generator.integers(1, 3, size=spikes)) / 30_000
    index = generator.integers(0, 2000, spikes)
    np.savez(
        path, t=times, index=index, keys=np.arange(2000), start=np.zeros(1), end=times[-1:] + 1
    )
    return path


def write_suite2p(folder: Path, neurons: int, frames: int) -> Path:
    """Write two planes of cells with neuropil, frames of the second missing at its end."""
    generator = np.random.default_rng(5)
    for plane in range(2):
        inside = folder / f"plane{plane}"
        inside.mkdir(parents=True)
        shape = (neurons // 2, frames - plane)
        for name in ("F", "Fneu"):
            rows = np.lib.format.open_memmap(inside / f"{name}.npy", "w+", np.float32, shape)
            for first in range(0, shape[0], 500):
                part = rows[first : first + 500]
                part[:] = generator.random(part.shape, dtype=np.float32)
            rows.flush()
        np.save(inside / "iscell.npy", np.ones((shape[0], 2)))
    return folder


def write_npy(path: Path, neurons: int, frames: int) -> Path:
    """Write traces (neuron, frame) float64, some rows at a time."""
    rows = np.lib.format.open_memmap(path, "w+", np.float64, (neurons, frames))
    generator = np.random.default_rng(1)
    for first in range(0, neurons, 500):
        rows[first : first + 500] = generator.random((len(rows[first : first + 500]), frames))
    rows.flush()
    return path


def write_hdf5(path: Path, neurons: int, frames: int) -> Path:
    """Write traces (frame, neuron) float32 in compressed chunks."""
    generator = np.random.default_rng(2)
    with h5py.File(path, "w") as file:
        data = file.create_dataset(
            "traces", (frames, neurons), "f4", chunks=(200, min(neurons, 1000)), compression="lzf"
        )
        for first in range(0, frames, 200):
            shape = data[first : first + 200].shape
            data[first : first + 200] = generator.integers(0, 9, shape).astype(np.float32)
    return path


def main() -> int:
    """Run the proof; return the exit code."""
    share = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    output = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).with_suffix(".txt")
    traces = {"axes": "neuron,time", "values": "dff", "frame_s": 0.25}
    upright = {**traces, "axes": "time,neuron"}
    neurons, frames = int(100_000 * share), 4000
    lines = [f"{'file':<24}{'GB':>6}{'result MB':>11}{'peak MB':>9}{'above it':>10}{'s':>6}"]
    failed = False
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        spikes, packed = int(1.34e8 * share), {"chunks": (1 << 17,), "compression": "lzf"}
        served = stack.enter_context(serve(folder))
        cases = {
            "phy, spike times": (lambda: write_phy(folder / "phy", spikes), {}),
            "pynapple, TsGroup": (lambda: write_pynapple(folder / "a.npz", spikes), {}),
            "NWB, spike times": (lambda: write_nwb(folder / "a.nwb", spikes), {}),
            "NWB, from a web server": (lambda: write_nwb(folder / "b.nwb", spikes, **packed), {}),
            "NWB in zarr": (lambda: write_zarr(folder / "c.zarr", spikes), {}),
            "npy, neuron by time": (lambda: write_npy(folder / "a.npy", neurons, frames), traces),
            "HDF5, compressed": (lambda: write_hdf5(folder / "a.h5", neurons, frames), upright),
            "suite2p, two planes": (
                lambda: write_suite2p(folder / "suite2p", neurons, frames),
                {"frame_s": 0.25},
            ),
        }
        for name, (write, options) in cases.items():
            path = write()
            files = [one for one in (path, *path.rglob("*")) if one.is_file()]
            size = sum(one.stat().st_size for one in files) / 1e9
            began = time.perf_counter()
            place = f"{served.url}/{path.name}" if "server" in name else str(path)
            done = subprocess.run(
                [sys.executable, "-c", _CHILD, place, json.dumps(options)],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            seconds = time.perf_counter() - began
            _, held, peak = json.loads(done.stdout)
            failed |= peak - held > EXTRA_MB
            lines.append(
                f"{name:<24}{size:>6.2f}{held:>11.0f}{peak:>9.0f}{peak - held:>10.0f}"
                f"{seconds:>6.1f}"
            )
            print(lines[-1], flush=True)
            for one in files:
                one.unlink()
    output.write_text("\n".join(lines) + "\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
