"""Kinds of hidden unit side by side: test gain, statistics, sparsity and seconds.

Sessions 10 and 12, 20 ms bins, `split0`, 100 hidden units. The binary kinds train by the preset
`binary`, the others by `compositional` with their kind. Each line is added to hidden_kinds.csv at
once, and lines that are there are not trained again.

    python proofs/hidden_kinds.py [--sessions 10 12] [--kinds bernoulli drelu ...]

Writes hidden_kinds.md, the table of docs/training.md. Exits 1 if on session 10 the dReLU units gain
over 2 nats less than the binary ones, or a normalised error, the share of zeros or the seconds of
theirs lie outside their limits.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from kept_lines import add_lines, read_lines

import boltzbrain as bb
from boltzbrain.foundations.checks import TrainingFailedError

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data" / "steinmetz"
TABLE = ROOT / "proofs" / "hidden_kinds.csv"
TEXT = ROOT / "proofs" / "hidden_kinds.md"
KINDS = ("bernoulli", "ising", "drelu", "relu", "gaussian")
STATISTICS = ("v", "h", "vh", "vv", "hh")
GREATEST = {"v": 0.15, "h": 0.2, "vh": 0.2, "vv": 0.3, "hh": 0.3}
BEHIND, ZEROS, SECONDS = 2.0, (0.3, 0.98), 900
COLUMNS = (
    "session", "kind", "gain", "stderr", *STATISTICS, "zeros", "l1", "status", "seconds",
)  # fmt: skip


def one(session: int, kind: str) -> dict[str, Any]:
    """Train and evaluate one model."""
    activity = bb.read(DATA / f"session{session}.npz").binarize(bin_ms=20)
    activity = activity.split(folds=f"{DATA / f'session{session}_folds.csv'}:split0")
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        try:
            preset = "binary" if kind in ("bernoulli", "ising") else "compositional"
            run = bb.fit(activity, preset, 100, out, hidden_kind=kind)
        except TrainingFailedError as failure:
            print(f"session {session}, {kind}: {failure}")
            seconds = round(time.monotonic() - started)
            return {"session": session, "kind": kind, "status": "failed", "seconds": seconds}
        seconds = time.monotonic() - started
        found = bb.evaluate(run)
        gain, errors = found["log_likelihood"]["gain"], found["statistics"]["nrmse"]
        return {
            "session": session, "kind": kind,
            "gain": round(gain["value"], 2), "stderr": round(gain["stderr"], 2),
            **{name: round(errors[name], 3) for name in STATISTICS},
            "zeros": round(found["weights"]["zero_fraction"], 3),
            "l1": run.penalties_at(run.chosen_update).l1,
            "status": run.info["convergence"]["status"],
            "seconds": round(seconds),
        }  # fmt: skip


def within_limits(table: list[dict[str, str]]) -> bool:
    """Return whether dReLU units on session 10 keep to what is asked of them."""
    of = {line["kind"]: line for line in table if line["session"] == "10"}
    if not {"drelu", "bernoulli"} <= of.keys():
        return True
    found = of["drelu"]
    behind = float(of["bernoulli"]["gain"]) - float(found["gain"])
    return (
        behind <= BEHIND
        and all(abs(float(found[name])) <= most for name, most in GREATEST.items())
        and ZEROS[0] <= float(found["zeros"]) <= ZEROS[1]
        and float(found["seconds"]) <= SECONDS
    )


def main() -> int:
    """Run the proof; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", nargs="*", type=int, default=[10, 12])
    parser.add_argument("--kinds", nargs="*", default=list(KINDS))
    given = parser.parse_args()
    for session in given.sessions:
        for kind in given.kinds:
            if (str(session), kind) in {
                (line["session"], line["kind"]) for line in read_lines(TABLE)
            }:
                continue
            found = one(session, kind)
            add_lines(TABLE, COLUMNS, found)
            print(found, flush=True)
    heads = (
        "session", "hidden units", "test gain, nats per bin", *(f"⟨{one}⟩" for one in STATISTICS),
        "zeros", "convergence", "seconds",
    )  # fmt: skip
    text = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    table = sorted(read_lines(TABLE), key=lambda line: (line["session"], KINDS.index(line["kind"])))
    for line in table:
        trained = bool(line["gain"])
        cells = [
            line["session"], line["kind"],
            f"{line['gain']} ± {line['stderr']}" if trained else "",
            *(line[name] for name in STATISTICS),
            f"{float(line['zeros']):.0%}" if trained else "", line["status"], line["seconds"],
        ]  # fmt: skip
        text.append("| " + " | ".join(cells) + " |")
    TEXT.write_text("\n".join(text) + "\n", encoding="utf-8")
    print("\n".join(text))
    return 0 if within_limits(table) else 1


if __name__ == "__main__":
    sys.exit(main())
