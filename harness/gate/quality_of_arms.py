"""Quality of two arms that run models: each reads the same documents once, and the changes are paired by document."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

from harness.gate.arm import Arm
from harness.gate.arm_process import Worker
from harness.gate.launch import SIDES, Side, asked
from harness.statistics.intervals import Interval
from harness.statistics.sign_flip_process import median_interval
from harness.statistics.speed_decision import Decision, Rule, decide

READS = "harness.gate.model_work:quality_rows"
"""What an arm runs, in its own environment, to be judged."""
Row = Mapping[str, Any]
"""Of one document: `text_digest`, `document`, `nll` (nats, of the whole document) and `bytes` that were scored."""


@dataclass(frozen=True)
class QualityOfArms:
    """How b's quality compares with a's."""

    decision: Decision
    sentence: str
    change: Interval | None = None
    """Of the negative log-likelihood, relative: 0.01 is 1 % more nats. The median over documents."""
    documents: int = 0

    def as_json(self) -> dict[str, Any]:
        """As plain data."""
        change = None if self.change is None else self.change._asdict()
        return {"decision": self.decision, "sentence": self.sentence, "change": change, "documents": self.documents}


def quality_of(arm: Arm, side: Side, start: Callable[[Side, Arm], Worker], search: str, seconds: float) -> list[Row]:
    """What an arm's model makes of the documents: one row for each. start: starts its process. seconds: for each
    answer. Raises ArmFailed."""
    choice = replace(arm.choice, call=READS, setup="", arguments={"source": arm.choice.arguments["source"]})
    worker = start(side, arm)
    try:
        worker.ask("open", seconds, search=[search], **asked(replace(arm, choice=choice)))
        rows: list[Row] = json.loads(worker.ask("value", seconds))
        return rows
    finally:
        worker.close()


def compare_quality(base: Sequence[Row], head: Sequence[Row], margin: float) -> QualityOfArms:
    """The paired change in negative log-likelihood, with the document as its unit.

    Each document gives one difference: nats per byte of the head less those of the base, over the base's mean. They are
    judged as launches are (`speed_decision`): FAIL where the head is worse (false in 1 % of comparisons) and by the
    margin or more; PASS needs evidence that it is not worse by the margin. margin: 0.01 is 1 % more nats.
    """
    rule = Rule(margin=margin)
    before = {row["text_digest"]: row for row in base if _is_judged(row)}
    after = {row["text_digest"]: row for row in head if _is_judged(row)}
    if not before:
        return QualityOfArms(Decision.INCONCLUSIVE, "a scores no document, so quality can't be compared")
    if lost := [row["document"] for digest, row in before.items() if digest not in after]:
        names = ", ".join(str(number) for number in lost[:5])
        of = f"{len(lost)} of {len(before)} documents that a scores (numbers {names})"
        return QualityOfArms(Decision.FAIL, f"b gives no finite loss for {of}", documents=len(before))
    pairs = [(before[digest], after[digest]) for digest in before]
    if all(one["nll"] == other["nll"] for one, other in pairs):
        words = f"identical losses of {len(pairs)} documents"
        return QualityOfArms(Decision.PASS, words, Interval(0.0, 0.0, 0.0, len(pairs)), len(pairs))
    mean = sum(_per_byte(one) for one, _ in pairs) / len(pairs)
    differences = [(_per_byte(other) - _per_byte(one)) / mean for one, other in pairs]
    change = median_interval(differences)
    decision = decide(differences, rule)
    return QualityOfArms(decision, _sentence(decision, change, margin), change, len(pairs))


def _sentence(decision: Decision, change: Interval, margin: float) -> str:
    ends = None if change.low is None or change.high is None else (100 * change.low, 100 * change.high)
    interval = "" if ends is None else f" [{ends[0]:+.3g}, {ends[1]:+.3g}]"
    of = f"over {change.n} documents (margin {100 * margin:g} %)"
    words = f"b's loss changes by {100 * change.value:+.3g} %{interval} {of}"
    return f"{words}, which is undecided" if decision is Decision.INCONCLUSIVE else words


def _is_judged(row: Row) -> bool:
    return isinstance(row["nll"], (int, float)) and isfinite(row["nll"]) and row["bytes"] > 0


def _per_byte(row: Row) -> float:
    return float(row["nll"] / row["bytes"])


def qualities(arms: Mapping[Side, Arm], read: Callable[[Side, Arm], list[Row]], margin: float) -> QualityOfArms:
    """Both arms read, and compared. read: see `quality_of`."""
    base, head = (read(side, arms[side]) for side in SIDES)
    return compare_quality(base, head, margin)
