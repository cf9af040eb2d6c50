"""The panels of the page: a figure, what it shows, what good looks like, and a verdict."""

from boltzbrain.pages.panels.panel import Image, Panel
from boltzbrain.pages.panels.sequence import panels

__all__ = ["Image", "Panel", "panels"]
