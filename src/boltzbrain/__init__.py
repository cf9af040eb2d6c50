"""boltzbrain: Restricted Boltzmann Machines for large neural recordings."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from boltzbrain.foundations.checks import InputError, TrainingFailedError
    from boltzbrain.interpretation.couplings import couplings
    from boltzbrain.model.continuous import Gaussian
    from boltzbrain.model.discrete import Bernoulli, Ising
    from boltzbrain.model.foreign import read_pgm, read_rbms
    from boltzbrain.model.rbm import RBM
    from boltzbrain.model.rectified import DReLU, ReLU
    from boltzbrain.presentation import figures
    from boltzbrain.readers.detect import read
    from boltzbrain.recordings.activity import Activity
    from boltzbrain.recordings.joining import join_probes, join_sessions
    from boltzbrain.recordings.recording import Recording
    from boltzbrain.recordings.study import Study
    from boltzbrain.running.api import (
        compare,
        convert,
        evaluate,
        fit,
        interpret,
        report,
        resume,
        sample,
    )
    from boltzbrain.running.sweep import resume_sweep, sweep
    from boltzbrain.training.plan import TrainingPlan
    from boltzbrain.training.run import TrainingRun

    __version__: str

__all__ = [
    "RBM",
    "Activity",
    "Bernoulli",
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
    "compare",
    "convert",
    "couplings",
    "evaluate",
    "figures",
    "fit",
    "interpret",
    "join_probes",
    "join_sessions",
    "read",
    "read_pgm",
    "read_rbms",
    "report",
    "resume",
    "resume_sweep",
    "sample",
    "sweep",
]

# PyTorch takes seconds to import, so each name is fetched when it is first asked for
_HOME = {
    "RBM": "model.rbm",
    "Activity": "recordings.activity",
    "Bernoulli": "model.discrete",
    "DReLU": "model.rectified",
    "Gaussian": "model.continuous",
    "InputError": "foundations.checks",
    "Ising": "model.discrete",
    "ReLU": "model.rectified",
    "Recording": "recordings.recording",
    "Study": "recordings.study",
    "TrainingFailedError": "foundations.checks",
    "TrainingPlan": "training.plan",
    "TrainingRun": "training.run",
    "compare": "running.api",
    "convert": "running.api",
    "couplings": "interpretation.couplings",
    "evaluate": "running.api",
    "fit": "running.api",
    "interpret": "running.api",
    "join_probes": "recordings.joining",
    "join_sessions": "recordings.joining",
    "read": "readers.detect",
    "read_pgm": "model.foreign",
    "read_rbms": "model.foreign",
    "report": "running.api",
    "resume": "running.api",
    "resume_sweep": "running.sweep",
    "sample": "running.api",
    "sweep": "running.sweep",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = import_module("importlib.metadata").version("boltzbrain")
    elif name == "figures":
        value = import_module("boltzbrain.presentation.figures")
    elif name in _HOME:
        value = getattr(import_module(f"boltzbrain.{_HOME[name]}"), name)
    else:
        raise AttributeError(f"module 'boltzbrain' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
