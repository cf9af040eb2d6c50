"""How the command line speaks: results on stdout, the rest on stderr, failures as a status."""

from __future__ import annotations

import errno
import json
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import typer
from typer.core import TyperCommand, TyperGroup

from boltzbrain.foundations.checks import InputError, TrainingFailedError, bad_input
from boltzbrain.foundations.showing.console import Terminal
from boltzbrain.foundations.showing.signs import encoding_of, shown
from boltzbrain.foundations.stopping import stoppable

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
            with stoppable():
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


def out() -> Terminal:
    """Return a console on stdout: colours on a terminal, plain text elsewhere."""
    return Terminal()
