"""The panels of the page: a figure, what it shows, what good looks like, and a verdict."""

from boltzbrain.report.panels.panel import Image, Panel
from boltzbrain.report.panels.sequence import panels

__all__ = ["Image", "Panel", "panels"]
