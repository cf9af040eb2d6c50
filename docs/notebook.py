"""Write notebook.ipynb anew: a fit from an array to its page, executed.

Run `python docs/notebook.py` where nbclient and ipykernel are installed.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import nbclient
import nbformat

HERE = Path(__file__).parent

TEXT, CODE = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell

CELLS = (
    (TEXT, """# From an array to a page

Forty simulated neurons in four assemblies, in bins of 20 ms."""),
    (CODE, """import numpy as np

import boltzbrain as bb

generator = np.random.default_rng(0)
shared = generator.random((6000, 4)) < 0.2
chance = np.where(shared[:, np.arange(40) % 4], 0.5, 0.03)
states = generator.random((6000, 40)) < chance
regions = np.array(["CA1", "LP", "VISp", "VISl"])[np.arange(40) % 4]"""),
    (CODE, """recording = bb.from_states(states, bin_width_s=0.02, region=regions)
recording"""),
    (TEXT, """The folds are made by default; `recording.binarize(...).split(...)` makes others.
Stopped by the stop button, `bb.resume("run")` goes on."""),
    (CODE, """run = bb.fit(recording, hidden=8, updates=1000, out="run")
run"""),
    (CODE, "bb.evaluate(run)"),
    (CODE, "run.evaluation.gain.value, run.evaluation.statistics.round(3)"),
    (CODE, """found = bb.interpret(run, min_neurons=5)
found"""),
    (CODE, 'found.to_dataframe("assemblies")'),
    (CODE, 'found.to_dataframe("couplings").head()'),
    (CODE, "bb.report(run)"),
)  # fmt: skip


def written() -> nbformat.NotebookNode:
    """Return the notebook without its outputs."""
    book = nbformat.v4.new_notebook()
    book.cells = [make(text, id=f"cell-{place}") for place, (make, text) in enumerate(CELLS)]
    book.metadata["kernelspec"] = {
        "name": "python3", "display_name": "Python 3", "language": "python",
    }  # fmt: skip
    return book


def execute(book: nbformat.NotebookNode) -> None:
    """Run every cell in a folder of its own."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with tempfile.TemporaryDirectory() as folder:
        where = {"metadata": {"path": folder}}
        nbclient.NotebookClient(book, timeout=600, kernel_name="python3", resources=where).execute()
    for cell in book.cells:
        cell.metadata = {}
        for output in cell.get("outputs", ()):
            output.pop("transient", None)


if __name__ == "__main__":
    book = written()
    execute(book)
    nbformat.write(book, HERE / "notebook.ipynb")
