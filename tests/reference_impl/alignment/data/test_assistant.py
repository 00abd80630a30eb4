"""Alignment data of the assistant world: rows of every kind by name, and gold beside them."""

import pytest

from reference_impl.alignment.data import assistant
from reference_impl.alignment.data.rows import Demonstration, Preference, Prompt
from reference_impl.alignment.stages.data_settings import DataSettings
from reference_impl.alignment.stages.reading import rows_of


def test_stages_read_each_kind_by_its_name() -> None:
    settings = DataSettings("assistant", most=30)
    for kind in (Demonstration, Preference, Prompt):
        rows, excluded = rows_of(kind, settings)
        assert len(rows) == 30 and not excluded
        assert len({row.prompt for row in rows}) == 30
        assert rows[0].place == "assistant/train/1"
    with pytest.raises(ValueError, match="1 to 4,000 different prompts"):
        rows_of(Prompt, DataSettings("assistant", most=4001))


def test_gold_prefers_what_is_preferred() -> None:
    for row in assistant.preferences("test", count=200):
        prompt = Prompt(row.prompt)
        assert assistant.gold(prompt, row.chosen) > assistant.gold(prompt, row.rejected)
        assert assistant.gold(prompt, row.chosen, False) == -3  # the model did not stop


def test_gold_reads_a_prompt_that_is_a_text_or_a_dialog() -> None:
    for row in assistant.prompts("test", count=20):
        assert not isinstance(row.prompt, str)
        text = Prompt(f"User: {row.prompt[-1].content}\nAssistant:")
        said = f"{row.answer or 'I cannot help you with that'}."
        assert assistant.gold(row, said) == assistant.gold(text, said) == 1
