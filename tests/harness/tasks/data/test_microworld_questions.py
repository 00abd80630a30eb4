"""Documents of the embedded corpus, as tasks ask them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.corpora import microworld
from harness.errors import UserError
from harness.tasks.config import TaskConfig
from harness.tasks.data.source import DataTable, source
from reference_impl.text.microworld import Question


def config(folder: Path, path: str | None = "owner/set", name: str | None = None, **kwargs: Any) -> TaskConfig:
    return TaskConfig(task="t", file=folder / "t.yaml", dataset_path=path, dataset_name=name, dataset_kwargs=kwargs)


def rows(made: TaskConfig, split: str = "test", table: DataTable | None = None) -> list[dict[str, Any]]:
    return source(made, table or {}).rows(split).to_list()


def refusal(made: TaskConfig, split: str = "test", table: DataTable | None = None) -> str:
    with pytest.raises(UserError) as caught:
        rows(made, split, table)
    return str(caught.value)


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


def test_microworld(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def evaluation_sets(split: str, seed: int) -> dict[str, list[Question]]:
        chosen = Question("facts", f"{split} {seed}", "b", "b", ("a", "b"))
        return {"facts": [chosen], "addition": [Question("addition", "1 + 1 =", "2.", "2", reasoning="steps")]}

    monkeypatch.setattr("reference_impl.text.microworld.evaluation_sets", evaluation_sets)
    microworld._evaluation_sets.cache_clear()
    for _ in range(2):  # made, then read from the cache
        made = config(tmp_path, "microworld", "facts", seeds=2)
        assert [row["prompt"] for row in rows(made)] == ["test 0", "test 1"]
        assert rows(config(tmp_path, "microworld", "facts"))[0] == {
            **{"prompt": "test 0", "target": "b", "answer": "b", "choices": ["a", "b"], "gold": 1},
            **{"level": 1, "reasoning": "direct", "joint": " ", "until": "\n"},
        }
        (addition,) = rows(config(tmp_path, "microworld", "addition", seeds=2))
        assert (addition["choices"], addition["gold"], addition["reasoning"]) == ([], None, "steps")
        microworld._evaluation_sets.cache_clear()

    def too_few(split: str, seed: int) -> dict[str, list[Question]]:
        raise ValueError("hardly more than 3")

    assert "did you mean 'addition'?" in refusal(config(tmp_path, "microworld", "aditon"))
    assert "did you mean 'validation'?" in refusal(config(tmp_path, "microworld", "addition"), "valid")
    assert "needs a theme" in refusal(config(tmp_path, "microworld"))
    monkeypatch.setattr("reference_impl.text.microworld.evaluation_sets", too_few)
    assert "take train or test" in refusal(config(tmp_path, "microworld", "facts"), "validation")
    microworld._evaluation_sets.cache_clear()
