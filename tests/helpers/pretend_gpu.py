"""A GPU that is none: tensors that say they lie on it, count what the host reads, and compute.

Each holds a tensor of the CPU, with which every operation is really done, so that values can be
compared. As on a GPU, operands of two devices are refused; what goes to the host is counted by its
operation. The kernels are those of plain PyTorch, as on a GPU without Triton.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from boltzbrain.foundations import random
from boltzbrain.kernels import reference

if not hasattr(torch, "pretend"):
    # doctests import this file once more, under another name
    _setup_privateuseone_for_python_backend("pretend")
DEVICE = torch.device("pretend:0")
_READS = ("_local_scalar_dense", "equal", "is_nonzero", "nonzero", "masked_select", "unique")


class OnGpu(torch.Tensor):
    """A tensor that says it lies on the GPU."""

    inner: torch.Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner):
        made = torch.Tensor._make_wrapper_subclass(
            cls, inner.shape, strides=inner.stride(), storage_offset=inner.storage_offset(),
            dtype=inner.dtype, device=DEVICE,
        )  # fmt: skip
        made.inner = inner
        return made

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        raise AssertionError(f"{function} outside of the pretence")

    def __repr__(self):
        return f"OnGpu({self.inner!r})"


class Pretence(TorchDispatchMode):
    """Does what is asked of such tensors, and counts copies to the host."""

    def __init__(self) -> None:
        super().__init__()
        self.copies: Counter[str] = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name = function.overloadpacket.__name__
        tensors = list(_tensors_in((*args, *kwargs.values())))
        there = [isinstance(one, OnGpu) for one in tensors]
        asked = kwargs.get("device")
        stays = torch.device(asked).type == DEVICE.type if asked is not None else any(there)
        if any(there):
            self._count(name, args, tensors, stays)
            self._refuse_mixed(name, tensors, there)
        if asked is not None:
            kwargs["device"] = torch.device("cpu")
        result = function(
            *_mapped(_inside, args), **{key: _mapped(_inside, one) for key, one in kwargs.items()}
        )
        if not stays:
            return result
        # what is changed in place stays the very tensor
        same = {id(one.inner): one for one in tensors if isinstance(one, OnGpu)}

        def lifted(one):
            if not isinstance(one, torch.Tensor):
                return one
            return same[id(one)] if id(one) in same else OnGpu(one)

        return _mapped(lifted, result)

    def _count(self, name, args, tensors, stays) -> None:
        by_truth = name in ("index", "index_put_") and any(
            one is not None and one.dtype == torch.bool and isinstance(one, OnGpu)
            for one in args[1]
        )
        to_host = name in ("_to_copy", "copy_") and not stays
        if name == "copy_" and not isinstance(args[0], OnGpu):
            to_host = True
        if name in _READS or by_truth or to_host:
            self.copies[name] += 1

    def _refuse_mixed(self, name, tensors, there) -> None:
        if name in ("copy_", "_to_copy"):
            return
        apart = [
            one for one, is_there in zip(tensors, there, strict=True) if not is_there and one.ndim
        ]
        if name in ("index", "index_put_", "index_put"):
            # an index may lie on the host, and is then copied to the device
            apart = [one for one in apart if one.is_floating_point()]
        if apart:
            raise RuntimeError(f"{name}: expected all tensors to be on the same device")


def _inside(one):
    return one.inner if isinstance(one, OnGpu) else one


def _mapped(function, value):
    if isinstance(value, (list, tuple)):
        return type(value)(_mapped(function, one) for one in value)
    return function(value)


def _tensors_in(values) -> Iterator[torch.Tensor]:
    for one in values:
        if isinstance(one, torch.Tensor):
            yield one
        elif isinstance(one, (list, tuple)):
            yield from _tensors_in(one)


@contextlib.contextmanager
def pretend_gpu() -> Iterator[Pretence]:
    """Make this machine one with a GPU; give what counts the copies from it to the host."""
    made = torch.tensor

    def tensor(data, *, device=None, **options):
        # made by PyTorch below where operations are seen
        there = made(data, **options)
        return there if device is None else there.to(device)

    def philox_words(rows, columns, key, draw, device="cpu"):
        # hundreds of operations; that they give the same words anywhere is tested elsewhere
        return random.Generator(key, draw).words((rows, columns)).to(device)

    with pytest.MonkeyPatch.context() as patch, Pretence() as pretence:
        patch.setattr(torch, "tensor", tensor)
        for module in (random, reference):
            patch.setattr(module, "philox_words", philox_words)
        yield pretence
