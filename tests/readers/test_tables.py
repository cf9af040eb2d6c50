"""Tables as text: every way of writing one gives the same numbers, or the option is asked for."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from boltzbrain.foundations.checks import InputError
from boltzbrain.preparing.card.card import data_card
from boltzbrain.readers import read

LINES, NEURONS = 30, 5
SIGNS = {"comma": ",", "semicolon": ";", "tab": "\t", "space": " "}
DECIMALS = {"point": ".", "comma": ","}
TRACES = {"axes": "time,neuron", "frame_s": 0.1, "values": "dff"}
COUNTS = {"axes": "time,neuron", "frame_s": 0.1}


def traces() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(LINES, NEURONS)).round(4)


def counts() -> np.ndarray:
    return np.random.default_rng(1).poisson(0.4, size=(LINES, NEURONS))


def write(
    path: Path,
    values: np.ndarray,
    *,
    sign: str = ",",
    decimal: str = ".",
    mark: bytes = b"",
    header: bool = True,
    index: bool = False,
    end: str = "\n",
    names: list[str] | None = None,
) -> Path:
    """Write a table by hand."""
    rows = [[str(one).replace(".", decimal) for one in row] for row in values.tolist()]
    if header:
        rows.insert(0, names or [f"cell{n}" for n in range(values.shape[1])])
    if index:
        first = [""] if header else []
        rows = [
            [word, *row] for word, row in zip([*first, *map(str, range(LINES))], rows, strict=True)
        ]
    path.write_bytes(mark + (end.join(sign.join(row) for row in rows) + end).encode())
    return path


ALL = list(
    itertools.product(
        SIGNS, DECIMALS, (b"", b"\xef\xbb\xbf"), (True, False), (True, False), ("\n", "\r\n")
    )
)


@pytest.mark.parametrize(("sign", "decimal", "mark", "header", "index", "end"), ALL)
def test_every_dialect_gives_the_same_numbers_or_is_refused(
    tmp_path: Path, sign, decimal, mark, header, index, end
):
    way = {"sign": SIGNS[sign], "decimal": DECIMALS[decimal], "mark": mark, "header": header}
    path = write(tmp_path / "a.csv", traces(), index=index, end=end, **way)
    if (sign, decimal) == ("comma", "comma"):
        with pytest.raises(InputError, match=r"do commas mark|commas seem to mark"):
            read(path, **TRACES)
        return
    recording = read(path, **TRACES)
    np.testing.assert_array_equal(recording.signal.frames, traces().astype(np.float32))
    names = [f"cell{n}" if header else str(n) for n in range(NEURONS)]
    assert recording.neurons["id"].tolist() == names
    assert recording.source.options["table"] == {
        "separator": sign, "decimal": decimal, "header": "yes" if header else "no",
        "byte_order_mark": bool(mark), "index": "yes" if index else "no",
    }  # fmt: skip


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_whole_numbers_stay_whole(tmp_path: Path, sign, header, index, mark):
    path = write(
        tmp_path / "a.csv", counts(), sign=SIGNS[sign], header=header, index=index, mark=mark
    )
    signal = read(path, **COUNTS).signal
    np.testing.assert_array_equal(signal.counts, counts())


@pytest.mark.parametrize(
    "text",
    [
        lambda frame: frame.to_csv(),
        lambda frame: frame.to_csv(index=False),
        lambda frame: frame.to_csv(header=False),
        lambda frame: frame.to_csv(sep=";", decimal=","),
        lambda frame: frame.to_csv(sep="\t"),
        lambda frame: frame.to_csv(quoting=1),
        lambda frame: frame.to_csv(decimal=",", quoting=1, index=False),
        lambda frame: frame.to_csv(index=False, sep=" "),
        lambda frame: frame.to_csv(index=False).rstrip("\n"),
        lambda frame: "\n" + frame.to_csv(index=False),
        lambda frame: "# made by hand\n" + frame.to_csv(index=False),
        lambda frame: frame.to_csv(index=False).replace("\n", ",\n"),
        lambda frame: frame.to_csv(index=False).replace(",", ", "),
        # as R's write.table: the column of names has none itself
        lambda frame: frame.rename(index=lambda n: n + 1).to_csv(sep=" ")[1:],
        # as R's write.csv: names in quotes from 1
        lambda frame: frame.rename(index=lambda n: n + 1).to_csv(index_label="", quoting=2),
        lambda frame: frame.rename(index=lambda n: f"frame {n}").to_csv(),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_pandas_r_and_spreadsheets_write(tmp_path: Path, text, encoding):
    frame = pd.DataFrame(traces())
    (tmp_path / "a.csv").write_bytes(text(frame).encode(encoding))
    signal = read(tmp_path / "a.csv", **TRACES).signal
    np.testing.assert_array_equal(signal.frames, traces().astype(np.float32))


def test_truth_values_are_states(tmp_path: Path):
    pd.DataFrame(counts() > 0).to_csv(tmp_path / "a.csv", header=False, index=False)
    np.testing.assert_array_equal(read(tmp_path / "a.csv", **COUNTS).signal.counts, counts() > 0)


@pytest.mark.parametrize("first", ["0,1", "0,1,2", "0,0.5,1,1.5", "3,5,8,11,20,21,22,23"])
def test_a_first_line_that_may_be_names_is_asked_for(tmp_path: Path, first):
    columns = first.count(",") + 1
    body = counts()[:, [0] * columns]
    lines = [first, *(",".join(map(str, row)) for row in body.tolist())]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match=r"header must be yes or no \(--read header=yes or no\)"):
        read(tmp_path / "a.csv", **COUNTS)
    options = {**COUNTS, "values": "dff"}
    assert len(read(tmp_path / "a.csv", header="yes", **options).signal.times) == LINES
    assert len(read(tmp_path / "a.csv", header=False, **options).signal.times) == LINES + 1


@pytest.mark.parametrize("place", [0, 2])
@pytest.mark.parametrize("header", [True, False])
def test_a_column_of_times_is_never_a_neuron_unasked(tmp_path: Path, place, header):
    table = np.insert(traces(), place, 5 + 0.1 * np.arange(LINES), axis=1)
    path = write(tmp_path / "a.csv", table, header=header)
    name = f"cell{place}" if header else str(place)
    with pytest.raises(InputError, match=f"column {name} must be told .*--read times={name}"):
        read(path, **TRACES)
    timed = read(path, times=name, axes="time,neuron", values="dff").signal
    np.testing.assert_allclose(timed.times, 5 + 0.1 * np.arange(LINES))
    np.testing.assert_array_equal(timed.frames, traces().astype(np.float32))
    assert read(path, index="no", **TRACES).signal.frames.shape == (LINES, NEURONS + 1)
    if not place:
        np.testing.assert_array_equal(
            read(path, index="yes", **TRACES).signal.frames, traces().astype(np.float32)
        )


def test_times_beside_an_index_and_by_number(tmp_path: Path):
    table = pd.DataFrame(traces(), columns=list("abcde"))
    table.insert(0, "time", 0.1 * np.arange(LINES))
    table.to_csv(tmp_path / "a.csv")
    for times in ("time", 1.0):
        signal = read(tmp_path / "a.csv", axes="time,neuron", values="dff", times=times).signal
        np.testing.assert_array_equal(signal.frames, traces().astype(np.float32))


def test_neurons_in_lines_have_their_numbers_left_out(tmp_path: Path):
    pd.DataFrame(traces().T).to_csv(tmp_path / "a.csv")
    options = {**TRACES, "axes": "neuron,time"}
    signal = read(tmp_path / "a.csv", **options).signal
    np.testing.assert_array_equal(signal.frames, traces().astype(np.float32))


def test_what_the_user_says_overrides_what_is_found(tmp_path: Path):
    pd.DataFrame(traces()).to_csv(tmp_path / "a.csv")
    kept = read(tmp_path / "a.csv", index="no", **TRACES).signal.frames
    np.testing.assert_array_equal(kept[:, 0], np.arange(LINES))
    (tmp_path / "b.csv").write_text("".join(f"{n % 3},0{n % 7},{n % 2}\n" for n in range(20)))
    with pytest.raises(InputError, match=r"commas seem to mark decimals: .*; got 0\d between"):
        read(tmp_path / "b.csv", **COUNTS)
    assert read(tmp_path / "b.csv", separator="comma", **COUNTS).signal.counts.shape == (20, 3)
    with pytest.raises(InputError, match="separator must be one of: tab, semicolon, comma, space"):
        read(tmp_path / "a.csv", separator=",", **TRACES)
    with pytest.raises(InputError, match="index must be one of: yes, no; got maybe"):
        read(tmp_path / "a.csv", index="maybe", **TRACES)
    np.save(tmp_path / "a.npy", counts())
    with pytest.raises(InputError, match="header must be left out: the file is no table"):
        read(tmp_path / "a.npy", header="no", **COUNTS)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1,0,3\n" * 10 + "1,2\n", "as many numbers in each line; got 2 in line 11, 3 elsewhere"),
        ("1,0,3\n" * 10 + "1,2,3,4\n", "have as many numbers in each line"),
        ("1,0,3\n" * 10 + "1,x,3\n", "hold numbers only.*; got text in column 1"),
        ("a,b,c\n" + "1.5,2.5\n" * 10 + "1,2,3,4\n", "have as many names|as many numbers"),
        ("a,b\n" + "0,5,1,5\n" * 10, "have as many names as a line has numbers .4.*commas mark"),
    ],
)
def test_lines_that_do_not_fit_are_refused(tmp_path: Path, text, told):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError, match=told):
        read(tmp_path / "a.csv", **TRACES)


def test_the_card_says_how_the_table_was_read(tmp_path: Path):
    write(tmp_path / "a.csv", counts(), sign=";", index=True, mark=b"\xef\xbb\xbf")
    said = [one for one in data_card(read(tmp_path / "a.csv", **COUNTS)).warnings if "table" in one]
    assert said == [
        "the table was read with semicolons between numbers, a header, a byte order mark and a "
        "first column that numbers or names the lines, left out (--read separator=, decimal=, "
        "header=, index= say otherwise)"
    ]
    write(tmp_path / "a.csv", traces(), sign="\t", decimal=",", header=False)
    assert any(
        "tabs between numbers, commas for decimals, no header and no" in one
        for one in data_card(read(tmp_path / "a.csv", **TRACES)).warnings
    )
