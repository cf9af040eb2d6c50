"""One module per file format that recordings are written to."""

from boltzbrain.writers.npz import write_npz
from boltzbrain.writers.nwb import write_nwb

__all__ = ["write_npz", "write_nwb"]
