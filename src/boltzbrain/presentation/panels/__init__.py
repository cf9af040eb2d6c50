"""The panels of the page: a figure, what it shows, what good looks like, and a verdict."""

from boltzbrain.presentation.panels.choose import panels
from boltzbrain.presentation.panels.panel import Image, Panel

__all__ = ["Image", "Panel", "panels"]
