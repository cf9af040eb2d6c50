"""Say what a release still lacks: `make release` tries one and publishes nothing.

    .venv/bin/python docs/developer/release.py

Looks at the version in pyproject.toml, the changelog, the notes on moving from the version before,
the frozen run folder and the state of the repository. Exits 1 with a line for each that is
missing.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECTION = re.compile(r"^## \[(.+?)\](?: - (\d{4}-\d{2}-\d{2}))?$", re.MULTILINE)


def lacking(root: Path, version: str, tags: list[str], changed: list[str]) -> list[str]:
    """Return what a release of a version lacks, a sentence each.

    Parameters
    ----------
    root
        Folder of the repository.
    version
        That of pyproject.toml.
    tags, changed
        Tags of the repository; files that are not committed.
    """
    found = []
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        return [f"version in pyproject.toml must be three numbers; got {version}"]
    if f"v{version}" in tags:
        found.append(f"version {version} is tagged already: raise it in pyproject.toml")
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = SECTION.findall(text)
    names = [name for name, _ in sections]
    if not sections or sections[0][0] != version:
        top = names[0] if names else "nothing"
        found.append(f"CHANGELOG.md begins with {top}: its first section must be [{version}]")
    elif not sections[0][1]:
        found.append(f"the section [{version}] of CHANGELOG.md has no date")
    older = [name for name in names if name not in (version, "Unreleased")]
    if older:
        heading = f"## From {older[0]} to {version}"
        if heading not in (root / "docs" / "versions.md").read_text(encoding="utf-8"):
            found.append(f"docs/versions.md has no heading '{heading}'")
    if not (root / "tests" / "frozen" / f"{version}.zip").exists():
        found.append(f"tests/frozen/{version}.zip is not there: python tests/frozen/freeze.py")
    if changed:
        found.append(f"not committed: {', '.join(changed)}")
    return found


def _git(*words: str) -> list[str]:
    told = subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True)
    return told.stdout.splitlines()


def main() -> None:
    """Look at the repository that this file lies in, and exit."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    version = version["project"]["version"]
    found = lacking(ROOT, version, _git("tag"), [line[3:] for line in _git("status", "--short")])
    if found:
        sys.exit("\n".join(f"missing: {one}" for one in found))


if __name__ == "__main__":
    main()
