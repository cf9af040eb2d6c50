"""One module per file format: `read_<format>(path) -> Recording`."""

from boltzbrain.readers.detect import FORMATS, read
from boltzbrain.readers.formats.arrays import read_array
from boltzbrain.readers.formats.caiman import read_caiman
from boltzbrain.readers.formats.celegans import read_celegans
from boltzbrain.readers.formats.neo_files import read_neo_file
from boltzbrain.readers.formats.npz import read_npz
from boltzbrain.readers.formats.pynapple import read_pynapple
from boltzbrain.readers.formats.sorted.alf import read_alf
from boltzbrain.readers.formats.sorted.buzcode import read_buzcode
from boltzbrain.readers.formats.sorted.phy import read_phy
from boltzbrain.readers.formats.sorted.spikeinterface import read_spikeinterface
from boltzbrain.readers.formats.suite2p import read_suite2p
from boltzbrain.readers.nwb.file import read_nwb
from boltzbrain.readers.units import PRESETS
from boltzbrain.readers.zebrafish.file import read_zebrafish

__all__ = [
    "FORMATS",
    "PRESETS",
    "read",
    "read_alf",
    "read_array",
    "read_buzcode",
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
