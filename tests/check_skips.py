"""Fail on a test that was skipped for a reason that is not on the list.

Usage: python tests/check_skips.py JUNIT_XML ALLOWED_SKIPS

Reads the report that ``pytest --junit-xml`` wrote. Exits 1 if a test failed, was skipped for a
reason that the list does not hold word for word, or if no test ran at all.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET


def skip_reason(skipped: ET.Element) -> str:
    """Return why one test was skipped; an expected failure is told apart by its prefix."""
    message = skipped.get("message", "")
    if skipped.get("type") == "pytest.xfail":
        return f"expected failure: {message}"
    if message == "collection skipped":  # a whole module: the reason stands in the text
        return (skipped.text or "").strip().removesuffix("')").rpartition("Skipped: ")[2]
    return message


def check(report: Path, allowed: Path) -> int:
    """Print the outcome of a run and return the exit status."""
    lines = (line.strip() for line in allowed.read_text(encoding="utf-8").splitlines())
    reasons = {line for line in lines if line and not line.startswith("#")}
    outcomes: Counter[str] = Counter()
    unlisted: list[str] = []
    for case in ET.parse(report).getroot().iter("testcase"):
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            outcomes["failed"] += 1
        elif skipped is None:
            outcomes["passed"] += 1
        else:
            outcomes["skipped"] += 1
            reason = skip_reason(skipped)
            if reason not in reasons:
                unlisted.append(f"{case.get('classname')}::{case.get('name')}: {reason}")
    if unlisted:
        print(f"skipped for a reason that is not in {allowed}:", *unlisted, sep="\n  ")
    print(", ".join(f"{outcomes[name]} {name}" for name in ("passed", "failed", "skipped")))
    return int(bool(unlisted or outcomes["failed"] or not outcomes["passed"]))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(check(Path(sys.argv[1]), Path(sys.argv[2])))
