"""Checkpoints: the model, the chains and everything needed to go on from one update."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from torch import Tensor

from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.disk.files import FileFormat, atomic_hdf5, open_ours
from boltzbrain.foundations.random import Generator
from boltzbrain.model.context.contextual import Contexts
from boltzbrain.model.files import write_model
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.gibbs import Chains
from boltzbrain.training.health.restarts import Interventions
from boltzbrain.training.score.running import RunningScore
from boltzbrain.training.update.gradient import parameters_of

FORMAT = FileFormat("boltzbrain checkpoint", what="checkpoint")
MEAN_MEMBERS = "mean/members"
"""Where a training of assemblies keeps its members, (neuron, hidden), 0 elsewhere."""


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
    contexts, live_contexts
        What gives every bin an offset of the fields, to use with `model` and with `live`; None
        without, and `live_contexts` is where it is the other.
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
    contexts: Contexts | None = None
    live_contexts: Contexts | None = None

    def to(self, device: torch.device) -> Checkpoint:
        """Return the whole of it on a device."""
        model = self.model.to(device)
        score = self.running_score
        return replace(
            self,
            model=model,
            live=model if self.live is self.model else self.live.to(device),
            chains=replace(
                self.chains,
                visible=self.chains.visible.to(device),
                hidden=self.chains.hidden.to(device),
            ),
            optimizer={name: value.to(device) for name, value in self.optimizer.items()},
            running_score=None if score is None else score.to(device),
        )


@dataclass(frozen=True)
class Owner:
    """What a checkpoint must say to be one of a run.

    Attributes
    ----------
    run
        The run's own hash; None of a run of an older version, which has none.
    shape
        Its numbers of neurons and hidden units, None where unknown.
    file
        The file that says so, for messages.
    """

    run: str | None
    shape: tuple[int | None, int | None]
    file: Path

    def require(self, file: h5py.File, path: Path, update: int | None) -> None:
        """Refuse a checkpoint of another run, or of another update than its name says.

        Raises
        ------
        InputError
            If it is one.
        """
        must = f"be one of the run of {self.file} (another may have written into its folder)"
        if self.run is not None and file.attrs.get("run") != self.run:
            raise bad_input("the checkpoint", must, "that of another run", file=path)
        shape = file["weights"].shape
        if any(want not in (None, have) for want, have in zip(self.shape, shape, strict=True)):
            raise bad_input(
                "the checkpoint", must, f"{shape[0]} neurons, {shape[1]} hidden units", file=path
            )
        told = int(file.attrs["update"])
        if update not in (None, told):
            raise bad_input("the checkpoint", "be that of the update of its name", told, file=path)


def write_checkpoint(path: Path, checkpoint: Checkpoint, *, run: str | None = None) -> None:
    """Write a checkpoint, whole or not at all; `run` is the hash of the run that it is one of."""
    with atomic_hdf5(path) as file:
        if run is not None:
            file.attrs["run"] = run
        file.attrs["model_sha256"] = _sha256(checkpoint.model)
        file.attrs.update(
            FORMAT.told,
            update=checkpoint.update,
            seconds=checkpoint.seconds,
            row=json.dumps(dict(checkpoint.row)),
            course=json.dumps(checkpoint.interventions.to_json()),
        )
        write_model(file, checkpoint.model)
        if checkpoint.contexts is not None:
            checkpoint.contexts.write(file)
        if checkpoint.live is not checkpoint.model:
            write_model(file.create_group("live"), checkpoint.live)
            if checkpoint.live_contexts is not None and checkpoint.live_contexts.learnt():
                checkpoint.live_contexts.write(file["live"])
        chains = file.create_group("chains")
        generator = checkpoint.chains.generator
        chains.attrs.update(
            key=np.uint64(generator.key),
            counter=np.uint64(generator.counter),
            sweeps=checkpoint.chains.sweeps,
        )
        for name in ("visible", "hidden"):
            states = getattr(checkpoint.chains, name).cpu().numpy()
            packed = {"compression": "lzf"} if states.size else {}
            chains.create_dataset(name, data=states, **packed)
        if checkpoint.running_score is not None:
            _write_running_score(
                file.create_group("online"), checkpoint.running_score, checkpoint.model
            )
        optimizer = file.create_group("optimizer")
        for name, value in checkpoint.optimizer.items():
            optimizer.create_dataset(name.replace("/", "|"), data=value.cpu().numpy())


def _sha256(model: RBM) -> str:
    """Return the SHA-256 of the parameters of a model."""
    digest = hashlib.sha256()
    for name, value in sorted(parameters_of(model).items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().numpy().tobytes())
    return digest.hexdigest()


def _model_of(file: h5py.File, path: Path) -> RBM:
    """Return the model of a checkpoint, which must be the one that was written."""
    model = RBM.read(file)
    if file.attrs.get("model_sha256", found := _sha256(model)) != found:
        must = "have the parameters that were written, of which `model_sha256` is the hash"
        raise bad_input("the model", must, "others", file=path)
    return model


def read_model(path: Path, owner: Owner, update: int) -> tuple[RBM, Contexts | None]:
    """Read the model of a checkpoint, without its chains, and what gives its bins their offsets.

    Parameters as of `read_checkpoint`.

    Raises
    ------
    InputError
        If the file is missing, damaged, of another format, or not a checkpoint of the run.
    """
    with open_ours(path, FORMAT) as file:
        owner.require(file, path, update)
        return _model_of(file, path), Contexts.read(file)


def read_checkpoint(
    path: Path,
    device: torch.device | str = "cpu",
    *,
    owner: Owner | None = None,
    update: int | None = None,
) -> Checkpoint:
    """Read a checkpoint.

    Parameters
    ----------
    path
        The file.
    device
        Torch device.
    owner
        What it must say to be one of a run; None takes any.
    update
        The update that its name tells, if it does.

    Raises
    ------
    InputError
        If the file is missing, damaged, of another format, or not a checkpoint of the run.
    """
    with open_ours(path, FORMAT) as file:
        if owner is not None:
            owner.require(file, path, update)
        model = _model_of(file, path).to(device)
        live = RBM.read(file["live"]).to(device) if "live" in file else model
        contexts = Contexts.read(file)
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
            contexts=contexts,
            live_contexts=(Contexts.read(file["live"]) if "live" in file else None) or contexts,
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
