"""What metrics declare of themselves is true of what their measures give."""

from __future__ import annotations

import math
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from harness.analysis.quantization_cost import weighed
from harness.comparison.comparability import why_not_comparable
from harness.evidence.per_document import PerDocument, per_document
from harness.evidence.selection import Point
from harness.measures.registry import MEASURES, declared
from harness.report.cell_line import last_number
from harness.results.record import CellResult, Metric, Record
from harness.results.run import Run

ARCHIVE = Path(__file__).parents[2] / "stored/run-2.tar.xz"
ALL = [metric for measure in MEASURES.values() for metric in measure.metrics]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with a cell of every measure."""
    folder = tmp_path_factory.mktemp("stored")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return Run(folder / "every")


def summed(run: Run, cell: CellResult, metric: Metric) -> float:
    """The value by the declaration, from the samples alone."""
    assert metric.sums is not None
    samples = run.samples_of(cell)
    scored = samples[samples["tokens"] > 0]
    over = 1.0 if metric.sums.over is None else scored[metric.sums.over].sum()
    value = metric.sums.factor * scored[metric.sums.of].sum() / over
    return math.exp(value) if metric.sums.exponential else float(value)


def test_means_and_sums_are_those_of_the_samples(stored: Run) -> None:
    seen = set()
    for cell in stored.cells:
        for record in cell.records:
            metric = declared(record)
            if metric is not None and metric.sums is not None and record.value is not None and cell.measure != "task":
                assert math.isclose(summed(stored, cell, metric), record.value, rel_tol=1e-12), record.metric
                seen.add((cell.measure, metric.name))
    there = {cell.measure for cell in stored.cells} - {"task"}
    assert seen == {(name, metric.name) for name in there for metric in MEASURES[name].metrics if metric.sums}


def test_what_depends_on_the_machine_is_measured_and_not_counted(stored: Run) -> None:
    """Times and memories come with how their interval was made; what is exact is the same everywhere."""
    for record in (record for cell in stored.cells for record in cell.records if record.metric):
        metric = declared(record)
        if metric is not None and MEASURES[record.measure].isolated:
            assert (metric.depends_on is None) == (record.interval == "exact"), record.metric
    assert all(
        metric.depends_on is None for measure in MEASURES.values() if not measure.isolated for metric in measure.metrics
    )


def test_what_is_counted_is_named_here(stored: Run) -> None:
    """A metric that is added to these must come out the same on every machine, whatever the model answers."""
    assert {metric.name for metric in ALL if metric.counted} == {
        *("weight_bytes", "kv_cache_bytes", "positions_cached", "positions_uncached"),
        *("tokens_scored", "lost_bytes", "documents_read", "truncated_documents", "chance"),
        *("trained_tokens", "epochs", "six_nd_flops", "training_flops", "learned_from"),
        *("preference_left_out", "reward_left_out"),
    }
    for record in (record for cell in stored.cells for record in cell.records if record.metric):
        metric = declared(record)
        if metric is not None and metric.counted:
            assert (record.interval, record.low, record.high) == ("exact", None, None), record.metric


def test_known_bad_what_is_counted_depends_on_no_machine() -> None:
    with pytest.raises(ValueError, match="counted and as depending on the machine's time"):
        Metric(name="a", unit="s", direction="lower", definition="b", counted=True, depends_on="time")


def test_what_is_per_token_says_so() -> None:
    by_unit = {metric.name for metric in ALL if metric.unit in ("nats/token", "per token")}
    assert {metric.name for metric in ALL if metric.per_token} == by_unit | {"top1_agreement"}


@pytest.mark.parametrize(
    ("measure", "metric", "why"),
    [
        ("perplexity", "perplexity", "the tokenizers differ and perplexity is per token; compare bits_per_byte"),
        (
            "training",
            "validation_loss",
            "the tokenizers differ and validation_loss is per token; compare bits_per_byte",
        ),
        ("fidelity", "kl_mean", "the tokenizers differ and kl_mean is per token"),
        ("fidelity", "top1_agreement", "the tokenizers differ and top1_agreement is per token"),
        ("perplexity", "bits_per_byte", None),
        ("perplexity", "tokens_scored", None),
        ("fidelity", "kl_median", None),
    ],
)
def test_what_is_per_token_is_not_compared_under_another_tokenizer(
    stored: Run, monkeypatch: pytest.MonkeyPatch, measure: str, metric: str, why: str | None
) -> None:
    cell = next(cell for cell in stored.cells if cell.measure == measure and cell.axes["precision"] == "fp32")
    record = next(record for record in cell.records if record.metric == metric)
    base, head = Point(stored, cell, record), Point(stored, cell.model_copy(update={"key": "another"}), record)

    def retokenized(point: Point) -> PerDocument | None:
        found = per_document(point)
        return found if point is base or found is None else replace(found, ids=None, tokens=found.tokens * 2)

    monkeypatch.setattr("harness.comparison.comparability.per_document", retokenized)
    assert why_not_comparable(base, head) == why


def test_measures_that_take_times_are_timed() -> None:
    """`training_speed` and `alignment_speed` read times that the training took: measuring it again makes none of them
    new."""
    assert [name for name, measure in MEASURES.items() if measure.timed] == ["inference", "kv_cache"]
    times = {name for name, measure in MEASURES.items() for metric in measure.metrics if metric.depends_on == "time"}
    assert times == {"inference", "kv_cache", "training_speed", "alignment_speed"}


def test_what_is_weighed_when_a_model_is_made_smaller() -> None:
    assert weighed() == [
        *("weight_bytes", "perplexity", "quality", "kl_mean", "top1_agreement"),
        *("ttft", "prefill_rate", "decode_rate", "peak_memory"),
    ]


@pytest.mark.parametrize(
    ("measure", "metrics", "line"),
    [
        ("inference", ("ttft", "tpot", "decode_rate"), ["ttft", "decode_rate"]),
        ("perplexity", ("loss", "perplexity"), ["perplexity"]),
        ("kv_cache", ("seconds_cached", "cache_speedup"), ["seconds_cached"]),
        ("task", ("own_score", "acc"), ["acc"]),
        ("task", ("own_score",), ["own_score"]),
        ("of_a_plugin_that_is_gone", ("own_score", "acc"), ["own_score"]),
    ],
)
def test_a_line_of_progress_shows_headlines_or_the_first_number(
    measure: str, metrics: tuple[str, ...], line: list[str]
) -> None:
    common = {"key": "k", "model": "m", "measure": measure}
    records = [Record(**common, metric=name, metric_id=f"{name}@1", value=1.0, unit="ms") for name in metrics]
    cell = CellResult(**common, axes={}, settings={}, status="ok", records=records)
    assert last_number(cell) == "  ".join(f"{name} 1 ms" for name in line)
