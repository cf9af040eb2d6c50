"""A dReLU update of 500 and of 1,000 neurons beside its bare products: what does not grow.

Usage: python -m benchmarks.small_updates [--json FILE]
"""

from __future__ import annotations

from benchmarks import peers
from benchmarks.scaling import SWEEPS, update
from benchmarks.timing import arguments, compare, publish


def main() -> None:
    given = arguments(__doc__).parse_args()
    rows = []
    for neurons in (500, 1000):
        ours, products = update(neurons, 200, 100)
        work = f"dReLU update, k = {SWEEPS}, {neurons} neurons, 200 hidden, 100 chains"
        rows += compare(
            f"update_drelu_{neurons}x200",
            work,
            {"ours": ours, "mm": products},
            {"mm": f"{2 * SWEEPS} {peers.MM}"},
            count=31,
        )
    publish(rows, given.json)


if __name__ == "__main__":
    main()
