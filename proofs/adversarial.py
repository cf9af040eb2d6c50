"""Hostile recordings through every command: the right value or the right refusal, and no Python.

A fresh set of files, each a kind of what users' files do wrong, and everything in ../shared/data,
go through info, info --check, fit (a small one), evaluate, interpret, report and sample, each in a
process of its own with a time limit. A file fails

- on a traceback, a status other than 0, 2 or 3, or a command that outlasts its limit;
- on the insides of Python in a message (an object's address, a class, a numpy type, a warning of a
  library as it stands);
- where the data are known to be wrong and `info --check` calls them usable or clean, unless the
  commands refuse them.

    python proofs/adversarial.py [FOLDER] [--only WORD] [--until COMMAND] [--again]

writes a line a file into FOLDER/lines.jsonl (build/adversarial) as it goes and onto the terminal,
and goes on where it was stopped; --again forgets what it knows of the files chosen. Of all files
together it writes adversarial.txt beside itself. It ends with 1 if any file failed.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pkgutil
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import h5py
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"
LIMIT_S, LATE = 240.0, 124
LENGTH_S, NEURONS = 120.0, 12
TINY = ("--hidden", "3", "--updates", "20", "--chains", "50", "--batch", "100")

INSIDES = (
    r"Traceback \(most recent",
    r"object at 0x",
    r"<class '",
    r"<ast\.",
    r"\bnp\.(float|int|uint|str_|bool_|array)",
    r"\bnumpy\.",
    r"\bdtype\(",
    r"(Runtime|Future|User|Deprecation|Performance)Warning",
    r"All-NaN slice|Mean of empty slice|Degrees of freedom <= 0|invalid value encountered",
    r"divide by zero encountered|overflow encountered|Unable to synchronously|h5py",
)
"""What no message may hold."""


@dataclass(frozen=True)
class Case:
    """A recording, and what is known of it.

    Attributes
    ----------
    name
        Its name; unique.
    make
        Writes it into a folder and returns the words that name it on a command line.
    expect
        "wrong": the data mislead, so `--check` says "mend first", or it is refused; "refused": no
        command takes it; "told": it may be read right, or is refused, but is not called usable;
        "mended": what is wrong is named and mended by what the commands do, so that it is called
        usable and not clean; "right": it is read and trained on; "any": nothing but manners.
    must
        What must stand somewhere in the output, a regular expression.
    environment
        Variables of the process.
    """

    name: str
    make: Callable[[Path], Sequence[str]]
    expect: str = "any"
    must: str = ""
    environment: dict[str, str] = field(default_factory=dict)


CASES: list[Case] = []


def case(name: str, expect: str = "any", must: str = "", **environment: str) -> Callable:
    """Enter a function that writes a recording, or returns the words for it, as a case."""

    def enter(make: Callable[[Path], Sequence[str] | None]) -> Callable:
        def words(folder: Path) -> Sequence[str]:
            folder.mkdir(parents=True, exist_ok=True)
            return make(folder) or [str(next(iter(sorted(folder.iterdir()))))]

        CASES.append(Case(name, words, expect, must, environment))
        return make

    return enter


# --- what recordings are made of


def rng() -> np.random.Generator:
    """Return the generator of every file: the same file each time."""
    return np.random.default_rng(0)


def states(bins: int = 3000, neurons: int = NEURONS, share: float = 0.15) -> np.ndarray:
    """Return binary activity with two assemblies, (bin, neuron) uint8."""
    generator = rng()
    on = generator.random((bins, 2)) < 0.15
    member = np.arange(neurons)[None, :] % 2 == 0
    chance = np.where(member, on[:, :1], on[:, 1:]) * 0.6 + share / 2
    return (generator.random((bins, neurons)) < chance).astype(np.uint8)


def trains(rate_hz: float = 6.0, length_s: float = LENGTH_S, offset_s: float = 0.0) -> list:
    """Return spike trains with a refractory period of 3 ms, in seconds."""
    generator = rng()
    result = []
    for _ in range(NEURONS):
        gaps = 0.003 + generator.exponential(1 / rate_hz, int(2 * rate_hz * length_s) + 10)
        times = np.cumsum(gaps)
        result.append(offset_s + times[times < length_s])
    return result


def calcium(frames: int = 2000, cells: int = 8) -> np.ndarray:
    """Return fluorescence with transients over a baseline of 1, (frame, cell)."""
    generator = rng()
    events = generator.random((frames, cells)) < 0.02
    kernel = np.exp(-np.arange(40) / 8)
    shape = np.stack([np.convolve(one, kernel)[:frames] for one in events.T], axis=1)
    return 1 + shape + 0.05 * generator.normal(size=(frames, cells))


def npz(folder: Path, **arrays: object) -> None:
    """Write the package's npz, some arrays replaced."""
    held = {"states": states(), "bin_width_s": 0.02, **arrays}
    np.savez(folder / "a.npz", **{name: one for name, one in held.items() if one is not None})


def nwb(
    path: Path, spikes: list, kind: str = "f8", obs=None, epochs=(), areas=(), columns=None
) -> None:
    """Write an NWB units table."""
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.6.0"
        units = file.create_group("units")
        units["id"] = np.arange(len(spikes))
        units["spike_times"] = np.concatenate([*spikes, np.empty(0)]).astype(kind)
        units["spike_times_index"] = np.cumsum([len(one) for one in spikes], dtype=np.int64)
        if obs is not None:
            units["obs_intervals"] = np.concatenate(obs)
            units["obs_intervals_index"] = np.cumsum([len(one) for one in obs])
        if len(areas):
            units["location"] = list(areas)
        for name, values in (columns or {}).items():
            units[name] = values
        if len(epochs):
            table = file.create_group("intervals/epochs")
            table["id"] = np.arange(len(epochs))
            table["start_time"], table["stop_time"] = np.array(epochs, dtype=float).T
            table["label"] = [f"epoch{n}" for n in range(len(epochs))]


def phy(folder: Path, samples: np.ndarray, rate: str = "30000.0", clusters: int = 10) -> None:
    """Write a phy folder."""
    np.save(folder / "spike_times.npy", samples)
    np.save(folder / "spike_clusters.npy", (np.arange(len(samples)) % clusters).astype(np.int32))
    (folder / "params.py").write_text(f"dat_path = 'a.dat'\nsample_rate = {rate}\n")


def samples(length_s: float = LENGTH_S, count: int = 8000) -> np.ndarray:
    """Return ascending sample numbers at 30 kHz."""
    return np.sort((rng().uniform(0, length_s, count) * 30_000).astype(np.int64))


def frames_of(folder: Path, values: np.ndarray, kind: str = "fluorescence") -> list[str]:
    """Write traces, and return the words that read them and make them binary."""
    np.save(folder / "a.npy", values.astype(np.float32))
    method = "deconvolved" if kind == "deconvolved" else "bsd"
    read = [f"values={kind}", "axes=time,neuron", "frame_s=0.1"]
    more = [word for one in read for word in ("--read", one)]
    return [str(folder / "a.npy"), *more, "--calcium", method]


def csv(folder: Path, text: str) -> list[str]:
    """Write a csv of states, and return the words that read it."""
    (folder / "a.csv").write_bytes(text.encode("utf-8"))
    more = [word for one in ("axes=time,neuron", "frame_s=0.02") for word in ("--read", one)]
    return [str(folder / "a.csv"), *more]


def rows(separator: str = ",", comma: bool = False, index: bool = False) -> str:
    """Return the rows of a csv of states."""
    out = []
    for number, row in enumerate(states(1500).astype(float)):
        cells = [f"{one:.1f}".replace(".", ",") if comma else f"{int(one)}" for one in row]
        out.append(separator.join([str(number), *cells] if index else cells))
    return "\n".join(out) + "\n"


# --- good twins: what must stay right


@case("good npz", "right")
def _(folder: Path) -> None:
    npz(folder)


@case("good nwb", "right")
def _(folder: Path) -> None:
    whole = [np.array([[0.0, LENGTH_S]])] * NEURONS
    nwb(folder / "a.nwb", trains(), obs=whole, epochs=[(0, 60)], areas=["CA1", "V1"] * 6)


@case("good phy", "right")
def _(folder: Path) -> list[str]:
    phy(folder, samples())
    return [str(folder)]


@case("good traces", "right")
def _(folder: Path) -> list[str]:
    return frames_of(folder, calcium())


@case("good csv", "right")
def _(folder: Path) -> list[str]:
    return csv(folder, rows())


# --- A: wrong results without a word


@case("calcium around zero", "mended", "baseline near zero")
def _(folder: Path) -> list[str]:
    return frames_of(folder, calcium() - 1)


@case("calcium NaN, constant and saturated cells", "mended", "lack more than 10 %")
def _(folder: Path) -> list[str]:
    values = calcium()
    values[:, 0], values[:, 1], values[:400, 2] = np.nan, 7.0, np.nan
    values[:, 3] = np.minimum(values[:, 3], np.quantile(values[:, 3], 0.3))
    return frames_of(folder, values)


@case("calcium NaN frames everywhere", "mended", "40 frames lie in long gaps")
def _(folder: Path) -> list[str]:
    values = calcium()
    values[100:140] = np.nan
    return frames_of(folder, values)


@case("an event matrix of one amplitude", "right")
def _(folder: Path) -> list[str]:
    return frames_of(folder, np.where(rng().random((2000, 8)) < 0.05, 0.05, 0), "deconvolved")


@case("an event matrix, sparse", "told")
def _(folder: Path) -> list[str]:
    amplitude = rng().gamma(2, 0.2, (20_000, 8))
    return frames_of(
        folder, np.where(rng().random((20_000, 8)) < 1e-3, amplitude, 0), "deconvolved"
    )


@case("an event matrix, all zero", "told")
def _(folder: Path) -> list[str]:
    return frames_of(folder, np.zeros((2000, 8)), "deconvolved")


@case("npz times with a gap", "told")
def _(folder: Path) -> None:
    times = 0.02 * np.arange(3000) + np.where(np.arange(3000) > 1500, 480.0, 0.0)
    npz(folder, time_s=times)


@case("npz times in milliseconds", "wrong")
def _(folder: Path) -> None:
    npz(folder, time_s=20.0 * np.arange(3000))


@case("npz bin width in milliseconds", "wrong")
def _(folder: Path) -> None:
    npz(folder, bin_width_s=20.0)


@case("npz bin width of a microsecond", "wrong")
def _(folder: Path) -> None:
    npz(folder, bin_width_s=1e-6)


@case("nwb times in milliseconds", "wrong")
def _(folder: Path) -> None:
    nwb(folder / "a.nwb", [1000 * one for one in trains(6.0, 60.0)])


@case("csv with a BOM", "right")
def _(folder: Path) -> list[str]:
    return csv(folder, "\ufeff" + rows())


@case("csv with an index column", "told")
def _(folder: Path) -> list[str]:
    head = "," + ",".join(f"n{n}" for n in range(NEURONS)) + "\n"
    return csv(folder, head + rows(index=True))


@case("csv of decimal commas", "told")
def _(folder: Path) -> list[str]:
    return csv(folder, rows(";", comma=True))


@case("csv of semicolons", "right")
def _(folder: Path) -> list[str]:
    return csv(folder, rows(";"))


@case("csv of tabs", "right")
def _(folder: Path) -> list[str]:
    return csv(folder, rows("\t"))


@case("csv with CRLF", "right")
def _(folder: Path) -> list[str]:
    return csv(folder, rows().replace("\n", "\r\n"))


@case("csv of words", "told")
def _(folder: Path) -> list[str]:
    return csv(folder, "a,b,c\nx,y,z\nx,y,z\n")


@case("half of the spikes negative", "wrong")
def _(folder: Path) -> None:
    nwb(folder / "a.nwb", [np.r_[-one[::2], one[1::2]] for one in trains()])


@case("half of the spikes NaN", "wrong")
def _(folder: Path) -> None:
    nwb(folder / "a.nwb", [np.where(np.arange(len(one)) % 2, one, np.nan) for one in trains()])


@case("float32 times late in a session", "wrong")
def _(folder: Path) -> None:
    nwb(folder / "a.nwb", trains(offset_s=1_100_000.0), kind="f4")


@case("times rounded to tenths", "wrong")
def _(folder: Path) -> None:
    nwb(folder / "a.nwb", [np.round(one, 1) for one in trains()])


@case("phy samples that overflowed int32", "wrong")
def _(folder: Path) -> list[str]:
    phy(folder, samples(30 * 3600.0, 40_000).astype("u4").view("i4"))
    return [str(folder)]


@case("phy samples that overflowed uint32", "wrong")
def _(folder: Path) -> list[str]:
    phy(folder, samples(60 * 3600.0, 40_000).astype("u4"))
    return [str(folder)]


@case("times that start again", "wrong")
def _(folder: Path) -> None:
    half = LENGTH_S / 2
    nwb(folder / "a.nwb", [np.r_[one[one < half], one[one >= half] - half] for one in trains()])


@case("epochs without ends", "wrong")
def _(folder: Path) -> None:
    bad = [(0, 60), (60, np.nan), (70, np.inf), (80, 80), (100, 90)]
    nwb(folder / "a.nwb", trains(), epochs=bad)


@case("npz epochs without ends", "wrong")
def _(folder: Path) -> None:
    npz(folder, **{
        "epochs/start_s": np.array([0, 9, np.nan]), "epochs/stop_s": np.array([5, 2, np.inf]),
        "epochs/label": np.array(["a", "b", "c"]),
    })  # fmt: skip


@case("units observed at different times", "wrong")
def _(folder: Path) -> None:
    obs = [np.array([[0.0, LENGTH_S / (1 + n % 2)]]) for n in range(NEURONS)]
    nwb(folder / "a.nwb", trains(), obs=obs)


@case("spikes outside of obs_intervals", "wrong")
def _(folder: Path) -> None:
    nwb(folder / "a.nwb", trains(), obs=[np.array([[0.0, LENGTH_S / 2]])] * NEURONS)


@case("regions named nan", "wrong")
def _(folder: Path) -> None:
    nwb(folder / "a.nwb", trains(), areas=["nan", "CA1"] * 6)


@case("npz regions named nan", "wrong")
def _(folder: Path) -> None:
    npz(folder, region=np.array(["nan", "CA1"] * 6))


@case("joined to itself as probes", "wrong")
def _(folder: Path) -> list[str]:
    nwb(folder / "a.nwb", trains())
    return [str(folder / "a.nwb")] * 2 + ["--join", "probes"]


@case("joined to itself as sessions", "wrong")
def _(folder: Path) -> list[str]:
    nwb(folder / "a.nwb", trains())
    return [str(folder / "a.nwb")] * 2 + ["--join", "sessions"]


# --- B: tracebacks


for _kind in ("i1", "u1", "<i2", ">i2", "<u2", ">u4", "<i8", ">i8", "<u8", "f2", "<f4", ">f8", "?"):

    @case(f"counts as {_kind}", "right")
    def _(folder: Path, kind: str = _kind) -> None:
        npz(folder, states=None, counts=states().astype(kind))


for _text in (
    "V1[/b]",
    "CA1[x]",
    "[bold]a[/bold]",
    "$a_{b",
    "<b>x</b>",
    "a\x1b[31m",
    "α β",
    "%s {}",
):
    # signs that steer a terminal are not for it
    _shown = "" if "\x1b" in _text else re.escape(_text)

    @case(f"regions named {_text!a}", "right", _shown)
    def _(folder: Path, text: str = _text) -> None:
        npz(
            folder,
            region=np.array([text, "CA1"] * 6),
            neuron_id=np.array([f"{text}{n}" for n in range(12)]),
        )


for _name in ("[bold]re.npz", "a b'c.npz", "$x$.npz", "-x.npz", "é.npz"):

    @case(f"a file called {_name!a}", "right", re.escape(_name))
    def _(folder: Path, name: str = _name) -> list[str]:
        npz(folder)
        (folder / "a.npz").rename(folder / name)
        return [str(folder / name)]


for _encoding in ("cp1252", "latin-1", "ascii"):

    @case(f"a terminal in {_encoding}", "right", PYTHONIOENCODING=_encoding)
    def _(folder: Path) -> None:
        npz(folder, region=np.array(["α", "CA1"] * 6))


@case("a terminal in the C locale", "right", LANG="C", LC_ALL="C", PYTHONUTF8="0")
def _(folder: Path) -> None:
    npz(folder)


for _rate, _meant in (
    ("2500.0 * 12", "right"), ("30000/1", "right"), ("get_rate()", "refused"),
    ("-30000", "refused"),
    ("[30000]", "refused"), ("'30000'", "refused"), ("3e4j", "refused"), ("1/0", "refused"),
    ("None", "refused"), ("10**4", "refused"), ("float('nan')", "refused"), ("(", "refused"),
    ("True", "refused"),
):  # fmt: skip

    @case(f"phy rate {_rate}", _meant)
    def _(folder: Path, rate: str = _rate) -> list[str]:
        phy(folder, samples(), rate)
        return [str(folder)]


# --- C: reasons that mislead, checks that come late


for _count in (1, 2):

    @case(f"neurons: {_count}")
    def _(folder: Path, count: int = _count) -> None:
        npz(folder, states=states(neurons=count))


@case("nwb without a spike", "refused", "at least one spike")
def _(folder: Path) -> None:
    nwb(folder / "a.nwb", [np.empty(0)] * 3)


@case("nwb without a unit", "refused", "at least one unit")
def _(folder: Path) -> None:
    nwb(folder / "a.nwb", [])


@case("nwb with a single spike", "refused", "instant")
def _(folder: Path) -> None:
    nwb(folder / "a.nwb", [np.array([3.0])])


@case("phy without a spike", "refused", "spike")
def _(folder: Path) -> list[str]:
    phy(folder, np.empty(0, dtype=np.int64))
    return [str(folder)]


@case("nothing ever active")
def _(folder: Path) -> None:
    npz(folder, states=np.zeros((3000, 5), np.uint8))


@case("everything always active")
def _(folder: Path) -> None:
    npz(folder, states=np.ones((3000, 5), np.uint8))


@case("some always active")
def _(folder: Path) -> None:
    whole = states()
    whole[:, :3] = 1
    npz(folder, states=whole)


@case("no bin", "refused")
def _(folder: Path) -> None:
    npz(folder, states=np.zeros((0, 5), np.uint8))


@case("no neuron", "refused")
def _(folder: Path) -> None:
    npz(folder, states=np.zeros((100, 0), np.uint8))


@case("a single bin")
def _(folder: Path) -> None:
    npz(folder, states=np.ones((1, 5), np.uint8))


@case("/dev/null", "refused", "a device")
def _(folder: Path) -> list[str]:
    return ["/dev/null"]


@case("a pipe", "refused", "pipe")
def _(folder: Path) -> list[str]:
    os.mkfifo(folder / "fifo")
    return [str(folder / "fifo")]


@case("a socket", "refused", "a socket")
def _(folder: Path) -> list[str]:
    name = Path("/tmp") / f"adversarial{os.getpid()}"  # a path of a socket is short
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(name))
    return [str(name)]


@case("a pipe in a phy folder", "refused", "pipe")
def _(folder: Path) -> list[str]:
    phy(folder, samples())
    (folder / "spike_clusters.npy").unlink()
    os.mkfifo(folder / "spike_clusters.npy")
    return [str(folder)]


@case("an empty file", "refused", "empty")
def _(folder: Path) -> None:
    (folder / "a.nwb").touch()


@case("a folder without files", "refused")
def _(folder: Path) -> list[str]:
    return [str(folder)]


@case("nothing at that path", "refused")
def _(folder: Path) -> list[str]:
    return [str(folder / "absent.npz")]


@case("an empty name", "refused")
def _(folder: Path) -> list[str]:
    return [""]


@case("a stray spike at day 29", "wrong")
def _(folder: Path) -> None:
    nwb(folder / "a.nwb", [np.r_[one, 29 * 86400.0] if n == 3 else one
                           for n, one in enumerate(trains())])  # fmt: skip


@case("phy after an offset of two days", "right")
def _(folder: Path) -> list[str]:
    phy(folder, samples() + 2 * 86400 * 30_000)
    return [str(folder)]


@case("nwb after an offset of two days", "right")
def _(folder: Path) -> None:
    nwb(folder / "a.nwb", trains(offset_s=2 * 86400.0))


# --- everything real


def reading(**options: object) -> list[str]:
    """Return the words of `--read` for options of a reader."""
    return [word for name, one in options.items() for word in ("--read", f"{name}={one}")]


BINARY = ("--calcium", "bsd")
TOLD = {
    "suite2p": [*reading(frame_s=0.1), *BINARY],
    "spikefinder/5.train.calcium.csv": [
        *reading(axes="time,neuron", values="fluorescence", frame_s=0.01), *BINARY,
    ],
    "allen_epochs/Y.csv": reading(axes="neuron,time", values="counts", frame_s=0.5),
    "zebrafish/timeseries_regions_fish6.npy": [
        *reading(axes="neuron,time", values="dff", frame_s=0.5), *BINARY,
    ],
    **{f"celegans/{name}": BINARY for name in (
        "2022-07-26-31-data.h5", "2022-07-26-31.npz", "2022-07-26-38.npz", "2022-07-27-31.npz",
        "2022-07-27-45.npz",
    )},
}  # fmt: skip
"""What must be told of files that do not say it themselves."""

RIGHT = ("steinmetz/session10.npz", "steinmetz/session12.npz", "retina/salamander.npz", "phy",
         "nwb/A8604-211122.nwb", *TOLD)  # fmt: skip


def real() -> list[Case]:
    """Return every recording of ../shared/data, and every other file as hostile as it is."""
    folders = ("phy", "suite2p")
    found = []
    for path in sorted(SHARED.rglob("*")):
        name = str(path.relative_to(SHARED))
        inside = any(name.startswith(f"{one}/") for one in folders)
        if not inside and (path.is_file() or name in folders):
            words = [str(path), *TOLD.get(name, ())]
            expect = "right" if name in RIGHT else "any"
            found.append(Case(f"shared {name}", lambda _, words=words: words, expect))
    return found


# --- running


def command(words: Sequence[object], environment: dict[str, str]) -> tuple[int, str, float]:
    """Run the command line in a process; return its status, what it wrote, and the seconds.

    Forked from this one, which has imported everything: it takes a tenth of the time. A process
    with an environment of its own is started anew.
    """
    started = time.monotonic()
    with tempfile.TemporaryFile() as written:
        own = bool(environment)
        status = _anew(words, environment, written) if own else _forked(words, written)
        written.seek(0)
        text = written.read().decode("utf-8", "replace")
    return status, text, time.monotonic() - started


def _anew(words: Sequence[object], environment: dict[str, str], written: IO[bytes]) -> int:
    line = [sys.executable, "-m", "boltzbrain.cli.main", *map(str, words)]
    whole = {**os.environ, "PYTHONPATH": str(ROOT / "src"), **environment}
    try:
        done = subprocess.run(
            line, env=whole, stdout=written, stderr=written, timeout=LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return LATE
    return done.returncode


def _forked(words: Sequence[object], written: IO[bytes]) -> int:
    from boltzbrain.cli.main import main as run

    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            for stream in (1, 2):
                os.dup2(written.fileno(), stream)
            run([str(word) for word in words])
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        done, how = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(how)
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return LATE


def _import_all() -> None:
    """Import what the commands import when they run, so that every fork has it."""
    os.environ |= {"OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": "1", "COLUMNS": "300"}
    sys.path.insert(0, str(ROOT / "src"))
    import boltzbrain

    for module in pkgutil.walk_packages(boltzbrain.__path__, "boltzbrain."):
        if ".cuda" not in module.name:
            importlib.import_module(module.name)


def judge(one: Case, folder: Path, until: str = "sample") -> dict:
    """Run the commands on a case up to one; return what was found, with the faults."""
    shutil.rmtree(folder, ignore_errors=True)
    words, run = list(one.make(folder / "data")), folder / "run"
    recording = words
    steps = {
        "info": ["info", *recording],
        "check": ["info", *recording, "--check", "--json"],
        "fit": ["fit", *recording, "-o", run, *TINY],
        "evaluate": ["evaluate", run],
        "interpret": ["interpret", run],
        "report": ["report", run],
        "sample": ["sample", run, "-n", "100", "-o", folder / "samples.npz"],
    }
    names = list(steps)
    steps = {name: steps[name] for name in names[: names.index(until) + 1]}
    status, faults, said, verdict, seconds = {}, [], "", None, 0.0
    for name, line in steps.items():
        if name not in ("info", "check", "fit") and status.get("fit") != 0:
            continue
        status[name], text, took = command(line, one.environment)
        seconds, said = seconds + took, said + text
        if status[name] == LATE:
            faults.append(f"{name} outlasted {LIMIT_S:g} s")
        elif status[name] not in (0, 2, 3):
            faults.append(f"{name} ended with {status[name]}")
        for pattern in INSIDES:
            found = re.search(f".*(?:{pattern}).*", text)
            if found:
                faults.append(f"{name} says {found.group(0).strip()[:160]!r}")
        if name == "check" and status[name] == 0:
            start = text.find("{")
            verdict = json.JSONDecoder().raw_decode(text[start:])[0]["check"]["verdict"]
    refused = 2 in (status.get("fit", 0), status["info"])
    too_mild = {"wrong": ("usable", "clean"), "told": ("usable",), "mended": ("clean",)}.get(
        one.expect, ()
    )
    if not refused and verdict in too_mild:
        faults.append(f"check calls it {verdict}")
    if one.expect == "refused" and not refused:
        faults.append("it was not refused")
    if one.expect == "right" and any(status.get(name) != 0 for name in steps):
        faults.append(f"it should be right: {status}")
    if one.must and not re.search(one.must, said):
        faults.append(f"nothing says {one.must!r}")
    errors = [line for line in said.splitlines() if line.startswith(("Error", "Training failed"))]
    shutil.rmtree(folder, ignore_errors=True)
    return {
        "name": one.name, "expect": one.expect, "verdict": verdict, "status": status,
        "faults": faults, "error": errors[0][:300] if errors else None,
        "seconds": round(seconds, 1),
    }  # fmt: skip


def main() -> int:
    """Run what is not known yet; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "build" / "adversarial")
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--again", action="store_true", help="run them though they are known")
    parser.add_argument("--until", default="sample", help="the last command that is run")
    asked = parser.parse_args()
    _import_all()
    asked.folder.mkdir(parents=True, exist_ok=True)
    lines = asked.folder / "lines.jsonl"
    told = lines.read_text().splitlines() if lines.exists() else []
    known = {one["name"]: one for one in map(json.loads, told)}
    chosen = [one for one in [*CASES, *real()] if asked.only in one.name]
    printed = []
    for number, one in enumerate(chosen):
        if one.name not in known or asked.again:
            known[one.name] = judge(one, asked.folder / f"case{number}", asked.until)
            with lines.open("a") as stream:
                stream.write(json.dumps(known[one.name]) + "\n")
        printed.append(shown(known[one.name]))
        print(printed[-1], flush=True)
    failed = [one.name for one in chosen if known[one.name]["faults"]]
    printed.append(f"{len(chosen)} files, {len(failed)} failed")
    print(printed[-1])
    if not asked.only and asked.until == "sample":
        Path(__file__).with_suffix(".txt").write_text("\n".join(printed) + "\n")
    return int(bool(failed))


def shown(found: dict) -> str:
    """Return the line of a file; places of this machine are left out of it."""
    word = "FAIL" if found["faults"] else "ok"
    status = " ".join(f"{name} {code}" for name, code in found["status"].items() if code)
    told = "; ".join(found["faults"]) or found["error"] or ""
    told = told.replace(f"{ROOT}{os.sep}", "").replace(str(ROOT.parent), "..")
    verdict = found["verdict"] or "-"
    line = f"{word:<5}{found['name']:<45} {verdict:<11} {found['seconds']:>6} s  {status}  {told}"
    return line.rstrip()


if __name__ == "__main__":
    sys.exit(main())
