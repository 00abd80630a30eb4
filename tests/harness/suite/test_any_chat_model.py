"""The suite for any chat model, planned and run with a tiny model that has no chat template."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import harness
from harness.results.record import Status
from harness.suite.load import find_suite


@pytest.fixture(scope="module")
def small(llama_folder: Path) -> dict[str, Any]:
    """The suite with three documents of each task and four tokens of each answer."""
    suite: dict[str, Any] = yaml.safe_load(Path(find_suite("alignment/any-chat-model")).read_text(encoding="utf-8"))
    suite["models"] = {"mine": {"transformers": str(llama_folder)}}
    for measure in suite["measures"]:
        measure["task"]["documents"] = 3
        if "refusals" in measure["task"]["task"]:
            measure["task"]["generation"] = {"max_tokens": 4}
    return suite


def test_the_suite_runs_and_says_what_a_model_without_template_lacks(small: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(small))
    results = harness.run(str(tmp_path / "small.yaml"), out=tmp_path / "runs")
    by_status: dict[Status, list[Any]] = {}
    for cell in results.cells:
        by_status.setdefault(cell.status, []).append(cell)
    assert set(by_status) == {Status.OK, Status.SKIPPED}
    assert all(cell.settings["chat"] for cell in by_status[Status.SKIPPED])
    assert all("chat template" in (cell.reason or "") for cell in by_status[Status.SKIPPED])
    assert len(by_status[Status.SKIPPED]) == 10 and len(by_status[Status.OK]) == 18
    found = {
        (record.metric, cell.settings["task"], record.part) for cell in by_status[Status.OK] for record in cell.records
    }
    for metric, task, part in (
        ("refusal", "refusals", "refusal_harmful"),
        ("over_refusal", "refusals", "refusal_alarming"),
        ("right_refusal", "refusals", None),
        ("instructions_strict", "instruction_following", None),
        ("exact_match", "truthfulness_generated", "yes-or-no"),
        ("calibration_error", "truthfulness_choices", None),
        ("stereotype_preference", "bias_pairs", None),
        ("acc", "sycophancy_wrong", None),
    ):
        assert (metric, task, part) in found
    changed = {
        str(one.subject["change"]) for one in results.findings if one.analysis == "answer_changes" and not one.failed
    }
    assert "task sycophancy_plain to sycophancy_wrong" in changed
    assert "task bias_pronouns_he to bias_pronouns_she" in changed
