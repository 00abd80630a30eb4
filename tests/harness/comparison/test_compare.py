"""Two runs side by side: ratios, signs, and what may not be compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from harness.comparison.comparability import difference
from harness.comparison.compare import COLUMNS, compare
from harness.results.record import CellResult
from harness.results.run import Run


@pytest.fixture(scope="module")
def slower(builders: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same suite again: every speed 20 % worse, every loss 1 % of a nat worse."""
    folder = tmp_path_factory.mktemp("runs") / "slower"
    run: Run = builders.write_run(folder, cells=builders.full_cells(folder, shift=0.01, slower=1.2))
    return run


def row(
    frame: pd.DataFrame, metric: str, model: str = "micro", precision: str = "int8", batch: int | None = 1
) -> pd.Series:  # type: ignore[type-arg]
    found = frame.query("metric == @metric and model == @model and precision == @precision")
    if metric in ("decode_rate", "ttft"):
        found = found.query("batch == @batch")
    assert len(found) == 1
    return found.iloc[0]


def test_a_run_is_the_same_as_itself(full_run: Run) -> None:
    frame = compare(full_run, full_run)
    good = frame[frame["comparable"]]
    assert (good["ratio"] == 1).all()
    assert set(good["change"]) == {"same", "same?", "undecided"}
    assert set(good[good["metric"] == "perplexity"]["change"]) == {"same"}, "paired by document, it is exactly 1"


def test_signs_follow_the_direction(full_run: Run, slower: Run) -> None:
    frame = compare(full_run, slower)
    assert row(frame, "perplexity")["change"] == "worse"
    assert row(frame, "weight_bytes")["change"] == "same"
    assert row(frame, "peak_memory")["change"] == "same?"
    assert row(compare(slower, full_run), "perplexity")["change"] == "better"


def test_a_time_of_two_stored_runs_is_never_worse(full_run: Run, slower: Run) -> None:
    """Whatever its interval says: that knows nothing of what else the machine did during one of the runs."""
    for frame in (compare(full_run, slower), compare(slower, full_run)):
        timed = frame[frame["metric"].isin(["ttft", "tpot", "prefill_rate", "decode_rate", "mfu", "mbu"])]
        assert set(timed[timed["comparable"]]["change"]) == {"undecided"}
    frame = compare(full_run, slower)
    assert row(frame, "decode_rate")["ratio"] == pytest.approx(1 / 1.2)
    assert row(frame, "ttft")["ratio"] == pytest.approx(1.2) and row(frame, "ttft")["ratio_low"] > 1


def test_quality_is_paired(full_run: Run, slower: Run) -> None:
    got = row(compare(full_run, slower), "perplexity")
    assert got["interval"] == "paired by document (ratio estimator, t)"
    assert got["ratio_low"] < got["ratio"] < got["ratio_high"] < got["ratio_low"] * 1.005


def test_columns_and_order(full_run: Run, slower: Run) -> None:
    frame = compare(full_run, slower)
    assert list(frame.columns[:2]) == ["model", "measure"]
    assert tuple(frame.columns[-len(COLUMNS) :]) == COLUMNS
    assert {"precision", "device", "batch", "text"} <= set(frame.columns)
    assert list(dict.fromkeys(frame["model"])) == ["nano", "micro", "mini", "smollm2"]


def test_another_machine_forbids_speed_but_not_quality(builders: ModuleType, full_run: Run, tmp_path: Path) -> None:
    machine = builders.FINGERPRINT | {"cpu_model": "Other CPU", "cores_allowed": 8}
    cells = builders.full_cells(tmp_path, fingerprint_class="other")
    other = builders.write_run(tmp_path, cells=cells, fingerprint=machine, fingerprint_class="other")
    frame = compare(full_run, other)
    speed = row(frame, "decode_rate")
    assert not speed["comparable"] and pd.isna(speed["ratio"]) and speed["change"] == ""
    assert speed["reason"] == (
        "the machines differ: cpu_model: Example CPU @ 2.80GHz and Other CPU; cores_allowed: 2 and 8"
    )
    assert not row(frame, "peak_memory")["comparable"]
    assert row(frame, "perplexity")["comparable"] and row(frame, "bits_per_byte")["comparable"]
    assert row(frame, "weight_bytes")["comparable"], "a count is the same everywhere"


def test_another_metric_version_is_another_metric(builders: ModuleType, full_run: Run, tmp_path: Path) -> None:
    def renamed(cell: CellResult) -> CellResult:
        records = [r.model_copy(update={"metric_id": "ttft@2"}) if r.metric == "ttft" else r for r in cell.records]
        return cell.model_copy(update={"records": records})

    other = builders.write_run(tmp_path, cells=[renamed(cell) for cell in builders.full_cells(tmp_path)])
    got = row(compare(full_run, other), "ttft")
    assert not got["comparable"] and got["reason"] == "the metric's definition changed: ttft@1 and ttft@2"


def rewritten(builders: ModuleType, folder: Path, change: dict[str, object]) -> Run:
    """The run with other samples, and keys of its own, as after a change of a text or a tokenizer."""
    cells = []
    for cell in builders.full_cells(folder):
        if cell.samples is not None:
            path = folder / cell.samples
            frame = pd.read_parquet(path)
            for column, function in change.items():
                frame[column] = function(frame)  # type: ignore[operator]
            frame.to_parquet(path)
        cells.append(cell.model_copy(update={"key": f"{folder.name} {cell.key}"}))
    run: Run = builders.write_run(folder, cells=cells)
    return run


def test_another_text_is_not_comparable(builders: ModuleType, full_run: Run, tmp_path: Path) -> None:
    other = rewritten(builders, tmp_path, {"text_digest": lambda frame: "new " + frame["text_digest"]})
    frame = compare(full_run, other)
    for metric in ("perplexity", "bits_per_byte"):
        got = row(frame, metric)
        assert not got["comparable"] and got["reason"] == "the texts differ"
    assert row(frame, "decode_rate")["comparable"]


def test_another_tokenizer_forbids_per_token_metrics_alone(builders: ModuleType, full_run: Run, tmp_path: Path) -> None:
    other = rewritten(builders, tmp_path, {"tokens": lambda frame: frame["tokens"] * 2})
    frame = compare(full_run, other)
    got = row(frame, "perplexity")
    assert not got["comparable"]
    assert got["reason"] == "the tokenizers differ and perplexity is per token; compare bits_per_byte"
    assert row(frame, "bits_per_byte")["comparable"]


def test_an_edited_document_is_another_text(builders: ModuleType, tmp_path: Path) -> None:
    """One document that was edited, with as many tokens and bytes as before."""

    def edited(frame: pd.DataFrame) -> pd.Series:  # type: ignore[type-arg]
        return frame["text_digest"].where(frame["document"] != "doc007", "edited")

    same = rewritten(builders, tmp_path / "same", {})
    other = rewritten(builders, tmp_path / "edited", {"text_digest": edited})
    frame = compare(same, other)
    for metric in ("perplexity", "bits_per_byte"):
        got = row(frame, metric)
        assert not got["comparable"] and got["reason"] == "the texts differ"


def test_another_tokenizer_may_split_off_a_first_token_of_any_length(builders: ModuleType, tmp_path: Path) -> None:
    same = rewritten(builders, tmp_path / "same", {})
    change = {"tokens": lambda frame: frame["tokens"] // 2, "bytes": lambda frame: frame["bytes"] - 100}
    other = rewritten(builders, tmp_path / "other", change)
    frame = compare(same, other)
    assert not row(frame, "perplexity")["comparable"]
    assert row(frame, "bits_per_byte")["comparable"]


def test_another_window_is_another_definition(builders: ModuleType, tmp_path: Path) -> None:
    """Where a suite left it open and the model's context is another now, with the same texts and tokens."""
    runs = []
    for window in (32, 512):
        folder = tmp_path / str(window)
        cells = [
            cell.model_copy(
                update={
                    "key": f"{window} {cell.key}",
                    "resolved": {"window": window, "whole_documents": False} if cell.samples is not None else {},
                }
            )
            for cell in builders.full_cells(folder)
        ]
        runs.append(builders.write_run(folder, cells=cells))
    frame = compare(*runs)
    for metric in ("perplexity", "bits_per_byte"):
        got = row(frame, metric)
        assert not got["comparable"] and got["reason"].startswith("they were measured differently (window 32 and 512)")
    assert row(frame, "tokens_scored")["comparable"], "a count is what it is"
    assert row(frame, "weight_bytes")["comparable"]


def test_cells_that_one_run_lacks_are_listed(builders: ModuleType, full_run: Run, tmp_path: Path) -> None:
    cells = [cell for cell in builders.full_cells(tmp_path) if cell.model != "mini"]
    fewer = builders.write_run(tmp_path, cells=cells)
    frame = compare(full_run, fewer)
    gone = frame[frame["model"] == "mini"]
    assert set(gone[gone["metric"] == "loss"]["reason"]) == {"only the base has this cell"}
    assert not gone["comparable"].any() and gone["head"].isna().all()
    back = compare(fewer, full_run)
    assert set(back[(back["model"] == "mini") & (back["metric"] == "loss")]["reason"]) == {
        "only the head has this cell"
    }


def test_failed_cells_are_told(full_run: Run, slower: Run) -> None:
    frame = compare(full_run, slower)
    (failed,) = frame[frame["reason"].str.startswith("failed")]["reason"]
    assert failed == "failed in the base: RuntimeError: no int4 kernel for <batch 8> & more"


def test_runs_without_cells_give_an_empty_table(builders: ModuleType, tmp_path: Path) -> None:
    empty = builders.write_run(tmp_path, cells=[])
    frame = compare(empty, empty)
    assert frame.empty and {"model", "metric", "comparable"} <= set(frame.columns)


def test_difference_of_fingerprints() -> None:
    base = {"cpu": "a", "packages": {"torch": "2.13", "numpy": "2"}, "b": 1, "c": 1, "d": 1, "e": 1}
    assert difference(base, base | {"packages": {"torch": "2.14", "numpy": "2"}}) == "packages.torch: 2.13 and 2.14"
    assert difference(base, {}).endswith("; and 3 more")
    assert difference(base, base) == "their fingerprint classes differ"


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda frame: frame.drop(columns="nll"), "no column 'nll'"),
        (lambda frame: frame[["document"]], "no column"),
        (lambda frame: pd.DataFrame({"other": [1, 2]}), "no column"),
        (lambda frame: frame.assign(tokens="many"), "TypeError"),
    ],
)
def test_samples_with_other_columns_are_named_and_the_rest_is_compared(
    builders: ModuleType, full_run: Run, tmp_path: Path, damage: Callable[[pd.DataFrame], pd.DataFrame], why: str
) -> None:
    run = builders.write_run(tmp_path, cells=builders.full_cells(tmp_path))
    cells = [cell.model_copy(update={"key": f"new {cell.key}"}) for cell in run.cells]
    other = builders.write_run(tmp_path, cells=cells)
    broken = next(cell for cell in other.cells if cell.samples and cell.model == "micro")
    path = tmp_path / str(broken.samples)
    damage(pd.read_parquet(path)).to_parquet(path)
    frame = compare(full_run, other)
    told = frame[frame["damaged"]]
    assert set(told["metric"]) == {"perplexity", "loss", "bits_per_byte"} and len(told) == 3
    assert not told["comparable"].any()
    assert all(reason.startswith(f"{path}: not what the samples") and why in reason for reason in told["reason"])
    assert row(frame, "perplexity", model="nano")["comparable"] and row(frame, "decode_rate")["comparable"]
