"""The tutorials and the code in the guides; `make tutorials` runs them, which takes minutes."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from pathlib import Path

import nbformat
import pytest
import typer.main

from boltzbrain.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "docs" / "site"
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.py"))


def script(name: str):
    """Return a script of the site."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, SITE / f"{name}.py")
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def test_there_are_eight_and_a_gallery_and_the_list_names_them():
    listed = (ROOT / "docs/tutorials/index.md").read_text(encoding="utf-8")
    assert len(TUTORIALS) == 9
    assert {one.name for one in TUTORIALS} == set(re.findall(r"\]\((\w+\.py)\)", listed))


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_begins_with_a_title_and_ends_in_a_picture(path):
    cells = script("notebooks").cells_of(path.read_text(encoding="utf-8"))
    kind, text = cells[0]
    assert kind == "markdown"
    assert re.match(r"# \S.*\n\n", text)
    code = [text for kind, text in cells if kind == "code"]
    assert "plt.show()" in code[-1] or "bb.figures." in code[-1]
    # what one cell takes for granted stands in another; nothing is left of how it was edited
    ast.parse("\n".join(code))
    assert not re.search(r"TODO|/tmp/", "\n".join(code))


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_cell_can_be_pasted_into_the_prompt_of_python(path):
    # which, before Python 3.13, ends a block at an empty line and nowhere else
    for kind, text in script("notebooks").cells_of(path.read_text(encoding="utf-8")):
        if kind == "code":
            lines = ["", *text.split("\n"), ""]
            for one in ast.parse(text).body:
                if hasattr(one, "body"):
                    assert all(lines[one.lineno : one.end_lineno + 1]), lines[one.lineno]
                    assert not lines[one.end_lineno + 1], lines[one.end_lineno + 1]


def book_of(*outputs: list[nbformat.NotebookNode]) -> nbformat.NotebookNode:
    new = nbformat.v4
    return new.new_notebook(cells=[new.new_code_cell("1", outputs=list(one)) for one in outputs])


def test_the_runner_finds_long_cells_errors_and_a_missing_picture():
    new, faults_of = nbformat.v4.new_output, script("notebooks").faults_of
    picture = new("display_data", {"image/png": "AAAA", "text/plain": "<Figure>"})
    short = new("stream", text="line\n" * 30)
    assert faults_of(book_of([short], [picture])) == []
    assert faults_of(book_of([short, new("stream", text="one more")], [picture])) == [
        "code cell 1 shows 31 lines, more than 30"
    ]
    assert faults_of(book_of([picture], [short])) == ["the last code cell shows no picture"]
    failed = new("error", ename="ValueError", evalue="no", traceback=[])
    assert faults_of(book_of([failed], [picture])) == ["code cell 1: no"]


def test_an_executed_notebook_is_done_again_when_its_source_or_the_package_changes(
    monkeypatch, tmp_path
):
    notebooks = script("notebooks")
    monkeypatch.setattr(notebooks, "SOURCES", tmp_path)
    monkeypatch.setattr(notebooks, "BUILT", tmp_path / "built")
    source = tmp_path / "one.py"
    source.write_text("# %%\n1\n", encoding="utf-8")
    assert notebooks.names() == ["one"]
    assert notebooks.built("one") is None
    book = notebooks.notebook_of("one")
    book.metadata["boltzbrain"] = notebooks.stamp_of("one")
    (tmp_path / "built").mkdir()
    nbformat.write(book, tmp_path / "built" / "one.ipynb")
    assert notebooks.built("one") is not None
    monkeypatch.setattr(notebooks, "_package", lambda: "another")
    assert notebooks.built("one") is None
    monkeypatch.undo()


def test_a_page_has_what_the_notebook_has(monkeypatch):
    monkeypatch.syspath_prepend(str(SITE))
    script("notebooks")
    pages = script("notebook_pages")
    new = nbformat.v4
    book = book_of(
        [new.new_output("stream", text="a\n"), new.new_output("stream", text="b\n")],
        [new.new_output("execute_result", {"text/html": "<b>x</b>", "text/plain": "x"})],
        [new.new_output("display_data", {"image/png": "AAAA"})],
    )
    book.cells.insert(0, new.new_markdown_cell("# Title\n\nWords."))
    page = pages.page_of("one", book, "where")
    assert page.markdown.startswith("# Title\n\nwhere\n\nWords.")
    assert f"{pages.SHOWN}\na\nb\n```" in page.markdown
    assert (page.last, page.pictures) == ("one_1.png", {"one_1.png": b"\0\0\0"})
    shown = pages.with_html(f"<p>{page.markdown}</p>", page.html)
    assert "<b>x</b>" in shown


# --- code in README and guides


def guides() -> list[Path]:
    docs = ROOT / "docs"
    return [ROOT / "README.md", *sorted(docs.glob("*.md")), *sorted(docs.glob("howto/*.md"))]


@pytest.mark.parametrize("path", guides(), ids=lambda path: path.stem)
def test_every_command_of_a_guide_can_be_parsed_and_python_is_python(path):
    blocks = script("blocks")
    commands = typer.main.get_command(app).commands
    for language, code, _ in blocks.blocks_of(path.read_text(encoding="utf-8")):
        if language == "python":
            compile(code, str(path), "exec")
        elif language in blocks.SHELLS:
            for name, *words in blocks.commands_of(code):
                # resilient: nothing is asked, read or run
                commands[name].make_context(name, list(words))


def test_a_block_that_is_not_run_says_why():
    blocks = script("blocks")
    found = list(blocks.blocks_of("<!-- not run: slow -->\n```python\n1\n```\n\n```\n2\n```\n"))
    assert found == [("python", "1\n", "slow"), ("", "2\n", "")]
    words = list(blocks.commands_of("boltzbrain fit RUN --l1 0.1   # why\n$ boltzbrain x\nmake\n"))
    assert words == [["fit", "run", "--l1", "0.1"]]
