"""What ties the hidden units of a training to those of another animal: the anchor of a plan."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.disk.files import sha256
from boltzbrain.foundations.options import Options, setting


class Anchor(Options):
    """Hidden samples of another model, and how much of the objective they are.

    With q the law of the samples, a training with an anchor climbs

        (1 - weight) < log P(v) >_data + weight < log P(h) >_q,

    whose second term is -weight KL(q || P(h)) up to a constant: it draws the law of the hidden
    units to q (after Dommanget-Kott et al., PNAS 123:e2529064123, 2026, 'latent-aligned RBMs'). It
    does not say which neurons a unit stands for.

    Examples
    --------
    >>> Anchor(samples="samples/a.h5", sha256="0" * 64, weight=0.5).weight
    0.5
    """

    noun: ClassVar[str] = "a field of an anchor"
    group: ClassVar[str] = "Anchor"
    takes_text: ClassVar[bool] = True

    samples: str = setting(
        "", "file of the hidden samples; a relative path is taken from the run folder"
    )
    sha256: str = setting("", "SHA-256 of that file")
    weight: float = setting(0.5, "share of the objective", ge=0, lt=1)

    @classmethod
    def of(cls, path: str | Path, weight: float = 0.5) -> Self:
        """Return the anchor of a file that `training.update.anchored.write_samples` wrote.

        Raises
        ------
        InputError
            If the file is not there.
        """
        place = Path(path).resolve()
        if not place.is_file():
            raise bad_input("anchor", "be a file of hidden samples", str(path))
        return cls(samples=str(place), sha256=sha256(place), weight=weight)

    def path(self, run: Path) -> Path:
        """Return where the file lies, for the training in a run folder."""
        # the run folder need not be there yet, so ".." cannot be left to the system
        return Path(os.path.normpath(run.absolute() / self.samples))


def require_no_other(plan: Mapping[str, Any]) -> None:
    """Refuse beside an anchor what moves hidden units by a rule of its own.

    Parameters
    ----------
    plan
        Hyperparameter to value, of a plan with an anchor.

    Raises
    ------
    InputError
        If it is there.
    """
    for name, off in (("context", None), ("normalised", False), ("assemblies", False)):
        if plan[name] != off:
            raise bad_input(name, f"be {off} beside an anchor".lower(), plan[name])
    if plan["weights_from"] == "assemblies":
        raise bad_input("weights_from", "be noise or data beside an anchor", "assemblies")
