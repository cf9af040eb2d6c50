"""The picture of the README: recorded and generated activity of the demo.

Usage: .venv/bin/python docs/images/demo_rasters.py [RUN]

Reads the run of `make demo` (demo/run) and writes demo_rasters.png beside this file.
"""

from __future__ import annotations

import sys
from pathlib import Path

from matplotlib.figure import Figure

import boltzbrain as bb
from boltzbrain.report import figures
from boltzbrain.report.figures.rasters import region_order
from boltzbrain.report.page import page_data
from boltzbrain.report.style import GENERATED, TEST, house_style

BINS = 250


def main(run: Path) -> None:
    """Draw the picture of one run."""
    page = page_data(bb.TrainingRun.open(run))
    order = region_order(page.regions, page.test.states.mean(axis=0))
    names = [page.regions[one] for one in order.tolist()]
    with house_style():
        picture = Figure(figsize=(9.0, 3.8), layout="constrained")
        for ax, states, width, colour, title in zip(
            picture.subplots(1, 2),
            (page.test.states, page.generated.states),
            (page.bin_width_s, None),
            (TEST, GENERATED),
            ("Recorded", "Generated"),
            strict=True,
        ):
            figures.raster(states[:BINS][:, order], names, width, colour=colour, ax=ax)
            ax.set_title(title)
        picture.savefig(Path(__file__).with_suffix(".png"))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("demo/run"))
