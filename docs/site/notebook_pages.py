"""A page of the site for each executed notebook: text, code, and what the code showed."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

import nbformat
from notebooks import text_of

SHOWN = "```{ .text .shown }"
"""Begins a block of what a cell shows; `extra.css` knows it by its class."""
_STYLE = re.compile(r"<style scoped>.*?</style>", re.DOTALL)


@dataclass(frozen=True)
class NotebookPage:
    """A notebook as a page.

    Attributes
    ----------
    markdown
        Text, with a mark where HTML comes, see `with_html`.
    pictures
        Name of a file beside the page to its content.
    html
        Mark to the HTML that stands in its place.
    """

    markdown: str
    pictures: dict[str, bytes]
    html: dict[str, str]

    @property
    def last(self) -> str:
        """Name of the picture that it ends in."""
        return list(self.pictures)[-1]


def page_of(name: str, book: nbformat.NotebookNode, above: str = "") -> NotebookPage:
    """Return the page of an executed notebook.

    Parameters
    ----------
    name
        Of the notebook.
    book
        With its outputs.
    above
        Markdown that comes below the title.
    """
    parts: list[str] = []
    pictures: dict[str, bytes] = {}
    html: dict[str, str] = {}
    for cell in book.cells:
        if cell.cell_type == "markdown":
            text = cell.source
            if not parts and above:
                title, _, rest = text.partition("\n")
                text = f"{title}\n\n{above}\n{rest}"
            parts.append(text)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        for output in cell.outputs:
            data = output.get("data", {})
            if "image/png" in data:
                file = f"{name}_{len(pictures) + 1}.png"
                pictures[file] = base64.b64decode(data["image/png"])
                parts.append(f"![What the code above draws]({file})")
            elif "text/html" in data and "<progress" not in data["text/html"]:
                mark = f"output-{name}-{len(html)}"
                html[mark] = _STYLE.sub("", str(data["text/html"])).replace('border="1" ', "")
                parts.append(f'<div class="output" id="{mark}"></div>')
            elif text := text_of(output).strip("\n"):
                parts.append(f"{SHOWN}\n{text}\n```")
    return NotebookPage("\n\n".join(_together(parts)) + "\n", pictures, html)


def _together(parts: list[str]) -> list[str]:
    """Return the parts with lines of text that follow each other in one block."""
    found: list[str] = []
    for part in parts:
        if found and part.startswith(SHOWN) and found[-1].startswith(SHOWN):
            found[-1] = f"{found[-1][:-4]}\n{part[len(SHOWN) + 1 :]}"
        else:
            found.append(part)
    return found


def with_html(page: str, html: dict[str, str]) -> str:
    """Return a page as it is shown, with what belongs in the place of each mark."""
    for mark, text in html.items():
        empty = f'<div class="output" id="{mark}"></div>'
        page = page.replace(empty, f'<div class="output">{text}</div>')
    return page
