"""Several processes that learn as one, through `accelerate`: started by `accelerate launch` or `torchrun`.

Every process holds the whole model, and knows the whole batch: which examples a step has is a function of the step. So
all know what a loss is divided by (tokens, pairs), and each adds the gradients of its own share of every micro-batch.
Their *sums* over all processes are then those of one process, up to rounding (`add_up`). Rollouts are shared out by
prompts, so that equal prompts stay together and no two samples are drawn from the same random numbers.

One process has no process group, and nothing here does anything.
"""

from __future__ import annotations

import os
import pickle
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, pairwise
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

T = TypeVar("T")
S = TypeVar("S")
LAUNCHED = ("WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE")
"""What launchers say how many there are by."""
LOOKING = 1.0
"""Seconds between two looks whether the launcher is still there."""


def start(device: str | None = None) -> torch.device:
    """Joins the other processes where a launcher started several; returns the device of this one.

    device: of a single process; left out, the CPU. Raises ValueError for a device that isn't there, and for one that is
    named to several processes, each of which has its own.
    """
    if all(int(os.environ.get(name, 1)) == 1 for name in LAUNCHED):
        return _known(device or "cpu")
    from accelerate import PartialState

    if device not in (None, "cpu"):
        raise ValueError(f"every process has a device of its own: leave --device {device} out, or start one process.")
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    state = PartialState(cpu=device == "cpu" or not torch.cuda.is_available())
    found: torch.device = state.device
    return found


def end() -> None:
    """Leaves the other processes."""
    if count() > 1:
        torch.distributed.destroy_process_group()


def count() -> int:
    """How many there are."""
    distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
    return torch.distributed.get_world_size() if distributed else 1


def number() -> int:
    """Which one this is, from 0. The first alone writes files and speaks."""
    return torch.distributed.get_rank() if count() > 1 else 0


def wait() -> None:
    """Until all are here."""
    if count() > 1:
        torch.distributed.barrier()


def own_share(items: int) -> range:
    """The places of this process among so many: contiguous, since neighbors share their prompt.

    Raises ValueError where there are too few for each process to have one.
    """
    if items < count():
        raise ValueError(
            f"a micro-batch of {items} can't be shared by {count()} processes: lower micro_batches, raise the batch, "
            "or start fewer processes."
        )
    return _share(items)


def add_up(modules: Iterable[nn.Module], values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Replaces all gradients by their sums over the processes, and returns the sums of the values (scalars)."""
    if count() == 1:
        return dict(values)
    from accelerate.utils import reduce

    parameters = list({id(p): p for module in modules for p in module.parameters() if p.requires_grad}.values())
    # A layer that one process never came by (an expert) has a gradient elsewhere.
    has = torch.tensor([float(p.grad is not None) for p in parameters], device=parameters[0].device)
    there = reduce(has, "sum")
    for parameter, somewhere in zip(parameters, there.tolist(), strict=True):
        if somewhere:
            own = parameter.grad if parameter.grad is not None else torch.zeros_like(parameter)
            parameter.grad = reduce(own, "sum")
    sums = reduce(torch.stack([value.detach().double() for value in values.values()]), "sum")
    return {name: total.to(values[name].dtype) for name, total in zip(values, sums.unbind(), strict=True)}


def in_order(function: Callable[[T], S], pieces: Sequence[T]) -> list[S]:
    """`function` of each piece, in order, each piece done by one process and known to all. Results may hold tensors,
    which are without gradients. What a function raises in one process is raised in all."""
    if count() == 1:
        return [function(piece) for piece in pieces]
    from accelerate import PartialState
    from accelerate.utils import gather_object, send_to_device

    try:
        outcome: Any = send_to_device([function(pieces[place]) for place in _share(len(pieces))], "cpu")
    except Exception as error:
        outcome = _sendable(error)
    everyone: list[Any] = gather_object([outcome])
    for other in everyone:
        if isinstance(other, Exception):
            raise other
    found: list[S] = [one for other in everyone for one in send_to_device(other, PartialState().device)]
    return found


def places_by_value(items: Sequence[object]) -> list[list[int]]:
    """The places of all items, one list for each process; equal items are in one list. Of one process: all in order."""
    if count() == 1:
        return [list(range(len(items)))]
    of: dict[object, list[int]] = {}
    for place, item in enumerate(items):
        of.setdefault(item, []).append(place)
    groups, processes = list(of.values()), min(count(), len(of))
    starts = [len(groups) * index // processes for index in range(processes + 1)]
    return [list(chain.from_iterable(groups[low:high])) for low, high in pairwise(starts)]


def _end_with(launcher: int) -> None:
    """Ends this process once its launcher is gone: killed outright, that leaves its processes to train unseen, and
    whoever starts again would train beside them. Looks, for signals at a parent's death are Linux's alone."""
    while os.getppid() == launcher:
        time.sleep(LOOKING)
    print(
        f"process {number()}: its launcher is gone, so it ends; start again with --resume", file=sys.stderr, flush=True
    )
    os._exit(1)


def _share(items: int) -> range:
    return range(items * number() // count(), items * (number() + 1) // count())


def _sendable(error: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # an error class with arguments of its own
        return ValueError(str(error))
    return error


def _known(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"there is no device {name} here: {str(error).splitlines()[0]}") from None
    return device
