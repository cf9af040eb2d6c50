"""Both papers at their size, by the command line: seconds and peak memory of every step.

Usage: .venv/bin/python proofs/full_size.py [--scale 1] [--only mouse] [--updates N] [--keep DIR]

Writes two simulated recordings in the layouts of the real ones, with planted assemblies, and puts
each through

    boltzbrain info FILE; boltzbrain fit FILE -o RUN; boltzbrain evaluate RUN
    boltzbrain interpret RUN; boltzbrain report RUN

- mouse: a Visual Behavior Neuropixels NWB of 2,000 units in 20 areas and one hour, with the
  metrics, interval tables and declared waveforms of such a file; 20 ms bins, recipe "binary";
- fish: a zebrafish HDF5 of 40,000 neurons in 72 regions and 4,000 frames, states and dF/F; recipe
  "compositional".

`--scale` is the share of the neurons (hours and frames stay), `--updates` shortens the trainings.
`--keep` names a folder in which steps that were done are not done again.
Seconds are of the whole process, its start included; memory is the largest resident set that the
operating system counted for it. Of the fish is asked besides whether the training converged by
chains that mix, the gain beside that of the process that made the data (a lower bound, see
many_neurons.py) and of that process with its rates fitted to the training frames, covariances
beside those of the training frames, the normalised errors of <v>, <h>, <v h> and <v v>, how well
the weights tell the members of every planted assembly, and the effective samples of log Z.

Writes full_size.txt beside this file, or with another scale full_size_SCALE.txt in the current
folder. Exits 1 if a step fails, if a model gains less than five of its standard errors over
independent neurons, if a step takes more than 8 GiB, or if the fish misses one of the limits that
its lines name.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
COMMAND = Path(sys.executable).with_name("boltzbrain")
MOST_GIB, STDERRS = 8.0, 5.0
OF_PROCESS, OF_FITTED, OF_CEILING, MOST_NRMSE, LEAST_AREA = 0.95, 0.97, 0.9, 0.1, 0.97
LEAST_ESS_PERCENT = 10
PLANTED = "planted.npz"
HOUR_S, BIN_MS, FRAMES, FRAME_S = 3600.0, 20.0, 4000, 0.256

# numpy and the rest are imported where a file is written, in a process of its own: what the
# operating system counts for a child begins with the memory of the process that started it


def areas(names: tuple[str, ...], truth: Any, generator: Any) -> Any:
    """Return the number of each neuron's area: most members of an assembly share one."""
    import numpy as np

    count = len(truth.membership)
    home = truth.membership.argmax(axis=1) % len(names)
    at_home = truth.membership.any(axis=1) & (generator.uniform((1, count)).numpy()[0] < 0.8)
    return np.where(at_home, home, np.arange(count) % len(names))


def sizes(members: int, assemblies: int) -> tuple[int, int]:
    """Return the smallest and the largest assembly where all have so many members together."""
    mean = members / assemblies
    return round(0.6 * mean), round(1.4 * mean)


VISUAL = (
    "VISp", "VISl", "VISrl", "VISam", "VISpm", "VISal", "LGd", "LGv", "LP", "LD", "CA1", "CA3",
    "DG", "SUB", "ProS", "APN", "MRN", "SCig", "SCiw", "TH",
)  # fmt: skip


def write_mouse(path: Path, scale: float) -> None:
    """Write a session of Visual Behavior Neuropixels; spikes are planted in bins of 20 ms."""
    import numpy as np

    sys.path.insert(0, str(ROOT / "tests"))
    from boltzbrain.foundations.random import Generator
    from boltzbrain.sampling.synthetic import simulate_assemblies
    from helpers.nwb_layouts import new_file, put, put_spikes

    units, bins = max(60, round(2000 * scale)), round(HOUR_S * 1000 / BIN_MS)
    count = max(6, round(40 * scale))
    generator = Generator.from_seed(0, "full size", "mouse")
    truth = simulate_assemblies(
        generator, neurons=units, assemblies=count, bins=bins, sizes=sizes(units, count),
        on_fraction=(0.02, 0.06), firing=0.4, background=0.06, background_spread=1.0, overlap=0.2,
    )  # fmt: skip
    area = areas(VISUAL, truth, generator)
    places = np.random.default_rng(0)
    trains = []
    for first in range(0, units, 100):
        for states in np.ascontiguousarray(truth.states[:, first : first + 100].T):
            where = np.flatnonzero(states)
            where = np.sort(np.r_[where, where[places.random(len(where)) < 0.1]])
            times = (where + 0.02 + 0.96 * places.random(len(where))) * BIN_MS / 1000
            trains.append(np.sort(times))
    rows = 384 * 6
    electrode = np.sort(places.choice(rows, units, replace=False))
    location = np.full(rows, "root", dtype=object)
    location[electrode] = [VISUAL[one] for one in area]
    with new_file(path) as file:
        table = file.create_group("general/extracellular_ephys/electrodes")
        x = 4000.0 + 2.0 * np.arange(rows)
        put(
            table, id=850_126_378 + 2 * np.arange(rows), location=location.tolist(), x=x,
            y=x - 2000, z=x - 1000, valid_data=np.ones(rows),
            probe_vertical_position=np.arange(rows) % 384 * 10,
            group_name=[f"probe{'ABCDEF'[row // 384]}" for row in range(rows)],
        )  # fmt: skip
        group = file.create_group("units")
        put_spikes(group, trains)
        put(
            group, id=950_000_000 + np.arange(units),
            peak_channel_id=850_126_378 + 2 * electrode, quality=["good"] * units,
            isi_violations=places.random(units) * 0.4, presence_ratio=np.full(units, 0.97),
            amplitude_cutoff=places.random(units) * 0.09, snr=1 + 5 * places.random(units),
            firing_rate=np.array([len(train) / HOUR_S for train in trains]),
            waveform_duration=places.uniform(0.2, 0.8, units),
        )  # fmt: skip
        group.create_dataset("waveform_mean", shape=(384 * units, 82), dtype="f4", chunks=(384, 82))
        put(group, waveform_mean_index=384 * np.arange(1, units + 1))
        for name, begin, active in (("active", 0.0, 1.0), ("passive", HOUR_S / 2, 0.0)):
            on = begin + np.arange(0.0, HOUR_S / 2 - 60, 0.75)
            block = file.create_group(f"intervals/{name}_images_presentations")
            put(
                block, id=np.arange(len(on)), start_time=on, stop_time=on + 0.25,
                active=np.full(len(on), active), stimulus_block=np.full(len(on), 5 * (1 - active)),
            )  # fmt: skip


def write_fish(path: Path, scale: float) -> None:
    """Write a zebrafish recording: states, dF/F, masks of 72 regions, positions in millimetres."""
    import h5py
    import numpy as np

    from boltzbrain.foundations.random import Generator
    from boltzbrain.sampling.synthetic import simulate_assemblies

    neurons = max(1000, round(40_000 * scale))
    count = max(20, round(100 * scale))
    generator = Generator.from_seed(0, "full size", "fish")
    truth = simulate_assemblies(
        generator, neurons=neurons, assemblies=count, bins=FRAMES, overlap=0.1,
        sizes=sizes(round(0.8 * neurons), count), on_fraction=(0.03, 0.1), firing=0.3,
    )  # fmt: skip
    names = tuple(f"area {n // 2} {('left', 'right')[n % 2]}" for n in range(72))
    region = areas(names, truth, generator)
    draw = np.random.default_rng(0)
    centre = draw.uniform(0.1, 0.8, (72, 3))
    centre[::2, 0], centre[1::2, 0] = 0.15, 0.35
    xyz = centre[region] + 0.02 * draw.standard_normal((neurons, 3))
    with h5py.File(path, "w") as file:
        brain = file.create_group("Data/Brain")
        for name in ("Coordinates", "ZBrainCoordinates"):
            brain[name] = xyz.T
        brain["Labels"] = (region == np.arange(72)[:, None]).astype(np.float64)
        brain["Times"] = FRAME_S * np.arange(FRAMES)[:, None]
        analysis = brain.create_group("Analysis")
        analysis["ThresholdedSpikes"] = truth.states
        dff = analysis.create_dataset("DFF", (FRAMES, neurons), "f4")
        for first in range(0, FRAMES, 200):
            part = truth.states[first : first + 200]
            dff[first : first + 200] = part + 0.2 * draw.standard_normal(part.shape, np.float32)
    path.with_name("regions.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    np.savez_compressed(path.with_name(PLANTED), **vars(truth))


def ask_of_fish(run: Path, planted: Path) -> tuple[bool, list[str]]:
    """Return whether a model found what was planted, and the lines that say so."""
    import numpy as np
    from many_neurons import Process
    from planted_assemblies import best_areas

    import boltzbrain as bb
    from boltzbrain.sampling.synthetic import PlantedAssemblies

    found = bb.TrainingRun.open(run)
    activity = found.activity()
    kept = activity.neurons["id"].astype(int).to_numpy()
    with np.load(planted, allow_pickle=False) as file:
        truth = PlantedAssemblies(
            file["states"][:, kept], file["on"], file["membership"][kept],
            file["background"][kept], float(file["firing"]),
        )  # fmt: skip
    if not np.array_equal(truth.states, activity.states):
        return False, ["  the planted states are not those of the run: NO"]
    process = Process(truth, activity)
    made, (fitted, _) = process.gain(), process.gains_fitted()
    told = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))
    seen, judged = told["statistics"], found.info["convergence"]
    gain, forward = told["log_likelihood"]["gain"], told["log_likelihood"]["log_partition"]
    area = best_areas(found.best.weights.double().numpy(), truth).min()
    worst = max(seen["nrmse"][name] for name in ("v", "h", "vh", "vv"))
    forward = forward["forward"]
    percent = 100 * forward["effective_sample_size"] / forward["chains"]
    asked = [
        (f"status {judged['status']}, R-hat {judged['r_hat']:.3f}, by {judged['sampler']}",
         judged["status"] in ("converged", "recovered")),
        (f"gain {gain['value'] / made:.1%} of the process ({made:.1f}), limit {OF_PROCESS:.0%}",
         gain["value"] >= OF_PROCESS * made),
        (f"gain {gain['value'] / fitted:.1%} of the fitted one ({fitted:.1f}), limit "
         f"{OF_FITTED:.0%}", gain["value"] >= OF_FITTED * fitted),
        (f"covariances {seen['covariances']['ratio']:.2f} of the ceiling, limit {OF_CEILING:g}",
         seen["covariances"]["ratio"] >= OF_CEILING),
        ("nRMSE " + ", ".join(f"{n} {seen['nrmse'][n]:.2f}" for n in ("v", "h", "vh", "vv"))
         + f", limit {MOST_NRMSE:g}", worst <= MOST_NRMSE),
        (f"worst of {truth.on.shape[1]} assemblies found with area {area:.4f}, limit "
         f"{LEAST_AREA:g}", area >= LEAST_AREA),
        (f"effective samples of log Z {percent:.0f} %, limit {LEAST_ESS_PERCENT} %",
         percent >= LEAST_ESS_PERCENT),
    ]  # fmt: skip
    lines = [f"  {words}: {'yes' if holds else 'NO'}" for words, holds in asked]
    return all(holds for _, holds in asked), lines


@dataclass(frozen=True)
class Case:
    """A recording and how it is fitted."""

    name: str
    file: str
    size: str
    reading: tuple[str, ...]
    fitting: tuple[str, ...]


CASES = {
    "mouse": Case(
        "mouse", "mouse.nwb", "2,000 units in 20 areas, 1 hour", ("--bin-ms", "20"),
        ("--preset", "binary"),
    ),
    "fish": Case(
        "fish", "fish.h5", "40,000 neurons in 72 regions, 4,000 frames",
        ("--read", "labels_file={folder}/regions.txt"), ("--preset", "compositional"),
    ),
}  # fmt: skip
WRITERS = {"mouse": write_mouse, "fish": write_fish}


@dataclass(frozen=True)
class Measured:
    """Seconds and peak memory of one process."""

    step: str
    status: int
    seconds: float
    gib: float


def measure(step: str, words: list[str], log: Path) -> Measured:
    """Run one process and have the operating system count what it took."""
    began = time.monotonic()
    with log.open("ab") as out:
        process = subprocess.Popen(words, stdout=out, stderr=subprocess.STDOUT, cwd=ROOT)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - began
    return Measured(step, process.returncode, seconds, usage.ru_maxrss / 2**20)


def kept(folder: Path, case: Case, step: str, words: list[str], log: Path) -> Measured:
    """Return what a step took, from a folder where it was done before."""
    told = folder / f"{case.name}_steps.json"
    done = json.loads(told.read_text(encoding="utf-8")) if told.exists() else {}
    if step not in done:
        found = measure(step, words, log)
        if found.status:
            return found
        done[step] = {"seconds": found.seconds, "gib": found.gib}
        told.write_text(json.dumps(done, indent=1), encoding="utf-8")
    return Measured(step, 0, done[step]["seconds"], done[step]["gib"])


def through(case: Case, folder: Path, scale: float, updates: int | None) -> tuple[bool, list[str]]:
    """Put one recording through every step; return whether all limits hold, and the lines."""
    path, run, log = folder / case.file, folder / f"{case.name}_run", folder / f"{case.name}.log"
    script = [sys.executable, str(Path(__file__).resolve())]
    written = kept(
        folder, case, "write", [*script, "--write", case.name, str(path), str(scale)], log
    )
    if written.status:
        return False, [f"{case.name}: writing failed: {log.read_text()[-2000:]}"]
    reading = [word.format(folder=folder) for word in case.reading]
    fitting = [*case.fitting, *(["--updates", str(updates)] if updates else [])]
    steps = {
        "info": ["info", str(path), *reading],
        "fit": ["fit", str(path), "-o", str(run), *reading, *fitting, "--seed", "0"],
        "evaluate": ["evaluate", str(run)],
        "interpret": ["interpret", str(run)],
        "report": ["report", str(run)],
    }
    lines = [
        f"{case.name}: {case.size}" + (f", x {scale:g}" if scale != 1 else "")
        + f"; {path.stat().st_size / 1e9:.2f} GB; fit {shlex.join(fitting)}",
        f"  {'step':<10}{'seconds':>9}{'GiB':>7}",
    ]  # fmt: skip
    good = True
    for step, words in steps.items():
        found = kept(folder, case, step, [str(COMMAND), *words], log)
        good = good and found.status == 0 and found.gib <= MOST_GIB
        lines.append(f"  {step:<10}{found.seconds:>9.1f}{found.gib:>7.2f}")
        print(f"{case.name} {lines[-1]}", flush=True)
        if found.status:
            lines.append(f"  FAILED, status {found.status}: {log.read_text()[-2000:]}")
            return False, lines
    told = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))
    scores, seen = told["log_likelihood"], told["activity"]
    gain = scores["gain"]
    holds = gain["value"] is not None and gain["value"] > STDERRS * gain["stderr"]
    page = (run / "report.html").stat().st_size / 1e6
    lines.append(
        f"  {seen['neurons']} neurons kept; gain over independent neurons {gain['value']:+.2f} ± "
        f"{gain['stderr']:.2f} nats per test bin: {'yes' if holds else 'NO'}; page {page:.1f} MB"
    )
    good = good and holds
    if case.name == "fish":
        found, told_of = ask_of_fish(run, folder / PLANTED)
        good, lines = good and found, lines + told_of
    return good, lines


def main() -> int:
    """Run the proof; return the exit code."""
    if sys.argv[1:2] == ["--write"]:
        WRITERS[sys.argv[2]](Path(sys.argv[3]), float(sys.argv[4]))
        return 0
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=1.0, help="share of the neurons")
    parser.add_argument("--only", choices=list(CASES), help="one of the two recordings")
    parser.add_argument("--updates", type=int, help="updates of each training; the recipe's if not")
    parser.add_argument("--keep", type=Path, help="folder that keeps files and runs")
    given = parser.parse_args()
    lines = [
        f"{os.cpu_count()} cores, Python {platform.python_version()}; limits: {MOST_GIB:g} GiB, "
        f"a gain of {STDERRS:g} standard errors"
    ]
    good = True
    with contextlib.ExitStack() as stack:
        folder = given.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        for name in [given.only] if given.only else list(CASES):
            holds, told = through(CASES[name], folder.resolve(), given.scale, given.updates)
            good = good and holds
            lines += told
    whole = given.scale == 1 and given.only is None and given.updates is None
    output = Path(__file__).with_suffix(".txt") if whole else Path(f"full_size_{given.scale:g}.txt")
    text = "\n".join([*lines, f"all limits hold: {'yes' if good else 'NO'}"]) + "\n"
    output.write_text(text, encoding="utf-8")
    print(text)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
