"""Quality of two arms that run models: each is probed once, in a process of its own, and the two probes are judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import inf, isfinite, nan
from typing import Any

from harness import strict_json
from harness.comparison.paired_quality import RELATIVE, PairedQuality, judge_probes
from harness.errors import UserError, inert, shown
from harness.gate.arms.arm import Arm
from harness.gate.arms.arm_process import Worker
from harness.gate.lockstep.launch import SIDES, Side, asked
from harness.statistics.intervals import Interval
from harness.statistics.speed_decision import Decision, Rule

READS = "harness.gate.arms.model_work:probe_rows"
"""What an arm runs, in its own environment, to be judged."""
Rows = Sequence[Mapping[str, Any]]
"""Samples of the measure `probe`, as plain data."""


def probe_of(arm: Arm, side: Side, start: Callable[[Side, Arm], Worker], search: str, seconds: float) -> Rows | str:
    """What the measure `probe` makes of an arm's model, or the sentence with which that failed. start: starts its
    process. seconds: for each answer. Raises ArmFailed."""
    choice = replace(arm.choice, call=READS, setup="", arguments={"source": arm.choice.arguments["source"]})
    worker = start(side, arm)
    try:
        worker.ask("open", seconds, search=[search], **asked(replace(arm, choice=choice)))
        found: Rows | str = strict_json.loads(worker.ask("value", seconds))
        return inert(shown(found, 600)) if isinstance(found, str) else found
    finally:
        worker.close()


def qualities(
    arms: Mapping[Side, Arm], probe: Callable[[Side, Arm], Rows | str], margin: float, rule: Rule
) -> PairedQuality:
    """Both arms' probes, judged. probe: see `probe_of`; the rest: see `compare_probes`."""
    base, head = (probe(side, arms[side]) for side in SIDES)
    return compare_probes(base, head, margin, rule)


def compare_probes(base: Rows | str, head: Rows | str, margin: float, rule: Rule) -> PairedQuality:
    """Whether b's model is worse than a's: bits per byte, paired by document, and what else the probes tell of it
    (`comparison.paired_quality`).

    base, head: rows, or why there are none: where a has some and b has none, b is broken. margin: 0.01 is 1 % more
    bits. rule: its chances of errors are those of this question too. Raises UserError for rows of another version.
    """
    import pandas as pd

    if isinstance(base, str):
        return unread(Decision.INCONCLUSIVE, f"a can't read the text by which arms are compared: {base}")
    if isinstance(head, str):
        return unread(Decision.FAIL, f"a reads the text by which arms are compared, and b fails at it: {head}")
    ours, theirs = read_alike(base, head)
    if not any(row["tokens"] for row in ours):
        why = "a and b read every text to another place: their contexts are shorter than these texts"
        return unread(Decision.INCONCLUSIVE, why)
    alpha = rule.fail_alpha / rule.tests
    try:
        return judge_probes(pd.DataFrame(ours), pd.DataFrame(theirs), margin, alpha=alpha, pass_alpha=rule.pass_alpha)
    except LookupError as error:
        raise UserError(
            f"the harness of one arm keeps something else of a probe (no {error}): give both the same version",
            place="arm b",
        ) from None


def read_alike(base: Rows, head: Rows) -> tuple[Rows, Rows]:
    """The rows without the documents that the two read to another place, because their contexts or tokenizers differ
    and the text is longer than a context. (Of a text that was cut the digest is the whole one's, and how many bytes
    were read.)"""
    ends = [{row["document"]: row["text_digest"] for row in rows} for rows in (base, head)]
    whole = [{name: digest.partition(" ")[0] for name, digest in side.items()} for side in ends]
    apart = {
        name
        for name, digest in ends[0].items()
        if digest != ends[1].get(name, digest) and whole[0][name] == whole[1][name]
    }
    return _without(base, apart), _without(head, apart)


def as_json(quality: PairedQuality) -> dict[str, Any]:
    """As plain data."""
    return {
        "decision": quality.decision,
        "sentence": quality.sentence,
        "change": quality.change._asdict() if isfinite(quality.change.value) else None,
        "documents": quality.documents,
        "p": quality.p,
        "smallest_seen": quality.smallest_seen,
        **quality.details,
    }


def _without(rows: Rows, apart: set[str]) -> Rows:
    """The first row tells which tokens end an answer, whichever row that is."""
    kept = [row for row in rows if row["document"] not in apart]
    return [{**kept[0], "end_ids": rows[0]["end_ids"]}, *kept[1:]] if kept and apart else kept


def unread(decision: Decision, sentence: str) -> PairedQuality:
    """What is decided without a number: a probe that is missing."""
    failed = decision is Decision.FAIL
    return PairedQuality(
        decision=decision,
        sentence=sentence,
        change=Interval(nan, None, None, 0),
        unit=RELATIVE,
        p=0.0 if failed else 1.0,
        smallest_seen=None,
        log_evidence=inf if failed else 0.0,
    )
