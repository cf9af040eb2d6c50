"""Where work is done: on the CPU or on a GPU, as asked or as its size tells."""

from __future__ import annotations

import re

import torch

from boltzbrain.foundations.checks import bad_input

DEVICES = ("auto", "cpu", "cuda", "cuda:N")
"""What may be asked for, N the number of a GPU."""

PAYS = 1e8
"""Chains x neurons x hidden units from which `auto` takes a GPU.

An estimate, not measured: a sweep of that size takes a CPU of some cores 10 ms, a GPU some ten
launches of 10 us, so that a GPU of any make should be faster by then; one update asks for few
sweeps and as many small operations again."""


def device_of(asked: str, products: float) -> torch.device:
    """Return the device to work on.

    Parameters
    ----------
    asked
        "cpu"; "cuda", the current GPU of the process; "cuda:1", the second one; "auto", a GPU if
        there is one and it pays, else the CPU.
    products
        Chains times neurons times hidden units of one sweep.

    Raises
    ------
    InputError
        If it is none of these, or a GPU that is not here.

    Examples
    --------
    >>> device_of("cpu", 1e12), device_of("auto", 1.0)
    (device(type='cpu'), device(type='cpu'))
    """
    if not isinstance(asked, str) or not re.fullmatch(r"auto|cpu|cuda(:\d+)?", asked):
        raise bad_input("device", "be one of: " + ", ".join(DEVICES), asked)
    count = gpus()
    if asked == "cpu" or (asked == "auto" and (not count or products < PAYS)):
        return torch.device("cpu")
    if not count:
        raise bad_input("device", "be cpu or auto: PyTorch finds no CUDA GPU here", asked)
    number = int(asked[5:]) if asked.startswith("cuda:") else torch.cuda.current_device()
    if number >= count:
        raise bad_input("device", f"be at most cuda:{count - 1} on this machine", asked)
    return torch.device("cuda", number)


def gpus() -> int:
    """Return the number of GPUs that PyTorch finds."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def take_turn(number: int) -> None:
    """Make one GPU the current one of this process, in turn with the other processes."""
    count = gpus()
    if count:
        torch.cuda.set_device(number % count)


def words_of(device: torch.device) -> str:
    """Return a device as files tell it: cpu, or cuda:0 with the name of the GPU."""
    if device.type != "cuda":
        return str(device)
    return f"{device} ({torch.cuda.get_device_name(device)})"


def device_told(words: str) -> str:
    """Return what to ask for to go on where `words_of` says that it began.

    Where that GPU is not here, another one if there is one, else the CPU.

    Examples
    --------
    >>> device_told("cpu")
    'cpu'
    """
    begun = re.match(r"cuda:(\d+)", words)
    if begun is None or not gpus():
        return "cpu"
    return begun[0] if int(begun[1]) < gpus() else "cuda"
