"""What `make dist` wrote, looked at and installed as users would.

    make dist                                   (builds, checks, and runs this)
    .venv/bin/python proofs/wheels.py [DIST]    (default dist)

The wheel must hold the package and nothing else, be free of platforms, and be the same whether it
is built from the repository or from the sdist. It is installed into an empty environment of this
Python, with the versions of constraints.txt, and makes the demo from the simulation to the page,
away from the repository. Under every newer Python that is found (on PATH, and where pyenv keeps
them) it is installed without its dependencies: the metadata must admit that Python, and every
module must compile with warnings as errors. Pythons that are not there are named. Writes
proofs/wheels.txt; exits 1 if anything fails.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NEWER = ("3.12", "3.13", "3.14")
TESTED = ("3.12", "3.13")
"""Those that the metadata must name, as `.github/workflows/tests.yml` runs the tests on them."""
LOOK = """
import importlib.metadata as m, pathlib, sys, compileall
told = m.metadata("boltzbrain")
assert told["Requires-Python"] == ">=3.11", told["Requires-Python"]
named = f"Programming Language :: Python :: {sys.argv[1]}" in told.get_all("Classifier")
assert named or sys.argv[1] not in sys.argv[2], sys.argv[1]
where = pathlib.Path(str(m.distribution("boltzbrain").locate_file("boltzbrain")))
assert compileall.compile_dir(where, quiet=1, force=True)
print(len(list(where.rglob("*.py"))))
"""


def main() -> int:
    dist = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "dist").resolve()
    if not dist.is_dir():
        print(f"{dist} is not there: make dist")
        return 0
    lines: list[str] = []
    good = True
    with tempfile.TemporaryDirectory() as folder:
        for check in (contents, same_from_sdist, demo, newer_pythons):
            try:
                for line in check(dist, Path(folder)):
                    lines.append(line)
                    print(line, flush=True)
            except (AssertionError, subprocess.CalledProcessError, OSError) as error:
                good = False
                lines.append(f"FAILED: {check.__name__}: {error}")
                print(lines[-1], flush=True)
    Path(__file__).with_suffix(".txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0 if good else 1


def wheel_in(dist: Path) -> Path:
    (wheel,) = dist.glob("*.whl")
    return wheel


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as file:
        return set(file.namelist())


def contents(dist: Path, scratch: Path) -> Iterator[str]:
    """Compare the files of the wheel with those of the package under version control."""
    wheel = wheel_in(dist)
    assert wheel.name.endswith("-py3-none-any.whl"), wheel.name
    names = names_in(wheel)
    told = run("git", "ls-files", "src/boltzbrain", cwd=ROOT).splitlines()
    source = {name.removeprefix("src/") for name in told}
    packed = {name for name in names if ".dist-info/" not in name}
    assert packed == source, sorted(packed ^ source)[:5]
    assert any(name.endswith("licenses/LICENSE") for name in names), "no licence"
    size = wheel.stat().st_size / 1e6
    yield f"{wheel.name}: {len(packed)} files, {size:.2f} MB, all of the package"


def same_from_sdist(dist: Path, scratch: Path) -> Iterator[str]:
    """Compare a wheel built from the sdist with that built from the repository."""
    (packed,) = dist.glob("*.tar.gz")
    with tarfile.open(packed) as file:
        file.extractall(scratch, filter="data")
    source = scratch / packed.name.removesuffix(".tar.gz")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(scratch), cwd=source)
    apart = names_in(wheel_in(scratch)) ^ names_in(wheel_in(dist))
    assert not apart, sorted(apart)[:5]
    yield f"{packed.name}: {packed.stat().st_size / 1e6:.2f} MB, gives the same wheel"


def demo(dist: Path, scratch: Path) -> Iterator[str]:
    """Make the demo with the wheel in an empty environment of this Python."""
    place = scratch / "empty"
    run(sys.executable, "-m", "venv", str(place))
    started = time.monotonic()
    run(place / "bin" / "python", "-m", "pip", "install", "-q",
        "-c", ROOT / "constraints.txt", wheel_in(dist))  # fmt: skip
    installed = time.monotonic()
    run(place / "bin" / "boltzbrain", "demo", "-o", "demo", cwd=scratch)
    ended = time.monotonic()
    (page,) = (scratch / "demo").rglob("report.html")
    yield (
        f"Python {sys.version.split()[0]}: installed in {installed - started:.0f} s, "
        f"demo in {ended - installed:.0f} s, page of {page.stat().st_size / 1e6:.1f} MB"
    )


def newer_pythons(dist: Path, scratch: Path) -> Iterator[str]:
    """Install it under newer Pythons without its dependencies, and compile every module."""
    for version in NEWER:
        python = python_of(version)
        if python is None:
            yield f"Python {version}: not on this machine"
            continue
        place = scratch / version
        run(python, "-m", "venv", str(place))
        inside = place / "bin" / "python"
        run(inside, "-m", "pip", "install", "-q", "--no-deps", wheel_in(dist))
        modules = run(inside, "-W", "error", "-c", LOOK, version, " ".join(TESTED)).strip()
        yield f"Python {version}: metadata admit it, {modules} modules compile"


def python_of(version: str) -> str | None:
    """Return a Python of this version that runs."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    places = [shutil.which(f"python{version}"), *sorted(pyenv.glob(f"{version}.*/bin/python"))]
    for place in filter(None, places):
        # a version manager has names on PATH that start nothing
        if subprocess.run([place, "-V"], capture_output=True, check=False).returncode == 0:
            return str(place)
    return None


def run(*words: str | Path, cwd: Path | None = None) -> str:
    """Run a command outside of the repository's environment and return what it prints."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        list(map(str, words)), cwd=cwd, env=clean, text=True, capture_output=True, check=False
    )
    if done.returncode:
        raise AssertionError(f"{' '.join(map(str, words))}: {(done.stderr or done.stdout)[-600:]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
