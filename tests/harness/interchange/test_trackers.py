"""What trackers are told of a run, read back from each of them; and what happens where one fails. Nothing is sent."""

from __future__ import annotations

import json
import math
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

import harness
from harness.cli import main
from harness.cli.running import pass_on
from harness.errors import UserError
from harness.interchange.trackers import target as targets
from harness.interchange.trackers.target import Tracker, find_tracker
from harness.interchange.trackers.told import told
from harness.reader import at_a_shell
from harness.results.record import Direction, Measurement, Metric
from harness.results.run import Run


@pytest.fixture
def run(builders: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Two perplexities, one infinite, under a name with strange characters; and a training with its curve."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs" / "tracked"
    loss = Metric(name="loss", unit="nats", direction=Direction.LOWER, definition="x")
    reports = pd.DataFrame(
        [{"kind": "report", "step": step, "train_loss": 5 / step, "learning_rate": 0.1} for step in (1, 2, 4)]
        + [{"kind": "validation", "step": None, "train_loss": None, "learning_rate": None}]
    )
    cells = [
        builders.cell_result(
            folder,
            "nano",
            "perplexity",
            {"precision": precision},
            {"text": "a:b|c"},
            [Measurement(metric=loss, **value)],
        )
        for precision, value in (("fp32", {"value": 2.5, "low": 2.0, "high": 3.0}), ("int8", {"value": math.inf}))
    ]
    cells.append(
        builders.cell_result(
            folder,
            "nano",
            "training",
            {"precision": "fp32"},
            {},
            [Measurement(metric=loss, value=1.25)],
            samples=reports,
        )
    )
    found: Run = builders.write_run(folder, cells=cells)
    (folder / "summary.md").write_text("# Report\n")
    return found


NUMBERS = {
    "nano fp32/perplexity/loss": 2.5,
    "nano fp32/perplexity/loss/low": 2.0,
    "nano fp32/perplexity/loss/high": 3.0,
    "nano/training/loss": 1.25,
}
CURVE = "nano/training/train_loss"


def test_what_a_tracker_is_told(run: Run) -> None:
    found = told(run)
    assert found.flat() == NUMBERS
    curves = {curve.name: curve.points for curve in found.curves}
    assert curves[CURVE] == ((1, 5.0), (2, 2.5), (4, 1.25)) and len(curves) == 2
    assert {path.name for path in found.files} >= {"summary.md", "manifest.json"}
    assert found.settings["suite"] == run.manifest.suite and all(found.settings.values())


def test_names_that_come_twice_stay_apart(builders: ModuleType, tmp_path: Path) -> None:
    metric = Metric(name="loss", unit="nats", direction=Direction.LOWER, definition="x")
    cells = [
        builders.cell_result(
            tmp_path, "nano", "perplexity", {}, {"text": text}, [Measurement(metric=metric, value=1.0)]
        )
        for text in ("a:b", "a|b", "a*b")
    ]
    assert len(told(builders.write_run(tmp_path, cells=cells)).numbers) == 3


def test_tensorboard_reads_it_back(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra `tensorboard` is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    place = harness.log_run(run, to=f"tensorboard:{tmp_path / 'tb'}")
    events = EventAccumulator(place)
    events.Reload()
    scalars = {tag: events.Scalars(tag) for tag in events.Tags()["scalars"]}
    assert {tag: one[0].value for tag, one in scalars.items() if tag in NUMBERS} == NUMBERS
    assert [(one.step, one.value) for one in scalars[CURVE]] == [(1, 5.0), (2, 2.5), (4, 1.25)]
    assert events.Tensors("report")[0].tensor_proto.string_val[0].startswith(b"# ")


def test_mlflow_reads_it_back(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow", reason="the extra `mlflow` is not installed")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # and afterwards it is as it was
    place = tmp_path / "ml runs"
    harness.log_run(run, to=f"mlflow:{place}")
    client = mlflow.MlflowClient(tracking_uri=place.as_uri())
    (found,) = client.search_runs([client.get_experiment_by_name("harness").experiment_id])
    numbers = {name: value for name, value in found.data.metrics.items() if "learning_rate" not in name}
    assert numbers == {name.replace("/low", ".low").replace("/high", ".high"): v for name, v in NUMBERS.items()} | {
        CURVE: 1.25
    }
    assert [one.step for one in client.get_metric_history(found.info.run_id, CURVE)] == [1, 2, 4]
    assert found.info.status == "FINISHED" and found.data.params["suite"] == run.manifest.suite
    assert "summary.md" in {one.path for one in client.list_artifacts(found.info.run_id)}


def in_file_of_wandb(content: bytes) -> Iterator[bytes]:
    """The records of an offline run: LevelDB's log (blocks of 32 KiB, parts of records in them) behind 7 bytes."""
    assert content[:4] == b":W&B"
    at, parts = 7, b""
    while at + 7 <= len(content):
        if (left := 32768 - at % 32768) < 7:
            at += left
            continue
        _, length, kind = struct.unpack("<IHB", content[at : at + 7])
        if kind == 0:
            return
        parts += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or its last part
            yield parts
            parts = b""


def test_wandb_keeps_it_offline(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = pytest.importorskip("wandb", reason="the extra `wandb` is not installed")
    from wandb.proto import wandb_internal_pb2

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    place = Path(harness.log_run(run, to="wandb:mine"))
    wandb.teardown()  # its process has written everything when it ended
    summary: dict[str, Any] = {}
    steps = []
    for data in in_file_of_wandb(next(place.glob("*.wandb")).read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        for item in record.summary.update:
            summary["/".join(item.nested_key) or item.key] = json.loads(item.value_json)
        row = {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in record.history.item}
        if CURVE in row:
            steps.append((row[f"{CURVE}/step"], row[CURVE]))
    assert summary.items() >= NUMBERS.items()
    assert steps == [(1, 5.0), (2, 2.5), (4, 1.25)]


def failing(error: BaseException) -> Tracker:
    def log(told: Any, place: str) -> str:
        raise error

    return Tracker("wandb", "json", "PROJECT", log)


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), SystemExit(1), ValueError("no"), UserError("x")]
)
def test_a_tracker_that_fails_is_a_warning(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException
) -> None:
    monkeypatch.setitem(targets.TRACKERS, "wandb", failing(error))
    with at_a_shell():
        pass_on(run, None, [find_tracker("wandb")])
    told = capsys.readouterr().err
    assert told.startswith("warning: ") and told.count("\n") == 1
    assert Run(run.folder).damage == run.damage


def test_an_interrupt_is_none_of_its_failures(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(targets.TRACKERS, "wandb", failing(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        pass_on(run, None, [find_tracker("wandb")])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("wandbb", "did you mean 'wandb'"), ("", "there are: wandb"), ("comet:x", "no tracker 'comet'")],
)
def test_an_unknown_tracker(text: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        find_tracker(text)


def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "find_spec", lambda name: None)
    for name in ("wandb", "mlflow", "tensorboard"):
        with pytest.raises(UserError, match=rf"pip install 'gpt-harness\[{name}\]'"):
            find_tracker(f"{name}:x")


def test_mlflow_wants_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "find_spec", lambda name: True)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(UserError, match="set MLFLOW_TRACKING_URI"):
        find_tracker("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:5000")
    assert find_tracker("mlflow").place == ""


def test_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "argv", ["harness", "run", "quickstart", "--log-to", "wandbb"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2 and "error: --log-to: no tracker 'wandbb'" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


def test_export_tells_a_tracker(run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []

    def log(told: Any, place: str) -> str:
        said.append(place)
        return "there"

    monkeypatch.setitem(targets.TRACKERS, "mlflow", Tracker("mlflow", "json", "FOLDER", log))
    monkeypatch.setattr(sys, "argv", ["harness", "export", str(run.folder), "--to", "mlflow:http://x:5000"])
    with pytest.raises(SystemExit) as ended:
        main()
    output = capsys.readouterr()
    assert not ended.value.code and said == ["http://x:5000"]
    assert output.out == "" and "logged to mlflow: there" in output.err
