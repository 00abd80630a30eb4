"""The suites of the guide's sections 5 to 7: each is planned as it is, and run with budgets of seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import harness
from harness.results.record import Status
from harness.suite.cells import cells
from harness.suite.load import find_suite, load_suite

NAMES = ("05-alignment-problem", "06-rlhf", "07-dpo")
FEWER: dict[str, Any] = {
    "most": 24, "rollouts": 1, "prompts": 4, "samples": 2, "n": 2, "response": 4, "epochs": 1, "count": 5, "max_new": 4,
    "documents": 3,
}  # fmt: skip
"""Of whatever has one of these."""


def shrunk(value: Any) -> Any:
    """The same with everything that is counted made small."""
    if isinstance(value, dict):
        given = {name: shrunk(one) for name, one in value.items()}
        return (
            given
            | {name: FEWER[name] for name in FEWER if isinstance(given.get(name), int)}
            | ({"pairs": 4} if isinstance(given.get("pairs"), int) else {})
        )
    return [shrunk(one) for one in value] if isinstance(value, list) else value


def small(name: str) -> dict[str, Any]:
    written: dict[str, Any] = yaml.safe_load(Path(find_suite(f"guide/{name}")).read_text(encoding="utf-8"))
    models = yaml.safe_load(
        (Path(find_suite(f"guide/{name}")).parent / written.pop("include")).read_text(encoding="utf-8")
    )
    suite: dict[str, Any] = shrunk({**written, **models})
    suite["models"]["base"]["train"].update(tokens=4000, vocabulary=300, context=160, batch=2)
    suite["models"]["base"]["reference"] = "nano"
    for model in suite["models"].values():
        for stage in model.get("train", {}).values():
            if isinstance(stage, dict) and "drawn" in stage:  # gold calls all that so small a model says malformed
                del stage["drawn"], stage["response"]
    return suite


@pytest.mark.parametrize("size", ["", "-full"])
@pytest.mark.parametrize("name", NAMES)
def test_each_size_is_a_suite(name: str, size: str) -> None:
    loaded = load_suite(find_suite(f"guide/{name}{size}"))
    assert loaded.suite.name == f"guide-{name}{size}"
    seeds = {cell.axes["seed"] for cell in cells(loaded.suite) if "seed" in cell.axes}  # a best-of-n is not trained
    assert seeds == ({0, 1, 2} if size else set())


@pytest.mark.parametrize("name", NAMES)
def test_no_kind_of_prompt_is_left_out(name: str) -> None:
    """Kinds take turns by fives, and prompts are evenly spaced: a step that 5 divides would take one kind alone."""
    from harness.corpora.alignment_rows import prompts
    from harness.measures.evenly_spaced import evenly_spaced
    from reference_impl.text.assistant import asked

    written = yaml.safe_load(Path(find_suite(f"guide/{name}")).read_text(encoding="utf-8"))
    rows, _ = prompts("assistant/test")
    counts = {
        one["count"]
        for entry in written["measures"]
        for one in entry.values()
        if isinstance(one, dict) and "count" in one
    }
    for count in counts:
        kinds = {
            asked(row.prompt[-1].content).kind for row in evenly_spaced(rows, count) if not isinstance(row.prompt, str)
        }
        assert kinds == {"fact", "harmless", "harmful", "talk"}, f"{count} prompts are {kinds}"


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_each_runs_to_its_end(name: str, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(small(name)))
    results = harness.run(str(tmp_path / "small.yaml"), out=tmp_path / "runs")
    assert {cell.status for cell in results.cells} == {Status.OK}, [
        cell.reason for cell in results.cells if cell.reason
    ]
    metrics = {record.metric for cell in results.cells for record in cell.records}
    assert {"win_rate", "response_score", "response_part", "distinct_responses", "acc", "perplexity"} <= metrics
    if name == "07-dpo":
        assert {one.analysis for one in results.findings} == {"dialogs", "ranking", "reward_frontier"}
