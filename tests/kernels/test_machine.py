"""What the processor has, where compiled loops are kept, and that widths change no bit."""

import os
import subprocess
import sys
from pathlib import Path

import llvmlite.binding as llvm
import numba.core.caching as caching
import pytest
import torch
from numba import config

from boltzbrain.foundations.compiling.cache import kept, temporary_folder
from boltzbrain.kernels import machine as machines
from boltzbrain.kernels.cpu import threads
from boltzbrain.kernels.machine import described, facts, machine, quota

X86 = "x86_64-unknown-linux-gnu"
ROOT = Path(__file__).resolve().parents[2]


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("membership", "files", "wanted"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/\n", {}, None),
        ("0::/a/b\n", {"a/cpu.max": "400000 100000\n", "a/b/cpu.max": "max 100000\n"}, 4.0),
        ("0::/far/away\n", {"cpu.max": "200000 100000\n"}, 2.0),
        (
            "4:cpu,cpuacct:/job\n1:memory:/job\n",
            {
                "cpu,cpuacct/job/cpu.cfs_quota_us": "50000\n",
                "cpu,cpuacct/job/cpu.cfs_period_us": "100000\n",
            },
            0.5,
        ),
        (
            "4:cpu,cpuacct:/job\n",
            {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"},
            None,
        ),
        ("nonsense\n", {}, None),
    ],
)
def test_the_quota_of_control_groups_is_read_in_both_versions(tmp_path, membership, files, wanted):
    root = write(tmp_path / "cgroup", files)
    root.mkdir(exist_ok=True)
    listed = tmp_path / "membership"
    listed.write_text(membership)
    assert quota(root, listed) == wanted


def test_threads_follow_the_quota_and_not_the_cores(monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 1)
    assert threads.thread_count() == 1
    monkeypatch.undo()
    monkeypatch.setattr(machines, "quota", lambda *paths: 0.5)
    assert machines.cores.__wrapped__() == 1


def test_small_models_keep_pytorch_in_one_thread_and_the_loops_in_all(monkeypatch):
    given = torch.get_num_threads()
    monkeypatch.setattr(threads, "cores", lambda: 2)
    monkeypatch.setitem(vars(threads.config), "NUMBA_NUM_THREADS", 2)
    torch.set_num_threads(2)
    try:
        with threads.unshared(threads.SMALL):
            assert (torch.get_num_threads(), threads.thread_count()) == (1, 2)
            with threads.unshared(threads.SMALL), threads.one_thread():
                assert (torch.get_num_threads(), threads.thread_count()) == (1, 1)
            assert (torch.get_num_threads(), threads.thread_count()) == (1, 2)
        with threads.unshared(threads.SMALL + 1):
            assert (torch.get_num_threads(), threads.thread_count()) == (2, 2)
    finally:
        torch.set_num_threads(given)
    assert torch.get_num_threads() == given


@pytest.mark.parametrize(
    ("triple", "processor", "path", "tile"),
    [
        (X86, "znver4", "AVX-512", 4),
        (X86, "skylake-avx512", "AVX-512", 4),
        (X86, "haswell", "AVX2", 1),
        (X86, "x86-64-v3", "AVX2", 1),
        (X86, "x86-64", "other", 1),
        ("aarch64-unknown-linux-gnu", "neoverse-n1", "NEON", 1),
        ("arm64-apple-macosx", "apple-m1", "NEON", 1),
    ],
)
def test_the_tile_follows_what_llvm_says_of_the_processor(triple, processor, path, tile):
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    found = described(triple, processor, "")
    assert (found.path, found.tile) == (path, tile)
    # all sums of a tile, a vector of values for each of its columns and a weight
    used = 5 * found.tile * (16 // found.lanes) + 1
    assert used <= found.registers or found.path == "other"


def test_the_machine_is_kept_as_plain_words_and_numbers():
    assert facts()["path"] == machine().path
    assert all(isinstance(value, (str, int)) for value in facts().values())


def _doubled(value):
    return 2 * value


def test_loops_are_kept_for_the_user_alone_where_source_and_home_cannot_be_written(
    tmp_path, monkeypatch
):
    for locator in ("InTreeCacheLocator", "UserWideCacheLocator"):
        monkeypatch.setattr(
            getattr(caching, locator), "from_function", classmethod(lambda cls, *files: None)
        )
    for locator in ("InTreeCacheLocatorFsAgnostic", "ZipCacheLocator"):
        if hasattr(caching, locator):
            monkeypatch.setattr(
                getattr(caching, locator), "from_function", classmethod(lambda cls, *files: None)
            )
    monkeypatch.setitem(vars(config), "CACHE_DIR", "")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    temporary_folder.cache_clear()
    assert kept(_doubled)(21) == 42
    # other users of numba keep their own
    assert vars(config)["CACHE_DIR"] == ""
    assert list(temporary_folder().rglob("*.nbi"))
    assert temporary_folder().stat().st_mode & 0o777 == 0o700
    # a folder that others can write is not trusted
    temporary_folder().chmod(0o777)
    temporary_folder.cache_clear()
    assert temporary_folder() != tmp_path / f"boltzbrain-loops-{os.getuid()}"
    temporary_folder.cache_clear()


_SWEEPS = """
import hashlib, sys
import torch
from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.machine import machine
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.layers.rectified import DReLU
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.annealing import AnnealedPath
digest = hashlib.sha256()
for units, others, chains in ((70, 33, 100), (300, 20, 37), (40, 70, 300)):
    generator = Generator.from_seed(units, "widths")
    weights = 0.3 * generator.normal((units, others))
    field, visible = generator.normal((1, others))[0], Bernoulli(torch.full((units,), -1.5))
    states = (generator.uniform((chains, units)) < 0.2).to(torch.uint8)
    ones = torch.ones(others)
    for hidden in (Bernoulli(field), DReLU(field, -field, ones, 2 * ones)):
        model = RBM(visible, hidden, weights)
        path = AnnealedPath(model.independent(visible.field - 1), model)
        found = model.sweep(states, Generator(3), 3)
        found += path.climb(states, [0.0, 0.3, 0.6, 1.0], Generator(4))
        found += model.hidden.responses(model.inputs_to_hidden(states)).answers[:1]
        for tensor in found:
            digest.update(tensor.contiguous().numpy().tobytes())
print(machine().path, digest.hexdigest())
"""


def test_avx2_gives_the_bits_of_avx512():
    if machine().path != "AVX-512":
        pytest.skip("the processor has no AVX-512")
    answers = []
    for restricted in ({}, {"NUMBA_CPU_NAME": "x86-64-v3", "NUMBA_CPU_FEATURES": ""}):
        done = subprocess.run(
            [sys.executable, "-c", _SWEEPS],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, **restricted, "PYTHONPATH": str(ROOT / "src")},
        )
        answers.append(done.stdout.split())
    assert [path for path, _ in answers] == ["AVX-512", "AVX2"]
    assert answers[0][1] == answers[1][1]
