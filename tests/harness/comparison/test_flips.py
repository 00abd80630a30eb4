"""Documents that flipped between two runs: how many, whether by chance, and the first thing that differs."""

from __future__ import annotations

import io
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from harness.comparison.flip import Cause, Difference
from harness.comparison.flips import flips
from harness.comparison.paired_samples import preferred_metric
from harness.errors import UserError
from harness.report.flips import print_flips
from harness.statistics.paired_proportions import PairedCounts, paired_difference, sign_flip_test


def compared(
    b: ModuleType, folder: Path, base: list[dict[str, Any]], head: list[dict[str, Any]], **options: Any
) -> Difference:
    """Two runs of one cell each."""
    runs = [
        b.task_run(folder / name, [b.task_cell(folder / name, rows)]) for name, rows in (("base", base), ("head", head))
    ]
    return flips(*runs, **options)


def question(b: ModuleType, document: int, margin: float, **options: Any) -> dict[str, Any]:
    """A question whose right choice is ahead by a margin."""
    given = {"context": f"Question {document}. Answer:", "choices": ["yes", "no"]} | options
    return b.choice_row(document, given.pop("context"), given.pop("choices"), [-2.0, -2.0 - margin], **given)  # type: ignore[no-any-return]


def test_counts_and_test_are_those_of_the_documents(task_builders: ModuleType, tmp_path: Path) -> None:
    base = [1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0]
    head = [1.0, 1.0, -0.5, 0.5, 0.5, 0.5, 0.5, -1.0, -1.0]
    found = compared(
        task_builders,
        tmp_path,
        [question(task_builders, n, margin) for n, margin in enumerate(base)],
        [question(task_builders, n, margin) for n, margin in enumerate(head)],
    )
    (pair,) = found.pairs
    assert (pair.both, pair.only_base, pair.only_head, pair.neither) == (2, 1, 4, 2)
    assert (pair.task, pair.metric, pair.asked, pair.documents) == ("capitals", "acc", "same", 9)
    assert pair.difference == paired_difference(PairedCounts(2, 1, 4, 2))
    assert pair.p_value == sign_flip_test([m > 0 for m in base], [m > 0 for m in head]) == pytest.approx(0.375)
    assert [(flip.document, flip.base_right, flip.head_right) for flip in pair.flips] == [
        (2, True, False),
        *((n, False, True) for n in (3, 4, 5, 6)),
    ]
    flip = pair.flips[0]
    assert (flip.base_margin, flip.head_margin) == pytest.approx((1.0, -0.5))
    assert flip.cause is Cause.PROBABILITIES
    assert flip.detail == "right choice above the best other: +1.0000 and -0.5000 nats"


def test_the_frames_tell_the_same(task_builders: ModuleType, tmp_path: Path) -> None:
    b = task_builders
    found = compared(b, tmp_path, [question(b, 0, 1), question(b, 1, 1)], [question(b, 0, -1), question(b, 1, 1)])
    counts, flipped = found.counts.iloc[0], found.flips.iloc[0]
    assert (counts["model"], counts["both"], counts["only_base"], counts["paired"]) == ("nano", 1, 1, 2)
    assert counts["low"] < counts["difference"] == -0.5 < counts["high"]
    assert (flipped["document"], flipped["cause"], flipped["base_right"]) == (0, "log-probabilities", True)


def test_each_metric_has_its_own_flips(task_builders: ModuleType, tmp_path: Path) -> None:
    """The longer choice wins per character though not in sum; its margin is per character too."""
    sides = [[task_builders.choice_row(0, "Q", ["no", "certainly"], [-1.0, low])] for low in (-5.0, -1.5)]
    assert not compared(task_builders, tmp_path, *sides).pairs[0].flips
    pair = compared(task_builders, tmp_path, *sides, metric="acc_norm").pairs[0]
    assert pair.flips[0].base_margin == pytest.approx(-1 / 2 + 5 / 9)
    assert pair.flips[0].detail.endswith("+0.0556 and -0.3333 nats per character")


def test_only_scores_are_metrics(task_builders: ModuleType, tmp_path: Path) -> None:
    """No lost bytes is 0 in every document, which is no wrong answer; the first launch is 1, which is no right one."""
    sides = [
        [row | {"scored_bytes": 9, "lost_bytes": 0, "added_bytes": 0, "launch": 1} for row in rows]
        for rows in ([task_builders.rolling_row(0, [("<start>", f"the {word}")])] for word in ("cat", "dog"))
    ]
    with pytest.raises(UserError, match=r"no metric says right or wrong of the documents that are in both \(1\)"):
        compared(task_builders, tmp_path, *sides)


def test_another_prompt_is_told_apart(task_builders: ModuleType, tmp_path: Path) -> None:
    b = task_builders
    base = [question(b, 0, 1, context="One: 1\nTwo: 2\nThree:"), question(b, 1, 1)]
    head = [question(b, 0, -1, context="One: 1\nTwo: II\nThree:", shots=(3, 9)), question(b, 1, -1)]
    same, otherwise = compared(b, tmp_path, base, head).pairs
    assert (same.asked, same.documents, same.only_base) == ("same", 1, 1)
    assert (otherwise.asked, otherwise.documents, otherwise.only_base) == ("otherwise", 1, 1)
    assert otherwise.flips[0].cause is Cause.PROMPT
    assert otherwise.flips[0].detail == (
        "from line 2, character 6: '2\\nThree:' and 'II\\nThree:'; few-shot examples: none and 3, 9"
    )


def test_another_question_is_not_paired(task_builders: ModuleType, tmp_path: Path) -> None:
    b = task_builders
    base = [
        question(b, 0, 1),
        question(b, 1, 1),
        question(b, 2, 1),
        question(b, 3, 1),
        b.unjudged_row(4, "no column `x`"),
    ]
    head = [question(b, 0, 1), question(b, 1, -1, gold=1), question(b, 2, 1, choices=["yes", "never"])]
    found = compared(b, tmp_path, base, [*head, question(b, 4, 1)])
    assert found.pairs[0].documents == 1
    assert found.notes == (
        "nano: 1 document of the base not judged; the first: no column `x`",
        "nano: only the base has 1 document",
        "nano: 2 documents not paired: with other choices or another right answer in the head, from other data or a "
        "changed task",
    )


def test_what_was_cut_off_comes_before_tokens(task_builders: ModuleType, tmp_path: Path) -> None:
    pair = compared(
        task_builders, tmp_path, [question(task_builders, 0, 1)], [question(task_builders, 0, -1, cut=2)]
    ).pairs[0]
    assert pair.asked == "same"
    assert pair.flips[0].cause is Cause.TRUNCATION
    assert pair.flips[0].detail == "at the left the base lost nothing, the head 2 tokens"


def test_other_tokens_come_before_probabilities(task_builders: ModuleType, tmp_path: Path) -> None:
    b = task_builders
    pair = compared(b, tmp_path, [question(b, 0, 1)], [question(b, 0, -1, split=r" |\w+|[^\w\s]")]).pairs[0]
    flip = pair.flips[0]
    assert pair.asked == "same" and flip.cause is Cause.TOKENS
    assert flip.detail.startswith("from token 1 of request 0: ' 0' [")
    assert " and ' ' [" in flip.detail
    assert flip.detail.endswith("right choice above the best other: +1.0000 and -1.0000 nats")


@pytest.mark.parametrize(
    ("answer", "extracted", "cause", "detail"),
    [
        (
            (" It is 5.",),
            "5",
            Cause.ANSWER,
            "from written token 2: ' 4' [NUMBER] (-0.500 nats) and ' 5' [NUMBER] (-0.500 nats)",
        ),
        ((" It is 4.",), "4.", Cause.EXTRACTION, "strict: '4' and '4.'"),
        ((" It is",), "[invalid]", Cause.ANSWER, "from written token 2: ' 4' [NUMBER] (-0.500 nats) and the end"),
    ],
)
def test_written_answers(
    task_builders: ModuleType, tmp_path: Path, answer: tuple[str, ...], extracted: str, cause: Cause, detail: str
) -> None:
    import re

    sides = [
        [task_builders.written_row(0, "2 + 2 =", answers, "4", {"strict": value})]
        for answers, value in (((" It is 4.",), "4"), (answer, extracted))
    ]
    pair = compared(task_builders, tmp_path, *sides).pairs[0]
    assert pair.metric == "exact_match/strict"
    assert pair.flips[0].cause is cause
    assert re.sub(r"\[\d+\]", "[NUMBER]", pair.flips[0].detail) == detail


def test_other_settings_of_writing_are_asked_otherwise(task_builders: ModuleType, tmp_path: Path) -> None:
    sides = [
        [task_builders.written_row(0, "2 + 2 =", (text,), "4", {"strict": text}, until=until)]
        for text, until in (("4", ("\n",)), ("5", (".",)))
    ]
    pair = compared(task_builders, tmp_path, *sides).pairs[0]
    assert pair.asked == "otherwise" and pair.flips[0].cause is Cause.ANSWER


def test_where_lower_is_better_right_is_zero(task_builders: ModuleType, tmp_path: Path) -> None:
    sides = [
        [task_builders.written_row(0, "2 + 2 =", (text,), "4", {"strict": found})]
        for text, found in (("4", "4"), ("?", "[invalid]"))
    ]
    pair = compared(task_builders, tmp_path, *sides, metric="extraction_failure/strict").pairs[0]
    assert (pair.only_base, pair.only_head) == (1, 0)
    assert pair.flips[0].base_right


def test_the_metric_that_is_looked_at_is_declared() -> None:
    """Of those that say right or wrong the first that is declared to, not a failure, whatever stands first."""
    from harness.tasks.judging.metric_table import BUILT_IN

    declared = [name for name, built_in in BUILT_IN.items() if built_in.metric.right_or_wrong]
    assert declared == ["acc", "exact_match", "accuracy", "pass@k"]
    for able, looked_at in (
        (["extraction_failure/strict", "own", "exact_match/strict"], "exact_match/strict"),
        (["acc_norm", "exact_match", "acc"], "acc"),
        (["own", "pass@1", "pass@10"], "pass@1"),
        (["own", "other"], "own"),
        (["extraction_failure/strict"], None),
    ):
        assert preferred_metric(able) == looked_at


def test_a_judgement_that_changed(task_builders: ModuleType, tmp_path: Path) -> None:
    base, head = question(task_builders, 0, 1), question(task_builders, 0, 1)
    head |= {"acc": 0.0, "spec": head["spec"].replace('"mode": "right"', '"mode": "lm-eval"')}
    flip = compared(task_builders, tmp_path, [base], [head]).pairs[0].flips[0]
    assert flip.cause is Cause.JUDGMENT
    assert flip.detail == "the same answer; the task says otherwise how to judge it: mode"


def test_a_likelihood_names_the_token_that_moved_most(task_builders: ModuleType, tmp_path: Path) -> None:
    sides = [[task_builders.continuation_row(0, "my", " best friend", low)] for low in (-0.4, -3.0)]
    flip = compared(task_builders, tmp_path, *sides).pairs[0].flips[0]
    assert flip.cause is Cause.PROBABILITIES
    assert "-0.200 and -1.500 nats" in flip.detail


def test_clusters_count_as_one(task_builders: ModuleType, tmp_path: Path) -> None:
    """Nine questions on three passages: that all flip is what three flips would be."""
    b = task_builders
    sides = [[question(b, n, margin, cluster=f"passage {n // 3}") for n in range(9)] for margin in (-1, 1)]
    pair = compared(b, tmp_path, *sides).pairs[0]
    assert pair.only_head == 9
    assert pair.p_value == pytest.approx(2 / 2**3)
    assert pair.difference.n == 3


def test_a_group_is_told_by_task_and_together(task_builders: ModuleType, tmp_path: Path) -> None:
    b = task_builders
    sides = [
        [question(b, n, margin, task=task) for task in ("rivers", "lakes") for n in range(3)] for margin in (1, -1)
    ]
    pairs = compared(b, tmp_path, *sides).pairs
    assert [(pair.task, pair.documents, pair.only_base, len(pair.flips)) for pair in pairs] == [
        ("rivers", 3, 3, 3),
        ("lakes", 3, 3, 3),
        ("all 2", 6, 6, 0),
    ]
    assert [pair.task for pair in compared(b, tmp_path, *sides, task="lakes").pairs] == ["lakes"]


@pytest.fixture
def ladder(task_builders: ModuleType, tmp_path: Path) -> Any:
    """Two models at two precisions in one run."""
    b, folder = task_builders, tmp_path / "ladder"
    margins = {("nano", "fp32"): -1, ("nano", "int8"): -1, ("mini", "fp32"): 1, ("mini", "int8"): -1}
    cells = [
        b.task_cell(folder, [question(b, n, margin) for n in range(4)], model=model, precision=precision)
        for (model, precision), margin in margins.items()
    ]
    return b.task_run(folder, cells)


def test_two_sides_of_one_run(ladder: Any) -> None:
    found = flips(ladder, ladder, of_base=["precision=fp32"], of_head=["precision=int8"])
    assert [(pair.at, pair.only_base, pair.only_head) for pair in found.pairs] == [
        ({"model": "nano"}, 0, 0),
        ({"model": "mini"}, 4, 0),
    ]
    assert found.base.endswith("(precision=fp32)")
    models = flips(ladder, ladder, of_base=["model=nano"], of_head=["model=mini"])
    assert [(pair.at, pair.only_head) for pair in models.pairs] == [
        ({"precision": "fp32"}, 4),
        ({"precision": "int8"}, 0),
    ]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "differs in nothing from itself.*--base precision=fp32.*its cells differ in model, precision"),
        ({"of_head": ["precision=int8"]}, "of_base: two cells differ only in precision: say which"),
        ({"of_base": ["precision=fp16"], "of_head": ["precision=int8"]}, "no cell has precision = fp16.*fp32, int8"),
        ({"of_base": ["fp16"], "of_head": ["precision=int8"]}, "'fp16' is no name=value"),
        ({"metric": "acc_nrm"}, r"no metric 'acc_nrm'.*did you mean 'acc_norm'"),
        ({"metric": "likelihood"}, "no metric 'likelihood' that says right or wrong"),
        ({"task": "capitols"}, r"no task 'capitols'.*did you mean 'capitals'"),
    ],
)
def test_a_mistake_says_what_there_is(ladder: Any, options: dict[str, Any], sentence: str) -> None:
    if "metric" in options or "task" in options:
        options = options | {"of_base": ["precision=fp32"], "of_head": ["precision=int8"]}
    with pytest.raises(UserError, match=sentence):
        flips(ladder, ladder, **options)


def test_runs_without_a_cell_in_common(task_builders: ModuleType, tmp_path: Path, full_run: Any) -> None:
    b = task_builders
    base, head = (
        b.task_run(tmp_path / name, [b.task_cell(tmp_path / name, [question(b, 0, 1)], shots=shots)])
        for name, shots in (("base", 0), ("head", 5))
    )
    with pytest.raises(
        UserError, match=r"nearest two differ in shots \(0 and 5\): --base shots=0 --head shots=5 pairs"
    ):
        flips(base, head)
    assert flips(base, head, of_base=["shots=0"], of_head=["shots=5"]).pairs[0].both == 1
    with pytest.raises(UserError, match="no cell of this run has documents"):
        flips(full_run, head)


def test_cells_of_one_side_are_told(task_builders: ModuleType, tmp_path: Path) -> None:
    b = task_builders
    base = b.task_run(tmp_path / "a", [b.task_cell(tmp_path / "a", [question(b, 0, 1)])])
    head = b.task_run(
        tmp_path / "b", [b.task_cell(tmp_path / "b", [question(b, 0, 1)], precision=p) for p in ("fp32", "int8")]
    )
    (note,) = flips(base, head).notes
    assert note.startswith("1 of 2 cells of the head have no counterpart; the first: nano, int8")


def test_samples_without_digests(task_builders: ModuleType, tmp_path: Path) -> None:
    b = task_builders
    runs = []
    for name, margin in (("base", 1), ("head", -1)):
        frame = b.samples([question(b, 0, margin)])
        kept = ["task", "document", "choices", "gold", "acc"]
        runs.append(b.task_run(tmp_path / name, [b.task_cell(tmp_path / name, pd.DataFrame(frame[kept]))]))
    pair = flips(*runs).pairs[0]
    assert (pair.asked, pair.only_base, pair.flips[0].cause) == ("same", 1, Cause.JUDGMENT)


def test_it_is_printed(task_builders: ModuleType, tmp_path: Path) -> None:
    from rich.console import Console

    b = task_builders
    sides = [[question(b, n, margin * (1 if n < 8 else -1)) for n in range(12)] for margin in (1, -1)]
    found = compared(b, tmp_path, *sides)
    file = io.StringIO()
    print_flips(found, Console(file=file, width=200), limit=6)
    text = file.getvalue()
    counts = next(line for line in text.splitlines() if line.lstrip().startswith("capitals  "))
    assert counts.split() == ["capitals", "66.7", "33.3", *counts.split()[3:6], "0/8/4/0", "0.388"]
    assert counts.split()[3] == "-33"
    assert "model nano, metric acc" in text
    listed = [line.split()[:3] for line in text.splitlines() if "right choice above" in line]
    assert listed == [[str(n), "right", "wrong"] for n in (0, 1, 2)] + [[str(n), "wrong", "right"] for n in (8, 9, 10)]
    assert "6 more flipped: --limit shows more" in text
    assert "what differs first: log-probabilities 12" in text
