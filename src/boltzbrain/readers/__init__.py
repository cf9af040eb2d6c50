"""One module per file format: `read_<format>(path) -> Recording`."""

from boltzbrain.readers.detect import FORMATS, read
from boltzbrain.readers.npz import read_npz
from boltzbrain.readers.nwb import read_nwb
from boltzbrain.readers.units import PRESETS
from boltzbrain.readers.zebrafish import read_zebrafish

__all__ = ["FORMATS", "PRESETS", "read", "read_npz", "read_nwb", "read_zebrafish"]
