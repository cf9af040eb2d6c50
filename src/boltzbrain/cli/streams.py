"""What people read: text that any terminal can write, and in which a name is never a command.

Every text of the command line goes through here: names from files hold markup, line breaks and
control sequences, and a terminal may know ASCII only.
"""

from __future__ import annotations

import codecs
import io
import os
import shlex
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

_PLAIN = {
    "−": "-", "–": "-", "—": "-", "±": "+/-", "·": "|", "…": "...", "≥": ">=", "≤": "<=", "×": "x",
    "⟨": "<", "⟩": ">", "µ": "u", "μ": "u", "σ": "sigma", "γ": "gamma", "Γ": "Gamma", "²": "^2",
    "•": "*", "│": "|", "─": "-", "━": "-", "╭": "+", "╮": "+", "╰": "+", "╯": "+", "╸": "-",
    "╺": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "→": "->", " ": " ", "°": " deg",
}  # fmt: skip
"""What stands for a sign that a terminal cannot write; letters lose their accents."""

_HANDLER = "boltzbrain.plain"


def _plain(sign: str) -> str:
    """Return a sign in ASCII: its stand-in, its letter without accents, or its number."""
    if sign in _PLAIN:
        return _PLAIN[sign]
    letters = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()
    return letters or _escaped(sign)


def _escaped(sign: str) -> str:
    """Return the number of a sign; a byte of a file's name that is no text stays that byte."""
    code = ord(sign)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return sign.encode("unicode_escape").decode()


def _instead(error: UnicodeError) -> tuple[str, int]:
    """Return plain text for what a stream cannot write: a handler of errors of codecs."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_plain, error.object[error.start : error.end])), error.end


codecs.register_error(_HANDLER, _instead)


@contextmanager
def plain_where_needed() -> Iterator[None]:
    """Let stdout and stderr write plain signs for those that their encoding does not have."""
    changed = []
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            changed.append((stream, stream.errors))
            stream.reconfigure(errors=_HANDLER)
    try:
        yield
    finally:
        for stream, errors in changed:
            if not stream.closed:
                stream.reconfigure(errors=errors)


def encoding_of(stream: TextIO) -> str:
    """Return the encoding of a stream; UTF-8 where it has none, as in memory."""
    return getattr(stream, "encoding", None) or "utf-8"


def shown(text: object, encoding: str = "utf-8", *, lines: bool = False) -> str:
    r"""Return text as a terminal can show it: no control sequence, no sign that it lacks.

    Parameters
    ----------
    text
        Any; what is no string in its own words.
    encoding
        What the terminal can write.
    lines
        Keep line breaks.

    Examples
    --------
    >>> shown("\x1b[31mCA1\n"), shown("−1.2 ± 0.3 é", "ascii")
    ('\\x1b[31mCA1\\n', '-1.2 +/- 0.3 e')
    """
    safe = "".join(
        sign
        if sign.isprintable() or (lines and sign == "\n") or unicodedata.category(sign) == "Zs"
        else _escaped(sign)
        for sign in str(text)
    )
    return safe.encode(encoding, _HANDLER).decode(encoding)


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
