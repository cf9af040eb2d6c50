"""Files of ours: an older version opens, what cannot be read is refused with its name."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from pathlib import Path

import h5py
import numpy as np
import pytest

import boltzbrain
from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.disk.files import (
    FileFormat,
    atomic_hdf5,
    open_ours,
    read_ours,
    write_ours,
)
from boltzbrain.grid.folder import SWEEP
from boltzbrain.training.run.run import RUN

FORM = FileFormat("boltzbrain thing", newest=3, oldest=2, what="thing", command="boltzbrain do")
PAGE = Path(__file__).parents[2] / "docs" / "versions.md"


def hdf5(path: Path, told: dict[str, object]) -> None:
    with h5py.File(path, "w") as file:
        file.attrs.update(told)


def as_json(path: Path, told: dict[str, object]) -> None:
    path.write_text(json.dumps(told))


def read_hdf5(path: Path) -> int:
    with open_ours(path, FORM) as file:
        return int(file.attrs["version"])


WAYS = {
    "HDF5": (hdf5, read_hdf5),
    "JSON": (as_json, lambda path: read_ours(path, FORM)["version"]),
}


@pytest.fixture(params=WAYS)
def way(request, tmp_path):
    write, read = WAYS[request.param]

    def after(told):
        write(tmp_path / "a.file", told)
        return read(tmp_path / "a.file")

    return after


@pytest.mark.parametrize("version", [2, 3])
def test_old_and_new_are_opened(way, version):
    assert way({"format": FORM.name, "version": version}) == version


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({}, r"a\.file: format must be 'boltzbrain thing'; got a file without it"),
        ({"format": "other", "version": 3}, "format must be 'boltzbrain thing'; got other"),
        ({"format": "boltzbrain thing"}, "version must be at most 3.*; got None"),
        ({"format": "boltzbrain thing", "version": "x"}, "version must be at most 3.*; got x"),
        ({"format": "boltzbrain thing", "version": True}, "version must be at most 3.*; got"),
        (
            {"format": "boltzbrain thing", "version": 4},
            r"a\.file: version must be at most 3, the newest that boltzbrain [\d.]+ reads "
            r"\(a newer boltzbrain wrote this file: install that one or a later one\); got 4",
        ),
        ({"format": "boltzbrain thing", "version": 1}, "version must be at least 2, the oldest"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(way, told, message):
    with pytest.raises(InputError, match=message):
        way(told)


def test_who_wrote_it_is_told_where_the_file_says_so(tmp_path):
    told = {**FORM.told, "version": 4, "environment": {"boltzbrain": "7.8.9"}}
    as_json(tmp_path / "a.json", told)
    with pytest.raises(InputError, match=r"\(boltzbrain 7\.8\.9 wrote this file: install that one"):
        read_ours(tmp_path / "a.json", FORM)


@pytest.mark.parametrize("read", [read_hdf5, lambda path: read_ours(path, FORM)])
@pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b"\x89HDF\r\n\x1a\n" + b"\0" * 50])
def test_what_is_not_whole_is_named(read, content, tmp_path):
    (tmp_path / "a.file").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.file: the file must be a"):
        read(tmp_path / "a.file")
    with pytest.raises(
        InputError, match=r"b\.file: thing must exist \(run `boltzbrain do` first\)"
    ):
        read(tmp_path / "b.file")


def test_damage_found_while_reading_is_told_with_the_file(tmp_path):
    with atomic_hdf5(tmp_path / "a.h5") as file:
        file.attrs.update(FORM.told)
        file["a"] = np.zeros(3)
    for wrong in (lambda file: file["b"], lambda file: file["a"][7], lambda file: {}["c"]):
        with (
            pytest.raises(InputError, match=r"a\.h5: the file must be a whole boltzbrain thing"),
            open_ours(tmp_path / "a.h5", FORM) as file,
        ):
            wrong(file)
    with (
        pytest.raises(InputError, match=r"a\.h5: b must be 1"),
        open_ours(tmp_path / "a.h5", FORM),
    ):
        raise InputError("b must be 1")


def test_an_older_file_that_is_written_anew_keeps_its_version(tmp_path):
    path = tmp_path / "a.json"
    as_json(path, {"format": FORM.name, "version": 2})
    write_ours(path, FORM, {**read_ours(path, FORM), "more": 1})
    assert read_ours(path, FORM) == {"format": FORM.name, "version": 2, "more": 1}
    write_ours(path, FORM, {"more": 2})
    assert read_ours(path, FORM) == {"format": FORM.name, "version": 3, "more": 2}


def test_text_of_any_kind_comes_back(tmp_path):
    # the name of a file may hold bytes that are no UTF-8
    text = "é ± \udc80"
    write_ours(tmp_path / "a.json", FORM, {"text": text})
    assert read_ours(tmp_path / "a.json", FORM)["text"] == text
    assert "é ±".encode() in (tmp_path / "a.json").read_bytes()
    with pytest.raises(ValueError, match="Out of range float values"):
        write_ours(tmp_path / "a.json", FORM, {"number": float("nan")})


def test_the_page_lists_every_format():
    found = {RUN.format, SWEEP.format}
    for module in pkgutil.walk_packages(boltzbrain.__path__, "boltzbrain."):
        if "cuda" not in module.name:
            named = vars(importlib.import_module(module.name)).values()
            found |= {one for one in named if isinstance(one, FileFormat)}
    listed = set(re.findall(r'"(boltzbrain [a-z ]+)"', PAGE.read_text(encoding="utf-8")))
    assert {one.name for one in found} == listed
