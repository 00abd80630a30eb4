"""What was agreed to: read with a line for every mistake, used, expired, and written."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from harness.comparison.metric_kind import Kind
from harness.errors import UserError
from harness.gate.accepted import Accepted, add_acceptances, read_accepted
from harness.gate.judgment import Judged
from harness.gate.verdict import Verdict
from harness.results.record import Scalar
from harness.statistics.intervals import Interval

TODAY = date(2027, 1, 15)
AT: dict[str, Scalar] = {"model": "nano", "precision": "int4", "measure": "perplexity", "text": "t", "window": None}
FILE = """# agreed in the meeting of Monday
- metric: bits_per_byte
  where: {model: nano, precision: [int4, int8]}
  allowed: 0.03   # three per cent
  reason: half the memory
  who: Jane Doe
  expires: 2027-01-31
  commit: c5d540d
"""


def failed(change: float = 0.02, verdict: Verdict = Verdict.FAIL, metric: str | None = "bits_per_byte") -> Judged:
    interval = Interval(change, change - 0.004, change + 0.00417, 60)
    return Judged(verdict, "worse", dict(AT), metric=metric, kind=Kind.LOSS, margin=0.01, change=interval)


def read(folder: Path, text: str = FILE) -> Accepted:
    path = folder / "harness-accept.yaml"
    path.write_text(text)
    return read_accepted(path)


def test_a_loss_that_was_agreed_to_is_accepted_and_said(tmp_path: Path) -> None:
    agreed = read(tmp_path)
    (row,) = agreed.applied([failed()], TODAY)
    assert row.verdict is Verdict.ACCEPTED
    assert row.reason == "accepted up to 0.03 by Jane Doe until 2027-01-31 (half the memory); worse"
    assert agreed.notes(TODAY) == []


def test_worse_than_agreed_still_fails(tmp_path: Path) -> None:
    agreed = read(tmp_path)
    (row,) = agreed.applied([failed(0.031)], TODAY)
    assert row.verdict is Verdict.FAIL and row.reason == "worse; 0.031 is worse than the 0.03 accepted"
    assert agreed.notes(TODAY) == [], "it was looked at"


def test_what_expired_or_was_not_used_is_named(tmp_path: Path) -> None:
    agreed = read(tmp_path)
    (row,) = agreed.applied([failed()], date(2027, 2, 1))
    assert row.verdict is Verdict.FAIL and row.reason == "worse; it was accepted until 2027-01-31"
    (told,) = agreed.notes(date(2027, 2, 1))
    assert told.startswith(f"{tmp_path}/harness-accept.yaml:2: this acceptance expired on 2027-01-31")
    unused = read(tmp_path)
    assert unused.applied([failed(verdict=Verdict.PASS)], TODAY)[0].verdict is Verdict.PASS
    assert "was not used (bits_per_byte (nano, int4 or int8), accepted by Jane Doe" in unused.notes(TODAY)[0]
    last_day = read(tmp_path)
    assert last_day.applied([failed()], date(2027, 1, 31))[0].verdict is Verdict.ACCEPTED


@pytest.mark.parametrize(
    "row",
    [
        Judged(
            Verdict.FAIL, "worse", {**AT, "precision": "fp32"}, metric="bits_per_byte", change=Interval(0.02, 0, 1, 9)
        ),
        Judged(Verdict.FAIL, "worse", dict(AT), metric="loss", change=Interval(0.02, 0, 1, 9)),
        Judged(Verdict.FAIL, "the cell failed", dict(AT), metric="bits_per_byte"),
        Judged(Verdict.FAIL, "the cell failed", dict(AT), role="cell"),
        Judged(Verdict.USAGE, "damaged", {}, role="cell"),
    ],
)
def test_nothing_else_is_accepted(tmp_path: Path, row: Judged) -> None:
    """Known bad: an agreement on two per cent that lets a cell pass which runs out of memory."""
    assert read(tmp_path).applied([row], TODAY) == [row]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("metric: loss\n", ":1: a file of accepted losses is a list of entries"),
        ("- metric: loss\n  allowd: 1\n", ":2: allowd: unknown key 'allowd'; did you mean 'allowed'?"),
        (FILE.replace("allowed: 0.03", "allowed: -1"), ":4: allowed: input should be greater than 0"),
        (FILE.replace("2027-01-31", "soon"), ":7: expires: "),
        (FILE.replace("  who: Jane Doe\n", ""), ":2: who: this key is required and missing"),
        (FILE + "  who: Joe\n", ":9: the key 'who' is written twice; keep one"),
        ("- 3\n", ":1: "),
        ("- [metric", ":1: "),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(UserError) as error:
        read(tmp_path, text)
    assert f"{tmp_path}/harness-accept.yaml{told}" in str(error.value)


def test_no_file_and_an_empty_one_agree_to_nothing(tmp_path: Path) -> None:
    assert read_accepted(tmp_path / "none.yaml").entries == ()
    assert read(tmp_path, "# nothing yet\n").entries == ()


def test_an_agreement_is_written_and_holds(tmp_path: Path) -> None:
    path = tmp_path / "harness-accept.yaml"
    rows = [failed(), failed(verdict=Verdict.PASS), Judged(Verdict.FAIL, "the cell failed", dict(AT), role="cell")]
    (made,) = add_acceptances(rows, "half the memory", TODAY, path, commit="abc", who="Jane Doe")
    assert made.allowed == 0.025, "the upper end of the interval, rounded up"
    assert made.where == {"model": "nano", "precision": "int4", "measure": "perplexity", "text": "t"}
    agreed = read_accepted(path)
    assert [row.verdict for row in agreed.applied(rows, TODAY)] == [Verdict.ACCEPTED, Verdict.PASS, Verdict.FAIL]
    assert path.read_text().startswith("# Losses that were agreed to")
    for name in ("pass@1", "bits_per_byte@2"):
        row = failed(metric=name.removesuffix("@2"))
        add_acceptances([row], "r", TODAY, path, who="w")
        path.write_text(path.read_text().replace("metric: bits_per_byte\n", "metric: bits_per_byte@2\n"))
        assert read_accepted(path).applied([row], TODAY)[0].verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("before", [FILE, FILE.rstrip("\n"), "# nothing yet\n", ""])
def test_what_a_file_has_stays(tmp_path: Path, before: str) -> None:
    path = tmp_path / "harness-accept.yaml"
    path.write_text(before)
    add_acceptances([failed(metric="loss")], "Ünïcödé: yes # no comment", TODAY, path, who="Joe")
    assert path.read_text().startswith(before)
    added = read_accepted(path).entries[-1][1]
    assert added.metric == "loss" and added.reason == "Ünïcödé: yes # no comment" and added.expires == TODAY


def test_a_file_that_can_not_be_added_to_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "harness-accept.yaml"
    flow = "[{metric: loss, allowed: 0.1, reason: r, who: w, expires: 2027-01-01}]\n"
    for text in (flow, "metric: loss\n"):
        path.write_text(text)
        with pytest.raises(UserError, match=r"appended to this file|is a list of entries"):
            add_acceptances([failed()], "r", TODAY, path, who="w")
        assert path.read_text() == text


def test_there_may_be_nothing_to_accept(tmp_path: Path) -> None:
    path = tmp_path / "harness-accept.yaml"
    with pytest.raises(UserError, match="nothing fails"):
        add_acceptances([failed(verdict=Verdict.MINOR)], "r", TODAY, path)
    with pytest.raises(UserError, match=r"what fails is broken \(the cell failed\)"):
        add_acceptances([Judged(Verdict.FAIL, "the cell failed", dict(AT), role="cell")], "r", TODAY, path)
    assert not path.exists()
