"""What a story may ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from boltzbrain.evaluation import samples
from boltzbrain.evaluation.evaluate import evaluate_model
from helpers.working import one_after_another


@pytest.fixture(scope="module")
def quick_evaluation() -> Iterator[None]:
    """Make the estimates of `evaluate` coarse, so that a story takes a second and not ten."""
    defaults = evaluate_model.__kwdefaults__
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples, "CHAINS", 100)
        patch.setitem(defaults, "ais_chains", 40)
        patch.setitem(defaults, "ais_rungs", 50)
        yield


@pytest.fixture
def in_process(monkeypatch):
    """Do the work of a sweep in this process: those of its own are left out."""
    monkeypatch.setattr("boltzbrain.grid.workers.on_this_machine", one_after_another)


@pytest.fixture
def undrawn(monkeypatch):
    """Leave the pictures of a page empty: they take seconds, and are drawn in other tests."""
    monkeypatch.setattr("boltzbrain.pages.panels.panel._picture", lambda _image: "data:,")
