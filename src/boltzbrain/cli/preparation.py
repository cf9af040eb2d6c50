"""Commands that prepare a recording: the fields of `Preparation` as options, told once for all."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from boltzbrain.cli.options import (
    BinMs,
    Calcium,
    CalciumKernel,
    CalciumThreshold,
    Epochs,
    FoldFile,
    Format,
    GapS,
    Join,
    MemoryLimit,
    Mend,
    MinActiveBins,
    ReaderOptions,
    SplitWay,
    TestShare,
    Units,
    ValidationShare,
    named_values,
)
from boltzbrain.preparing.preparation import Preparation

READING: Mapping[str, Any] = {
    "format": Format,
    "units": Units,
    "reader": ReaderOptions,
    "join": Join,
    "mend": Mend,
    "calcium": Calcium,
    "kernel": CalciumKernel,
    "calcium_threshold": CalciumThreshold,
}
BINNING: Mapping[str, Any] = {
    "bin_ms": BinMs,
    "epochs": Epochs,
    "memory_limit_gb": MemoryLimit,
}
SPLITTING: Mapping[str, Any] = {
    "min_active_bins": MinActiveBins,
    "by": SplitWay,
    "folds": FoldFile,
    "validation": ValidationShare,
    "test": TestShare,
    "gap_s": GapS,
}
"""Fields of `Preparation` and their options, by what they are about."""


def prepares(
    *groups: Mapping[str, Any],
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of some fields of `Preparation` in place of its parameter of it.

    Parameters
    ----------
    groups
        Of `READING`, `BINNING` and `SPLITTING`.
    """
    options = {name: hint for group in groups for name, hint in group.items()}
    keyword = inspect.Parameter.KEYWORD_ONLY
    in_place = [
        inspect.Parameter(name, keyword, default=None, annotation=hint)
        for name, hint in options.items()
    ]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def prepared(**given: Any) -> None:
            chosen = {name: given.pop(name) for name in options}
            chosen["reader"] = named_values("--read", chosen["reader"])
            command(**given, preparation=Preparation(**chosen))

        signature = inspect.signature(command, eval_str=True)
        parameters: list[inspect.Parameter] = []
        for one in signature.parameters.values():
            parameters += in_place if one.name == "preparation" else [one.replace(kind=keyword)]
        # what typer reads the options from
        prepared.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return prepared

    return decorate
