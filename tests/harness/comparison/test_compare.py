"""Two runs side by side: ratios, signs, and what may not be compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from harness.comparison.comparability import depends_on_machine, difference
from harness.comparison.compare import COLUMNS, compare
from harness.results.fingerprint import HARDWARE, Fingerprint, fingerprint
from harness.results.record import CellResult, Direction, Read, Record
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


def test_difference_of_machines() -> None:
    """Of the hardware alone: what else differs is told as what changed."""
    base = {"cpu_model": "a", "packages": {"torch": "2.13"}, "kernel": "6", "cores": 1, "memory_bytes": 5}
    assert difference(base, base | {"packages": {"torch": "2.14"}, "cores": 4}) == "cores: 1 and 4"
    assert difference(base, base | {"kernel": "7"}).startswith("their fingerprint classes differ, and what is kept")
    many = dict.fromkeys(HARDWARE, 1)
    assert difference(many, {}).endswith("; and 4 more")


WHOLE = fingerprint().model_copy(update={"cpu_model": "one", "gpus": ()})
UPGRADED = WHOLE.model_copy(
    update={
        "packages": WHOLE.packages | {"torch": "9.9.9"},
        "libc": "glibc-99",
        "python": "3.99.1",
        "environment": {"GPT_NATIVE": "0"},
    }
)


def measured_on(builders: ModuleType, folder: Path, machine: Fingerprint, **manifest: object) -> Run:
    """The whole run on a machine with its software, whose class its records have."""
    cells = builders.full_cells(folder, fingerprint_class=machine.class_id)
    told = {"fingerprint": machine.model_dump(mode="json"), "fingerprint_class": machine.class_id} | manifest
    run: Run = builders.write_run(folder, cells=cells, **told)
    return run


def test_other_software_on_one_machine_is_compared(builders: ModuleType, tmp_path: Path) -> None:
    base, head = measured_on(builders, tmp_path / "a", WHOLE), measured_on(builders, tmp_path / "b", UPGRADED)
    assert base.manifest.fingerprint_class != head.manifest.fingerprint_class
    frame = compare(base, head)
    for metric in ("decode_rate", "ttft", "peak_memory", "perplexity"):
        assert row(frame, metric)["comparable"], metric


@pytest.mark.parametrize(
    "hardware",
    [{"cpu_model": "two"}, {"cores_allowed": 999}, {"cpu_quota": 0.5}, {"memory_bytes": 2**50}],
    ids=lambda change: next(iter(change)),
)
def test_known_bad_other_hardware_with_the_same_software_is_not(
    builders: ModuleType, tmp_path: Path, hardware: dict[str, object]
) -> None:
    other = WHOLE.model_copy(update=hardware)
    frame = compare(measured_on(builders, tmp_path / "a", WHOLE), measured_on(builders, tmp_path / "b", other))
    speed = row(frame, "decode_rate")
    assert not speed["comparable"] and speed["reason"].startswith(f"the machines differ: {next(iter(hardware))}: ")


def test_a_record_of_another_machine_than_its_run_has_no_class_of_hardware(
    builders: ModuleType, tmp_path: Path
) -> None:
    """A worker ran elsewhere than the plan: the manifest's fingerprint is not that record's."""
    base = measured_on(builders, tmp_path / "a", WHOLE)
    head = measured_on(builders, tmp_path / "b", UPGRADED, fingerprint_class=WHOLE.class_id)
    assert not row(compare(base, head), "decode_rate")["comparable"]


@pytest.mark.parametrize("lacking", [{"fingerprint_class": ""}, {"fingerprint": {}}, {"fingerprint": {"cores": "x"}}])
def test_known_bad_a_fingerprint_that_says_nothing_makes_no_two_machines_one(
    builders: ModuleType, tmp_path: Path, lacking: dict[str, object]
) -> None:
    base = measured_on(builders, tmp_path / "a", WHOLE, **lacking)
    head = measured_on(builders, tmp_path / "b", UPGRADED, **lacking)
    assert not row(compare(base, head), "decode_rate")["comparable"]


def changed(builders: ModuleType, folder: Path, of: str, cell: dict[str, object], record: dict[str, object]) -> Run:
    """The run with some fields of a measure's cells and records replaced, and keys of its own."""
    cells = [
        each.model_copy(
            update={"key": f"{folder.name} {each.key}", **cell}
            | {"records": [one.model_copy(update=record) for one in each.records]}
        )
        if each.measure == of
        else each
        for each in builders.full_cells(folder)
    ]
    run: Run = builders.write_run(folder, cells=cells)
    return run


@pytest.mark.parametrize("nobodys", [{"measure": "a_plugin_that_is_gone"}, {"metric": "nobody_declares_it"}])
def test_what_nobody_declares_counts_as_the_machines(
    builders: ModuleType, tmp_path: Path, nobodys: dict[str, object]
) -> None:
    runs = []
    for name, machine in (("a", "f" * 8), ("b", "other")):
        cells = [
            cell.model_copy(
                update={
                    "measure": nobodys.get("measure", cell.measure),
                    "records": [
                        one.model_copy(update=nobodys | {"fingerprint_class": machine}) for one in cell.records[:1]
                    ],
                }
            )
            for cell in builders.full_cells(tmp_path / name)
            if cell.measure == "inference"
        ]
        runs.append(builders.write_run(tmp_path / name, cells=cells, fingerprint_class=machine))
    frame = compare(*runs)
    assert len(frame) > 4 and not frame["comparable"].any()
    assert compare(runs[0], runs[0])["comparable"].sum() > 4
    of_task = Record(key="k", model="m", measure="task", metric="a_task_files_own")
    assert not depends_on_machine(of_task), "scores are the same everywhere"


def test_numbers_of_an_unknown_machine_are_not_compared(builders: ModuleType, tmp_path: Path) -> None:
    runs = [changed(builders, tmp_path / name, "inference", {}, {"fingerprint_class": None}) for name in "ab"]
    assert row(compare(*runs), "ttft")["reason"] == "nothing says on what machine one of them was measured"
    assert row(compare(runs[0], runs[0]), "ttft")["comparable"], "one run is of one machine"


def test_an_edited_text_or_task_is_named_where_no_document_tells(builders: ModuleType, tmp_path: Path) -> None:
    def run(name: str, digest: str | None) -> Run:
        read = None if digest is None else (Read(kind="task", name="sums", digest=digest),)
        return changed(builders, tmp_path / name, "memory", {"read": read}, {})

    one, other, older = run("a", "1" * 8), run("b", "2" * 8), run("c", None)
    edited = "the task sums changed between the two, so they were asked different things"
    assert row(compare(one, other), "peak_memory")["reason"] == edited
    assert row(compare(one, older), "peak_memory")["comparable"] and row(compare(one, one), "peak_memory")["comparable"]


def test_what_is_exact_in_each_run_is_not_exact_between_runs(builders: ModuleType, tmp_path: Path) -> None:
    """A loss without an interval moves with rounding; what is counted doesn't."""
    exact = {"low": None, "high": None, "interval": "exact", "measure": "kv_cache", "metric": "cache_error"}
    base = changed(builders, tmp_path / "a", "memory", {"measure": "kv_cache"}, exact | {"value": 1.0})
    head = changed(builders, tmp_path / "b", "memory", {"measure": "kv_cache"}, exact | {"value": 1.0000001})
    got = row(compare(base, head), "cache_error")
    assert got["change"] == "" and pd.isna(got["ratio_low"]) and "from run to run is not known" in got["interval"]
    again = changed(builders, tmp_path / "e", "memory", {"measure": "kv_cache"}, exact | {"value": 1.0})
    assert row(compare(base, again), "cache_error")["change"] == "same", "equal to the last digit"
    counted = exact | {"metric": "positions_cached", "direction": Direction.LOWER}
    base = changed(builders, tmp_path / "c", "memory", {"measure": "kv_cache"}, counted | {"value": 100.0})
    head = changed(builders, tmp_path / "d", "memory", {"measure": "kv_cache"}, counted | {"value": 101.0})
    assert row(compare(base, head), "positions_cached")["change"] == "worse"


def test_known_bad_a_time_that_calls_itself_exact_has_no_interval(builders: ModuleType, tmp_path: Path) -> None:
    told = {"low": None, "high": None, "interval": "exact", "value": 1.0}
    base = changed(builders, tmp_path / "a", "inference", {}, told)
    head = changed(builders, tmp_path / "b", "inference", {}, told | {"value": 2.0})
    assert row(compare(base, head), "ttft")["change"] == "undecided"


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


def test_an_interval_that_is_none_of_its_value_gives_no_ratio(builders: ModuleType, tmp_path: Path) -> None:
    odd = {"measure": "memory", "metric": "peak_memory", "value": 2.0, "low": 1.9, "high": -1.0}
    base = changed(builders, tmp_path / "a", "memory", {}, odd)
    head = changed(builders, tmp_path / "b", "memory", {}, odd)
    got = row(compare(base, head), "peak_memory")
    assert got["ratio"] == 1 and pd.isna(got["ratio_low"]) and got["interval"].startswith("none")
