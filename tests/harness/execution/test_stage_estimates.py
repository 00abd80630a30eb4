"""What stages of alignment are said to take: of their work, and of what stages took before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.execution.estimate import arithmetic_of_stage, plan_rows, seconds_of_training
from harness.execution.plan import make_plan
from harness.execution.resolve import resolve
from harness.execution.training_pace import REMEMBERED, keep_pace, pace_of
from harness.models.resolved import Resolved
from harness.results.peaks import Peaks
from harness.suite.load import load_suite
from harness.suite.schema import ModelEntry

PEAKS = Peaks(flops={"fp32": 1e10, "bf16": 1e10}, bandwidth=1e10)
BASE = {"reference": "nano", "train": {"corpus": "microworld", "tokens": 1000, "vocabulary": 400, "context": 128}}


def stage(method: str, **settings: Any) -> Resolved:
    asks = {"reward": "judge"} if method in ("ppo", "grpo", "rejection") else {}
    models = {
        "base": BASE,
        "judge": {"from": "base", "train": {"reward": {"data": "microworld", "most": 20}}},
        "m": {"from": "base", "train": {method: {"data": "microworld", "most": 100, **asks, **settings}}},
    }
    entries = {name: ModelEntry.model_validate(entry) for name, entry in models.items()}
    return resolve("m", entries["m"], None, trust_remote_code=False, models=entries)


def seconds(method: str, **settings: Any) -> float:
    """Of the work alone."""
    found = arithmetic_of_stage(stage(method, **settings), PEAKS)
    assert found is not None
    return found - 3.0


@pytest.mark.parametrize(
    ("method", "less", "more", "times"),
    [
        ("sft", {}, {"epochs": 8}, 8),
        ("sft", {"most": 50, "epochs": 8}, {"most": 200, "epochs": 8}, 4),
        ("reward", {}, {"epochs": 8}, 8),
        ("dpo", {"epochs": 4}, {"epochs": 16}, 4),
        ("ppo", {"rollouts": 3}, {"rollouts": 30}, 10),
        ("grpo", {"rollouts": 3, "prompts": 2}, {"rollouts": 30, "prompts": 2}, 10),
        ("rejection", {"rounds": 1}, {"rounds": 3}, 3),
    ],
)
def test_twice_the_work_takes_twice_as_long(
    method: str, less: dict[str, Any], more: dict[str, Any], times: float
) -> None:
    assert seconds(method, **more) / seconds(method, **less) == pytest.approx(times, rel=0.2)


def test_what_is_asked_is_named_while_it_is_trained() -> None:
    titles = [one.title for one in replace(stage("ppo"), title="m").stages]
    assert titles == ["m, stage 1 of 2", "m, reward judge", "m"]


def test_what_else_is_read_and_drawn_takes_longer() -> None:
    few = {"rollouts": 3, "prompts": 8}
    assert seconds("ppo", **few, response=64) > 1.5 * seconds("ppo", **few, response=16)
    assert seconds("ppo", **few, critic="own") > 1.2 * seconds("ppo", **few)
    assert seconds("ppo", **few, epochs=8) > 1.5 * seconds("ppo", **few)
    assert seconds("grpo", **few, samples=16) > 1.5 * seconds("grpo", **few, samples=4)
    assert seconds("dpo") > seconds("dpo", variant="simpo"), "a reference is read first"
    assert seconds("reward", epochs=8) > 1.2 * seconds("sft", epochs=8), "two responses of each"


def test_lengths_are_those_of_the_file(tmp_path: Path) -> None:
    def of(words: int, **settings: Any) -> float:
        path = tmp_path / f"{words}.jsonl"
        path.write_text('{"prompt": "Say it.", "completion": "' + "seven boats " * words + '"}\n' * 40)
        path.write_text("".join('{"prompt": "Say.", "completion": "' + "boats " * words + '"}\n' for _ in range(40)))
        return seconds("sft", data=str(path), epochs=40, **settings)

    assert of(20) > 1.5 * of(5)
    assert of(60, response=16) < 0.6 * of(60), "no more tokens than it may have"


def test_data_that_cant_be_read_or_are_not_here_are_unknown(tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text('{"colour": "green"}\n')
    assert arithmetic_of_stage(stage("sft", data=str(other)), PEAKS) is None
    assert arithmetic_of_stage(stage("sft", data="hub:nobody/nothing"), PEAKS) is None


def test_what_such_stages_took_before_corrects_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    one = stage("sft")
    plain = seconds_of_training([one], "here", PEAKS)
    assert plain is not None
    for took in (2.0, 2.0, 500.0):  # one of them on a machine that was busy
        keep_pace("here", "sft", took * plain, plain)
    assert seconds_of_training([one], "here", PEAKS) == pytest.approx(2 * plain)
    assert seconds_of_training([one], "elsewhere", PEAKS) == plain
    assert seconds_of_training([stage("dpo")], "here", PEAKS) == arithmetic_of_stage(stage("dpo"), PEAKS)
    keep_pace("here", "dpo", 9.0, 1.0)
    assert pace_of("here", "dpo") == pytest.approx(3.0), "a single one counts by half"
    for _ in range(REMEMBERED):
        keep_pace("here", "sft", 3.0, 1.0)
    assert pace_of("here", "sft") == pytest.approx(3.0)
    [kept] = (tmp_path / "cache" / "paces").iterdir()
    kept.write_text(kept.read_text().replace("3.0", "9.0"))
    assert pace_of("here", "sft") == 1.0, "what was changed is not believed"


def test_a_plan_has_each_stage_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    suite = tmp_path / "suite.yaml"
    suite.write_text(
        "name: stages\nmodels:\n"
        "  base: {reference: nano, train: {corpus: microworld, tokens: 1000, vocabulary: 400, context: 128}}\n"
        "  sft: {from: base, train: {sft: {data: microworld, most: 20}}}\n"
        "  dpo: {from: sft, train: {dpo: {data: microworld, most: 20}}}\n"
        "measures:\n  - alignment: {}\n    models: [sft, dpo]\n"
    )
    rows = plan_rows(replace(make_plan(load_suite(str(suite)))))
    trained = [row for row in rows if row["measure"] == "train"]
    assert [str(row["cell"]).split()[0] for row in trained] == ["base", "sft", "dpo"]
    assert all(isinstance(row["seconds"], float) for row in rows), "nothing is unknown"
