"""Two stored runs judged: what passes, what fails, and what nobody can say."""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

from harness.comparison import metric_kind
from harness.errors import ExitCode, UserError
from harness.gate.judgment import GateResult, Judged
from harness.gate.stored import stored_ledger
from harness.gate.stored.stored_ledger import StoredPair
from harness.gate.stored.stored_runs import judge_runs
from harness.gate.verdict import Verdict, first_of
from harness.results.record import CellResult, Metric, Record, Status
from tests.harness.gate.gate_runs import Asked, Makes, broken, stand_in

BPB = "{metric: bits_per_byte, where: {precision: int8}}"
SPEED = "{metric: decode_rate, where: {precision: int8}, guarded_by: [bits_per_byte]}"
TODAY = date(2027, 1, 15)


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    counts = ("weight_bytes", "kv_cache_bytes")
    monkeypatch.setattr(metric_kind, "is_counted", lambda metric: metric.name in counts)
    return stand_in(monkeypatch)


@pytest.fixture
def make(builders: ModuleType, tmp_path: Path) -> Makes:
    return Makes(builders, tmp_path)


def rows(result: GateResult, metric: str | None) -> list[Judged]:
    return [row for row in result.rows if row.metric == metric]


def only(result: GateResult, metric: str | None) -> Judged:
    (row,) = rows(result, metric)
    return row


def known_pairs(run: object, count: int, size: float, *, metric: str = "decode_rate@1", cell: CellResult) -> None:
    """So many pairs of identical code in the ledger, of one cell."""
    from harness.comparison.definition import definition_hash

    pairs = [
        StoredPair(
            "2026-01-01T00:00:00+00:00",
            "f" * 8,
            definition_hash(cell),
            metric,
            size * math.sin(1 + number),
            f"a{number}",
            f"b{number}",
            stored_ledger.A_DAY,
            5,
        )
        for number in range(count)
    ]
    assert stored_ledger.keep(pairs) == count


def test_what_did_not_change_passes(make: Makes) -> None:
    result = judge_runs(make.run("base"), make.run("head", BPB))
    assert result.verdict is Verdict.PASS and result.exit_code is ExitCode.PASS
    row = only(result, "bits_per_byte")
    assert row.at["precision"] == "int8" and row.change is not None and row.change.value == 0
    assert "commit: base00000000 and head00000000" in result.changes


def test_a_loss_of_the_margin_fails_and_a_smaller_one_is_minor(make: Makes) -> None:
    base = make.run("base")
    failed = judge_runs(base, make.run("head", BPB, shift=0.02))
    assert (failed.verdict, failed.exit_code) == (Verdict.FAIL, ExitCode.UNMET)
    assert only(failed, "bits_per_byte").margin == 0.01 and "bits_per_byte (nano, int8" in failed.reason
    minor = judge_runs(base, make.run("smaller", BPB, shift=0.005))
    assert (minor.verdict, minor.exit_code) == (Verdict.MINOR, ExitCode.PASS)
    wider = judge_runs(base, make.run("wider", BPB.replace("}}", "}, margin: 0.05}"), shift=0.02))
    assert wider.verdict is Verdict.MINOR


def test_bitwise_and_a_margin_of_zero_ask_for_the_same_bits(make: Makes) -> None:
    base = make.run("base")
    for more in ("bitwise: true", "margin: 0"):
        result = judge_runs(base, make.run("head", BPB.replace("}}", f"}}, {more}}}"), shift=1e-6))
        assert result.verdict is Verdict.FAIL


def test_alpha_is_shared_among_the_tests_of_the_command(make: Makes, asked: Asked) -> None:
    judge_runs(make.run("base"), make.run("head", "{metric: bits_per_byte}\n{metric: loss}"))
    assert {one["alpha"] for one in asked} == {0.01 / 4}


def test_without_a_gate_quality_and_counts_are_judged_and_said(make: Makes) -> None:
    result = judge_runs(make.run("base"), make.run("head", bytes_more=8))
    assert {(row.metric, row.at["precision"]) for row in result.rows} == {
        (metric, precision) for metric in ("bits_per_byte", "weight_bytes") for precision in ("fp32", "int8")
    }
    assert "the suite has no `gate:`, so 4 metrics of quality and counts are judged" in result.notes[0]
    assert result.verdict is Verdict.FAIL and "a count has to be equal" in result.reason


def test_a_count_may_become_better_or_be_allowed_to_grow(make: Makes) -> None:
    base = make.run("base", bytes_more=1000)
    better = judge_runs(base, make.run("head", "{metric: weight_bytes}"))
    assert better.verdict is Verdict.PASS and "which is better" in rows(better, "weight_bytes")[0].reason
    back = judge_runs(make.run("head2"), make.run("grown", "{metric: weight_bytes, margin: 0.5}", bytes_more=1000))
    assert back.verdict is Verdict.PASS and "within the margin" in rows(back, "weight_bytes")[0].reason


def test_memory_is_judged_by_its_launches(make: Makes) -> None:
    gate = "{metric: peak_memory, where: {precision: int8}}"
    base = make.run("base")
    assert judge_runs(base, make.run("more", gate, memory=1.5)).verdict is Verdict.FAIL
    assert judge_runs(base, make.run("same", gate)).verdict is Verdict.PASS
    cells = make.cells(make.folder / "once")
    alone = [
        cell.model_copy(
            update={"records": [one.model_copy(update={"low": None, "high": None, "n": 1}) for one in cell.records]}
        )
        if cell.measure == "memory"
        else cell
        for cell in cells
    ]
    result = judge_runs(base, make.run("once", gate, cells=alone))
    assert result.verdict is Verdict.INCONCLUSIVE and "`launches: 3` or more" in result.reason


# --- what broke ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "told"),
    [(Status.FAILED, "failed: no kernel"), (Status.OUT_OF_MEMORY, "ran out of"), (Status.SKIPPED, "was skipped")],
)
@pytest.mark.parametrize("gate", [BPB, "{metric: loss, where: {precision: fp32}}"])
def test_a_cell_that_broke_fails_whether_it_is_gated_or_not(make: Makes, status: Status, told: str, gate: str) -> None:
    cells = make.cells(make.folder / "head")
    cells[3] = broken(cells[3], status, "no kernel")
    result = judge_runs(make.run("base"), make.run("head", gate, cells=cells))
    assert (result.verdict, result.exit_code) == (Verdict.FAIL, ExitCode.UNMET)
    assert told in result.reason and len([row for row in result.rows if row.verdict is Verdict.FAIL]) == 1


def test_a_cell_that_is_gone_fails(make: Makes) -> None:
    cells = make.cells(make.folder / "head")
    gone = judge_runs(make.run("base"), make.run("head", "{metric: loss, where: {precision: fp32}}", cells=cells[:-1]))
    assert gone.verdict is Verdict.FAIL and "only the base has this cell" in gone.reason


def test_a_cell_that_was_broken_already_is_no_one_s_fault(make: Makes) -> None:
    cells = make.cells(make.folder / "base")
    cells[3] = broken(cells[3], Status.FAILED, "no kernel")
    base = make.run("base", cells=cells)
    result = judge_runs(base, make.run("head", "{metric: bits_per_byte}"))
    assert result.verdict is Verdict.PASS
    assert any("has no baseline: in the base its cell failed" in note for note in result.notes)


def test_a_part_that_failed_in_the_head_alone_fails(make: Makes) -> None:
    cells = make.cells(make.folder / "head")
    lost = Record(key="k", model="nano", measure="inference", status=Status.FAILED, reason="launch 3 of 5 failed")
    cells[4] = cells[4].model_copy(update={"records": [*cells[4].records, lost]})
    result = judge_runs(make.run("base"), make.run("head", BPB, cells=cells))
    assert result.verdict is Verdict.FAIL and "launch 3 of 5 failed" in result.reason


def without(cell: CellResult, metric: str) -> CellResult:
    return cell.model_copy(update={"records": [one for one in cell.records if one.metric != metric]})


def test_a_metric_on_one_side_alone(make: Makes) -> None:
    cells = make.cells(make.folder / "fewer")
    cells[3] = without(cells[3], "bits_per_byte")
    fewer = make.run("fewer", BPB, cells=cells)
    lost = judge_runs(make.run("base"), fewer)
    assert lost.verdict is Verdict.FAIL and "the head has none" in lost.reason
    new = judge_runs(fewer, make.run("head", BPB + "\n{metric: loss, where: {precision: int8}}"))
    assert new.verdict is Verdict.PASS
    assert any("bits_per_byte (nano, int8, cpu, 2) has no baseline" in note for note in new.notes)
    nothing = judge_runs(fewer, make.run("head2", BPB))
    assert (nothing.verdict, nothing.exit_code) == (Verdict.NOT_COMPARABLE, ExitCode.NOT_COMPARABLE)


# --- what can't be compared, and what proves nothing -----------------------------------------------------------------


def test_a_changed_setting_is_not_comparable_and_named(make: Makes) -> None:
    cells = [
        cell.model_copy(update={"settings": cell.settings | {"window": 512}}) if cell.measure == "perplexity" else cell
        for cell in make.cells(make.folder / "head")
    ]
    result = judge_runs(make.run("base"), make.run("head", BPB, cells=cells))
    assert (result.verdict, result.exit_code) == (Verdict.NOT_COMPARABLE, ExitCode.NOT_COMPARABLE)
    assert "window is 256 in the base and 512 in the head" in result.reason
    assert len(rows(result, "bits_per_byte")) == 1, "told once, though each run has its own"


def test_runs_of_two_suites_are_not_comparable(make: Makes) -> None:
    cells = make.cells(make.folder / "head", precisions=("bf16", "int4"))
    cells = [cell.model_copy(update={"model": "micro"}) for cell in cells]
    result = judge_runs(make.run("base"), make.run("head", cells=cells, suite="other"))
    assert (result.verdict, result.exit_code) == (Verdict.NOT_COMPARABLE, ExitCode.NOT_COMPARABLE)
    assert result.reason == "the two runs have no cell in common (quickstart with 6 cells and other with 6 cells)"
    text = [make.cells(make.folder / name)[:1] for name in ("one", "two")]
    text[1] = [cell.model_copy(update={"settings": cell.settings | {"window": 64}}) for cell in text[1]]
    named = judge_runs(make.run("one", cells=text[0]), make.run("two", cells=text[1]))
    assert named.verdict is Verdict.NOT_COMPARABLE and "window is 256 in the base and 64 in the head" in named.reason
    empty = judge_runs(make.run("base2"), make.run("empty", cells=[], status="interrupted"))
    assert empty.verdict is Verdict.USAGE


def test_a_new_setting_with_its_default_orphans_nothing(make: Makes) -> None:
    cells = [
        cell.model_copy(update={"settings": cell.settings | {"documents": None}}) if cell.samples else cell
        for cell in make.cells(make.folder / "head")
    ]
    assert judge_runs(make.run("base"), make.run("head", BPB, cells=cells)).verdict is Verdict.PASS


def test_another_machine_and_another_version_are_not_comparable(make: Makes) -> None:
    base = make.run("base")
    other = judge_runs(base, make.run("head", SPEED, machine="other", fingerprint_class="other"))
    assert other.verdict is Verdict.NOT_COMPARABLE and "machine" in only(other, "decode_rate").reason
    cells = make.cells(make.folder / "later")
    newer = [one.model_copy(update={"metric_id": f"{one.metric}@9"}) for one in cells[3].records]
    cells[3] = cells[3].model_copy(update={"records": newer})
    later = judge_runs(base, make.run("later", BPB, cells=cells))
    assert later.verdict is Verdict.NOT_COMPARABLE and "the metric's definition changed" in later.reason


def test_an_edited_text_is_not_comparable_and_named(make: Makes) -> None:
    base, head = make.run("base"), make.run("head", BPB)
    for run, digest in ((base, "1"), (head, "2")):
        for cell in run.cells:
            cell.__dict__["read"] = [_Read("text", "microworld/test", digest)]
    result = judge_runs(base, head)
    assert result.verdict is Verdict.NOT_COMPARABLE and "the text microworld/test changed" in result.reason


class _Read(NamedTuple):
    kind: str
    name: str
    digest: str


def cached(cells: list[CellResult]) -> list[CellResult]:
    return [cell.model_copy(update={"source": "cache"}) for cell in cells]


def test_what_the_run_did_not_measure_proves_nothing(make: Makes) -> None:
    """Known bad: a changed kernel whose cells come from the cache is identical to the base, and passes."""
    head = make.run("head", BPB, cells=cached(make.cells(make.folder / "head")))
    result = judge_runs(make.run("base"), head)
    assert (result.verdict, result.exit_code) == (Verdict.INCONCLUSIVE, ExitCode.INCONCLUSIVE)
    assert result.reason.endswith("measure it again with --fresh or --no-cache")


def test_one_cached_cell_among_others_is_named_and_does_not_pass(make: Makes) -> None:
    cells = make.cells(make.folder / "head")
    cells[3] = cached(cells[3:4])[0]
    result = judge_runs(make.run("base"), make.run("head", "{metric: bits_per_byte}", cells=cells))
    assert result.verdict is Verdict.INCONCLUSIVE and "int8" in result.reason
    worse = judge_runs(make.run("base"), make.run("worse", "{metric: bits_per_byte}", shift=0.02))
    assert worse.verdict is Verdict.FAIL


def test_the_same_run_twice_is_refused(make: Makes) -> None:
    run = make.run("base", BPB)
    with pytest.raises(UserError, match="are the same run"):
        judge_runs(run, run)
    with pytest.raises(UserError, match="are the same run"):
        judge_runs(run, make.run("copied", BPB, id="base"))


def test_a_run_that_did_not_finish_is_no_pass(make: Makes) -> None:
    base, gate = make.run("base"), "{metric: loss, where: {precision: fp32}}"
    result = judge_runs(base, make.run("head", gate, status="interrupted", ended=None))
    assert (result.verdict, result.exit_code) == (Verdict.USAGE, ExitCode.USAGE)
    assert "harness run --resume" in result.reason
    cells = make.cells(make.folder / "part")
    part = judge_runs(base, make.run("part", gate, cells=cells[:3], status="interrupted"))
    assert part.verdict is Verdict.USAGE, "what it lacks was not measured yet, and is not lost"
    worse = judge_runs(base, make.run("worse", gate, shift=0.1, status="interrupted"))
    assert worse.verdict is Verdict.FAIL, "what is worse already is worse"


def test_a_damaged_run_is_no_pass(make: Makes) -> None:
    base, head = make.run("base"), make.run("head", "{metric: loss, where: {precision: fp32}}")
    lines = (head.folder / "cells.jsonl").read_text().splitlines()
    lines[4] = lines[4][:200]
    (head.folder / "cells.jsonl").write_text("\n".join(lines) + "\n")
    result = judge_runs(base, type(head)(head.folder))
    assert result.verdict is Verdict.USAGE and "damaged" in result.reason


def test_damaged_samples_are_named(make: Makes) -> None:
    base, head = make.run("base"), make.run("head", BPB)
    (head.folder / str(head.cells[3].samples)).write_bytes(b"PAR1 no more")
    result = judge_runs(base, type(head)(head.folder))
    assert result.verdict is Verdict.USAGE and ".parquet" in result.reason


def test_a_gate_that_means_nothing_in_these_runs_says_so(make: Makes) -> None:
    result = judge_runs(make.run("base"), make.run("head", "{metric: loss, where: {precision: int4}}"))
    assert result.verdict is Verdict.USAGE and "no cell has precision = int4" in result.reason


def test_more_than_ten_are_refused(make: Makes) -> None:
    gate = "\n".join(f"{{metric: {name}}}" for name in ("loss", "perplexity", "bits_per_byte", "ttft", "tpot", "mfu"))
    with pytest.raises(UserError, match="match 12 metrics of cells in these runs, and 10 is the most"):
        judge_runs(make.run("base"), make.run("head", gate))


# --- speed -----------------------------------------------------------------------------------------------------------


def test_speed_of_stored_runs_is_no_evidence_without_a_ledger(make: Makes) -> None:
    for slower in (1.0, 1.3):
        result = judge_runs(make.run(f"base{slower}"), make.run(f"head{slower}", SPEED, slower=slower))
        assert (result.verdict, result.exit_code) == (Verdict.INCONCLUSIVE, ExitCode.INCONCLUSIVE)
        reason = only(result, "decode_rate").reason
        assert "0 pairs of runs of identical code of this cell, and 19 are needed to pass (199 to fail)" in reason
        assert "`harness ab --suite suites/quickstart.yaml --model nano --a revision=base" in reason
        assert "--time decode --prompt 128 --generate 64 --batch 1 --threads 2 --margin 0.05`" in reason


def test_one_launch_is_no_evidence_whatever_the_ledger_has(make: Makes) -> None:
    base, head = make.run("base", launches=1), make.run("head", SPEED, slower=3, launches=1)
    known_pairs(base, 300, 0.01, cell=base.cells[4])
    result = judge_runs(base, head)
    assert result.verdict is Verdict.INCONCLUSIVE and "1 and 1 launches" in only(result, "decode_rate").reason


def test_a_ledger_that_sees_the_margin_decides(make: Makes) -> None:
    base = make.run("base")
    known_pairs(base, 300, 0.01, cell=base.cells[4])
    slow = judge_runs(base, make.run("slow", SPEED, slower=1.2))
    row = only(slow, "decode_rate")
    assert slow.verdict is Verdict.FAIL and "20 % more time (margin 5 %)" in row.reason
    assert row.change is not None and row.change.value == pytest.approx(0.2), "of the time, though it is a rate"
    assert row.seen == pytest.approx(0.05) and row.p == pytest.approx(1 / 301)
    assert judge_runs(base, make.run("same", SPEED)).verdict is Verdict.PASS
    assert judge_runs(base, make.run("between", SPEED, slower=1.046)).verdict is Verdict.INCONCLUSIVE


def test_a_noisy_ledger_does_not(make: Makes) -> None:
    base = make.run("base")
    known_pairs(base, 300, 0.4, cell=base.cells[4])
    result = judge_runs(base, make.run("slow", SPEED, slower=1.2))
    reason = only(result, "decode_rate").reason
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "differed by up to +49 %, so that a slowdown of +49 % would have been seen" in reason


def test_pairs_that_tell_of_something_else_do_not_count(make: Makes) -> None:
    base, head = make.run("base"), make.run("head", SPEED, slower=1.2)
    known_pairs(base, 300, 0.01, cell=base.cells[1])  # another cell
    known_pairs(base, 300, 0.01, metric="ttft@1", cell=base.cells[4])
    assert judge_runs(base, head).verdict is Verdict.INCONCLUSIVE


def test_speed_is_void_where_its_quality_failed(make: Makes) -> None:
    """Known bad: a kernel that skips work is quicker, and a worse model."""
    base = make.run("base")
    known_pairs(base, 300, 0.01, cell=base.cells[4])
    result = judge_runs(base, make.run("head", SPEED, slower=0.5, shift=0.05))
    speed, guard = only(result, "decode_rate"), only(result, "bits_per_byte")
    assert guard.role == "guard" and guard.verdict is Verdict.FAIL
    assert speed.verdict is Verdict.INCONCLUSIVE and "void, as a speed counts only where its quality" in speed.reason
    assert result.verdict is Verdict.FAIL


def test_a_speed_without_guards_takes_the_quality_of_its_cell_and_says_so(make: Makes) -> None:
    gate = "{metric: ttft, where: {precision: int8}}"
    result = judge_runs(make.run("base"), make.run("head", gate))
    assert only(result, "bits_per_byte").role == "guard"
    assert any("names no `guarded_by`: it counts with bits_per_byte" in note for note in result.notes)
    fast = [[c for c in make.cells(make.folder / name) if c.measure != "perplexity"] for name in ("base2", "head2")]
    bare = judge_runs(make.run("base2", cells=fast[0]), make.run("head2", gate, cells=fast[1]))
    assert any("is guarded by no quality" in note for note in bare.notes) and len(bare.rows) == 1


def test_identical_code_goes_into_the_ledger_once(make: Makes) -> None:
    git = {"commit": "c" * 40, "dirty": False}
    first, second = make.run("a", git=git), make.run("b", BPB, git=git, slower=1.02)
    result = judge_runs(first, second)
    assert any("both runs are of identical code: 12 of their times" in note for note in result.notes)
    (kept,) = [one for one in stored_ledger.entries("f" * 8) if one.metric == "ttft@1"][:1]
    assert kept.difference == pytest.approx(math.log(1.02)) and kept.launches == 5
    before = len(stored_ledger.entries("f" * 8))
    judge_runs(first, second)
    judge_runs(first, make.run("c", BPB, git=git))  # the first one is in a pair already
    assert len(stored_ledger.entries("f" * 8)) == before
    for changed in ({"git": git | {"dirty": True}}, {"git": {}}, {"git": git, "plugins": {"x": "1"}}):
        judge_runs(make.run("d", **changed), make.run("e", BPB, git=git))
    assert len(stored_ledger.entries("f" * 8)) == before


# --- watched, verdicts, policy ---------------------------------------------------------------------------------------


def test_everything_else_is_watched_and_never_red(make: Makes) -> None:
    gate = "{metric: weight_bytes, where: {precision: int8}}"
    result = judge_runs(make.run("base"), make.run("head", gate, shift=0.05, slower=3, memory=2))
    assert result.verdict is Verdict.PASS and len(result.rows) == 1
    found = {row.metric for row in result.watched if row.is_found}
    assert found == {"perplexity", "loss", "bits_per_byte", "peak_memory"}
    speed = next(row for row in result.watched if row.metric == "ttft")
    assert speed.p is None and speed.q is None and speed.change == pytest.approx(2.0) and "undecided" in speed.note
    assert result.table.query("verdict == 'watched'").shape[0] == len(result.watched)


def test_what_is_inconclusive_exits_as_it_is_told(make: Makes) -> None:
    base, head = make.run("base"), make.run("head", SPEED)
    assert judge_runs(base, head, on_inconclusive="pass").exit_code is ExitCode.PASS
    assert judge_runs(base, head, on_inconclusive="fail").exit_code is ExitCode.UNMET
    worse = make.run("worse", SPEED, shift=0.05)
    assert judge_runs(base, worse, on_inconclusive="pass").exit_code is ExitCode.UNMET


def test_the_first_verdict_counts() -> None:
    order = [
        *(Verdict.FAIL, Verdict.USAGE, Verdict.BASELINE_MISSING, Verdict.NOT_COMPARABLE, Verdict.INCONCLUSIVE),
        *(Verdict.ACCEPTED, Verdict.MINOR, Verdict.PASS),
    ]
    assert list(Verdict) == order
    assert [int(one.exit_code) for one in order] == [1, 2, 5, 4, 3, 0, 0, 0]
    assert all(first_of([*order[place:], Verdict.PASS]) is one for place, one in enumerate(order))


def test_what_changed_in_the_suite_and_the_software_is_told(make: Makes) -> None:
    packages = {"packages": {"torch": "2.14.0", "transformers": "5.23.0"}}
    head = make.run("head", BPB, fingerprint=make.builders.FINGERPRINT | packages)
    changes = judge_runs(make.run("base"), head).changes
    assert "torch: 2.13.0 and 2.14.0" in changes and "suite's `gate` changed" in changes
    about = make.run("about", suite_text="name: quickstart\nabout: new\nmodels: {nano: {reference: nano}}\n")
    assert not [one for one in judge_runs(make.run("base"), about).changes if "suite" in one]


def test_a_model_that_was_trained_anew_is_not_called_changed(make: Makes) -> None:
    """The digest of a trained model is of what decides its weights, such as the code that trains it, not of them."""
    trained = {"digest": "a", "settings": {"tokens": 100, "seed": 0}}
    base = make.run("base", models={"nano": trained, "folder": {"digest": "a"}})

    def told(name: str, **nano: object) -> list[str]:
        head = make.run(name, models={"nano": {**trained, **nano}, "folder": {"digest": "b"}})
        return [one for one in judge_runs(base, head).changes if "nano" in one or "folder" in one]

    assert told("same") == ["weights of folder changed"]
    (anew, _) = told("anew", digest="b")
    assert anew.startswith("nano was trained anew, as the code that trains or its corpus is another")
    assert "weights of nano changed" not in anew
    (otherwise, _) = told("otherwise", digest="b", settings={"tokens": 200, "seed": 0})
    assert otherwise == "nano was trained otherwise: train.tokens"


def test_kinds_follow_declarations() -> None:
    assert isinstance(metric_kind.kind_of_metric(Metric(**_metric("s", "time"))), metric_kind.Kind)
    assert metric_kind.kind_of_metric(Metric(**_metric("s", "time"))) is metric_kind.Kind.TIME
    assert metric_kind.kind_of_metric(Metric(**_metric("bytes", "memory"))) is metric_kind.Kind.MEMORY
    assert metric_kind.kind_of_metric(Metric(**_metric("share", None))) is metric_kind.Kind.SCORE
    assert metric_kind.kind_of_metric(Metric(**_metric("nats", None))) is metric_kind.Kind.OTHER


def _metric(unit: str, depends_on: str | None) -> dict[str, object]:
    return {"name": "m", "unit": unit, "direction": "lower", "definition": "d", "depends_on": depends_on}
