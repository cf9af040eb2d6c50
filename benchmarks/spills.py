"""What the compiler makes of the loops on processors that are not at hand: they compile, and spill.

Usage: python -m benchmarks.spills

The loops are compiled by numba for the processor here, once for each tile, and their code in LLVM's
language is then compiled for each other processor. Counted are the vector registers that go to the
stack and back, per function; the product's inner loop has none where its tile fits. It says nothing
of seconds: those need the machine. The one instruction of x86 that numba puts into its code, where
it counts references, is written out for the others.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile

TARGETS = {
    "AVX-512 (znver4)": ("x86_64-unknown-linux-gnu", "znver4", ""),
    "AVX2 (haswell)": ("x86_64-unknown-linux-gnu", "haswell", ""),
    "NEON (neoverse-n1)": ("aarch64-unknown-linux-gnu", "neoverse-n1", ""),
    "NEON (apple-m1)": ("aarch64-unknown-linux-gnu", "apple-m1", ""),
}
STACK = re.compile(r"[xyz]mm\d+, -?\d*\(%r[sb]p\)|-?\d*\(%r[sb]p\), %[xyz]mm|\bq\d+, (q\d+, )?\[sp")
COUNTED = re.compile(r"^declare i8 @llvm\.x86\.atomic\.sub\.cc\.i64\(([^ ,]+),.*$", re.MULTILINE)
"""What takes from a count of references and says whether nothing is left."""


def portable(text: str) -> str:
    """Return a module in LLVM's language without what only x86 has."""
    text = re.sub(r'^target (triple|datalayout) = ".*"$', "", text, flags=re.MULTILINE)
    plain = r"""define internal i8 @counted_down(\1 %place, i64 %less, i32 %unused) {
  %before = atomicrmw sub \1 %place, i64 %less seq_cst
  %none = icmp eq i64 %before, %less
  %told = zext i1 %none to i8
  ret i8 %told
}"""
    return COUNTED.sub(plain, text).replace("@llvm.x86.atomic.sub.cc.i64", "@counted_down")


def counts(tile: int) -> None:
    """Compile for every target that takes this tile, and print what was counted."""
    import llvmlite.binding as llvm
    import torch

    from boltzbrain.kernels import machine as machines

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    there = {name: machines.described(*target) for name, target in TARGETS.items()}
    wanted = {name: TARGETS[name] for name, one in there.items() if one.tile == tile}
    here = next(one for one in there.values() if one.tile == tile)
    machines.machine = lambda: here  # type: ignore[assignment]
    from boltzbrain.kernels.cpu import few_chains, many_chains
    from boltzbrain.kernels.cpu.doubles import moments, rectified

    states = (torch.rand(100, 130) < 0.1).to(torch.uint8)
    weights, field = torch.randn(130, 40), torch.zeros(130)
    few_chains.draw_and_sum(torch.randn(100, 40), weights, field, 1, 2)
    many_chains.sweep_bernoulli(states, field, torch.zeros(40), weights, 1, 1, 2)
    law = torch.zeros((2, 40), dtype=torch.float64)
    rectified.draw_rectified(torch.randn(100, 40), law, law + 1.0, 1, 2)
    moments.respond_rectified(torch.randn(100, 40), law, law + 1.0, deep=True)
    loops = {
        "draw_stretch": few_chains.draw_stretch,
        "sweep": many_chains._sweep,
        "draw_rows": rectified._draw_rows,
        "moments": moments._respond_eights,
    }
    for name, (triple, processor, features) in wanted.items():
        target = llvm.Target.from_triple(triple).create_target_machine(
            cpu=processor, features=features, opt=3
        )
        for loop, compiled in loops.items():
            module = llvm.parse_assembly(portable(next(iter(compiled.inspect_llvm().values()))))
            module.triple, module.data_layout = triple, str(target.target_data)
            lines = target.emit_assembly(module).splitlines()
            spilt = sum(bool(STACK.search(line)) for line in lines)
            print(
                f"{name:<22} tile {tile}  {loop:<14} {spilt:>4} of {len(lines)} lines", flush=True
            )


def main() -> None:
    if sys.argv[1:2] == ["--tile"]:
        counts(int(sys.argv[2]))
        return
    for tile in (4, 1):
        with tempfile.TemporaryDirectory() as folder:
            # fresh compilation: what lies in numba's cache cannot be looked into
            subprocess.run(
                [sys.executable, "-m", "benchmarks.spills", "--tile", str(tile)],
                env={**os.environ, "NUMBA_CACHE_DIR": folder},
                check=True,
            )


if __name__ == "__main__":
    main()
