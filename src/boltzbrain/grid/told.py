"""What a sweep tells of itself."""

from __future__ import annotations

from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.showing.told import Told
from boltzbrain.grid.folder import SweepFolder


def sweep_told(sweep: SweepFolder) -> Told:
    """Return what a sweep tells: how many runs are done, and the one that was chosen."""
    try:
        table = sweep.table()
        rows = [("runs", f"{len(table):,}")]
        if (sweep.folder / "choice.json").is_file():
            rows.append(("chosen", str(sweep.chosen.folder.name)))
    except (InputError, KeyError, TypeError, OSError) as error:
        rows = [("state", f"not at its end: {error}")]
    return Told(f"Sweep in {sweep.folder}", tuple(rows))
