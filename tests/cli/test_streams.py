"""What people read: names are text, every encoding is served, one home for both."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

from boltzbrain.cli import streams
from boltzbrain.cli.streams import path_to_type, plain_where_needed, quoted
from boltzbrain.cli.terminal import out
from boltzbrain.foundations.progress import Progress
from boltzbrain.foundations.showing.console import Terminal
from boltzbrain.foundations.showing.display import Display
from boltzbrain.foundations.showing.signs import shown

CLI = Path(streams.__file__).parent


@pytest.mark.parametrize(
    "text",
    ["a b", "[b]x[/b]", "$HOME `ls` \"x\" 'y' \\", "two\nlines\t", "\x1b[31m", "é−", "a\udcff"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_word_to_type_is_read_by_a_shell_as_it_was(text, encoding, monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    word = quoted(text)
    word.encode(encoding)
    assert word.isprintable()
    done = subprocess.run(
        [b"bash", b"-c", b"printf %s " + word.encode("utf-8")], capture_output=True, check=True
    )
    assert done.stdout == text.encode("utf-8", "surrogateescape")


def test_a_path_with_a_dash_is_no_option():
    assert path_to_type(Path("-x")) == "./-x"
    assert path_to_type(Path("x")) == "x"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "koi8-r", "utf-8"])
def test_every_sign_of_ours_has_a_stand_in(encoding):
    signs = {
        sign
        for path in CLI.parent.rglob("*.py")
        for sign in path.read_text("utf-8")
        if not sign.isascii()
    }
    assert len(signs) > 10
    written = shown("".join(sorted(signs)), encoding)
    assert "\\u" not in written
    assert "?" not in written
    written.encode(encoding)


def test_streams_are_as_before_when_the_command_is_done(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    with plain_where_needed():
        sys.stdout.write("−1 ± 2")
    assert stream.errors == "strict"
    with pytest.raises(UnicodeEncodeError):
        sys.stdout.write("−")
    stream.flush()
    assert stream.buffer.getvalue() == b"-1 +/- 2"


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_tables_keep_names_and_stand_straight(encoding, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    out().columns(("name[x]", "score\n(nats)"), [("[/b]", "−1 ± 2"), (":brain:\n", "1")])
    stream.flush()
    lines = stream.buffer.getvalue().decode(encoding).splitlines()
    assert any("[/b]" in line for line in lines)
    assert any(":brain:\\n" in line for line in lines)
    assert "name[x]" in "".join(lines)
    assert len({len(line) for line in lines if line.strip()}) == 1


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_bar_shows_names_as_they_are(encoding, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    display = Display(Terminal(stderr=True))
    with display.stage("writing [/b]:brain:\x1b[31m") as stage:
        stage.show(Progress("x", 1, 3, "bins", 2.0, 0.5, 4.0, "±[/x]"))
    stream.flush()
    text = stream.buffer.getvalue().decode(encoding)
    assert "writing [/b]:brain:\\x1b[31m" in text
    assert ("+/-[/x]" if encoding == "ascii" else "±[/x]") in text


def test_text_meets_the_terminal_in_one_place():
    for path in CLI.rglob("*.py"):
        text, name = path.read_text("utf-8"), path.name
        found = set(
            re.findall(
                r"typer\.echo\((?!f\"boltzbrain \{)|console\.print\(|Console\(|shlex\.", text
            )
        )
        allowed = {"terminal.py": {"Console("}, "streams.py": {"shlex."}}.get(name, set())
        assert found <= allowed, path
