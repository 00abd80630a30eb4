"""A comparison of two models in this process, which take turns: an interval over rounds.

A model in memory can be in no other process. Rounds of one process share its memory layout, its threads and whatever
else a launch draws, so that they are no launches: the interval leaves out how launches differ, and says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from math import exp, log
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.benchmarking.in_lockstep import how
from harness.benchmarking.pairing import Compared, Pairing
from harness.errors import Unsupported, UserError, unexpected
from harness.execution.executors.here import chatter_to
from harness.execution.worker_log import WorkerLog
from harness.measures.side_by_side import ROUNDS
from harness.statistics.intervals import Interval
from harness.statistics.sign_flip_process import median_interval

if TYPE_CHECKING:
    from torch import Tensor

    from harness.models.contract import LanguageModel

HOW = (
    "values that no sign-flip test over rounds rejects; both models took turns in one process, whose rounds are not "
    "independent launches: how launches differ is not in it"
)


def compare_here(
    pairing: Pairing,
    base: Callable[[], LanguageModel],
    head: Callable[[], LanguageModel],
    *,
    threads: int | None,
    log_file: Path,
    going: Callable[[int], None],
    seed: int = 0,
) -> Compared:
    """Measure three rounds for each launch that is asked for; which model goes first is drawn in each. base, head: give
    the models, open. going: is told of each round before it, from 0. log_file: takes what libraries print."""
    try:
        with _threads(threads), chatter_to(log_file):
            evidence = list(_rounds(pairing, base(), head(), going, seed))
    except (UserError, Unsupported) as error:
        return Compared(None, None, "", "rounds", None, error.message if isinstance(error, UserError) else str(error))
    except Exception as error:  # whatever a model raises is the comparison's reason
        WorkerLog(log_file).write_trace(str(pairing), error)
        return Compared(None, None, "", "rounds", None, unexpected("comparing the models", error))
    import pandas as pd

    table = pd.DataFrame(evidence)
    found = median_interval(table["difference"].to_numpy())
    low, high = (None if end is None else exp(end) for end in (found.low, found.high))
    ratio = Interval(exp(found.value), low, high, found.n)
    return Compared(ratio, None, how(ratio, HOW, "rounds"), "rounds", table)


def _rounds(
    pairing: Pairing, base: LanguageModel, head: LanguageModel, going: Callable[[int], None], seed: int
) -> Iterator[dict[str, object]]:
    """A row for each round: the seconds of both, and the logarithm of their ratio."""
    generator = np.random.default_rng(seed)
    both = {"base": (base, _prompt(base, pairing)), "head": (head, _prompt(head, pairing))}
    for model, prompt in both.values():
        _seconds(model, prompt, pairing)  # the first of all pays for what is made once
    for number in range(ROUNDS * pairing.launches):
        going(number)
        order = ("base", "head") if generator.random() < 0.5 else ("head", "base")
        seconds = {side: _seconds(*both[side], pairing) for side in order}
        yield {
            **{"round": number, "order": " ".join(order)},
            **{f"{side}_seconds": seconds[side] for side in ("base", "head")},
            "difference": log(seconds["head"] / seconds["base"]),
        }


def _prompt(model: LanguageModel, pairing: Pairing) -> Tensor:
    """(batch, prompt) token ids, uniform over the vocabulary, the same in every round. Raises Unsupported."""
    import torch

    from harness.measures.measure import check_batch

    identity = model.identity
    if pairing.prompt + pairing.new > identity.context:
        raise Unsupported(
            f"prompt + new = {pairing.prompt + pairing.new} tokens do not fit in the context of {identity.context} of "
            f"{identity.name}"
        )
    check_batch(identity, pairing.batch)
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(identity.vocabulary, (pairing.batch, pairing.prompt), generator=generator)
    return ids.to(identity.device)


def _seconds(model: LanguageModel, prompt: Tensor, pairing: Pairing) -> float:
    """One unit of work, timed."""
    from harness.measures.timeline import generate_timed

    if pairing.times == "ttft":
        return generate_timed(model, prompt, 1, time.perf_counter_ns)[0].ttft
    steps = generate_timed(model, prompt, pairing.new, time.perf_counter_ns)[0].steps
    return sum(steps) / len(steps)


@contextmanager
def _threads(threads: int | None) -> Iterator[None]:
    """In the block torch computes with so many; None leaves it as it is."""
    import torch

    before = torch.get_num_threads()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        with suppress(RuntimeError):
            torch.set_num_threads(before)
