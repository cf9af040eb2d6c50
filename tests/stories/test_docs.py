"""The documentation names what there is: hyperparameters, unit filters, options, files, rooms."""

from __future__ import annotations

import importlib.util
import json
import pkgutil
import re
import runpy
from pathlib import Path

import pytest
import typer.main
from PIL import Image

import boltzbrain as bb
from boltzbrain.cli.main import app
from boltzbrain.comparison.compare import NAMES as BASELINES
from boltzbrain.interpretation.choices import Choices
from boltzbrain.model import KINDS
from boltzbrain.preparing.preparation import WAYS, Preparation
from boltzbrain.readers.detect import FORMATS
from boltzbrain.readers.units import PRESETS as UNIT_PRESETS
from boltzbrain.training.plan import PRESETS, TrainingPlan

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "boltzbrain"
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(one for one in (ROOT / "docs").rglob("*.md") if "node_modules" not in one.parts),
]
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.py"))
OTHER_OPTIONS = {
    "--extra-index-url", "--doctest-modules", "--durations", "--no-deps", "--prefix",
    "--cpus-per-task", "--mem", "--time", "--scheduler-file", "--nthreads",
}  # fmt: skip
"""Of pip, pytest, npm, SLURM and Dask."""
SCRIPTS = [*ROOT.glob("benchmarks/*.py"), *ROOT.glob("proofs/*.py")]


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_every_guide_is_in_the_site():
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    listed = set(re.findall(r"[\w/]+\.md", nav))
    guides = {str(one.relative_to(ROOT / "docs")) for one in PAGES[2:]}
    # made from the repository's own: docs/site/hooks.py
    made = {"index.md", "changelog.md", "developer/contributing.md", "reference/index.md"}
    made |= {f"tutorials/{one.stem}.md" for one in TUTORIALS}
    assert listed == guides | made


def test_every_public_name_has_a_page_filled_from_its_docstring():
    pages = runpy.run_path(str(ROOT / "docs" / "site" / "reference.py"))["reference"]()
    index = pages.pop("reference/index.md")
    public = [name for name in bb.__all__ if name != "__version__"]
    assert sorted(pages) == sorted(f"reference/{name}.md" for name in public)
    for name in public:
        assert re.search(rf"^\| \[`bb\.{name}`\]\({name}\.md\) \| \S.*\. \|$", index, re.M), name
        objects = [pkgutil.resolve_name(path) for path in
                   re.findall(r"^::: (.+)$", pages[f"reference/{name}.md"], re.M)]  # fmt: skip
        assert objects[0] is getattr(bb, name)
        assert all(one.__doc__ for one in objects), name


def test_the_tables_of_options_are_those_of_the_fields():
    tables = runpy.run_path(str(ROOT / "docs" / "options.py"))
    marks = []
    for name in tables["PAGES"]:
        assert tables["with_tables"](page(name)) == page(name), "run docs/options.py"
        marks += re.findall(r"<!-- options: (\w+) -->", page(name))
    # no option of a model stands in none of them
    assert sorted(marks) == sorted(tables["TABLES"])
    for model in (Preparation, TrainingPlan, Choices):
        for field in model.model_fields:
            assert any(f"| `{field}` | " in page(name) for name in tables["PAGES"]), field


def test_the_table_of_timings_is_that_of_the_results():
    timings = runpy.run_path(str(ROOT / "docs" / "timings.py"))
    told = page("performance.md")
    assert timings["with_table"](told) == told, "run docs/timings.py"
    # a bar stands beside every figure that it is for
    for name, bars in timings["BARS"].items():
        for kind in {"avx512", "avx2"} & set(bars):
            if name in timings["measured"](kind):
                assert re.search(rf"`{name}`.*at most {bars[kind]:g}\b", told), (name, kind)


def test_every_recipe_filter_and_way_to_split_is_explained():
    for name, known in (
        ("training.md", PRESETS),
        ("recordings.md", UNIT_PRESETS),
        ("recordings.md", set(WAYS) - {"none"}),
    ):
        for word in known:
            assert f"`{word}`" in page(name), f"{word} is missing in {name}"


def of_page(function):
    """Run a test on every page, and on the text of every tutorial."""
    return pytest.mark.parametrize("path", [*PAGES, *TUTORIALS], ids=lambda path: path.name)(
        function
    )


def _options(command) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts}


@of_page
def test_no_option_or_command_is_invented(path):
    text = path.read_text(encoding="utf-8")
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    known = set().union(*(_options(command) for command in commands.values()))
    for script in SCRIPTS:
        known |= set(re.findall(r'"(--[a-z][\w-]*)"', script.read_text(encoding="utf-8")))
    named = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", text)) - OTHER_OPTIONS
    assert named <= known | {"--help", "--json"}
    shown = "\n".join(re.findall(r"^```\n(.*?)^```", text, re.M | re.S))
    assert set(re.findall(r"^boltzbrain (\w+)", shown, re.M)) <= set(commands)
    assert set(re.findall(r"`boltzbrain (\w+)", text)) <= set(commands)


def anchors(text: str) -> set[str]:
    """Return the anchors of the headings of a page, as GitHub makes them."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    titles = re.findall(r"^#+ (.+)$", prose, re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@of_page
def test_every_link_and_picture_is_there(path):
    text = path.read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\((?!https?://)([^)#]*)#?([^)]*)\)", text):
        place = path.parent / target if target else path
        assert place.exists(), target
        if anchor:
            assert anchor in anchors(place.read_text(encoding="utf-8")), f"{target}#{anchor}"


def paths_in(text: str) -> tuple[set[str], set[str]]:
    """Return what a page names of the repository, and what by a room and a slash of the source."""
    folders = "src|tests|proofs|benchmarks|docs"
    # not what lies in a folder elsewhere, as ../shared/tests
    whole = re.findall(rf"(?<![\w/.-])((?:{folders})/[\w./*-]+(?:::\w+)?)", text)
    rooms = "|".join(one.stem for one in SOURCE.iterdir() if (one / "__init__.py").exists())
    inside = re.findall(rf"`((?:{rooms})/[\w./]+)`", text)
    return {one.rstrip("./") for one in whole}, set(inside)


@of_page
def test_every_path_is_there(path):
    text = path.read_text(encoding="utf-8")
    whole, inside = paths_in(text)
    for name in whole:
        file, _, test = name.partition("::")
        assert any(ROOT.glob(file)), name
        if test:
            content = (ROOT / file).read_text(encoding="utf-8")
            assert f"def {test}(" in content, name
    for name in inside:
        assert (SOURCE / name).exists(), name
    for module in re.findall(r"-m benchmarks\.([a-z_0-9]+)", text):
        assert (ROOT / "benchmarks" / f"{module}.py").exists(), module


@pytest.mark.parametrize("folder", ["src", "tests", "proofs", "benchmarks", "docs"])
def test_every_path_that_code_names_is_there(folder):
    for path in sorted((ROOT / folder).rglob("*.py")):
        if path.name in ("test_docs.py", "test_house.py"):  # they name some that are made up
            continue
        whole, inside = paths_in(path.read_text(encoding="utf-8"))
        for name in whole:
            assert any(ROOT.glob(name)), f"{path}: {name}"
        for name in inside:
            assert (SOURCE / name).exists(), f"{path}: {name}"


def test_paths_are_found_in_a_page():
    """The control of the test above: what it must see, and what it must leave alone."""
    whole, inside = paths_in(
        "run `proofs/gone.py`, see tests/model/test_rbm.py::test_no. Not ../shared/tests/data, nor "
        "`runs/a.h5`; `model/rbm.py`, `training/normalisation.py`, `model.rbm`"
    )
    assert whole == {"proofs/gone.py", "tests/model/test_rbm.py::test_no"}
    assert inside == {"model/rbm.py", "training/normalisation.py"}


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("recordings.md", [one.name for one in FORMATS]),
        ("baselines.md", BASELINES),
        ("training.md", [kind for kind in KINDS if kind != "bernoulli"]),
    ],
)
def test_every_format_baseline_and_unit_kind_is_explained(name, known):
    cells = {cell.strip(" `") for row in re.findall(r"^\|(.+)\|$", page(name), re.M)
             for cell in row.split("|")}  # fmt: skip
    assert set(known) <= cells


def test_every_figure_has_a_command():
    rows = re.findall(r"^\| (.+) \| (.+) \| (.+) \|$", page("figures.md"), re.M)[1:]
    assert len(rows) > 20
    for what, _, command in rows:
        named = re.search(r"`(\.venv/bin/python (proofs/|-m benchmarks)|make demo)", command)
        assert named or command.startswith("the same"), what


def test_the_readme_fits_on_two_screens():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 85
    assert (ROOT / "docs/images/page.png").stat().st_size < 250_000


# --- the rooms


@pytest.fixture(scope="module")
def rooms():
    """Return the script that draws the rooms."""
    spec = importlib.util.spec_from_file_location("rooms", ROOT / "docs/developer/rooms.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def test_the_architecture_names_every_folder():
    named = set(re.findall(r"`([\w/.]+)`", page("developer/architecture.md")))
    folders = {init.parent.name for init in SOURCE.rglob("__init__.py")} - {"boltzbrain"}
    assert folders <= named, folders - named


def test_the_picture_of_the_rooms_is_current(rooms):
    drawn = json.loads(Image.open(rooms.PICTURE).text[rooms.KEY])
    assert drawn == rooms.gather(), "draw it anew: .venv/bin/python docs/developer/rooms.py"


def test_the_picture_shows_what_the_imports_are(rooms):
    told = rooms.gather()
    floor = {room: n for n, row in enumerate(told["floors"]) for room in row}
    assert set(floor) == set(rooms.PLACES)
    assert "kernels" in told["imports"]["model"]
    assert "cpu" in told["folders"]["kernels"]
    for room, others in told["imports"].items():
        for below in others:
            assert floor[below] > floor[room], f"{room} imports {below}"
    # what is left out of the picture follows from what is drawn
    assert rooms.needed({"a": ["b", "c"], "b": ["c"], "c": []}) == [("a", "b"), ("b", "c")]
