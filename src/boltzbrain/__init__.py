"""boltzbrain: Restricted Boltzmann Machines for large neural recordings."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from boltzbrain.foundations.doors import hang
from boltzbrain.kernels.allocator import map_large_blocks

if TYPE_CHECKING:
    from boltzbrain.alignment.align import align, resume_align
    from boltzbrain.alignment.connectome import connectome
    from boltzbrain.alignment.translation import translate
    from boltzbrain.api import compare, convert, evaluate, fit, interpret, report, resume, sample
    from boltzbrain.data.activity import Activity
    from boltzbrain.data.recording import Recording
    from boltzbrain.data.study import Study
    from boltzbrain.estimator import BoltzmannMachine
    from boltzbrain.evaluation.new_data.transform import transform
    from boltzbrain.foundations.checks import InputError, TrainingFailedError
    from boltzbrain.grid.repeats import repeat
    from boltzbrain.grid.sweep import resume_sweep, sweep
    from boltzbrain.interpretation.behaviour.tuning import decode, explained, tuning
    from boltzbrain.interpretation.common_drive import common_drive
    from boltzbrain.interpretation.couplings.couplings import couplings
    from boltzbrain.model.foreign import read_pgm, read_rbms
    from boltzbrain.model.layers.continuous import Gaussian
    from boltzbrain.model.layers.discrete import Bernoulli, Ising
    from boltzbrain.model.layers.rectified import DReLU, ReLU
    from boltzbrain.model.rbm import RBM
    from boltzbrain.pages import figures
    from boltzbrain.pages.methods import methods
    from boltzbrain.pages.plates.write import save_figures
    from boltzbrain.pages.viewer.view import view
    from boltzbrain.preparing.joining import join_probes, join_sessions
    from boltzbrain.readers.detect import read
    from boltzbrain.readers.memory.arrays import from_counts, from_states, from_traces
    from boltzbrain.readers.memory.trains import from_spike_times
    from boltzbrain.readers.study import read_study
    from boltzbrain.training.plan import TrainingPlan
    from boltzbrain.training.run.run import TrainingRun

    __version__: str

__all__ = [
    "RBM",
    "Activity",
    "Bernoulli",
    "BoltzmannMachine",
    "DReLU",
    "Gaussian",
    "InputError",
    "Ising",
    "ReLU",
    "Recording",
    "Study",
    "TrainingFailedError",
    "TrainingPlan",
    "TrainingRun",
    "__version__",
    "align",
    "common_drive",
    "compare",
    "connectome",
    "convert",
    "couplings",
    "decode",
    "evaluate",
    "explained",
    "figures",
    "fit",
    "from_counts",
    "from_spike_times",
    "from_states",
    "from_traces",
    "interpret",
    "join_probes",
    "join_sessions",
    "methods",
    "read",
    "read_pgm",
    "read_rbms",
    "read_study",
    "repeat",
    "report",
    "resume",
    "resume_align",
    "resume_sweep",
    "sample",
    "save_figures",
    "sweep",
    "transform",
    "translate",
    "tuning",
    "view",
]

# threads of OpenMP that wait sleep: on a machine shared with others, spinning ones cost a factor of
# ten. PyTorch reads it when it is loaded, and the command line comes through here as well
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
map_large_blocks()

# PyTorch takes seconds to import, so each name is fetched when it is first asked for
_HOME = {
    "RBM": "model.rbm",
    "Activity": "data.activity",
    "Bernoulli": "model.layers.discrete",
    "BoltzmannMachine": "estimator",
    "DReLU": "model.layers.rectified",
    "Gaussian": "model.layers.continuous",
    "InputError": "foundations.checks",
    "Ising": "model.layers.discrete",
    "ReLU": "model.layers.rectified",
    "Recording": "data.recording",
    "Study": "data.study",
    "TrainingFailedError": "foundations.checks",
    "TrainingPlan": "training.plan",
    "TrainingRun": "training.run.run",
    "align": "alignment.align",
    "common_drive": "interpretation.common_drive",
    "compare": "api",
    "connectome": "alignment.connectome",
    "convert": "api",
    "couplings": "interpretation.couplings.couplings",
    "decode": "interpretation.behaviour.tuning",
    "evaluate": "api",
    "explained": "interpretation.behaviour.tuning",
    "fit": "api",
    "from_counts": "readers.memory.arrays",
    "from_spike_times": "readers.memory.trains",
    "from_states": "readers.memory.arrays",
    "from_traces": "readers.memory.arrays",
    "interpret": "api",
    "join_probes": "preparing.joining",
    "join_sessions": "preparing.joining",
    "methods": "pages.methods",
    "read": "readers.detect",
    "read_pgm": "model.foreign",
    "read_rbms": "model.foreign",
    "read_study": "readers.study",
    "repeat": "grid.repeats",
    "report": "api",
    "resume": "api",
    "resume_align": "alignment.align",
    "resume_sweep": "grid.sweep",
    "sample": "api",
    "save_figures": "pages.plates.write",
    "sweep": "grid.sweep",
    "transform": "evaluation.new_data.transform",
    "translate": "alignment.translation",
    "tuning": "interpretation.behaviour.tuning",
    "view": "pages.viewer.view",
}

hang(
    {
        "Recording.binarize": "preparing.bins.binarize:binarize",
        "Recording.mend": "preparing.faults.mend:mend",
        "Recording.deconvolve": "preparing.calcium.deconvolve:deconvolve",
        "Activity.split": "preparing.folds.split:split",
        "RBM.sample": "sampling.annealed:sample",
        "TrainingRun.evaluation": "evaluation.results:evaluation_of",
        "TrainingRun.interpretation": "interpretation.interpret:interpretation_of",
        "Interpretation.to_dataframe": "interpretation.tables:to_dataframe",
        "Interpretation.to_xarray": "interpretation.tables:to_xarray",
        "Activity.to_dataframe": "data.recording:neurons_with_regions",
        "Activity.to_xarray": "preparing.labelled:to_xarray",
        "Recording.told": "pages.objects.recordings:recording_told",
        "Activity.told": "pages.objects.recordings:activity_told",
        "Study.told": "pages.objects.recordings:study_told",
        "TrainingRun.told": "pages.objects.runs:run_told",
        "SweepFolder.told": "grid.told:sweep_told",
        "StudyFolder.told": "alignment.shown.told:study_folder_told",
        "RBM.told": "pages.objects.runs:model_told",
        "ContextualRBM.told": "pages.objects.runs:contextual_told",
        "Evaluation.told": "pages.objects.results:evaluation_told",
        "Interpretation.told": "pages.objects.results:interpretation_told",
        "Motifs.told": "pages.objects.motifs:motifs_told",
        "Comparison.told": "pages.objects.results:comparison_told",
        "TrainingRun.transform": "evaluation.new_data.transform:transform",
    }
)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = import_module("importlib.metadata").version("boltzbrain")
    elif name == "figures":
        value = import_module("boltzbrain.pages.figures")
    elif name in _HOME:
        value = getattr(import_module(f"boltzbrain.{_HOME[name]}"), name)
    else:
        raise AttributeError(f"module 'boltzbrain' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
