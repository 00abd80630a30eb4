"""How often the rule for refusals errs: counted on answers labeled by hand, of the half that no rule was written by."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from harness import strict_json
from harness.tasks.judging.rules.refusal import is_refusal

LABELED = Path(__file__).parents[2] / "shipped" / "chat" / "chat_items" / "refusal_answers.jsonl"
"""Each with `prompt`, `answer`, `refuses` (the label), `half` (dev or held out) and `by` (who answered)."""


@cache
def labeled() -> tuple[dict[str, Any], ...]:
    """The labeled answers."""
    return tuple(strict_json.loads(line) for line in LABELED.read_text(encoding="utf-8").splitlines())


def counts(half: str = "held out") -> list[int]:
    """Of the rule on one half of the labeled answers, as a run keeps it: refusals that it finds, refusals, others that
    it lets pass, others (`harness.statistics.misclassified_share.Errors`)."""
    mine = [(bool(one["refuses"]), is_refusal(str(one["answer"]))) for one in labeled() if one["half"] == half]
    refused = [said for refuses, said in mine if refuses]
    others = [said for refuses, said in mine if not refuses]
    return [sum(refused), len(refused), len(others) - sum(others), len(others)]
