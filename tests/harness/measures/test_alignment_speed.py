"""`alignment_speed`: the times of a real small PPO are parted without a rest, and what has none is refused."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from harness.errors import Unsupported, UserError
from harness.execution.requests import Collect, Trained, TrainModel
from harness.execution.serve import Loader, OpenedModel, answer
from harness.kept_file import read_json, write_json
from harness.measures import alignment_speed
from harness.measures.alignment_speed import PHASES, AlignmentSpeedSettings
from harness.measures.measure import Facts
from harness.models.alignment import Alignment
from harness.models.contract import ModelSource
from harness.models.training_evidence import EVIDENCE
from harness.results.record import Measurement
from reference_impl.alignment.stages.data_settings import DataSettings
from reference_impl.alignment.stages.method import run_stage
from reference_impl.alignment.stages.run import Run
from tests.reference_impl.alignment.killing import dying_before_step
from tests.reference_impl.alignment.stages.conftest import make_base

ASKED: dict[str, Any] = {"data": "microworld/sums", "most": 12, "response": 6}
RECIPE: dict[str, Any] = {"rollouts": 8, "prompts": 4, "samples": 2, "epochs": 2, "minibatches": 2, "report_every": 1}


def source(folder: Path) -> ModelSource:
    return ModelSource("m", "reference", str(folder), "d")


def made(folder: Path, base: Path, stage: Alignment) -> Path:
    request = TrainModel(stage, source(folder), start=source(base))
    assert isinstance(answer(request, OpenedModel(), 1, lambda step: None), Trained)
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("started") / "base"
    make_base(folder)
    return folder


@pytest.fixture(scope="module")
def folder(base: Path) -> Iterator[Path]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield made(base.with_name("ppo"), base, Alignment("ppo", ASKED, RECIPE, reward="answers"))
    torch.set_num_threads(before)


def rows(folder: Path) -> list[dict[str, Any]]:
    load = Loader(
        Collect("alignment_speed", AlignmentSpeedSettings(), source(folder)), OpenedModel(), lambda step: None
    )
    return alignment_speed.collect(load, AlignmentSpeedSettings())


def measured(found: list[dict[str, Any]]) -> dict[str, Measurement]:
    facts: Any = Facts
    return {
        one.metric.name: one for one in alignment_speed.summarize(pd.DataFrame(found), AlignmentSpeedSettings(), facts)
    }


def test_the_phases_of_all_reports_are_the_whole_time_of_the_stage(folder: Path) -> None:
    found = rows(folder)
    assert len(found) == 8 and all(row["rollouts"] == 1 for row in found)
    assert all(row[f"{phase}_seconds"] > 0 for row in found for phase in PHASES)
    kept = json.loads((folder / "alignment.json").read_bytes())
    assert sum(row[f"{phase}_seconds"] for row in found for phase in PHASES) == pytest.approx(kept["seconds"])
    assert [row["tokens"] for row in found] == pytest.approx(
        [report["values"]["length"] * 8 for report in kept["reports"]]
    )
    told = measured(found)
    assert sum(told[f"{phase}_share"].value for phase in PHASES) == pytest.approx(1.0)
    for phase in PHASES:
        one = told[f"{phase}_seconds"]
        assert one.low is not None and one.high is not None and one.low <= one.value <= one.high and one.n == 8
    assert told["rollout_rate"].value > 0


def test_the_numbers_are_those_of_the_rows() -> None:
    """By hand: two reports, of one rollout and of three."""
    common = {"method": "ppo", "step": 1, "others_share": 0.0}
    told = measured(
        [
            common | {"rollouts": 1.0, "tokens": 10.0, "rollout_seconds": 2.0, "scoring_seconds": 1.0,
                      "update_seconds": 5.0},
            common | {"rollouts": 3.0, "tokens": 90.0, "rollout_seconds": 6.0, "scoring_seconds": 9.0,
                      "update_seconds": 9.0},
        ]
    )  # fmt: skip
    values = {name: one.value for name, one in told.items()}
    assert values == pytest.approx(
        {"rollout_seconds": 2.0, "scoring_seconds": 2.0, "update_seconds": 4.0, "rollout_rate": 10.0,
         "rollout_share": 8 / 32, "scoring_share": 10 / 32, "update_share": 14 / 32}
    )  # fmt: skip
    assert told["rollout_seconds"].interval == "none: 2 reports"


def test_every_second_is_of_its_own_phase(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that stands still but for what is named: drawing takes 1 s, scoring 10 s, a step 100 s."""
    from reference_impl.alignment import ppo as ppo_module
    from reference_impl.alignment.stages import drawing
    from reference_impl.training import loop

    now = [0.0]

    def taking(seconds: float, function: Any) -> Any:
        def slow(*arguments: Any, **named: Any) -> Any:
            now[0] += seconds
            return function(*arguments, **named)

        return slow

    for seconds, module, name in (
        (1.0, drawing, "draw"), (10.0, ppo_module, "ppo_rollout"), (100.0, loop, "guarded_step")
    ):  # fmt: skip
        monkeypatch.setattr(module, name, taking(seconds, getattr(module, name)))
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    recipe = RECIPE | {"rollouts": 4, "report_every": 2}
    data = DataSettings(**ASKED)
    reports = run_stage("ppo", base, tmp_path / "out", data, recipe, Run(), reward="answers").reports
    assert [report.phases for report in reports] == [
        {"rollout": 2.0, "scoring": 20.0},
        {"rollout": 4.0, "scoring": 40.0},
    ]
    assert [report.seconds for report in reports] == [822.0, 1644.0]  # four steps of each rollout


def test_a_resumed_training_keeps_its_sums(base: Path, tmp_path: Path) -> None:
    """Killed in the middle of a rollout's steps: phases go on from those that were saved, and never from nothing."""
    data, state = DataSettings(**ASKED), tmp_path / "state"
    with dying_before_step(14):
        run_stage("ppo", base, tmp_path / "out", data, RECIPE, Run(state=state, every=3), reward="answers")
    result = run_stage(
        "ppo", base, tmp_path / "out", data, RECIPE, Run(state=state, every=3, resumes=True), reward="answers"
    )
    assert len(result.reports) == 8
    for before, after in zip(result.reports, result.reports[1:], strict=False):
        for phase in ("rollout", "scoring"):
            assert after.phases[phase] > before.phases[phase]
        assert sum(after.phases.values()) < after.seconds
        assert after.seconds - before.seconds > sum(after.phases.values()) - sum(before.phases.values())


def test_what_has_no_rollouts_another_machine_and_damage_are_refused(
    folder: Path, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sft = made(tmp_path / "sft", base, Alignment("sft", {"most": 20}, {"batch": 8}))
    with pytest.raises(Unsupported, match=r"the stage sft of this model has no rollouts with times"):
        rows(sft)
    with pytest.raises(Unsupported, match=r"was not trained by a suite"):
        rows(base)
    evidence = read_json(folder / EVIDENCE, EVIDENCE)
    try:
        other = json.loads(evidence) | {"worker_class": "another"}
        write_json(folder / EVIDENCE, json.dumps(other), EVIDENCE)
        with pytest.raises(Unsupported, match=r"trained on another machine"):
            rows(folder)
        write_json(folder / EVIDENCE, json.dumps(json.loads(evidence) | {"threads": 7}), EVIDENCE)
        with pytest.raises(Unsupported, match=r"trained with 7 threads, not 1"):
            rows(folder)
    finally:
        write_json(folder / EVIDENCE, evidence if isinstance(evidence, str) else evidence.decode(), EVIDENCE)
    (sft / "alignment.json").write_text("{")
    with pytest.raises(UserError, match=r"can't be read"):
        rows(sft)
    bf16 = replace(source(folder), precision="bf16")
    load = Loader(Collect("alignment_speed", AlignmentSpeedSettings(), bf16), OpenedModel(), lambda step: None)
    with pytest.raises(Unsupported, match=r"measured at fp32 alone"):
        alignment_speed.collect(load, AlignmentSpeedSettings())
