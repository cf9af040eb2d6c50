"""How a page becomes HTML: its templates, and data that a script of it reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from boltzbrain.foundations.disk.files import atomic_write
from boltzbrain.pages.glossary import explained


def rendered(template: str, **values: Any) -> str:
    """Return a template filled in: everything escaped, nothing undefined."""
    environment = Environment(
        loader=PackageLoader("boltzbrain.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["explained"] = explained
    return environment.get_template(template).render(**values)


def write_html(path: Path, text: str) -> Path:
    """Write a page, whole or not at all; return its path.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    with atomic_write(path) as temporary:
        # the name of a file may hold bytes that are no text
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
    return path


def embedded(data: Any) -> Markup:
    """Return data as JSON that cannot end the script element that holds it."""
    text = json.dumps(data, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
