"""Activity of one animal told in the neurons of another, by hidden units that are the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from boltzbrain.alignment.consensus import latest
from boltzbrain.alignment.folder import StudyFolder
from boltzbrain.data.activity import FOLDS
from boltzbrain.foundations.checks import bad_input, one_of, whole_number_in
from boltzbrain.foundations.disk.files import FileFormat, atomic_write
from boltzbrain.foundations.disk.folders import new_file
from boltzbrain.foundations.memory import slices
from boltzbrain.foundations.random import Generator
from boltzbrain.model.rbm import RBM
from boltzbrain.training.run.run import TrainingRun

FORMAT = FileFormat("boltzbrain translation")
DRAWS = 20
"""Draws of the hidden units that a rate is the mean over: at their means it would be biased."""


class Translation(NamedTuple):
    """Bins of one animal told in the neurons of another.

    Attributes
    ----------
    rates
        (bin, neuron) float32 probabilities of a spike.
    states
        (bin, neuron) uint8, one draw.
    bins
        (bin,) numbers of the bins in the activity of the animal that they come from.
    """

    rates: NDArray[np.float32]
    states: NDArray[np.uint8]
    bins: NDArray[np.int64]


def translated_rates(
    giver: RBM, taker: RBM, states: NDArray[np.uint8], generator: Generator, draws: int = DRAWS
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return the rates of a taker's neurons given bins of a giver, and one draw of their states.

    h is drawn given the bin by the giver, and <v | h> of the taker is averaged over the draws.

    Parameters
    ----------
    giver, taker
        Models with the same hidden units.
    states
        (bin, neuron) uint8 of the giver.
    generator
        Moves on.
    draws
        Of the hidden units, for every bin.
    """
    rates = np.empty((len(states), len(taker.visible)), dtype=np.float32)
    drawn = np.empty(rates.shape, dtype=np.uint8)
    for piece in slices(len(states), max(len(giver.visible), len(taker.visible))):
        bins = torch.from_numpy(states[piece])
        inputs = giver.inputs_to_hidden(bins)
        total = torch.zeros((len(bins), len(taker.visible)))
        for number in range(draws):
            hidden = giver.hidden.sample(inputs, generator)
            total += taker.mean_visible(hidden)
            if number == 0:
                drawn[piece] = taker.sample_visible(hidden, generator).numpy()
        rates[piece] = (total / draws).numpy()
    return rates, drawn


def translate(
    study: StudyFolder | str | Path,
    source: str,
    target: str,
    *,
    out: str | Path | None = None,
    fold: str = "test",
    teacher: str | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Translation:
    """Tell bins of one animal of a study in the neurons of another.

    Parameters
    ----------
    study
        The study or its folder.
    source, target
        Names of the animal whose bins are told, and of that whose neurons tell them.
    out
        An npz file to write, which must not exist yet: ``rates``, ``states``, ``bin``, ``segment``,
        ``neuron_id``, ``bin_width_s``. None is written if None.
    fold
        "train", "validation", "test" or "all".
    teacher
        Whose hidden units both have; the source itself if it is a teacher, else the target if it
        is one, else the first teacher.
    draws
        Of the hidden units, for every bin.
    seed
        Of these draws.

    Raises
    ------
    InputError
        If the study lacks an animal or a student, or the fold has no bins.
    """
    opened = study if isinstance(study, StudyFolder) else StudyFolder.open(study)
    one_of("fold", fold, (*FOLDS, "all"))
    whole_number_in("draws", draws, low=1)
    for name, animal in (("from", source), ("to", target)):
        one_of(name, animal, opened.animals)
    path = None if out is None else new_file("out", out, (".npz",))
    teachers = opened.teachers
    first = next((one for one in (source, target) if one in teachers), teachers[0])
    standard = one_of("teacher", teacher or first, teachers)
    giver, taker = (model_of(opened, standard, animal).best for animal in (source, target))
    activity = opened.activity(source)
    bins = np.arange(activity.n_bins) if fold == "all" else activity.bins_of(fold)  # type: ignore[arg-type]
    if not len(bins):
        raise bad_input("fold", "have bins to translate", f"{fold} without any")
    stream = Generator.from_seed(seed, "translation", standard, source, target)
    found = Translation(*translated_rates(giver, taker, activity.states[bins], stream, draws), bins)
    if path is not None:
        ids = opened.activity(target).neurons["id"].tolist()
        _write(path, found, activity.segment[bins], ids, activity.bin_width_s)
    return found


def model_of(study: StudyFolder, teacher: str, animal: str) -> TrainingRun:
    """Return the run of an animal whose hidden units are those of a teacher."""
    if study.rounds:
        return latest(study, animal)
    return study.run(animal) if animal == teacher else study.student(teacher, animal)


def _write(
    path: Path,
    found: Translation,
    segment: NDArray[np.int32],
    ids: Sequence[str],
    bin_width_s: float,
) -> None:
    content: dict[str, Any] = {
        **FORMAT.told,
        "rates": found.rates,
        "states": found.states,
        "bin": found.bins,
        "segment": segment,
        "neuron_id": np.array([str(one) for one in ids], dtype=np.str_),
        "bin_width_s": bin_width_s,
    }
    with atomic_write(path) as temporary, temporary.open("wb") as handle:
        np.savez_compressed(handle, **content)
