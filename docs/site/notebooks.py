"""Execute the tutorials and the gallery, two side by side: `make tutorials`.

Usage: python docs/site/notebooks.py [NAME ...]

They are the files of docs/tutorials in the percent format of jupytext. Each is executed in a folder
of its own and kept with its outputs as build/tutorials/NAME.ipynb; one that is there already, of
the same source and the same package, is not executed again. An error fails, and so does a cell
that shows more than 30 lines or a notebook that does not end in a picture.
"""

from __future__ import annotations

import hashlib
import os
import re
import resource
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import nbclient
import nbformat

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "docs" / "tutorials"
BUILT = ROOT / "build" / "tutorials"
MOST_LINES = 30
"""Lines that a cell may show."""
CELL_S = 300
_AT_ONCE = 2
_MARK = re.compile(r"^# %%(.*)$", re.MULTILINE)
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def names() -> list[str]:
    """Return the notebooks that there are, without their ending."""
    return sorted(one.stem for one in SOURCES.glob("*.py"))


def cells_of(text: str) -> list[tuple[str, str]]:
    r"""Return the cells of a file in percent format: "markdown" or "code", and the source.

    Examples
    --------
    >>> cells_of("# %% [markdown]\n# # Title\n#\n# Words.\n\n# %%\n1 + 1\n")
    [('markdown', '# Title\n\nWords.'), ('code', '1 + 1')]
    """
    parts = _MARK.split(text)
    found = []
    for mark, part in zip(parts[1::2], parts[2::2], strict=True):
        if mark.strip() == "[markdown]":
            lines = [line.removeprefix("#").removeprefix(" ") for line in part.strip().split("\n")]
            found.append(("markdown", "\n".join(lines)))
        else:
            found.append(("code", part.strip()))
    return found


def notebook_of(name: str) -> nbformat.NotebookNode:
    """Return a notebook without its outputs."""
    book = nbformat.v4.new_notebook()
    make = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}
    cells = cells_of((SOURCES / f"{name}.py").read_text(encoding="utf-8"))
    book.cells = [make[kind](text, id=f"cell-{place}") for place, (kind, text) in enumerate(cells)]
    book.metadata["kernelspec"] = {
        "name": "python3", "display_name": "Python 3", "language": "python",
    }  # fmt: skip
    return book


def execute(book: nbformat.NotebookNode) -> None:
    """Run every cell, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        where = {"metadata": {"path": folder}}
        client = nbclient.NotebookClient(
            book,
            timeout=CELL_S,
            kernel_name="python3",
            resources=where,
            extra_arguments=["--log-level=ERROR"],
        )
        client.execute()
    for cell in book.cells:
        cell.metadata = {}
        for output in cell.get("outputs", ()):
            output.pop("transient", None)


def text_of(output: nbformat.NotebookNode) -> str:
    """Return an output as text; a picture has none."""
    if output.output_type == "stream":
        return str(output.text)
    data = output.get("data", {})
    return "" if "image/png" in data else str(data.get("text/plain", ""))


def faults_of(book: nbformat.NotebookNode) -> list[str]:
    """Return what is wrong with an executed notebook: long outputs, no picture at its end."""
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    found = []
    for number, cell in enumerate(code, start=1):
        lines = sum(len(text_of(one).splitlines()) for one in cell.outputs)
        if lines > MOST_LINES:
            found.append(f"code cell {number} shows {lines} lines, more than {MOST_LINES}")
        found += [
            f"code cell {number}: {one.evalue}"
            for one in cell.outputs
            if one.output_type == "error"
        ]
    if not any("image/png" in one.get("data", {}) for one in (code[-1].outputs if code else ())):
        found.append("the last code cell shows no picture")
    return found


@cache
def _package() -> str:
    """Return a hash of the sources of the package."""
    own = [*(ROOT / "src").rglob("*.py"), ROOT / "constraints.txt"]
    return hashlib.sha256(b"".join(one.read_bytes() for one in sorted(own))).hexdigest()


def stamp_of(name: str) -> str:
    """Return a hash of what a notebook's outputs follow from."""
    source = (SOURCES / f"{name}.py").read_bytes()
    return hashlib.sha256(_package().encode() + source).hexdigest()


def built(name: str) -> nbformat.NotebookNode | None:
    """Return a notebook as executed, None where it is not or something has changed since."""
    path = BUILT / f"{name}.ipynb"
    if not path.exists():
        return None
    book = nbformat.read(path, as_version=4)
    return book if book.metadata.get("boltzbrain") == stamp_of(name) else None


def build(name: str) -> tuple[float, list[str]]:
    """Execute a notebook and keep it; return seconds and faults."""
    begun = time.monotonic()
    book, stamp = notebook_of(name), stamp_of(name)
    try:
        execute(book)
        faults = faults_of(book)
    except nbclient.exceptions.CellExecutionError as error:
        faults = [_COLOURS.sub("", str(error))]
    if not faults:
        book.metadata["boltzbrain"] = stamp
    BUILT.mkdir(parents=True, exist_ok=True)
    nbformat.write(book, BUILT / f"{name}.ipynb")
    return time.monotonic() - begun, faults


def main(asked: list[str]) -> int:
    """Execute what is not current; return how many failed."""
    # each has a core
    for threads in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(threads, "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    todo = [one for one in asked or names() if built(one) is None]
    failed, begun = 0, time.monotonic()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for name, (seconds, faults) in zip(todo, pool.map(build, todo), strict=True):
            print(f"{name}: {seconds:.0f} s" + "".join(f"\n{one}" for one in faults), flush=True)
            failed += bool(faults)
    if todo:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        cores = used.ru_utime + used.ru_stime
        print(f"together {time.monotonic() - begun:.0f} s, {cores:.0f} s of a core")
    return failed


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
