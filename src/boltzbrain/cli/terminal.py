"""How the command line speaks: results on stdout, the rest on stderr, failures as a status."""

from __future__ import annotations

import errno
import json
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import typer
from rich.box import SIMPLE_HEAD, Box
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer.core import TyperCommand, TyperGroup

from boltzbrain.cli.streams import encoding_of, shown
from boltzbrain.foundations.checks import InputError, TrainingFailedError, bad_input

BAD_INPUT, TRAINING_FAILED, INTERRUPTED = 2, 3, 130
"""Exit statuses; 1 is a bug, with its traceback."""

# what the operating system refuses because of the user's disk or rights, not because of a bug
_OF_THE_MACHINE = frozenset(
    {
        errno.EACCES,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EIO,
        errno.EMFILE,
        errno.ENAMETOOLONG,
        errno.ENOSPC,
        errno.EPERM,
        errno.EROFS,
    }
)


def note(text: str) -> None:
    """Write one line to stderr, whatever is in the text."""
    sys.stderr.write(shown(" ".join(text.split()), encoding_of(sys.stderr)) + "\n")
    sys.stderr.flush()


def say(*lines: str) -> None:
    """Write lines to stdout, whatever is in their text."""
    for line in lines:
        sys.stdout.write(shown(line, encoding_of(sys.stdout)) + "\n")
    sys.stdout.flush()


def say_path(path: Path) -> None:
    """Write a path to stdout: for people as they can read it, for a program byte by byte."""
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None or sys.stdout.isatty():
        say(str(path))
    else:
        sys.stdout.flush()
        buffer.write(os.fsencode(path) + b"\n")
        buffer.flush()


def say_json(content: Any) -> None:
    """Write JSON to stdout; signs that stdout does not have are escaped, so that none changes."""
    text = json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False)
    try:
        text.encode(encoding_of(sys.stdout))
    except UnicodeEncodeError:
        text = json.dumps(content, indent=2, allow_nan=False)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@contextmanager
def failures_as_status() -> Iterator[None]:
    """Turn what a user can mend into one line on stderr and an exit status; a bug stays itself."""
    try:
        yield
        sys.stdout.flush()
    except InputError as error:
        note(f"Error: {error}")
        sys.exit(BAD_INPUT)
    except TrainingFailedError as error:
        note(f"Training failed: {error}")
        sys.exit(TRAINING_FAILED)
    except BrokenPipeError:
        # the reader of stdout has gone; Python would complain once more when it flushes at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except MemoryError as error:
        note(f"Error: the memory must suffice; got {error or 'none left'}")
        sys.exit(BAD_INPUT)
    except OSError as error:
        if error.errno not in _OF_THE_MACHINE:
            raise
        where = f"{error.filename}: " if error.filename else ""
        note(f"Error: {where}the file must be accessible and the disk have room; got {error}")
        sys.exit(BAD_INPUT)


class Command(TyperCommand):
    """A command that refuses empty words: an empty path would be the current folder."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Read the words after the command's name."""
        given, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        for parameter in self.params:
            words = given.get(str(parameter.name))
            if "" in (words if isinstance(words, (list, tuple)) else [words]):
                shown = parameter.metavar if parameter.param_type_name == "argument" else None
                raise bad_input(shown or parameter.opts[0], "not be empty", "''")
        return super().parse_args(ctx, args)


class Commands(TyperGroup):
    """Commands that say that Ctrl-C stopped them, and call an argument as their options do."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            # Typer itself would leave without a word
            note("Stopped.")
            raise typer.Exit(INTERRUPTED) from None
        except InputError as error:
            option = self._option_of(error.argument, ctx.invoked_subcommand)
            if option is None:
                raise
            message = str(error).removeprefix(str(error.argument))
            raise InputError(f"{option}{message}") from error

    def _option_of(self, argument: str | None, command: str | None) -> str | None:
        """Return the option of a command by which an argument is given, None if there is none."""
        known = self.commands.get(command or "")
        for parameter in known.params if known else []:
            spellings = [one.lstrip("-").replace("-", "_") for one in parameter.opts]
            is_option = parameter.param_type_name == "option"
            if is_option and argument in (parameter.name, *spellings):
                return parameter.opts[0]
        return None


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Show warnings as one line each on stderr, without the place in the code."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        note(f"Warning: {message}")

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


_PLAIN_HEAD = Box(str(SIMPLE_HEAD).replace("─", "-"), ascii=True)


class Terminal(Console):
    """A console for which text is text: no markup, no emoji names, no control sequence.

    Parameters
    ----------
    stderr
        Write to stderr, not to stdout.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False)

    def shown(self, text: object, *, lines: bool = False) -> str:
        """Return text as this console can show it."""
        return shown(text, self.encoding, lines=lines)

    def sentence(self, text: str) -> None:
        """Print one line, however long."""
        self.print(self.shown(text), soft_wrap=True)

    def pairs(self, rows: Iterable[tuple[str, str]], *, soft_wrap: bool = False) -> None:
        """Print a table of names and values, without a head."""
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for row in rows:
            table.add_row(*self._cells(row))
        self.print(table, soft_wrap=soft_wrap)

    def columns(self, heads: Iterable[str], rows: Iterable[tuple[str, ...]]) -> None:
        """Print a table with a head; every column but the first holds numbers."""
        box = _PLAIN_HEAD if self.options.ascii_only else SIMPLE_HEAD
        table = Table(box=box, pad_edge=False)
        for number, head in enumerate(heads):
            table.add_column(
                Text(self.shown(head, lines=True)),
                justify="right" if number else "left",
                no_wrap=bool(number),
            )
        for row in rows:
            table.add_row(*self._cells(row))
        self.print(table)

    def _cells(self, row: Iterable[str]) -> list[Text]:
        # the signs are chosen before the table is laid out, so that its columns stand straight
        return [Text(self.shown(cell)) for cell in row]


def out() -> Terminal:
    """Return a console on stdout: colours on a terminal, plain text elsewhere."""
    return Terminal()
