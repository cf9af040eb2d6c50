"""Kinds of hidden unit side by side: test gain, statistics, sparsity and seconds.

Sessions 10 and 12, 20 ms bins, `split0`, 100 hidden units. The binary kinds train by the preset
`binary`, the others by `compositional` with their kind. Each line is added to hidden_kinds.csv at
once, and lines that are there are not trained again.

    python proofs/hidden_kinds.py [--sessions 10 12] [--kinds bernoulli drelu ...]

Writes hidden_kinds.md, the table of docs/training.md.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import boltzbrain as bb
from boltzbrain.foundations.checks import TrainingFailedError

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data" / "steinmetz"
TABLE = ROOT / "proofs" / "hidden_kinds.csv"
TEXT = ROOT / "proofs" / "hidden_kinds.md"
KINDS = ("bernoulli", "drelu", "relu", "gaussian")
STATISTICS = ("v", "h", "vh", "vv", "hh")
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
            if kind == "bernoulli":
                run = bb.fit(activity, "binary", 100, out)
            else:
                run = bb.fit(activity, "compositional", 100, out, hidden_kind=kind)
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


def lines() -> list[dict[str, str]]:
    """Return what was trained so far."""
    if not TABLE.exists():
        return []
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", nargs="*", type=int, default=[10, 12])
    parser.add_argument("--kinds", nargs="*", default=list(KINDS))
    given = parser.parse_args()
    for session in given.sessions:
        for kind in given.kinds:
            if (str(session), kind) in {(line["session"], line["kind"]) for line in lines()}:
                continue
            found = one(session, kind)
            fresh = not TABLE.exists()
            with TABLE.open("a", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, COLUMNS)
                if fresh:
                    writer.writeheader()
                writer.writerow(found)
            print(found, flush=True)
    heads = (
        "session", "hidden units", "test gain, nats per bin", *(f"⟨{one}⟩" for one in STATISTICS),
        "zeros", "convergence", "seconds",
    )  # fmt: skip
    text = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for line in lines():
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
    return 0


if __name__ == "__main__":
    sys.exit(main())
