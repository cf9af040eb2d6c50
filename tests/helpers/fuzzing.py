"""Spoilt files, read in a forked worker that may take little memory and little time."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from boltzbrain.data.signals import Binned
from boltzbrain.foundations.checks import InputError
from boltzbrain.readers import read
from helpers.checking import check_recording
from helpers.disguising import disguise
from helpers.layouts import LAYOUTS, Layout, npz_arrays
from helpers.other_layouts import write_neo

LONGEST_S = 10
MOST_MB = 500.0
# the worker is stopped here: address space that is asked for and never touched counts too
_ADDRESS_MB = 2000
# share of the files that stay whole and hold something else
_DISGUISED = 0.2

FUZZED = {
    **LAYOUTS,
    # read where it is asked for, by Neo's code: what its compiled readers do with damage is theirs
    "neo": Layout("neo", write_neo, {"format": "neo", "io": "AsciiSpikeTrainIO"}),
}
"""Layouts whose files are spoilt, by name."""


class TooSlowError(BaseException):
    """Raised by the alarm; no exception, so that no reader takes it for damage."""


@dataclass
class Outcome:
    """What became of the files of one layout.

    Attributes
    ----------
    refused, read
        Files refused with one clear message, and read to a consistent recording.
    wrong
        What went wrong, one line per file.
    slowest_s, memory_mb
        The longest time for a file, and the worker's peak above its start.
    """

    refused: int = 0
    read: int = 0
    wrong: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    memory_mb: float = 0.0


def spoil(whole: bytes, generator: np.random.Generator) -> bytes:
    """Return a damaged copy."""
    data = np.frombuffer(whole, dtype=np.uint8).copy()
    way = int(generator.integers(5))
    if way == 0:
        return whole[: int(generator.integers(len(whole)))]
    if way == 1:  # flip a few bits anywhere
        places = generator.integers(len(data), size=int(generator.integers(1, 9)))
        np.bitwise_xor.at(data, places, (1 << generator.integers(8, size=len(places))).astype("u1"))
    elif way == 2:  # flip bits at either end, where the directories lie
        edge = min(2000, len(data))
        place = int(generator.integers(edge)) - (edge if generator.random() < 0.5 else 0)
        data[place] ^= np.uint8(1 << int(generator.integers(8)))
    else:
        first = int(generator.integers(len(data)))
        length = int(generator.integers(1, 64))
        if way == 3:  # huge numbers, zeros, or noise over a stretch
            fill = generator.choice([0, 255, 127])
            data[first : first + length] = fill
        else:
            start = int(generator.integers(len(data)))
            piece = data[start : start + length].copy()[: len(data) - first]
            data[first : first + len(piece)] = piece
    return data.tobytes()


def fuzz(layout: str, files: int, folder: Path, seed: int) -> Outcome:
    """Spoil copies of a layout and read them in a worker.

    Parameters
    ----------
    layout
        Name in `FUZZED`.
    files
        How many.
    folder
        An empty folder to work in.
    seed
        Of the damage.
    """
    FUZZED[layout].write(folder / "whole")
    answer = folder / "outcome.json"
    with warnings.catch_warnings():
        # a fork of a process with threads is fine here: the worker starts none and calls no lock
        warnings.simplefilter("ignore", DeprecationWarning)
        worker = os.fork()
    if worker == 0:
        status = 1
        try:
            outcome = _work(layout, files, folder, seed)
            answer.write_text(json.dumps(vars(outcome)), encoding="utf-8")
            status = 0
        finally:
            os._exit(status)
    _, ended = os.waitpid(worker, 0)
    if ended != 0 or not answer.exists():
        return Outcome(wrong=[f"the worker died with status {ended}"])
    return Outcome(**json.loads(answer.read_text(encoding="utf-8")))


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _address_mb() -> float:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmSize:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _ring(_number: int, _frame: Any) -> None:
    raise TooSlowError


def _work(layout: str, files: int, folder: Path, seed: int) -> Outcome:
    limit = int((_address_mb() + _ADDRESS_MB) * 2**20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    signal.signal(signal.SIGALRM, _ring)
    generator = np.random.default_rng([seed, *layout.encode()])
    whole, path, marker = folder / "whole", folder / "spoilt", folder / "ran"
    members = sorted(one for one in whole.rglob("*") if one.is_file()) if whole.is_dir() else []
    content = {one: one.read_bytes() for one in members or [whole]}
    outcome, start_mb = Outcome(), _peak_mb()
    for number in range(files):
        target, source = path, whole
        if members:
            shutil.rmtree(path, ignore_errors=True)
            shutil.copytree(whole, path)
            source = members[int(generator.integers(len(members)))]
            target = path / source.relative_to(whole)
        if generator.random() < _DISGUISED:
            target.write_bytes(content[source])
            disguise(target, generator, marker)
        else:
            target.write_bytes(spoil(content[source], generator))
        began = time.perf_counter()
        signal.alarm(LONGEST_S)
        wrong = ""
        try:
            recording = read(path, **FUZZED[layout].options)
        except InputError as refused:
            wrong = _unclear(str(refused), path)
            outcome.refused += not wrong
        except (Exception, TooSlowError) as error:  # every other end is a fault of the reader
            wrong = f"{type(error).__name__}: {error}"
        else:
            wrong = _inconsistent(recording, layout)
            outcome.read += not wrong
        signal.alarm(0)
        outcome.slowest_s = max(outcome.slowest_s, time.perf_counter() - began)
        if wrong:
            outcome.wrong.append(f"file {number} ({source.name}): {wrong}"[:300])
        if marker.exists():
            outcome.wrong.append(f"file {number} ({source.name}): its code was run")
            marker.unlink()
    outcome.memory_mb = _peak_mb() - start_mb
    return outcome


def _unclear(message: str, path: Path) -> str:
    """Return what is unclear in a message, "" if nothing."""
    clear = (
        message.startswith(str(path))
        and " must " in message
        and "; got " in message
        and "\n" not in message
    )
    return "" if clear else f"unclear message: {message}"


def _inconsistent(recording: Any, layout: str) -> str:
    """Return what is wrong with a recording, "" if nothing."""
    try:
        check_recording(recording)
        if layout == "npz":  # whose checksums find all damage
            assert isinstance(recording.signal, Binned)
            np.testing.assert_array_equal(recording.signal.counts, npz_arrays()["counts"])
    except AssertionError as error:
        return f"inconsistent: {error}".split("\n")[0]
    return ""
