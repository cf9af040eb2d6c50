"""What `fit` says when it is done."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from boltzbrain.cli.summaries.results import show_run
from boltzbrain.foundations.showing.console import Terminal


@pytest.mark.parametrize(("scores", "rising"), [([-9, -8, -7], True), ([-9, -7, -7.001], False)])
def test_a_training_that_still_rises_says_that_more_updates_would_help(scores, rising, capsys):
    log = pd.DataFrame(
        {"update": [1, 50, 100], "validation_nats_per_bin": scores, "validation_stderr": 0.1,
         "validation_independent": -9.0}
    )  # fmt: skip
    info = {
        "updates_done": 100,
        "convergence": {"status": "converged", "restarts": 0, "reason": None},
    }
    show_run(Terminal(), SimpleNamespace(info=info, log=lambda: log, chosen_update=100,
                                         folder=Path("run")))  # fmt: skip
    told = " ".join(capsys.readouterr().out.split())
    assert ("more updates would help" in told) == rising
    assert "next: boltzbrain evaluate run" in told
