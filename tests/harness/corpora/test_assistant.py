"""The corpus `assistant` is a text, a corpus to train on and a source of tasks, as microworld is."""

from pathlib import Path

import pytest

from harness import corpora
from harness.corpora import microworld
from harness.corpora.training import training_texts
from harness.errors import UserError
from harness.tasks.files.library import TaskLibrary


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


def test_it_is_a_text_of_its_own() -> None:
    documents = corpora.documents("assistant/test")
    assert documents == corpora.documents("assistant/test")  # now from the cache
    assert documents != corpora.documents("microworld/test")
    assert corpora.digest("assistant/test") != corpora.digest("microworld/test")
    assert corpora.size_hint("assistant/test") == 200_000
    assert training_texts("assistant") == ("assistant/train", "assistant/validation")
    with pytest.raises(UserError, match="did you mean 'assistant/test'"):
        corpora.documents("assistant/tset")


def test_its_questions_are_its_own() -> None:
    assert len(microworld.questions("facts", "test", name="assistant")) == 300
    assert microworld.questions_digest("facts", "test", 1, "assistant") != microworld.questions_digest("facts", "test")
    with pytest.raises(UserError, match=r"no theme 'stories'.*facts, twins"):
        microworld.questions("stories", "test", name="assistant")


def test_its_tasks_ask_them() -> None:
    tasks = {task.name: task for task in TaskLibrary().open("assistant").tasks}
    assert set(tasks) == {"assistant_facts", "assistant_facts_generated", "assistant_twins"}
    for name, count in (("assistant_facts", 300), ("assistant_facts_generated", 300), ("assistant_twins", 400)):
        assert len(tasks[name].evaluation_rows()) == count
