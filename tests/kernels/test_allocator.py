"""What a loop of large tensors leaves behind in memory."""

import os
import platform
import subprocess
import sys

import pytest

LOOP = """
import boltzbrain, torch
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 2**20
for _ in range(2):
    torch.zeros(20 << 20, dtype=torch.uint8)
kept, before = [], resident()
for _ in range(200):
    large = torch.ones(5_000_000, dtype=torch.uint8)
    other = torch.ones(5_000_000, dtype=torch.uint8)
    kept.append(large[:100].float())
    large = other
print(resident() - before)
"""

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc is told how to map large blocks"
)


def growth(**environment: str) -> float:
    """Return by how many MB a process grows that keeps 200 small tensors between large ones."""
    done = subprocess.run(
        [sys.executable, "-c", LOOP], env={**os.environ, **environment}, stdout=subprocess.PIPE,
        text=True, check=True,
    )  # fmt: skip
    return float(done.stdout)


def test_a_loop_that_keeps_small_tensors_does_not_grow_by_its_large_ones():
    assert growth() < 100


@pytest.mark.skipif(
    tuple(int(part) for part in platform.libc_ver()[1].split(".")[:2] if part) >= (2, 38),
    reason="this glibc uses freed blocks again",
)
def test_without_it_the_loop_grows():
    # the environment is left as it is, so this is the control too
    assert growth(MALLOC_MMAP_THRESHOLD_=str(32 << 20)) > 500
