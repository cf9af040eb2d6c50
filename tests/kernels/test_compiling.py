"""Compiled loops that are kept on disk are never those of an older source."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numba
import pytest

import boltzbrain
from boltzbrain.foundations.compiling.heard import hearing
from boltzbrain.foundations.progress import Progress
from boltzbrain.foundations.showing.display import COMPILING, Stage
from boltzbrain.kernels import compiling

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(boltzbrain.__file__).parent
KERNELS = SOURCE / "kernels"
KEPT = "_cache._cache_file._source_stamp"


def twice(x):
    return 2 * x


def test_numba_still_has_what_the_stamp_is_written_into():
    kept = numba.njit(cache=True)(twice)
    for name in KEPT.split("."):
        assert hasattr(kept, name), f"numba {numba.__version__} has no {KEPT}: see compiling.py"
        kept = getattr(kept, name)
    stamped = compiling.compiled(twice)._cache._cache_file._source_stamp
    assert stamped == (kept, compiling._stamp())


def test_a_stage_says_so_while_loops_are_compiled_and_not_when_they_are_there():
    # the first use of each takes seconds to a minute, in which nothing else is told
    lines = []
    stage = Stage("training", False, lambda one: lines.append(one.words()))
    stage.show(Progress("training", 0, 9, "updates", 0.0))
    double = numba.njit(twice)
    with hearing(stage.hear):
        double(1)
        assert COMPILING in lines.pop()
        stage.show(Progress("training", 1, 9, "updates", 2.0))
        double(2)  # is there already
    double(0.5)  # nobody listens
    assert lines == ["training: 0 of 9 updates", "training: 1 of 9 updates"]


def test_numba_is_bounded_below_the_first_version_that_was_not_tried():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (needed,) = (each for each in project["dependencies"] if re.match(r"numba\b", each))
    bound = tuple(map(int, re.search(r",<(\d+)\.(\d+)$", needed).groups()))
    installed = tuple(map(int, numba.__version__.split(".")[:2]))
    assert installed < bound


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_numba_without_it_is_refused_aloud(monkeypatch, depth):
    class Without:
        def __init__(self, names):
            if names:
                setattr(self, names[0], Without(names[1:]))

    names = KEPT.split(".")[:depth]
    monkeypatch.setattr(numba, "njit", lambda **options: lambda function: Without(names))
    with pytest.raises(ImportError, match=f"{KEPT}; got numba {re.escape(numba.__version__)}"):
        compiling.compiled(twice)


def test_every_module_that_loops_are_made_of_is_hashed():
    hashed = {module.__name__ for module in compiling.ALSO}
    imported = set()
    for path in (KERNELS / "cpu").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("boltzbrain."):
                imported.add(node.module)
    outside = {name for name in imported if not name.startswith("boltzbrain.kernels")}
    assert outside
    assert outside <= hashed


OUTER = """
from numba import njit
from boltzbrain.foundations.numerics import FAR
from boltzbrain.kernels.compiling import compiled
from boltzbrain.kernels.beside import beside
from boltzbrain.kernels.cpu.deep.below import below

@compiled
def stamped():
    return beside() + below() + FAR

@njit(cache=True)
def plain():
    return beside() + below() + FAR

for kept in (stamped, plain):
    print(kept(), sum(kept.stats.cache_hits.values()))
"""
ONE = "from numba import njit\n\n@njit\ndef {name}():\n    return {value}\n"


@pytest.fixture
def package(tmp_path):
    """A copy of the kernels' package with loops made of functions in two other files."""
    copy, skipped = tmp_path / "boltzbrain", shutil.ignore_patterns("__pycache__")
    copy.mkdir()
    shutil.copy(SOURCE / "__init__.py", copy)
    for room in ("foundations", "kernels"):
        shutil.copytree(SOURCE / room, copy / room, ignore=skipped)
    (copy / "kernels" / "cpu" / "deep").mkdir()
    (copy / "kernels" / "cpu" / "deep" / "__init__.py").touch()
    below = ONE.format(name="below", value=10.0)
    (copy / "kernels" / "cpu" / "deep" / "below.py").write_text(below, encoding="utf-8")
    beside = ONE.format(name="beside", value=100.0)
    (copy / "kernels" / "beside.py").write_text(beside, encoding="utf-8")
    (copy / "kernels" / "outer.py").write_text(OUTER, encoding="utf-8")
    return copy


def run(package):
    """Return (value, times it came from the disk) of both loops, in a fresh process."""
    environment = os.environ | {
        "PYTHONPATH": str(package.parent),
        "NUMBA_CACHE_DIR": str(package.parent / "kept"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "boltzbrain.kernels.outer"],
        env=environment, capture_output=True, text=True, check=True, cwd=package,
    )  # fmt: skip
    return [(float(line.split()[0]), int(line.split()[1])) for line in done.stdout.splitlines()]


def test_a_change_of_another_file_is_never_answered_from_the_disk(package):
    def change(name, before, after):
        path = package / name
        text = path.read_text(encoding="utf-8")
        assert text.count(before) == 1
        path.write_text(text.replace(before, after), encoding="utf-8")

    assert run(package) == [(118.0, 0), (118.0, 0)]
    # numba alone, the control, notices none of it
    change("kernels/beside.py", "return 100.0", "return 200.0")
    assert run(package) == [(218.0, 0), (118.0, 1)]
    change("kernels/cpu/deep/below.py", "return 10.0", "return 30.0")
    assert run(package) == [(238.0, 0), (118.0, 1)]
    change("foundations/numerics.py", "\nFAR = ", "\nFAR = 1000.0 + ")
    assert run(package) == [(1238.0, 0), (118.0, 1)]
    assert run(package) == [(1238.0, 1), (118.0, 1)]
