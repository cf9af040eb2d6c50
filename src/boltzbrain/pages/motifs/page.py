"""The page of motifs."""

from __future__ import annotations

from pathlib import Path

from boltzbrain.interpretation.motifs.find import Motifs
from boltzbrain.pages.html import rendered, write_html
from boltzbrain.pages.motifs.section import motif_section
from boltzbrain.pages.panels.panel import draw_together


def write_motifs_page(found: Motifs, path: Path) -> Path:
    """Write the page of motifs, whole or not at all.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    section = motif_section(found)
    draw_together(section)
    return write_html(path, rendered("motifs/page.html.j2", motifs=section))
