"""Text that any terminal can show, whatever a name from a file holds and the terminal knows."""

from __future__ import annotations

import codecs
import unicodedata
from typing import TextIO

_PLAIN = {
    "−": "-", "–": "-", "—": "-", "±": "+/-", "·": "|", "…": "...", "≥": ">=", "≤": "<=", "×": "x",
    "⟨": "<", "⟩": ">", "µ": "u", "μ": "u", "σ": "sigma", "γ": "gamma", "Γ": "Gamma", "²": "^2",
    "•": "*", "│": "|", "─": "-", "━": "-", "╭": "+", "╮": "+", "╰": "+", "╯": "+", "╸": "-",
    "╺": "-", "⁻": "^-", "‘": "'", "’": "'", "“": '"', "”": '"', "→": "->", " ": " ", "°": " deg",
}  # fmt: skip
"""What stands for a sign that a terminal cannot write; letters lose their accents."""

HANDLER = "boltzbrain.plain"


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


codecs.register_error(HANDLER, _instead)


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
    return safe.encode(encoding, HANDLER).decode(encoding)
