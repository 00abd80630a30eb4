"""Several comparisons in one budget of time, with one chance of a false alarm for all of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from harness.errors import UserError
from harness.gate.lockstep.begun import Begun, begin
from harness.gate.lockstep.compared import Comparison, Listener
from harness.gate.lockstep.question import Question
from harness.gate.lockstep.shared_time import share_time


def decide_all(
    questions: Sequence[Question], minutes: float, tell: Listener = lambda said: None
) -> list[Comparison | UserError]:
    """Decide all of them, or as many as the time is enough for: what came of each, in their order.

    The chance of a false FAIL that a question's rule states holds for all questions together (each has to reach so many
    times the evidence: `Rule.tests`). minutes: of measuring, for all; arms are built and models fetched before. Each
    has one launch, and of models the quality; then time goes to what is undecided, the nearest to a decision first
    (`shared_time`). One that can't be measured comes to the error that says why, and costs the others nothing. Before a
    KeyboardInterrupt goes on, `tell` gets every comparison as far as it went.
    """
    begun: list[Begun | UserError] = []
    for question in questions:
        try:
            begun.append(begin(replace(question, rule=replace(question.rule, tests=len(questions))), tell))
        except UserError as error:
            begun.append(error)
    able = [one for one in begun if isinstance(one, Begun)]
    until = time.monotonic() + 60 * minutes
    failed: dict[int, UserError] = {}
    try:
        for one in able:
            try:
                one.first_look()
            except UserError as error:
                failed[id(one)] = one.failed(error)
        sound = [one for one in able if id(one) not in failed]
        left = max(0.0, until - time.monotonic()) / 60
        ends = share_time([one.lockstep for one in sound], left)
        failed |= {id(one): one.failed(end) for one, end in zip(sound, ends, strict=True) if end is not None}
    except KeyboardInterrupt:
        for one in able:
            tell(one.concluded(interrupted=True))
        raise
    return [one if isinstance(one, UserError) else failed.get(id(one)) or one.concluded() for one in begun]
