"""A summary of names that would be Markdown, HTML or a call to somebody."""

from __future__ import annotations

from harness.gate.verdict import Verdict
from harness.gate.written.markdown import markdown_of
from tests.harness.gate.results import every, result, row


def test_hostile_names_stay_text() -> None:
    text = markdown_of(every())
    assert text.startswith("## Gate: FAIL\n")
    for raw in ("<script", "@team", "[x](", "\x1b", "\u202e", "<!channel"):
        assert raw not in text, raw
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len({line.replace("\\|", "").count("|") for line in rows}) == 1, "no name adds a column"


def test_a_command_in_a_reason_can_be_copied_and_a_metric_keeps_its_name() -> None:
    told = "undecided: `harness ab --where a=b_c` decides"
    text = markdown_of(result(row(Verdict.INCONCLUSIVE, "pass@1", reason=told), reason=told))
    assert "`harness ab --where a=b_c`" in text and "pass@1" in text
