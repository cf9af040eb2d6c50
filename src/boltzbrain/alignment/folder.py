"""The folder of a study: what is asked for, the animals, and what was found of every pair."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boltzbrain.alignment.register import Neurons, Register
from boltzbrain.data.activity import Activity
from boltzbrain.data.activity_file import read_activity
from boltzbrain.data.study import Frame
from boltzbrain.foundations.checks import bad_input, one_of
from boltzbrain.foundations.disk.files import FileFormat, read_ours, require_sha256, write_ours
from boltzbrain.foundations.showing.told import SelfTold
from boltzbrain.interpretation.motifs.find import Motifs
from boltzbrain.interpretation.motifs.kept import FILE as MOTIFS
from boltzbrain.interpretation.motifs.kept import motifs_in
from boltzbrain.training.run.run import TrainingRun

FORMAT = FileFormat(
    "boltzbrain study", what="study.json", command="boltzbrain align or boltzbrain fit STUDY.toml"
)
FILE = "study.json"
NONE_YET = "hold no study yet (--resume or bb.resume_align goes on with it; or take another folder)"
"""What an output folder must do."""
CONSENSUS = "consensus"
"""The teacher of a study in which no animal is the standard."""

KINDS: Mapping[str, str] = {
    "students": "started from the teacher",
    "blind": "half of the neurons started from the teacher, the others near 0",
    "shuffled": "blind, with positions, names or regions of the receiver permuted",
    "mirrored": "blind, with positions of the receiver mirrored",
    "within": "blind, with positions permuted within regions",
    "units": "blind, with the hidden units of the start permuted",
    "plain": "blind, without the second term of the objective",
}
"""What is trained of a pair: the student, that which tells whether it found the assemblies, and
controls of it."""
CONTROLS = tuple(name for name in KINDS if name not in ("students", "blind"))


@dataclass(frozen=True)
class Task:
    """One training of a study.

    Attributes
    ----------
    kind
        One of `KINDS`.
    teacher, receiver
        Names of animals.
    """

    kind: str
    teacher: str
    receiver: str

    @property
    def name(self) -> str:
        """Its folder in that of the study."""
        return f"{self.kind}/{self.receiver}-of-{self.teacher}"


@dataclass(frozen=True, repr=False)
class StudyFolder(SelfTold):
    """A study; everything is read from its folder when asked for.

    Attributes
    ----------
    folder
        The folder with study.json, activities/, runs/ (the animals' own), samples/, students/,
        blind/ and controls; motifs/, where `connectome` was called.
    """

    folder: Path

    @classmethod
    def create(cls, folder: Path, content: Mapping[str, Any]) -> StudyFolder:
        """Write study.json; the activities lie there already.

        Raises
        ------
        InputError
            If the folder holds a study.
        """
        if (folder / FILE).exists():
            raise bad_input("output folder", NONE_YET, f"a study ({FILE})", file=folder)
        whole = {**content, "status": "started", "pairs": [], "found": {}}
        write_ours(folder / FILE, FORMAT, {**whole, "id": _id(whole)})
        return cls(folder)

    @classmethod
    def open(cls, folder: Path | str) -> StudyFolder:
        """Open a study.

        Raises
        ------
        InputError
            If the folder holds none.
        """
        place = Path(folder)
        if not (place / FILE).is_file():
            got = f"no {FILE} in it" if place.is_dir() else "no such folder"
            raise bad_input(
                "study folder", "be a folder that `boltzbrain align` wrote", got, file=place
            )
        found = cls(place)
        assert found.info
        return found

    @property
    def info(self) -> dict[str, Any]:
        """The content of study.json."""
        content = read_ours(self.folder / FILE, FORMAT)
        if content.get("id") != _id(content):
            raise bad_input(
                "asked and animals", "be what the study began with, of which `id` is the hash",
                "something else", file=self.folder / FILE,
            )  # fmt: skip
        return content

    def update(self, **changes: Any) -> None:
        """Replace entries of study.json."""
        write_ours(self.folder / FILE, FORMAT, {**self.info, **changes})

    @property
    def asked(self) -> dict[str, Any]:
        """What the study was started with."""
        asked: dict[str, Any] = self.info["asked"]
        return asked

    @property
    def animals(self) -> list[str]:
        """Names of the animals, in the order in which they were given."""
        return [one["name"] for one in self.info["animals"]]

    @property
    def groups(self) -> list[str]:
        """The group of each animal, empty where the study tells none."""
        animals = self.info["animals"]
        return [one["group"] for one in animals] if all("group" in one for one in animals) else []

    @property
    def register(self) -> Register:
        """By what neurons are told to lie at one place."""
        return Register.of(self.asked["by"])

    @property
    def frame(self) -> Frame:
        """The frame of positions."""
        return Frame(**self.asked["frame"])

    @property
    def teachers(self) -> list[str]:
        """Animals whose hidden units are the standard of others."""
        teacher = self.asked["teacher"]
        if teacher == "each":
            return self.animals
        return self.animals[:1] if teacher == CONSENSUS else [teacher]

    @property
    def rounds(self) -> int:
        """Rounds in which animals are brought to a consensus; 0 with a teacher."""
        return int(self.asked["rounds"]) if self.asked["teacher"] == CONSENSUS else 0

    def pairs(self) -> list[tuple[str, str]]:
        """Return every ordered pair of teacher and receiver."""
        return [(one, other) for one in self.teachers for other in self.animals if other != one]

    def tasks(self) -> list[Task]:
        """Return every training of a pair: students first."""
        pairs = self.pairs()
        kinds = ["students", "blind"]
        if self.asked["controls"] == "all":
            kinds += [one for one in CONTROLS if self.has_control(one)]
        found = [Task(kind, *pair) for kind in kinds for pair in pairs]
        if self.asked["controls"] == "one":
            firsts = {receiver: teacher for teacher, receiver in reversed(pairs)}
            found += [Task("shuffled", teacher, one) for one, teacher in firsts.items()]
        return found

    def has_control(self, kind: str) -> bool:
        """Return whether a control means anything for what the study goes by."""
        if kind == "mirrored":
            return self.register.way == "positions"
        if kind == "within":
            atlas = self.info["animals"]
            return self.register.way == "positions" and all(one["regions"] for one in atlas)
        return True

    def activity_path(self, animal: str) -> Path:
        """Return where the activity of an animal lies."""
        return self.folder / "activities" / f"{animal}.h5"

    def activity(self, animal: str) -> Activity:
        """Return the activity of an animal.

        Raises
        ------
        InputError
            If there is no such animal, or its file is another.
        """
        one_of("animal", animal, self.animals)
        told = next(one for one in self.info["animals"] if one["name"] == animal)
        path = self.activity_path(animal)
        require_sha256(path, told["activity_sha256"], "the activity of the study", "put it back")
        return read_activity(path)

    def neurons(self, animal: str) -> Neurons:
        """Return what is known of the neurons of an animal."""
        return Neurons.of(animal, self.activity(animal), self.register)

    def run(self, animal: str) -> TrainingRun:
        """Return an animal's own run."""
        return TrainingRun.open(self.folder / "runs" / animal)

    def student(self, teacher: str, receiver: str) -> TrainingRun:
        """Return the student of a pair.

        Raises
        ------
        InputError
            If the study has no such pair, or it is not trained yet.
        """
        return TrainingRun.open(self.folder / Task("students", teacher, receiver).name)

    def motifs(self) -> Motifs | None:
        """Return the motifs that `connectome` put into the folder, None where there are none.

        Raises
        ------
        InputError
            If they are of other animals.
        """
        found = motifs_in(self.folder)
        others = [] if found is None else [
            name for name in found.summary["animals"] if name not in self.animals
        ]  # fmt: skip
        if others:
            must = "be of animals of the study (make it anew: `boltzbrain connectome`)"
            raise bad_input(MOTIFS, must, others[0], file=self.folder)
        return found

    def samples_path(self, animal: str) -> Path:
        """Return where the hidden samples of a teacher lie."""
        return self.folder / "samples" / f"{animal}.h5"


def _id(content: Mapping[str, Any]) -> str:
    told = json.dumps({name: content.get(name) for name in ("asked", "animals")}, sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def names_for(stems: Sequence[str], given: Sequence[str] | None) -> list[str]:
    """Return names of animals: those that were given, else the stems of their recordings.

    Raises
    ------
    InputError
        If they do not tell the animals apart, or are no names of folders.
    """
    names = list(stems if given is None else given)
    if len(names) != len(stems):
        raise bad_input("names", f"be one per animal ({len(stems)})", len(names))
    if len(set(names)) != len(names):
        raise bad_input("names", "be different (--name gives them)", names)
    for one in names:
        if not one or one != Path(one).name or one.startswith("."):
            raise bad_input("names", "be names of folders", one)
        if one in ("each", CONSENSUS):
            raise bad_input("names", "be other than the words for teachers", one)
    return names
