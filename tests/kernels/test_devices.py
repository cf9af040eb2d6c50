"""Which device is taken: as asked, or by size; none that is not there."""

from __future__ import annotations

import multiprocessing

import pytest
import torch

from boltzbrain.foundations.checks import InputError
from boltzbrain.grid import workers
from boltzbrain.grid.points import Grid
from boltzbrain.kernels import devices
from boltzbrain.kernels.devices import PAYS, device_of, device_told, take_turn, words_of


@pytest.fixture
def two_gpus(monkeypatch):
    """What PyTorch says of a machine with two GPUs, the first the current one."""
    current = [0]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: current[0])
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Pretended")
    monkeypatch.setattr(torch.cuda, "set_device", lambda number: current.__setitem__(0, number))


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_a_gpu_that_is_not_there_is_refused_in_one_sentence(no_gpu):
    for asked in ("cuda", "cuda:1"):
        with pytest.raises(InputError) as refused:
            device_of(asked, 1e12)
        must = "device must be cpu or auto: PyTorch finds no CUDA GPU here; got "
        assert str(refused.value) == must + asked
    assert device_of("auto", 1e12) == torch.device("cpu")


@pytest.mark.parametrize("asked", ["gpu", "cuda:", "cuda:x", "mps", "CUDA", "", None, 0])
def test_a_device_that_is_none_is_refused(asked):
    with pytest.raises(InputError, match="device must be one of: auto, cpu, cuda, cuda:N"):
        device_of(asked, 1.0)


def test_auto_takes_a_gpu_where_it_pays(two_gpus):
    assert device_of("auto", PAYS) == torch.device("cuda:0")
    assert device_of("auto", PAYS / 2) == torch.device("cpu")
    assert device_of("cpu", 1e12) == torch.device("cpu")
    assert device_of("cuda", 1.0) == torch.device("cuda:0")
    assert device_of("cuda:1", 1.0) == torch.device("cuda:1")
    with pytest.raises(InputError, match="be at most cuda:1 on this machine; got cuda:2"):
        device_of("cuda:2", 1.0)


def test_what_was_begun_goes_on_where_it_began(two_gpus):
    assert words_of(torch.device("cuda:1")) == "cuda:1 (Pretended)"
    assert device_told("cuda:1 (Pretended)") == "cuda:1"
    assert device_told("cuda:5 (Pretended)") == "cuda"
    assert device_told("cpu") == "cpu"


def test_a_gpu_that_is_gone_is_done_without(no_gpu):
    assert device_told("cuda:1 (Pretended)") == "cpu"


def test_every_process_of_a_sweep_takes_a_gpu_of_its_own(two_gpus, monkeypatch):
    # the process of the tests goes on hearing Ctrl-C
    monkeypatch.setattr(workers.signal, "signal", lambda *_: None)
    context = multiprocessing.get_context("spawn")
    turn, begun = context.Value("i", 0), context.SimpleQueue()
    taken = []
    for _ in range(3):
        workers._begin(turn, begun, "auto")
        taken.append(words_of(device_of("auto", PAYS))[:6])
    assert taken == ["cuda:0", "cuda:1", "cuda:0"]


def test_there_are_as_many_processes_as_gpus_where_these_do_the_work(two_gpus):
    small = Grid.of("binary", {"hidden": [2, 3]}, seeds=1)
    large = Grid.of("binary", {"hidden": [2, 400]}, seeds=1)
    assert workers.workers_for(small, "auto", 10) is None
    assert workers.workers_for(large, "auto", 10_000) == 2
    assert workers.workers_for(small, "cuda", 10) == 2
    assert workers.workers_for(small, "cuda:1", 10) == 1
    assert workers.workers_for(large, "cpu", 10_000) is None


def test_a_turn_without_a_gpu_is_none(no_gpu):
    take_turn(3)
    assert devices.gpus() == 0
