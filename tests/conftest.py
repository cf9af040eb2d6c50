"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from helpers.browsing import open_browser

# no test opens a window; set before anything imports matplotlib
os.environ.setdefault("MPLBACKEND", "Agg")
# threads that wait sleep: on a machine shared with others, spinning ones cost a factor of ten
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# without a GPU its kernels run in Triton's interpreter; Triton asks when it is imported
if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"

# the same examples every time, and no time limit on a busy machine
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real recordings that lies beside the repository; skip where absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("shared/data is absent")
    return SHARED_DATA


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium, opened once."""
    opened = open_browser()
    yield opened
    opened.quit()
