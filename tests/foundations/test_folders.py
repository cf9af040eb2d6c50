"""Places to write to: one writer a folder, results all at once, bad places found first."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.disk import folders
from boltzbrain.foundations.disk.folders import (
    LOCK,
    folder_to_write,
    given_path,
    new_file,
    one_writer,
    page_file,
    settle,
    together,
)

HOLD = """
import sys, time
from pathlib import Path
from boltzbrain.foundations.disk import folders
if sys.argv[2] == "by name":
    folders.fcntl = None
with folders.one_writer(Path(sys.argv[1]), "fit"):
    print("held", flush=True)
    time.sleep(60)
"""

KILLED = """
import os, sys
from pathlib import Path
from boltzbrain.foundations.disk.folders import one_writer, together
left = int(sys.argv[2])

def counted(what):
    def call(*args, **options):
        global left
        left -= 1
        if left < 0:
            os._exit(9)
        return what(*args, **options)
    return call

for name in ("replace", "unlink", "write_text"):
    setattr(Path, name, counted(getattr(Path, name)))
folder = Path(sys.argv[1])
with one_writer(folder, "evaluate"), together(folder) as place:
    for name in ("a", "b", "c"):
        place(name).write_text("new")
"""


@pytest.fixture(params=["flock", "by name"])
def kind(request, monkeypatch):
    """Both locks: the operating system's, and that of file systems without one."""
    if request.param == "by name":

        def flock(*_):
            raise OSError(errno.ENOLCK, "no locks")

        monkeypatch.setattr(folders.fcntl, "flock", flock)
    return request.param


def other(folder: Path, kind: str) -> subprocess.Popen[str]:
    """Start another process that holds the lock of a folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), kind], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_writer_is_told_who_the_first_is(kind, tmp_path):
    process = other(tmp_path, kind)
    try:
        with pytest.raises(InputError) as caught, one_writer(tmp_path, "evaluate"):
            pass
        assert "must have one writer at a time" in str(caught.value)
        assert f"`fit` (process {process.pid} on {socket.gethostname()}, this" in str(caught.value)
    finally:
        process.kill()
        process.communicate()
    # the negative control: killed, it is in nobody's way
    with one_writer(tmp_path, "evaluate"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_who_waits_gets_the_lock_when_the_other_ends(kind, tmp_path):
    process = other(tmp_path, kind)
    threading.Timer(0.5, process.kill).start()
    with one_writer(tmp_path, "sweep", patience_s=30):
        process.communicate()


def test_a_writer_may_call_what_writes_and_another_thread_may_not(kind, tmp_path):
    refused: list[str] = []

    def second() -> None:
        try:
            with one_writer(tmp_path, "interpret"):
                pass
        except InputError as error:
            refused.append(str(error))

    with one_writer(tmp_path, "sweep"):
        with one_writer(tmp_path / "." / "", "fit"):
            pass
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert len(refused) == 1
    assert "`sweep`" in refused[0]


def test_the_lock_of_another_machine_is_named_and_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "fcntl", None)
    held = tmp_path / ".writer.held"
    held.write_text(
        json.dumps({"doing": "fit", "process": 1, "host": "elsewhere", "since": "2026-01-02"})
    )
    with pytest.raises(InputError) as caught, one_writer(tmp_path, "fit"):
        pass
    assert "on elsewhere, another machine, since 2026-01-02" in str(caught.value)
    assert f"remove {held}" in str(caught.value)
    held.unlink()
    with one_writer(tmp_path, "fit"):
        pass


def test_a_process_of_the_same_number_that_began_later_is_another(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "fcntl", None)
    told = {"process": os.getpid(), "began": "1", "host": socket.gethostname()}
    (tmp_path / ".writer.held").write_text(json.dumps(told))
    with one_writer(tmp_path, "fit"):
        pass


def test_what_a_killed_writer_left_is_not_a_lock(tmp_path):
    (tmp_path / LOCK).write_text("{}")
    with one_writer(tmp_path, "fit"):
        pass
    assert not (tmp_path / LOCK).exists()


def test_a_folder_made_for_nothing_is_taken_away(tmp_path):
    with pytest.raises(KeyError), one_writer(tmp_path / "a" / "b", "fit"):
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    with one_writer(tmp_path / "a" / "b", "fit"):
        (tmp_path / "a" / "b" / "kept").touch()
    assert [one.name for one in tmp_path.rglob("*")] == ["a", "b", "kept"]


def test_killed_anywhere_the_files_are_all_old_or_all_new(tmp_path):
    seen = set()
    for step in range(30):
        folder = tmp_path / str(step)
        folder.mkdir()
        for name in "abc":
            (folder / name).write_text("old")
        ended = subprocess.run([sys.executable, "-c", KILLED, folder, str(step)], check=False)
        with one_writer(folder, "report"):
            pass
        held = {name: (folder / name).read_text() for name in "abc"}
        assert len(set(held.values())) == 1, (step, held)
        assert {one.name for one in folder.iterdir()} == set("abc"), step
        seen |= {(ended.returncode, held["a"])}
        if ended.returncode == 0:
            break
    # both sides of the one moment were met, and the block that nobody killed
    assert seen == {(9, "old"), (9, "new"), (0, "new")}


def test_a_block_that_fails_leaves_the_files_before(tmp_path):
    def fail() -> None:
        with one_writer(tmp_path, "compare"), together(tmp_path) as place:
            place("a").write_text("new")
            raise KeyError

    (tmp_path / "a").write_text("old")
    with pytest.raises(KeyError):
        fail()
    assert (tmp_path / "a").read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["a"]


def test_a_list_of_files_from_elsewhere_moves_nothing_out_of_the_folder(tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "x").write_text("theirs")
    (inner / ".together.json").write_text(json.dumps(["../x", "none"]))
    settle(inner)
    assert (tmp_path / "x").read_text() == "theirs"
    assert list(inner.iterdir()) == []


def dangling(folder: Path) -> Path:
    path = folder / "link.html"
    path.symlink_to(folder / "gone" / "page.html")
    return path


PLACES = {
    "folder": lambda path: folder_to_write("out", path),
    "new file": lambda path: new_file("out", path, (".html",)),
    "page": lambda path: page_file("out", path),
}


@pytest.mark.parametrize("check", PLACES.values(), ids=PLACES)
def test_bad_places_are_found_and_good_ones_pass(check, tmp_path):
    for bad in ("", dangling(tmp_path)):
        with pytest.raises(InputError, match=r"out must"):
            check(bad)
    assert check(tmp_path / "good.html") == tmp_path / "good.html"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc")
def test_a_place_where_nobody_can_write_is_found():
    for check in (new_file, lambda name, path, _: page_file(name, path)):
        with pytest.raises(InputError, match="must lie where files may be written"):
            check("out", Path("/proc/page.html"), (".html",))
    with (
        pytest.raises(InputError, match="must be one that can be made"),
        one_writer(Path("/proc/run"), "fit"),
    ):
        pass


def test_an_empty_path_and_what_is_no_path_are_refused():
    # an array in place of a run, say
    with pytest.raises(InputError, match="run must be a path; got ndarray"):
        given_path("run", np.zeros(3))
    with pytest.raises(InputError, match="out must be a path; got an empty one"):
        given_path("out", "")
    assert given_path("out", ".") == Path()
