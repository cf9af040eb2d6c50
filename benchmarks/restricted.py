"""Run a benchmark, or the tests, as if the processor had AVX2 and no AVX-512: loops, PyTorch, MKL.

Usage: python -m benchmarks.restricted BENCHMARK [its options]

as in `python -m benchmarks.restricted sweep --json FILE`; `pytest` in place of a benchmark runs
tests (`make test-avx2`). Both sides are restricted in one process, before anything is imported.
NUMBA_CPU_NAME alone does not restrict numba, which goes on to hand LLVM the features of the host:
the list of features must be given too, and be empty. What took effect is checked, and the benchmark
refused where it did not.
"""

from __future__ import annotations

import os
import runpy
import sys

SETTINGS = {
    "NUMBA_CPU_NAME": "x86-64-v3",
    "NUMBA_CPU_FEATURES": "",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
}


def effects() -> dict[str, str]:
    """Return what each side goes by: our loops, by the registers in their machine code, PyTorch."""
    import numpy as np
    import torch

    from boltzbrain.kernels.compiling import numba
    from boltzbrain.kernels.machine import machine

    @numba.njit
    def probe(values):
        total = np.float32(0.0)
        for place in range(len(values)):
            values[place] += values[place] * np.float32(2.0)
        return total

    probe(np.ones(64, np.float32))
    code = "".join(probe.inspect_asm().values())
    widest = next((one for one in ("zmm", "ymm", "xmm") if one in code), "none")
    return {
        "loops": f"{machine().path}, {widest}",
        "torch": torch.backends.cpu.get_cpu_capability(),
    }


def main() -> None:
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    if any(os.environ.get(name) != value for name, value in SETTINGS.items()):
        os.environ.update(SETTINGS)
        os.execv(sys.executable, [sys.executable, "-m", "benchmarks.restricted", *sys.argv[1:]])
    found = effects()
    print("restricted:", ", ".join(f"{side} {what}" for side, what in found.items()))
    if found != {"loops": "AVX2, ymm", "torch": "AVX2"}:
        raise SystemExit("the restriction took no effect")
    sys.argv = sys.argv[1:]
    module = "pytest" if sys.argv[0] == "pytest" else f"benchmarks.{sys.argv[0]}"
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
