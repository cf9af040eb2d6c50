"""Write what the commands of this version write, small, into VERSION.zip beside this file.

Run once with every release, by the code that is released::

    python tests/frozen/freeze.py

`tests/stories/test_frozen.py` then opens it by the code of every later version. In the archive:
small.npz, a recording; run/, evaluated with baselines and interpreted; drelu/, a compositional
model, fitted only; sweep/, two runs; stopped/, a training killed in the middle; samples.npz. From
0.3.0 on: past/, a run with a context, evaluated; study/, of run/ and other.npz.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import zipfile
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "src")]

from boltzbrain.foundations.checks import bad_input  # noqa: E402
from helpers.command_line import QUICK, make, write_small  # noqa: E402
from helpers.killing import kill_after, start  # noqa: E402

LONG = [word if word != "40" else "3000" for word in QUICK]
TINY = [
    "--set",
    "batch=100",
    "--set",
    "chains=50",
    "--set",
    "ais_chains=50",
    "--set",
    "ais_rungs=30",
]
KEPT = (
    "small.npz", "run", "drelu", "sweep", "stopped", "samples.npz", "past", "other.npz", "study",
)  # fmt: skip


def write_all() -> None:
    """Write everything into the working folder."""
    recording = write_small(Path("small.npz")).name
    make("fit", recording, "-o", "run", *QUICK)
    make("evaluate", "run", "--baselines", "independent,pca")
    make("interpret", "run")
    make("sample", "run", "-n", "50", "-o", "samples.npz")
    drelu = ["--preset", "compositional", "--hidden", "4", "--updates", "60", *TINY]
    make("fit", recording, "-o", "drelu", *drelu, "--set", "checkpoints=4")
    grid = ["--hidden", "4,6", "--updates", "40", *TINY, "--set", "checkpoints=4"]
    make("sweep", recording, "-o", "sweep", *grid)
    Path("sweep", "sweep.html").unlink(missing_ok=True)
    going_on = ["--from", "run", "--context", "past", "--hidden", "6", "--updates", "40"]
    make("fit", recording, "-o", "past", *going_on, "--set", "checkpoints=4")
    make("evaluate", "past")
    make("align", "run", write_small(Path("other.npz")).name, "-o", "study", "--by", "names")
    stop(recording)


def stop(recording: str) -> None:
    """Kill a training in the middle, once it has written a checkpoint to go on from."""
    for tenths in range(1, 50):
        shutil.rmtree("stopped", ignore_errors=True)
        process = start(["fit", recording, "-o", "stopped", *LONG], rolling_s=0.1)
        if not kill_after(process, Path("stopped"), tenths / 10):
            break
        if Path("stopped", "checkpoints", "resume.h5").exists():
            return
    raise bad_input("the training", "be killed between its first checkpoint and its end", "neither")


def main() -> None:
    """Write the archive, if there is none of this version."""
    target = HERE / f"{version('boltzbrain')}.zip"
    if target.exists():
        raise bad_input("the archive", "not be there yet", "one of that version", file=target)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        write_all()
        paths = [one for name in KEPT for one in (Path(name), *sorted(Path(name).rglob("*")))]
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in paths:
                if path.is_file() and not path.name.startswith("."):
                    archive.write(path)
    sys.stdout.write(f"written: {os.path.relpath(target)}\n")


# the sweep's processes import this file
if __name__ == "__main__":
    main()
