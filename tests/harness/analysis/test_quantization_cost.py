"""The cost of quantisation: ratios against the base, paired where the documents are the same."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.analysis.registry import ANALYSES
from harness.results.finding import Finding
from harness.results.run import Run


def analyse(run: Run, **settings: Any) -> list[Finding]:
    analysis = ANALYSES["quantization_cost"]
    return analysis.run(run, analysis.settings.model_validate(settings))


def find(findings: list[Finding], name: str, **subject: Any) -> Finding:
    (found,) = [item for item in findings if item.name == name and item.subject == subject]
    return found


def value(run: Run, metric: str, model: str, precision: str, batch: int | None = None) -> float:
    frame = run.records.query("metric == @metric and model == @model and precision == @precision")
    if batch is not None:
        frame = frame.query("batch == @batch")
    (only,) = frame["value"]
    return float(only)


def test_ratios_are_the_quotients_of_the_records(full_run: Run) -> None:
    findings = analyse(full_run)
    perplexity = find(findings, "perplexity_ratio", model="micro", precision="int8")
    want = value(full_run, "perplexity", "micro", "int8") / value(full_run, "perplexity", "micro", "fp32")
    assert perplexity.value == pytest.approx(want)
    assert perplexity.interval == "paired by document (ratio estimator, t)" and perplexity.n == 60
    rate = find(findings, "decode_rate_ratio", model="mini", precision="bf16", batch=8)
    assert rate.value == pytest.approx(
        value(full_run, "decode_rate", "mini", "bf16", 8) / value(full_run, "decode_rate", "mini", "fp32", 8)
    )
    assert rate.interval is not None and "independent" in rate.interval and "launches" in rate.interval
    assert rate.data["direction"] == "higher"


def test_exact_counts_have_exact_ratios(full_run: Run) -> None:
    weights = find(analyse(full_run), "weight_bytes_ratio", model="nano", precision="bf16")
    assert (weights.value, weights.low, weights.high, weights.interval) == (0.5, 0.5, 0.5, "exact")


def test_the_base_itself_is_no_row(full_run: Run) -> None:
    assert all(item.subject["precision"] != "fp32" for item in analyse(full_run))


def test_failures_say_why(full_run: Run) -> None:
    findings = analyse(full_run)
    failed = find(findings, "decode_rate_ratio", model="mini", precision="int4", batch=8)
    assert failed.value is None and failed.note == "failed: RuntimeError: no int4 kernel for <batch 8> & more"
    baseless = find(findings, "decode_rate_ratio", model="smollm2", precision="int8", batch=8)
    assert baseless.value is None
    assert baseless.note == "nothing to compare with: the base ran out of memory: the process was killed at 6.2 GiB"


def test_another_base_and_fewer_metrics(full_run: Run) -> None:
    findings = analyse(full_run, against={"precision": "bf16"}, where={"model": "nano"}, metrics=["peak_memory"])
    assert {item.name for item in findings} == {"peak_memory_ratio"}
    assert [item.subject["precision"] for item in findings] == ["fp32", "int8", "int4"]


def test_no_base_is_one_sentence(full_run: Run) -> None:
    (finding,) = analyse(full_run, against={"precision": "fp23"})
    assert finding.value is None
    assert finding.note.startswith("nothing to compare with: no cell has precision = fp23 (did you mean 'fp32'?)")


def test_missing_samples_fall_back_to_the_records_intervals(builders: ModuleType, tmp_path: Path) -> None:
    cells = [cell.model_copy(update={"samples": None}) for cell in builders.full_cells(tmp_path)]
    findings = analyse(builders.write_run(tmp_path, cells=cells), metrics=["perplexity"])
    paired = 0.002
    for item in findings:
        assert item.interval is not None and item.interval.startswith("two independent intervals")
        assert item.low is not None and item.high is not None and item.high - item.low > 10 * paired
