"""What is said of losses before anything is made of a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

from boltzbrain.cli.terminal import note
from boltzbrain.data.losses import losses_of

if TYPE_CHECKING:
    from boltzbrain.data.activity import Activity
    from boltzbrain.data.recording import Recording
    from boltzbrain.preparing.preparation import Preparation


def warn_of_losses(data: Recording | Activity, preparation: Preparation) -> None:
    """Write a line for each large loss, but for what the user chose to leave out."""
    asked = {*preparation.given, *preparation.reader}
    for one in losses_of(data):
        if one.large and one.option not in asked:
            note(f"Warning: {one.name}: {one.said()}")
