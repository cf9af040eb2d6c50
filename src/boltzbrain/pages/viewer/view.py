"""The viewer as a page of its own: one html file that opens without a server."""

from __future__ import annotations

import contextlib
from pathlib import Path

from boltzbrain.evaluation.details import read_details
from boltzbrain.evaluation.results import evaluation_of, require_beside
from boltzbrain.evaluation.samples import read_samples
from boltzbrain.foundations.disk.folders import given_path, one_writer, page_file
from boltzbrain.interpretation.interpret import FILE as INTERPRETATION
from boltzbrain.interpretation.interpret import interpretation_of
from boltzbrain.pages.html import rendered, write_html
from boltzbrain.pages.viewer.content import pack_scene
from boltzbrain.pages.viewer.scene import Scene, scene_of
from boltzbrain.training.run.run import TrainingRun


def view(run: TrainingRun | str | Path, path: str | Path | None = None) -> Path:
    """Write the brain viewer of a finished run, interpreted and evaluated or not.

    Parameters
    ----------
    run
        A run or its folder.
    path
        The html file, which may exist only as an earlier page; RUN/view.html if None.

    Returns
    -------
    Path
        The file, which needs nothing else.

    Raises
    ------
    InputError
        If the training has not ended, a file is not of its chosen model, the folder is being
        written, or the file would replace something else or cannot be written.
    """
    opened = run if isinstance(run, TrainingRun) else TrainingRun.open(given_path("run", run))
    target = opened.folder / "view.html" if path is None else page_file("out", path)
    into = target.parent.resolve() == opened.folder.resolve()
    with one_writer(opened.folder, "view") if into else contextlib.nullcontext():
        return write_html(target, render_scene(_scene(opened)))


def render_scene(scene: Scene) -> str:
    """Return the viewer as HTML."""
    viewer = pack_scene(scene, alone=True)
    return rendered("viewer/view.html.j2", viewer=viewer)


def _scene(run: TrainingRun) -> Scene:
    reading, evaluated = run.folder / INTERPRETATION, run.folder / "evaluation.json"
    beside = (
        require_beside(evaluation_of(run), run.folder / "samples.h5")
        if evaluated.exists()
        else None
    )
    return scene_of(
        run,
        run.activity(),
        run.at_mean_context(),
        None if beside is None else read_samples(beside),
        interpretation_of(run) if reading.exists() else None,
        None if beside is None else read_details(beside),
    )
