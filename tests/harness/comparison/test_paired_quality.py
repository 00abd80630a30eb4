"""Verdicts on one metric of two runs: what passes or fails at once, what is tested, and what can't be compared."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.comparison.paired_quality import ABSOLUTE, RELATIVE, PairedQuality, judge_probes, judge_quality
from harness.evidence.selection import Point
from harness.measures.probe import PROBE_LOSS
from harness.results.record import Direction, Measurement, Metric
from harness.statistics.speed_decision import Decision

Change = Callable[[pd.DataFrame], pd.DataFrame]
ACC = Metric(name="acc", unit="share", direction=Direction.HIGHER, definition="right answers")


def unchanged(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


def scaled(factor: float, noise: float = 0.0, only: int | None = None) -> Change:
    """Losses times a factor; `only`: of so many documents alone."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        n = len(frame)
        each = factor + noise * np.random.default_rng(0).standard_normal(n)
        each[n if only is None else only :] = 1.0
        return frame.assign(nll=frame["nll"] * each)

    return change


def text_points(
    builders: ModuleType, folder: Path, change: Change, metric: str = "bits_per_byte", documents: int = 24
) -> tuple[Point, Point]:
    """A metric of a text in a run and in another, whose samples are changed."""
    points = []
    for name, changed in (("base", unchanged), ("head", change)):
        samples = changed(builders.quality_samples("nano", "fp32", documents))
        measurements = builders.quality_measurements(samples)
        axes, settings = {"precision": "fp32", "device": "cpu"}, {"text": "microworld/test"}
        cell = builders.cell_result(folder / name, "nano", "perplexity", axes, settings, measurements, samples=samples)
        run = builders.write_run(folder / name, cells=[cell])
        found = run.cells[0]
        points.append(Point(run, found, next(record for record in found.records if record.metric == metric)))
    return points[0], points[1]


def judged_text(builders: ModuleType, folder: Path, change: Change, **options: Any) -> PairedQuality:
    metric = options.pop("metric", "bits_per_byte")
    documents = options.pop("documents", 24)
    points = text_points(builders, folder, change, metric, documents)
    return judge_quality(*points, options.pop("margin", 0.01), **options)


def task_points(
    b: ModuleType, folder: Path, base: list[dict[str, Any]], head: list[dict[str, Any]]
) -> tuple[Point, Point]:
    points = []
    for name, rows in (("base", base), ("head", head)):
        frame = b.samples(rows)
        value = float(frame["acc"].mean())
        axes = {"precision": "fp32", "device": "cpu"}
        measured = [Measurement(metric=ACC, value=value, part="capitals")]
        cell = b.cell_result(folder / name, "nano", "task", axes, {"task": "capitals"}, measured, samples=frame)
        run = b.write_run(folder / name, cells=[cell])
        points.append(Point(run, run.cells[0], run.cells[0].records[0]))
    return points[0], points[1]


def question(b: ModuleType, document: int, right: bool, **options: Any) -> dict[str, Any]:
    given = {"context": f"Question {document}. Answer:", "choices": ["yes", "no"]} | options
    log_probs = [given.pop("first", -2.0), -3.0 if right else -1.0]
    return b.choice_row(document, given.pop("context"), given.pop("choices"), log_probs, **given)  # type: ignore[no-any-return]


def judged_task(
    b: ModuleType, folder: Path, base: list[dict[str, Any]], head: list[dict[str, Any]], **options: Any
) -> PairedQuality:
    return judge_quality(*task_points(b, folder, base, head), options.pop("margin", 0.02), **options)


def probe_rows(shift: float = 0.0, ids: str = "ids", documents: int = 16) -> pd.DataFrame:
    """A probe of documents of 20 tokens, of which 64 of 80 outcomes are known; `shift`: of the logits, in noise."""
    rows = []
    for n in range(documents):
        logits = 2.0 * np.random.default_rng(n).normal(size=(20, 80))
        logits += shift * np.random.default_rng([n, 1]).normal(size=logits.shape)
        logs = logits - np.logaddexp.reduce(logits, axis=1)[:, None]
        order = np.argsort(-logs, axis=1)
        top, rest = (np.take_along_axis(logs, part, 1) for part in (order[:, :64], order[:, 64:]))
        nll = -logs[:, 3]
        row = {"document": str(n), "nll": nll.sum(), "tokens": 20, "bytes": 80, "token_nll": nll.tolist()}
        row |= {"top_ids": order[:, :64].ravel(), "top_log_probs": top.ravel()}
        row |= {"rest_log_prob": np.logaddexp.reduce(rest, axis=1), "text_digest": f"text {n}"}
        rows.append(row | {"ids_digest": f"{ids} {n}", "end_ids": [0]})
    return pd.DataFrame(rows)


def test_a_probe_of_two_runs_tells_the_divergence(builders: ModuleType, tmp_path: Path) -> None:
    points = []
    for name, rows in (("base", probe_rows()), ("head", probe_rows(0.3))):
        axes, settings = {"precision": "fp32", "device": "cpu"}, {"text": "probe/text"}
        measured = [Measurement(metric=PROBE_LOSS, value=float(rows["nll"].sum() / rows["tokens"].sum()))]
        cell = builders.cell_result(tmp_path / name, "nano", "probe", axes, settings, measured, samples=rows)
        run = builders.write_run(tmp_path / name, cells=[cell])
        points.append(Point(run, run.cells[0], run.cells[0].records[0]))
    found = judge_quality(points[0], points[1], 0.01)
    assert found.details["kl_mean"] > 0.01 and 0.5 < found.details["top1"] < 1 and found.details["tokens"] == 320
    assert "KL(base || head) is at least" in found.sentence
    strict = judge_quality(points[0], points[1], 0.01, kl_margin=0.01)
    assert strict.decision is Decision.FAIL and math.isinf(strict.log_evidence)
    assert judge_quality(points[0], points[0], 0.01, kl_margin=0.0).decision is Decision.PASS


def test_under_another_tokenizer_a_probe_has_no_divergence() -> None:
    found = judge_probes(probe_rows(), probe_rows(ids="others"), 0.01)
    assert found.decision is Decision.PASS and "no divergence, because the two read other tokens" in found.sentence
    assert judge_probes(probe_rows(), probe_rows(ids="others"), 0.01, kl_margin=1.0).decision is Decision.INCONCLUSIVE


def test_equal_outputs_pass_at_once_however_few_they_are(builders: ModuleType, tmp_path: Path) -> None:
    found = judged_text(builders, tmp_path, unchanged, documents=2, bitwise=True)
    assert (found.decision, found.p, found.details) == (Decision.PASS, 1.0, {"equal": "bits"})
    assert found.sentence == "bits_per_byte: all outputs are the same, bit for bit (2 documents)"


def test_another_last_digit_passes_by_the_test_and_fails_bit_for_bit(builders: ModuleType, tmp_path: Path) -> None:
    assert judged_text(builders, tmp_path / "1", scaled(1 + 1e-7)).decision in (Decision.PASS, Decision.MINOR)
    strict = judged_text(builders, tmp_path / "2", scaled(1 + 1e-7), bitwise=True)
    assert strict.decision is Decision.FAIL and "`bitwise`" in strict.sentence and math.isinf(strict.log_evidence)


@pytest.mark.parametrize("metric", ["loss", "perplexity", "bits_per_byte"])
def test_two_percent_more_nats_fail_in_every_unit(builders: ModuleType, tmp_path: Path, metric: str) -> None:
    found = judged_text(builders, tmp_path, scaled(1.02, 0.005), metric=metric)
    assert (found.decision, found.unit, found.documents) == (Decision.FAIL, RELATIVE, 24)
    assert found.change.value == found.worse_by == pytest.approx(0.02, abs=0.003)
    assert found.p < 0.01 and found.log_evidence == pytest.approx(math.log(1 / found.p))
    assert "over 24 documents" in found.sentence and "worse by the margin of 1 % or more" in found.sentence


def test_small_losses_are_minor_and_gains_pass(builders: ModuleType, tmp_path: Path) -> None:
    assert judged_text(builders, tmp_path / "1", scaled(1.004, 0.001)).decision is Decision.MINOR
    assert judged_text(builders, tmp_path / "2", scaled(0.95, 0.02)).decision is Decision.PASS


def test_noise_is_undecided_and_says_what_would_have_been_seen(builders: ModuleType, tmp_path: Path) -> None:
    found = judged_text(builders, tmp_path, scaled(1.0, 0.2))
    assert found.decision is Decision.INCONCLUSIVE and found.smallest_seen is not None
    assert f"a loss of {100 * found.smallest_seen:.2g} % would have been seen" in found.sentence
    few = judged_text(builders, tmp_path / "few", scaled(1.03), documents=3)
    assert few.decision is Decision.INCONCLUSIVE and "the test needs 7 documents" in few.sentence


def test_alpha_is_shared(builders: ModuleType, tmp_path: Path) -> None:
    points = text_points(builders, tmp_path, scaled(1.02), documents=8)
    assert judge_quality(*points, 0.01).decision is Decision.FAIL
    assert judge_quality(*points, 0.01, alpha=0.001).decision is not Decision.FAIL


def test_an_infinite_loss_and_a_lost_document_fail_and_are_named(builders: ModuleType, tmp_path: Path) -> None:
    def infinite(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(nll=frame["nll"].where(frame["document"] != "doc003", math.inf))

    def lost(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[~frame["document"].isin(["doc003", "doc004"])]

    samples = text_points(builders, tmp_path / "1", infinite)
    found = judge_quality(*samples, 0.01)
    assert found.decision is Decision.FAIL
    assert found.sentence == "bits_per_byte: document doc003 gave no finite number in the head"
    assert judge_quality(*samples[::-1], 0.01).decision is Decision.INCONCLUSIVE
    found = judged_text(builders, tmp_path / "2", lost)
    assert found.decision is Decision.FAIL and "documents doc003 and doc004" in found.sentence
    assert found.p == 0 and math.isinf(found.log_evidence)


def test_an_edited_text_and_another_tokenizer_are_not_comparable(builders: ModuleType, tmp_path: Path) -> None:
    def edited(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(text_digest=frame["text_digest"].where(frame["document"] != "doc003", "other"))

    def retokenized(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(tokens=frame["tokens"] // 2, nll=frame["nll"] * 1.05)

    found = judged_text(builders, tmp_path / "1", edited)
    assert found.incomparable == "the text of document doc003 changed: that is another test"
    assert found.decision is Decision.INCONCLUSIVE
    found = judged_text(builders, tmp_path / "2", retokenized, metric="loss")
    assert found.incomparable is not None and "tokenizers differ" in found.incomparable
    assert judged_text(builders, tmp_path / "3", retokenized).decision is Decision.FAIL


def test_answers_are_counted(task_builders: ModuleType, tmp_path: Path) -> None:
    base = [question(task_builders, n, True) for n in range(60)]
    head = [question(task_builders, n, n >= 10) for n in range(60)]
    found = judged_task(task_builders, tmp_path, base, head)
    assert (found.decision, found.unit) == (Decision.FAIL, ABSOLUTE)
    assert found.p == found.details["mcnemar_exact"] == 2**-10
    assert (found.details["lost"], found.details["won"]) == (10, 0)
    assert found.change.value == pytest.approx(-1 / 6) and found.worse_by == pytest.approx(1 / 6)
    assert "-16.7 [" in found.sentence and "10 lost and 0 won" in found.sentence


def test_the_chance_of_very_many_lost_answers_is_no_number(task_builders: ModuleType, tmp_path: Path) -> None:
    base = [question(task_builders, n, True) for n in range(1200)]
    found = judged_task(task_builders, tmp_path, base, [question(task_builders, n, False) for n in range(1200)])
    assert found.decision is Decision.FAIL and found.p == 0 and math.isinf(found.log_evidence)


def test_the_same_answers_asked_otherwise_are_judged(task_builders: ModuleType, tmp_path: Path) -> None:
    """Another chat template, other tokens: the product changed and not the task."""
    base = [question(task_builders, n, True) for n in range(40)]
    other = [question(task_builders, n, True, context=f"<user>{n}.</user>", first=-2.1) for n in range(40)]
    worse = [question(task_builders, n, n >= 12, context=f"<user>Question {n}.</user>") for n in range(40)]
    same = judged_task(task_builders, tmp_path / "1", base, other)
    assert (same.decision, same.details["equal"]) == (Decision.PASS, "scores")
    assert judged_task(task_builders, tmp_path / "2", base, worse).decision is Decision.FAIL


def test_an_edited_question_is_not_comparable(task_builders: ModuleType, tmp_path: Path) -> None:
    base = [question(task_builders, n, True) for n in range(20)]
    for place, changed in enumerate(
        (question(task_builders, 7, True, gold=1), question(task_builders, 7, True, choices=["yes", "never"]))
    ):
        head = [changed if n == 7 else row for n, row in enumerate(base)]
        found = judged_task(task_builders, tmp_path / str(place), base, head)
        assert found.incomparable == (
            "the question, choices or right answer of document capitals 7 changed: that is another test"
        )


def test_a_question_that_breaks_in_the_head_fails_with_its_reason(task_builders: ModuleType, tmp_path: Path) -> None:
    base = [question(task_builders, n, True) for n in range(20)]
    head = [task_builders.unjudged_row(7, "too long") if n == 7 else row for n, row in enumerate(base)]
    found = judged_task(task_builders, tmp_path, base, head)
    assert found.decision is Decision.FAIL and "capitals 7 (too long)" in found.sentence
    assert judged_task(task_builders, tmp_path / "2", head, base).decision is Decision.PASS


def test_questions_on_one_passage_count_once(task_builders: ModuleType, tmp_path: Path) -> None:
    base = [question(task_builders, n, True, cluster=f"passage {n // 10}") for n in range(60)]
    head = [question(task_builders, n, n >= 10, cluster=f"passage {n // 10}") for n in range(60)]
    found = judged_task(task_builders, tmp_path, base, head)
    assert (found.decision, found.clusters, found.documents, found.p) == (Decision.INCONCLUSIVE, 6, 60, 0.5)
    assert "in 6 clusters" in found.sentence and "mcnemar_exact" not in found.details


def test_a_metric_without_documents_is_undecided(builders: ModuleType, tmp_path: Path) -> None:
    found = judged_text(builders, tmp_path, scaled(1.1), metric="tokens_scored")
    assert found.decision is Decision.INCONCLUSIVE and found.incomparable is None
    assert found.sentence == "tokens_scored: the base has no evidence per document of tokens_scored"


@pytest.mark.parametrize("options", [{"margin": 0.0}, {"margin": math.nan}, {"alpha": 0.0}, {"pass_alpha": 1.0}])
def test_margins_and_levels_are_checked(builders: ModuleType, tmp_path: Path, options: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        judged_text(builders, tmp_path, unchanged, **options)
