"""The unit kinds that a plan may name, without PyTorch, which takes seconds to import."""

from __future__ import annotations

from boltzbrain.foundations.checks import bad_input


def hidden_kinds() -> list[str]:
    """Return the names of the unit kinds, in alphabetical order."""
    from boltzbrain.model.layers.layer import KINDS

    return sorted(KINDS)


def require_scale(kind: str) -> None:
    """Refuse hidden units of fixed size where their activity is to be held.

    Raises
    ------
    InputError
        If the kind has no scale.
    """
    from boltzbrain.model.layers.layer import KINDS

    real = sorted(name for name, layer in KINDS.items() if layer.scale_powers)
    if kind not in real:
        raise bad_input("hidden_kind", f"be one of {', '.join(real)} to be normalised", kind)
