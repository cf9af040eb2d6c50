"""NWB in zarr v3, written by a newer Python's hdmf-zarr, read here.

    .venv/bin/python proofs/zarr_v3.py                    (a newer Python on PATH, and its pip)
    PYTHON_3.12_OR_NEWER proofs/zarr_v3.py write FOLDER   (the halves apart, where it is elsewhere)
    .venv/bin/python proofs/zarr_v3.py read FOLDER

The hdmf-zarr that writes version 3 needs a newer Python than this package, so that the two halves
run in environments of their own; the first half imports nothing of ours. It writes sorted units
with regions, trials and epochs, and fluorescence with its plane segmentation, and beside them what
went in (truth.npz). The second opens both as a user would, compares every value, writes
proofs/zarr_v3.txt, and exits 1 where one differs. Without a newer Python it says so and ends.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

UNITS, CELLS, FIRST, FRAMES, RATE_HZ, LENGTH_S = 300, 40, 5, 5000, 30.0, 600.0
AREAS = ("CA1", "DG", "VISp")
TRIALS = 50


def write(folder: Path) -> None:
    """Write both files and the truth."""
    import hdmf_zarr
    import pynwb
    import zarr

    folder.mkdir(parents=True)
    rng = np.random.default_rng(20)
    trains = [np.sort(rng.uniform(0, LENGTH_S, rng.integers(50, 4000))) for _ in range(UNITS)]
    areas = [AREAS[unit % len(AREAS)] for unit in range(UNITS)]
    traces = rng.normal(100, 5, (FRAMES, CELLS - FIRST)).astype(np.float32)
    with hdmf_zarr.NWBZarrIO(str(folder / "units.nwb.zarr"), "w") as out:
        out.write(_units(trains, areas))
    with hdmf_zarr.NWBZarrIO(str(folder / "calcium.nwb.zarr"), "w") as out:
        out.write(_calcium(traces))
    np.savez(
        folder / "truth.npz",
        times=np.concatenate(trains),
        counts=[len(one) for one in trains],
        areas=areas,
        traces=traces,
    )
    told = {one.__name__: one.__version__ for one in (hdmf_zarr, pynwb, zarr, np)}
    told["python"] = sys.version.split()[0]
    (folder / "versions.json").write_text(json.dumps(told), encoding="utf-8")


def _units(trains: list[np.ndarray], areas: list[str]):
    from pynwb import NWBFile

    file = NWBFile("units", "units", datetime(2026, 1, 1, tzinfo=UTC))
    group = file.create_electrode_group("shank", "a shank", "CA1", file.create_device("probe"))
    for place, area in enumerate(AREAS):
        file.add_electrode(
            x=100.0, y=20.0 * (place + 1), z=5.0, location=area, filtering="", group=group
        )
    for train, area in zip(trains, areas, strict=True):
        file.add_unit(spike_times=train, electrodes=[AREAS.index(area)])
    for trial in range(TRIALS):
        file.add_trial(start_time=10.0 * trial, stop_time=10.0 * trial + 4)
    file.add_epoch(0.0, LENGTH_S / 2, ["spontaneous"])
    file.add_epoch(LENGTH_S / 2, LENGTH_S, ["task"])
    return file


def _calcium(traces: np.ndarray):
    from pynwb import NWBFile
    from pynwb.ophys import Fluorescence, ImageSegmentation, OpticalChannel

    file = NWBFile("calcium", "calcium", datetime(2026, 1, 1, tzinfo=UTC))
    plane = file.create_imaging_plane(
        name="plane",
        optical_channel=OpticalChannel("green", "GCaMP", 510.0),
        description="a plane",
        device=file.create_device("microscope"),
        excitation_lambda=920.0,
        indicator="GCaMP6f",
        location="VISp",
        imaging_rate=RATE_HZ,
    )
    found = ImageSegmentation()
    cells = found.create_plane_segmentation("cells", plane, "PlaneSegmentation")
    for cell in range(CELLS):
        cells.add_roi(pixel_mask=[(cell, cell, 1.0)])
    whole = cells.create_roi_table_region("cells that move", region=list(range(FIRST, CELLS)))
    module = file.create_processing_module("ophys", "imaging")
    module.add(found)
    fluorescence = Fluorescence()
    fluorescence.create_roi_response_series(
        name="RoiResponseSeries", data=traces, rois=whole, unit="a.u.", rate=RATE_HZ
    )
    module.add(fluorescence)
    return file


def read(folder: Path) -> int:
    """Compare what is read with what went in."""
    import boltzbrain as bb

    truth = np.load(folder / "truth.npz")
    versions = json.loads((folder / "versions.json").read_text(encoding="utf-8"))
    units, calcium = (bb.read(folder / name) for name in ("units.nwb.zarr", "calcium.nwb.zarr"))
    trains = np.split(truth["times"], np.cumsum(truth["counts"])[:-1])
    found = [units.signal.train(unit) for unit in range(len(units.neurons))]
    checks = {
        "every spike time": len(found) == UNITS
        and all(np.array_equal(*pair) for pair in zip(found, trains, strict=True)),
        "every region": list(units.to_dataframe()["ccf"]) == list(truth["areas"]),
        "trials and epochs": set(units.epochs["label"]) == {"spontaneous", "task", "trials"},
        "every trace": np.array_equal(calcium.signal.frames, truth["traces"]),
        "every cell": list(calcium.neurons["id"]) == [str(one) for one in range(FIRST, CELLS)],
        "region of the plane": set(calcium.to_dataframe()["ccf"]) == {"VISp"},
        "seconds of the frames": np.allclose(calcium.signal.times, np.arange(FRAMES) / RATE_HZ),
    }
    store = json.loads((folder / "units.nwb.zarr" / "zarr.json").read_text(encoding="utf-8"))
    checks["the store is of version 3"] = store["zarr_format"] == 3
    lines = ["written by " + ", ".join(f"{name} {value}" for name, value in versions.items())]
    lines += [f"{name}: {'equal' if good else 'DIFFERS'}" for name, good in checks.items()]
    Path(__file__).with_suffix(".txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))
    return 0 if all(checks.values()) else 1


def write_and_read() -> int:
    """Do both, the first half in an environment made for it."""
    found = [one for one in ("python3.14", "python3.13", "python3.12") if _runs(one)]
    if not found:
        print("no Python 3.12 or newer on PATH: not run")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        subprocess.run([found[0], "-m", "venv", place / "venv"], check=True)
        python = place / "venv" / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "-q", "hdmf-zarr", "pynwb"], check=True)
        subprocess.run([python, __file__, "write", place / "stores"], check=True)
        return read(place / "stores")


def _runs(python: str) -> bool:
    where = shutil.which(python)
    # a version manager has names on PATH that start nothing
    return where is not None and not subprocess.run([where, "-V"], capture_output=True).returncode


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            sys.exit(write_and_read())
        case ["write", name]:
            write(Path(name))
        case ["read", name]:
            sys.exit(read(Path(name)))
        case _:
            sys.exit(__doc__)
