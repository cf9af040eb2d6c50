"""Compile the Triton kernels for GPUs that need not be there, and say what came out.

One line for each: kernel, architecture, kind, precision, number of tensor core instructions.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from boltzbrain.kernels.cuda import products as cuda_products


def report(kernel, arch: int, constants: dict[str, object], left: str, warps: int) -> None:
    kind = constants["KIND"]
    single = kind in ("bernoulli", "none")
    types = {
        "left": left,
        "right": "*fp32",
        "parts": "*fp32",
        "parameters": "*fp32" if single else "*fp64",
        "table": "*fp64",
        "quantiles": "*fp64",
        "state": "*i64",
        "result": "*u8" if kind == "bernoulli" else "*fp32",
    }
    names = [parameter.name for parameter in kernel.params]
    signature = {
        name: "constexpr" if name in constants else types.get(name, "i32") for name in names
    }
    places = {(names.index(name),): value for name, value in constants.items()}
    source = ASTSource(fn=kernel, signature=signature, constexprs=places)
    options = {"num_warps": warps, "num_stages": 3}
    made = triton.compile(source, target=GPUTarget("cuda", arch, 32), options=options)
    assert made.asm["cubin"]
    assembly = made.asm["ptx"]
    products = len(re.findall(r"wgmma\.mma|mma\.sync", assembly))
    name = kernel.fn.__name__
    precision = constants.get("PRECISION", "-")
    sys.stdout.write(f"{name} {arch} {kind} {precision} {products}\n")


def main() -> None:
    for kind in ("bernoulli", "none", "gaussian", "relu"):
        constants = {"KIND": kind, "ROWS": 8, "COLUMNS": 32}
        report(cuda_products._finish, 90, constants, "*u8", 2)
    large = {"ROWS": 128, "COLUMNS": 64, "DEPTH": 32}
    straight = {"left_step": 1, "right_column": 1, "KIND": "bernoulli"}
    for arch, precision in ((80, "tf32x3"), (90, "tf32x3"), (90, "tf32"), (90, "bf16")):
        constants = {**large, **straight, "PRECISION": precision}
        report(cuda_products._multiply, arch, constants, "*u8", 4)
    # real-valued states times transposed weights, transposed states times values, and the smallest
    # tile with the sizes that Triton takes for constants
    constants = {**large, "KIND": "bernoulli", "PRECISION": "tf32x3"}
    report(cuda_products._multiply, 90, constants | {"left_step": 1, "right_step": 1}, "*fp32", 4)
    constants = {**large, "KIND": "none", "PRECISION": "tf32x3"}
    report(cuda_products._multiply, 90, constants | {"left_row": 1, "right_column": 1}, "*u8", 4)
    ones = dict.fromkeys(("rows", "depth", "columns", "left_row", "left_step"), 1)
    constants = {"ROWS": 16, "COLUMNS": 16, "DEPTH": 32, "KIND": "bernoulli", "PRECISION": "tf32x3"}
    report(cuda_products._multiply, 90, constants | ones, "*u8", 4)
    constants = {"KIND": "drelu", "ROWS": 1, "COLUMNS": 4, "rows": 1, "columns": 1, "pieces": 1}
    report(cuda_products._finish, 90, constants, "*u8", 2)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, triton.knobs.cache.scope():
        triton.knobs.cache.dir = str(Path(folder))
        main()
