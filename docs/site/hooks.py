"""What the site has beyond the guides: README, changelog, tutorials, a page a public name.

Tutorials and gallery are shown as `make tutorials` executed them. Guides link to what lies
elsewhere in the repository, such as the output of proofs: what they link to is put into the site
under ``files/``, and the links are turned there.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

import notebooks
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.utils import get_relative_url
from notebook_pages import SHOWN, NotebookPage, page_of, with_html
from reference import names, reference

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "developer/contributing.md",
}
"""Page of the site for each file beside the guides."""
LINK = re.compile(r"(\]\(|^\[[^\]\n]+\]: )([^)#\s:]+)((?:#[^)\s]*)?(?:\)|$))", re.MULTILINE)
CODE = re.compile(r"(^```.*?^```$|`(?:[^`\n]|\n(?!\n))+`)", re.DOTALL | re.MULTILINE)
SHIM, SHIM_PAGE = "https://unpkg.com/iframe-worker/shim", "assets/iframe-worker.js"
"""With it the search works from the disk, too; the page would fetch it."""
NOTEBOOKS = "tutorials"
"""Folder of the notebooks, in the repository under docs/ and in the site."""
TUTORIALS_LIST = "tutorials/index.md"
_wanted: set[str] = set()
_names: set[str] = set()
"""Pages of the public names."""
_books: dict[str, NotebookPage] = {}
"""Page in the site to what it is made of."""


def on_config(config: Any) -> Any:
    """Put a page for each public name under Reference."""
    for entry in config["nav"]:
        if "Reference" in entry:
            entry["Reference"] = [entry["Reference"], *(f"reference/{name}.md" for name in names())]
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are made here, and the files that guides link to."""
    for name, page in PAGES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=turned(text, name, page)))
    pages = reference()
    _names.update(f"reference/{name}.md" for name in names())
    for page, text in pages.items():
        files.append(File.generated(config, page, content=text))
    for name in notebooks.names():
        _add_notebook(name, files, config)
    for file in files.documentation_pages():
        if file.generated_by is None:
            turned(Path(str(file.abs_src_path)).read_text(encoding="utf-8"), f"docs/{file.src_uri}",
                   file.src_uri)  # fmt: skip
    for name in sorted(_wanted):
        files.append(File.generated(config, f"files/{name}", abs_src_path=str(ROOT / name)))
    shim = ROOT / "docs" / "site" / "node_modules" / "iframe-worker" / "shim" / "index.js"
    files.append(File.generated(config, SHIM_PAGE, abs_src_path=str(shim)))
    return files


def _add_notebook(name: str, files: Files, config: Any) -> None:
    """Add the page of a notebook, its pictures, and the notebook itself.

    Raises
    ------
    PluginError
        If it was not executed since it, or the package, was changed.
    """
    book = notebooks.built(name)
    if book is None:
        raise PluginError(f"{name} is not executed as it is now: make tutorials")
    page, own = f"{NOTEBOOKS}/{name}.md", f"{NOTEBOOKS}/{name}.ipynb"
    where = f"Executed by `make tutorials`; [as a notebook]({name}.ipynb), to run and to change."
    found = page_of(name, book, where)
    _books[page] = found
    text = turned(found.markdown, f"docs/{NOTEBOOKS}/{name}.py", page)
    files.append(File.generated(config, page, content=text))
    files.append(File.generated(config, own, abs_src_path=str(notebooks.BUILT / f"{name}.ipynb")))
    for picture, content in found.pictures.items():
        files.append(File.generated(config, f"{NOTEBOOKS}/{picture}", content=content))


def on_page_content(html: str, page: Any, config: Any, files: Files) -> str:
    """Put what cells show as HTML into the page of a notebook, pictures into the list of all.

    Raises
    ------
    PluginError
        If what cells show as text does not have the class that `extra.css` knows it by, or the page
        of a public name is empty.
    """
    if page.file.src_uri in _names and 'class="doc doc-contents' not in html:
        raise PluginError(f"{page.file.src_uri} must show a docstring")
    if (found := _books.get(page.file.src_uri)) is not None:
        if SHOWN in found.markdown and "shown highlight" not in html:
            raise PluginError("what cells show must have the class that extra.css knows")
        return with_html(html, found.html)
    if page.file.src_uri == TUTORIALS_LIST:
        for source, found in _books.items():
            name = posixpath.basename(source).removesuffix(".md")
            picture = f'<br><img src="{found.last}" alt="" loading="lazy">'
            entry = rf'(<li>\s*<a href="{name}\.html">.*?)(</li>)'
            html = re.sub(entry, rf"\1{picture}\2", html, count=1, flags=re.DOTALL)
    return html


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Take what the search needs from the site itself."""
    return output.replace(SHIM, get_relative_url(SHIM_PAGE, page.file.url))


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Turn the links of a guide that leave the folder of the guides."""
    if page.file.generated_by is not None:
        return markdown
    return turned(markdown, f"docs/{page.file.src_uri}", page.file.src_uri)


def turned(text: str, source: str, page: str) -> str:
    """Return the text of a file of the repository with its links as they are in the site.

    Parameters
    ----------
    text
        Markdown.
    source
        Path of the file in the repository.
    page
        Path of its page in the site.
    """

    def one(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), found[2]))
        if target in PAGES:
            target = PAGES[target]
        elif target.startswith(f"docs/{NOTEBOOKS}/") and target.endswith(".py"):
            target = target.removeprefix("docs/").removesuffix(".py") + ".md"
        elif target.startswith("docs/"):
            target = target.removeprefix("docs/")
        elif (ROOT / target).is_file():
            _wanted.add(target)
            target = f"files/{target}"
        else:
            return found[0]  # the build names it
        return found[1] + posixpath.relpath(target, posixpath.dirname(page) or ".") + found[3]

    parts = CODE.split(text)
    return "".join(part if place % 2 else LINK.sub(one, part) for place, part in enumerate(parts))
