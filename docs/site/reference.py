"""Pages of the reference: one for each public name, which mkdocstrings fills from its docstring."""

from __future__ import annotations

import inspect

import boltzbrain
from boltzbrain.foundations import doors

OF_OBJECT = "Called on the object, which is the first argument here."


def names() -> list[str]:
    """Return the public names that have a page."""
    return [name for name in boltzbrain.__all__ if not name.startswith("_")]


def reference() -> dict[str, str]:
    """Return the pages of the public names, path to Markdown."""
    pages = {}
    groups: dict[str, list[str]] = {"Verbs": [], "Types": [], "Modules": []}
    for name in names():
        value = getattr(boltzbrain, name)
        module = inspect.ismodule(value)
        path = value.__name__ if module else f"{value.__module__}.{value.__name__}"
        lines = [f"# bb.{name}", "", f"::: {path}", ""]
        group = "Modules" if module else "Types" if inspect.isclass(value) else "Verbs"
        for method, place in sorted(doors.keepers().items()):
            owner, _, verb = method.partition(".")
            if group == "Types" and owner == value.__name__ and verb != "told":
                room, _, function = place.partition(":")
                lines += [f"## {name}.{verb}", "", OF_OBJECT, ""]
                lines += [f"::: boltzbrain.{room}.{function}", ""]
        pages[f"reference/{name}.md"] = "\n".join(lines)
        first = (inspect.getdoc(value) or "").split("\n")[0]
        groups[group].append(f"| [`bb.{name}`]({name}.md) | {first} |")
    index = [
        "# Reference",
        "",
        "Every public name, from its docstring. The formulas are in",
        "[formulas](../developer/formulas.md), the words in [words](../developer/words.md).",
        "",
    ]
    for title, rows in groups.items():
        index += [f"## {title}", "", "| name | what |", "|---|---|", *rows, ""]
    pages["reference/index.md"] = "\n".join(index)
    return pages
