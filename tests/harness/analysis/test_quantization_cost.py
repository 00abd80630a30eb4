"""The cost of quantization: ratios against the base, paired where the documents are the same."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.analysis.registry import ANALYSES
from harness.measures.fidelity import FIDELITY
from harness.report.findings import finding_tables
from harness.results.finding import Finding
from harness.results.record import Measurement
from harness.results.run import Run
from harness.results.stored_weights import FormatBytes, StoredWeights, WideWeights


def analyze(run: Run, **settings: Any) -> list[Finding]:
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
    findings = analyze(full_run)
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


def test_quality_is_the_inverse_of_the_perplexity_ratio(full_run: Run) -> None:
    findings = analyze(full_run)
    perplexity = find(findings, "perplexity_ratio", model="micro", precision="int4")
    quality = find(findings, "quality_ratio", model="micro", precision="int4")
    assert perplexity.value is not None and perplexity.low is not None and perplexity.high is not None
    assert quality.value == pytest.approx(1 / perplexity.value) and quality.value < 1
    assert (quality.low, quality.high) == pytest.approx((1 / perplexity.high, 1 / perplexity.low))
    assert quality.data["direction"] == "higher"


def with_fidelity(builders: ModuleType, folder: Path) -> Run:
    cells = builders.full_cells(folder)
    settings = {"text": "t", "prompt": 32, "generate": 32}
    for precision, divergence in {"fp32": 0.0, "int8": 0.001, "int4": 0.06}.items():
        declared = {metric.name: metric for metric in FIDELITY.metrics}
        kl = Measurement(metric=declared["kl_mean"], value=divergence, low=0.9 * divergence, high=1.1 * divergence)
        top1 = Measurement(metric=declared["top1_agreement"], value=1 - divergence, low=0.9, high=1.0, n=12)
        axes = {"precision": precision, "device": "cpu", "threads": 2}
        cells.append(builders.cell_result(folder, "micro", "fidelity", axes, settings, [kl, top1]))
    run: Run = builders.write_run(folder, cells=cells)
    return run


def test_fidelity_stands_beside_the_ratios_as_it_is(builders: ModuleType, tmp_path: Path) -> None:
    findings = analyze(with_fidelity(builders, tmp_path))
    kl = find(findings, "kl_mean", model="micro", precision="int4")
    assert (kl.value, kl.unit, kl.low, kl.high) == pytest.approx((0.06, "nats/token", 0.054, 0.066))
    assert not [item for item in findings if item.name == "kl_mean" and item.subject["precision"] == "fp32"]
    (other,) = [
        item
        for item in analyze(with_fidelity(builders, tmp_path), against={"precision": "int8"})
        if item.name == "kl_mean" and item.subject["precision"] == "int4"
    ]
    assert other.value is None and "compares with fp32" in other.note


def test_one_table_has_it_all(builders: ModuleType, tmp_path: Path) -> None:
    (table,) = finding_tables(analyze(with_fidelity(builders, tmp_path), where={"model": "micro"}))
    heads = [(column.name, column.unit) for column in table.columns]
    assert heads[:3] == [("model", ""), ("precision", ""), ("batch", "")]
    assert ("quality", "ratio") in heads and ("kl mean", "nats/token") in heads
    assert table.caption == (
        "each value over the base's, 1 is no change; quality: the base's perplexity over this one's; what has a unit "
        "is no ratio"
    )


def test_what_is_no_comparison_is_a_list(builders: ModuleType, tmp_path: Path) -> None:
    """The table goes by what the analysis declares and by units: a name that ends with `_ratio` makes no ratio."""
    (without,) = finding_tables(analyze(with_fidelity(builders, tmp_path), against={"precision": "nf4"}))
    assert [column.name for column in without.columns] == ["finding", "value", "note"]
    named = Finding(analysis="compute_optimal", name="tokens_ratio", value=2.0, unit="ratio")
    (other,) = finding_tables([named])
    assert [column.name for column in other.columns] == ["finding", "value", "note"]
    assert other.rows[0].cells[0] == "tokens ratio"


def test_exact_counts_have_exact_ratios(full_run: Run) -> None:
    weights = find(analyze(full_run), "weight_bytes_ratio", model="nano", precision="bf16")
    assert (weights.value, weights.low, weights.high, weights.interval) == (0.5, 0.5, 0.5, "exact")


def test_the_base_itself_is_no_row(full_run: Run) -> None:
    assert all(item.subject["precision"] != "fp32" for item in analyze(full_run))


def test_failures_say_why(full_run: Run) -> None:
    findings = analyze(full_run)
    failed = find(findings, "decode_rate_ratio", model="mini", precision="int4", batch=8)
    assert failed.value is None and failed.note == "failed: RuntimeError: no int4 kernel for <batch 8> & more"
    baseless = find(findings, "decode_rate_ratio", model="smollm2", precision="int8", batch=8)
    assert baseless.value is None
    assert baseless.note == "nothing to compare with: the base ran out of memory: the process was killed at 6.2 GiB"


def test_another_base_and_fewer_metrics(full_run: Run) -> None:
    findings = analyze(full_run, against={"precision": "bf16"}, where={"model": "nano"}, metrics=["peak_memory"])
    assert {item.name for item in findings} == {"peak_memory_ratio"}
    assert [item.subject["precision"] for item in findings] == ["fp32", "int8", "int4"]


def test_no_base_is_one_sentence(full_run: Run) -> None:
    (finding,) = analyze(full_run, against={"precision": "fp23"})
    assert finding.value is None
    assert finding.note.startswith("nothing to compare with: no cell has precision = fp23 (did you mean 'fp32'?)")


def test_missing_samples_fall_back_to_the_records_intervals(builders: ModuleType, tmp_path: Path) -> None:
    cells = [cell.model_copy(update={"samples": None}) for cell in builders.full_cells(tmp_path)]
    findings = analyze(builders.write_run(tmp_path, cells=cells), metrics=["perplexity"])
    paired = 0.002
    for item in findings:
        assert item.interval is not None and item.interval.startswith("two independent intervals")
        assert item.low is not None and item.high is not None and item.high - item.low > 10 * paired


def test_what_stayed_wide_is_a_share_with_names(builders: ModuleType, tmp_path: Path) -> None:
    """Known bad: a mixture whose experts stayed in bf16 under `int4`, and a table that says nothing of it."""
    wide = WideWeights(name="layers.*.experts", tensors=2, format="bf16", bytes=300, reason="a parameter of Experts")
    update = {"stored": StoredWeights(formats=(FormatBytes(format="int4", tensors=9, bytes=900),), wide=(wide,))}
    cells = builders.full_cells(tmp_path / "run")
    assert not [item for item in analyze(builders.write_run(tmp_path / "run", cells=cells)) if item.name == "left_wide"]
    cells = [cell.model_copy(update=update) if cell.model == "mini" else cell for cell in cells]
    findings = analyze(builders.write_run(tmp_path / "run", cells=cells))
    told = [item for item in findings if item.name == "left_wide"]
    assert [item.subject for item in told] == [{"model": "mini", "precision": p} for p in ("bf16", "int8", "int4")]
    assert told[0].value == pytest.approx(1 / 3)
    assert told[0].note == "left wide: layers.*.experts (2 tensors) in bf16: a parameter of Experts"
    (table,) = finding_tables(findings)
    assert any("layers.*.experts (2 tensors) in bf16" in note for note in table.notes)
