"""One module per file format: `read_<format>(path) -> Recording`."""

from boltzbrain.readers.arrays import read_array
from boltzbrain.readers.caiman import read_caiman
from boltzbrain.readers.celegans import read_celegans
from boltzbrain.readers.detect import FORMATS, read
from boltzbrain.readers.neo_files import read_neo_file
from boltzbrain.readers.npz import read_npz
from boltzbrain.readers.nwb import read_nwb
from boltzbrain.readers.phy import read_phy
from boltzbrain.readers.pynapple import read_pynapple
from boltzbrain.readers.spikeinterface import read_spikeinterface
from boltzbrain.readers.suite2p import read_suite2p
from boltzbrain.readers.units import PRESETS
from boltzbrain.readers.zebrafish import read_zebrafish

__all__ = [
    "FORMATS",
    "PRESETS",
    "read",
    "read_array",
    "read_caiman",
    "read_celegans",
    "read_neo_file",
    "read_npz",
    "read_nwb",
    "read_phy",
    "read_pynapple",
    "read_spikeinterface",
    "read_suite2p",
    "read_zebrafish",
]
