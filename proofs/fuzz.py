"""Two thousand spoilt files per reader: a clear error or a right answer, and nothing else.

The damage and the rules are those of tests/helpers/fuzzing.py and disguising.py: files cut
short, bits flipped, stretches overwritten, arrays of another type, absurd declared sizes, pickles
and params.py with code in them; read in a forked worker; no traceback, no code run, no file longer
than 10 s, no more than 500 MB above the start.

    python proofs/fuzz.py [FILES_PER_READER] [OUTPUT]

writes fuzz.txt beside this file unless told otherwise and exits 1 if a file fails.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from helpers.fuzzing import FUZZED, LONGEST_S, MOST_MB, fuzz

SEED = 7


def main() -> int:
    """Run the proof; return the exit code."""
    files = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    output = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).with_suffix(".txt")
    started = time.perf_counter()
    layouts = Counter(layout.format for layout in FUZZED.values())
    lines = [f"{files} files per reader, shared by its layouts", ""]
    lines += [f"{'layout':<18}{'files':>7}{'refused':>9}{'read':>7}{'wrong':>7}{'MB':>6}{'s':>7}"]
    failed = False
    for name, layout in FUZZED.items():
        share = -(-files // layouts[layout.format])
        with tempfile.TemporaryDirectory() as folder:
            found = fuzz(name, share, Path(folder), SEED)
        failed |= bool(found.wrong) or found.memory_mb > MOST_MB or found.slowest_s > LONGEST_S
        lines.append(
            f"{name:<18}{share:>7}{found.refused:>9}{found.read:>7}{len(found.wrong):>7}"
            f"{found.memory_mb:>6.0f}{found.slowest_s:>7.2f}"
        )
        lines += [f"  {one}" for one in found.wrong[:5]]
        print(lines[-1], flush=True)
    text = "\n".join(lines) + "\n"
    output.write_text(text)
    print(f"{time.perf_counter() - started:.0f} s")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
