"""The house keeps its order: no circle of imports, small rooms, short files, nothing unused."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import boltzbrain

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "boltzbrain"
TESTS = ROOT / "tests"

MOST_FILES, MOST_LINES, LONGEST_SENTENCE = 14, 400, 100

TESTED_ELSEWHERE = {
    "comparison": "tests/stories compares whole runs, tests/baselines the scores",
}

UNUSED = {
    "Bar._repr_html_": "called by IPython",
    "SelfTold._repr_html_": "called by IPython",
    "Interpretation._ipython_key_completions_": "called by IPython",
    "Study.common_regions": "a method of the public Study",
    "RemoteFile.seekable": "asked for by io",
    "_Compilations.on_start": "called by numba",
    "_Compilations.on_end": "called by numba",
    "_Reader.find_class": "called by pickle",
}
"""What nothing in the repository but tests calls, and why it stays."""


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def modules_of(package: Path) -> dict[str, Path]:
    """Return the files of a package by dotted name."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(name: str, modules: dict[str, Path]) -> set[str]:
    """Return the modules that one imports anywhere: in functions and under TYPE_CHECKING too."""
    found: set[str] = set()
    package = name if modules[name].name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(parsed(modules[name])):
        if isinstance(node, ast.Import):
            found |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            above = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            source = ".".join(part for part in (above, node.module) if part)
            for one in node.names:
                inner = f"{source}.{one.name}"
                found.add(inner if inner in modules else source)
    return {one for one in found if one in modules and one != name}


def circle_in(package: Path) -> list[str]:
    """Return the modules of one circle of imports, each importing the next; none if there is none.

    What imports nothing that is left is taken away until nothing is left, or only circles.
    """
    modules = modules_of(package)
    left = {name: imports_of(name, modules) for name in modules}
    while left:
        free = [name for name, wanted in left.items() if not wanted & left.keys()]
        if not free:
            break
        for name in free:
            del left[name]
    walk: list[str] = []
    here = min(left, default="")
    while here and here not in walk:
        walk.append(here)
        here = min(left[here] & left.keys())
    return walk[walk.index(here) :] if here else []


def folders_of(package: Path) -> list[Path]:
    return [path.parent for path in sorted(package.rglob("__init__.py"))]


def full_folders(package: Path) -> list[str]:
    every = [package, *(path for path in package.rglob("*") if path.is_dir())]
    counts = {
        path: sum(one.is_file() for one in path.iterdir())
        for path in every
        if path.name != "__pycache__"
    }
    return [f"{path.name}: {count}" for path, count in counts.items() if count > MOST_FILES]


def long_files(package: Path) -> list[str]:
    lengths = {
        path: len(path.read_text(encoding="utf-8").splitlines()) for path in package.rglob("*.py")
    }
    return [f"{path.name}: {length}" for path, length in lengths.items() if length > MOST_LINES]


def unlabelled_folders(package: Path) -> list[str]:
    """Return folders whose __init__ does not say in one sentence what lives there, or does more."""
    wrong = []
    for folder in folders_of(package):
        tree = parsed(folder / "__init__.py")
        sentence = ast.get_docstring(tree) or ""
        code = [
            node
            for node in tree.body[1:]
            if not isinstance(node, ast.ImportFrom)
            and not (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__")
        ]
        if not re.fullmatch(rf"[^\n]{{1,{LONGEST_SENTENCE - 1}}}\.", sentence):
            wrong.append(f"{folder.name}: {sentence!r}")
        # the top is the public door: it fetches names when they are first asked for
        elif code and folder != package:
            wrong.append(f"{folder.name}: code")
    return wrong


def untested_rooms(package: Path, tests: Path, allowed: dict[str, str]) -> list[str]:
    rooms = [path.name for path in folders_of(package) if path.parent == package]
    return [
        room for room in rooms if not list((tests / room).glob("test_*.py")) and room not in allowed
    ]


def is_ours_alone(node: ast.FunctionDef | ast.ClassDef) -> bool:
    """Return whether nothing but our code may use a function or class.

    Python calls those with two underscores, and a decorator may hand one to somebody else: a
    command, a validator, an overload.
    """
    ours = {"property", "cached_property", "classmethod", "staticmethod", "cache", "dataclass"}
    decorators = {ast.unparse(one).partition("(")[0] for one in node.decorator_list}
    return not node.name.startswith("__") and decorators <= ours


def defined_in(tree: ast.Module) -> Iterator[str]:
    """Yield the functions, classes, methods and variables that a module defines."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and is_ours_alone(node):
            yield node.name
        elif isinstance(node, ast.ClassDef):
            if is_ours_alone(node):
                yield node.name
            yield from (
                f"{node.name}.{inner.name}"
                for inner in node.body
                if isinstance(inner, ast.FunctionDef) and is_ours_alone(inner)
            )
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (
                inner.id
                for target in targets
                for inner in ast.walk(target)
                if isinstance(inner, ast.Name) and not inner.id.startswith("__")
            )


def words_used(path: Path) -> Iterator[str]:
    """Yield what a file uses by name; in a string only if all of it is a name, as in `getattr`."""
    if path.suffix != ".py":
        yield from re.findall(r"\w+", path.read_text(encoding="utf-8"))
        return
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and re.fullmatch(r"[\w.:]+", str(node.value)):
            yield from re.split(r"[.:]", str(node.value))


def unused_names(root: Path) -> list[str]:
    """Return what src defines and neither src, nor docs, proofs or benchmarks use."""
    kinds = {".py", ".md", ".j2"}
    places = [root / name for name in ("src", "docs", "proofs", "benchmarks", "README.md")]
    files = [
        file
        for place in places
        for file in ([place] if place.is_file() else place.rglob("*"))
        if file.suffix in kinds
    ]
    used = Counter(word for file in files for word in words_used(file))
    return [
        name
        for path in sorted((root / "src").rglob("*.py"))
        for name in defined_in(parsed(path))
        if not used[name.rpartition(".")[2]]
    ]


def loose_thresholds(package: Path) -> list[str]:
    """Return comparisons with a number in the modules of verdicts, and verdicts made elsewhere."""
    found = []
    for path in sorted(package.rglob("*.py")):
        inside = path.parent.name == "verdicts"
        for node in ast.walk(parsed(path)):
            if inside and path.stem != "thresholds" and isinstance(node, ast.Compare):
                numbers = {
                    one.value
                    for one in ast.walk(node)
                    if isinstance(one, ast.Constant) and isinstance(one.value, int | float)
                }
                if numbers - {0, 1}:
                    found.append(f"{path.stem}: {ast.unparse(node)}")
            elif not inside and isinstance(node, ast.Call) and is_named(node.func, "Verdict"):
                found.append(f"{path.stem}: {ast.unparse(node)}")
    return found


def is_named(node: ast.expr, name: str) -> bool:
    return name in (getattr(node, "id", None), getattr(node, "attr", None))


def test_no_circle_of_imports():
    assert circle_in(SOURCE) == []


def test_no_folder_is_too_full():
    assert full_folders(SOURCE) == []


def test_no_file_is_too_long():
    assert long_files(SOURCE) == []


def test_every_folder_says_in_one_sentence_what_lives_there():
    assert unlabelled_folders(SOURCE) == []


def test_every_room_has_its_tests():
    assert untested_rooms(SOURCE, TESTS, TESTED_ELSEWHERE) == []
    # a room that has tests of its own by now is taken off the list
    assert untested_rooms(SOURCE, TESTS, {}) == list(TESTED_ELSEWHERE)


def test_no_unused_names():
    assert sorted(unused_names(ROOT)) == sorted(UNUSED)


def test_loops_are_kept_by_the_one_function_that_needs_no_home():
    # numba's own `cache=True` fails at import where neither source nor HOME can be written
    asked = [
        str(path.relative_to(SOURCE))
        for path in sorted(SOURCE.rglob("*.py"))
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call)
        and "njit" in ast.unparse(node.func)
        and any(ast.unparse(word) == "cache=True" for word in node.keywords)
    ]
    assert set(asked) == {"foundations/compiling/cache.py"}


def test_every_threshold_of_a_verdict_stands_with_the_others():
    assert loose_thresholds(SOURCE) == []


@pytest.fixture
def house(tmp_path):
    """A made-up package in order, and a function that writes another file of it."""

    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    write("src/house/__init__.py", '"""A house."""\n')
    write("src/house/low/__init__.py", '"""What is low."""\n')
    write("src/house/low/one.py", "def one():\n    return 1\n")
    write("src/house/two.py", "from house.low.one import one\n\nTWO = one() + 1\nprint(TWO)\n")
    write("tests/low/test_one.py", "")
    return tmp_path, write


def test_a_house_in_order_passes(house):
    root, _ = house
    package = root / "src" / "house"
    for check in (circle_in, full_folders, long_files, unlabelled_folders):
        assert check(package) == []
    assert untested_rooms(package, root / "tests", {}) == []
    assert unused_names(root) == []


@pytest.mark.parametrize(
    "text",
    [
        "import house.two\n",
        "def one():\n    from house.two import TWO\n    return TWO - 1\n",
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from house import two\n",
        "from .. import two\n",
        "from ..two import TWO\n",
    ],
    ids=["plain", "in a function", "for types", "relative", "from a relative module"],
)
def test_a_circle_is_found(house, text):
    root, write = house
    write("src/house/low/one.py", text)
    assert circle_in(root / "src" / "house") == ["house.low.one", "house.two"]


def test_a_full_folder_and_a_long_file_are_found(house):
    root, write = house
    for number in range(MOST_FILES):
        write(f"src/house/low/n{number}.py", "")
    write("src/house/two.py", "pass\n" * (MOST_LINES + 1))
    assert full_folders(root / "src" / "house") == [f"low: {MOST_FILES + 2}"]
    assert long_files(root / "src" / "house") == [f"two.py: {MOST_LINES + 1}"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        '"""No stop"""',
        '"""Two\nlines."""',
        f'"""{"a" * 100}."""',
        '"""A room."""\nx = 1\n',
    ],
    ids=["nothing", "no sentence", "two lines", "too long", "code"],
)
def test_a_folder_that_does_not_say_what_lives_there_is_found(house, text):
    root, write = house
    write("src/house/low/__init__.py", text)
    assert [one.partition(":")[0] for one in unlabelled_folders(root / "src" / "house")] == ["low"]


def test_a_room_without_tests_is_found(house):
    root, write = house
    write("src/house/high/__init__.py", '"""What is high."""\n')
    assert untested_rooms(root / "src" / "house", root / "tests", {}) == ["high"]
    assert untested_rooms(root / "src" / "house", root / "tests", {"high": "why"}) == []


def test_what_only_tests_use_is_found(house):
    root, write = house
    write(
        "src/house/three.py",
        "LOST = 3\n\n\nclass Three:\n    def lost_method(self): ...\n",
    )
    write("tests/test_three.py", "from house.three import LOST, Three\n\nprint(LOST, Three)\n")
    assert unused_names(root) == ["LOST", "Three", "Three.lost_method"]
    write("docs/three.md", "`Three` has a `lost_method`.")
    assert unused_names(root) == ["LOST"]


def test_a_threshold_beside_the_others_is_found(house):
    root, write = house
    write("src/house/verdicts/thresholds.py", "GOOD = 0.9\n")
    write("src/house/verdicts/gain.py", "def gain(x):\n    return x > 0, x[0] >= 0.9 * x[1]\n")
    write("src/house/panel.py", "PANEL = verdict.Verdict('good', 'well')\n")
    assert loose_thresholds(root / "src" / "house") == [
        "panel: verdict.Verdict('good', 'well')",
        "gain: x[0] >= 0.9 * x[1]",
    ]


def test_no_room_hides_a_verb():
    # importing boltzbrain.report would put the room in the place of bb.report
    rooms = {path.stem for path in SOURCE.iterdir()}
    assert not rooms & set(boltzbrain.__all__)
    for module in pkgutil.walk_packages(boltzbrain.__path__, "boltzbrain."):
        if ".cuda" not in module.name:  # needs Triton
            importlib.import_module(module.name)
    assert all(not isinstance(getattr(boltzbrain, name), ModuleType)
               for name in set(boltzbrain.__all__) - {"figures"})  # fmt: skip
