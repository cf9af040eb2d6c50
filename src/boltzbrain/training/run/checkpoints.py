"""Checkpoints: the model, the chains and everything needed to go on from one update."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from torch import Tensor

from boltzbrain.foundations.files import FileFormat, atomic_hdf5, open_ours
from boltzbrain.foundations.random import Generator
from boltzbrain.model.files import write_model
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.gibbs import Chains
from boltzbrain.training.health.restarts import Interventions
from boltzbrain.training.score.running import RunningScore
from boltzbrain.training.update.gradient import parameters_of

FORMAT = FileFormat("boltzbrain checkpoint", what="checkpoint")


@dataclass(frozen=True)
class Checkpoint:
    """The whole state of a training after one update.

    Attributes
    ----------
    update
        Number of gradient steps done.
    model
        The model to use: the running mean of the parameters where the plan averages, else `live`.
    live
        The parameters that the optimiser moves.
    chains
        Persistent chains and their random state.
    optimizer
        State of the optimiser, name to tensor.
    seconds
        Seconds of training until here, over all sittings.
    row
        The row of log.csv that belongs to this update; empty for the rolling checkpoint.
    interventions
        Restarts until here, and the L1 penalty that was chosen.
    running_score
        The running validation score; None without one.
    """

    update: int
    model: RBM
    live: RBM
    chains: Chains
    optimizer: Mapping[str, Tensor]
    seconds: float
    row: Mapping[str, Any]
    interventions: Interventions = field(default_factory=Interventions)
    running_score: RunningScore | None = None


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all."""
    with atomic_hdf5(path) as file:
        file.attrs.update(
            FORMAT.told,
            update=checkpoint.update,
            seconds=checkpoint.seconds,
            row=json.dumps(dict(checkpoint.row)),
            course=json.dumps(checkpoint.interventions.to_json()),
        )
        write_model(file, checkpoint.model)
        if checkpoint.live is not checkpoint.model:
            write_model(file.create_group("live"), checkpoint.live)
        chains = file.create_group("chains")
        generator = checkpoint.chains.generator
        chains.attrs.update(
            key=np.uint64(generator.key),
            counter=np.uint64(generator.counter),
            sweeps=checkpoint.chains.sweeps,
        )
        for name in ("visible", "hidden"):
            states = getattr(checkpoint.chains, name).cpu().numpy()
            chains.create_dataset(name, data=states, compression="lzf")
        if checkpoint.running_score is not None:
            _write_running_score(
                file.create_group("online"), checkpoint.running_score, checkpoint.model
            )
        optimizer = file.create_group("optimizer")
        for name, value in checkpoint.optimizer.items():
            optimizer.create_dataset(name.replace("/", "|"), data=value.cpu().numpy())


def read_checkpoint(path: Path, device: torch.device | str = "cpu") -> Checkpoint:
    """Read a checkpoint.

    Raises
    ------
    InputError
        If the file is missing, damaged or of another format.
    """
    with open_ours(path, FORMAT) as file:
        model = RBM.read(file).to(device)
        live = RBM.read(file["live"]).to(device) if "live" in file else model
        group = file["chains"]
        generator = Generator(int(group.attrs["key"]), int(group.attrs["counter"]))
        visible, hidden = (
            torch.from_numpy(group[name][:]).to(device) for name in ("visible", "hidden")
        )
        optimizer = {
            name.replace("|", "/"): torch.from_numpy(np.asarray(value[()])).to(device)
            for name, value in file["optimizer"].items()
        }
        return Checkpoint(
            update=int(file.attrs["update"]),
            model=model,
            live=live,
            chains=Chains(visible, hidden, generator, int(group.attrs["sweeps"])),
            optimizer=optimizer,
            seconds=float(file.attrs["seconds"]),
            row=json.loads(file.attrs["row"]),
            interventions=Interventions.from_json(json.loads(file.attrs.get("course", "{}"))),
            running_score=(
                _read_running_score(file["online"], model) if "online" in file else None
            ),
        )


def _write_running_score(group: h5py.Group, running_score: RunningScore, model: RBM) -> None:
    """Write the running score; the model of its chains only where it is not that of the file."""
    mine, its = parameters_of(running_score.running.model), parameters_of(model)
    if not all(torch.equal(value, its[name]) for name, value in mine.items()):
        write_model(group.create_group("model"), running_score.running.model)
    for name, value in running_score.tensors().items():
        packed = {"compression": "lzf"} if name == "visible" else {}
        group.create_dataset(name, data=value.cpu().numpy(), **packed)


def _read_running_score(group: h5py.Group, model: RBM) -> RunningScore:
    device = model.weights.device
    tensors = {
        name: torch.from_numpy(np.asarray(value[()])).to(device)
        for name, value in group.items()
        if name != "model"
    }
    own = RBM.read(group["model"]).to(device) if "model" in group else model
    return RunningScore.restore(own, tensors)
