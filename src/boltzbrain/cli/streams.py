"""What people read: text that any terminal can write, and in which a name is never a command.

Every text of the command line goes through here: names from files hold markup, line breaks and
control sequences, and a terminal may know ASCII only.
"""

from __future__ import annotations

import io
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from boltzbrain.foundations.showing.signs import HANDLER, encoding_of, shown


@contextmanager
def plain_where_needed() -> Iterator[None]:
    """Let stdout and stderr write plain signs for those that their encoding does not have."""
    changed = []
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            changed.append((stream, stream.errors))
            stream.reconfigure(errors=HANDLER)
    try:
        yield
    finally:
        for stream, errors in changed:
            if not stream.closed:
                stream.reconfigure(errors=errors)


def path_to_type(path: Path) -> str:
    """Return a path as it is typed in a command; a leading dash makes no option of it.

    Examples
    --------
    >>> path_to_type(Path("my run")), path_to_type(Path("-run"))
    ("'my run'", './-run')
    """
    text = str(path)
    return quoted(f".{os.sep}{text}" if text.startswith("-") else text)


def quoted(text: str) -> str:
    r"""Return a word as a shell takes it; signs that stdout cannot show are given by their bytes.

    Examples
    --------
    >>> quoted("a b"), quoted("a\nb'")
    ("'a b'", "$'a\\x0ab\\''")
    """
    if shown(text, encoding_of(sys.stdout)) == text:
        return shlex.quote(text)
    special = {"'": "\\'", "\\": "\\\\"}
    written = (
        special.get(chr(byte), chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}")
        for byte in os.fsencode(text)
    )
    return f"$'{''.join(written)}'"
