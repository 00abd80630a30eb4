"""Tasks asked through a tokenizer that loses a part of the text, or has a token that the model hasn't."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.errors import UserError
from harness.measures.measure import Facts, notes_of
from harness.measures.task.collection import collect
from harness.measures.task.measure import TASK
from harness.measures.task.settings import TaskSettings
from harness.measures.task.summary import summarize
from harness.models.contract import LanguageModel, ModelSource
from harness.models.open import open_model
from harness.results.record import Measurement, Missing, Status
from harness.tasks.files.library import TaskLibrary

BASE = "dataset_path: rows.jsonl\ntest_split: test\n"
ROLLING = f'task: rolling\n{BASE}output_type: loglikelihood_rolling\ndoc_to_text: ""\ndoc_to_target: "{{{{text}}}}"\n'
CHOICE = f"""task: choice
{BASE}output_type: multiple_choice
doc_to_text: "{{{{q}}}}"
doc_to_choice: "{{{{[text, 'no']}}}}"
doc_to_target: 0
metric_list: [{{metric: acc}}, {{metric: gold_bits_per_byte}}]
"""
WRITTEN = f"""task: written
{BASE}output_type: generate_until
doc_to_text: "{{{{text}}}}"
doc_to_target: q
generation_kwargs: {{until: [], max_gen_toks: 2}}
metric_list: [{{metric: exact_match}}]
"""
ROWS = [{"q": "What?", "text": "The Cat Sat"}, {"q": "Who?", "text": "the dog"}]


class Reading:
    """The model's tokenizer over another text; `<user>` is a token that was added to it."""

    def __init__(self, inner: Any, change: Any, added: int = 320) -> None:
        self.inner, self.change, self.new = inner, change, added

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def encode(self, text: str) -> list[int]:
        before, found, after = self.change(text).partition("<user>")
        ids = [*self.inner.encode(before), self.new, *self.inner.encode(after)] if found else self.inner.encode(before)
        return [int(token) for token in ids]

    def decode(self, ids: list[int]) -> str:
        return "".join("<user>" if i == self.new else self.inner.decode([i]) for i in ids)


class Loaded:
    def __init__(self, model: LanguageModel, change: Any, folder: Path) -> None:
        self.identity, self.model = model.identity, model
        self.tokenizer = Reading(model.tokenizer, change)
        self.library, self.unfinished = TaskLibrary((str(folder),)), None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def __call__(self, precision: Any = None) -> Any:
        return self

    def tell(self, done: float, text: str) -> None:
        pass


@pytest.fixture(scope="module")
def model(llama_folder: Path) -> LanguageModel:
    return open_model(ModelSource("m", "transformers", str(llama_folder), "d"))


def rows_of(
    model: LanguageModel, folder: Path, task: str, change: Any, data: list[dict[str, str]], mode: str = "right"
) -> pd.DataFrame:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in data))
    for text in (ROLLING, CHOICE, WRITTEN):
        (folder / f"{text.split()[1]}.yaml").write_text(text)
    settings = TaskSettings(task=task, mode=mode)  # type: ignore[arg-type]
    load: Any = Loaded(model, change, folder)
    return pd.DataFrame(collect(load, settings))


def told(frame: pd.DataFrame, model: LanguageModel, task: str, mode: str = "right") -> tuple[set[str], list[Missing]]:
    found = summarize(frame, TaskSettings(task=task, mode=mode), Facts(model.identity))  # type: ignore[arg-type]
    names = {one.metric.name for one in found if isinstance(one, Measurement)}
    return names, [one for one in found if isinstance(one, Missing)]


PER_BYTE = {"bits_per_byte", "byte_perplexity", "word_perplexity"}


def test_numbers_per_byte_of_texts_are_withheld(model: LanguageModel, tmp_path: Path) -> None:
    frame = rows_of(model, tmp_path, "rolling", str.lower, ROWS)
    assert frame["lost_bytes"].tolist() == [3, 0] and frame["scored_bytes"].tolist() == [11, 7]
    names, [missing] = told(frame, model, "rolling")
    assert not names & PER_BYTE
    assert missing.status is Status.SKIPPED and "the tokenizer loses 3 of 18 bytes" in missing.reason
    assert any("loses 3 of 18 bytes of the scored text of rolling" in note for note in notes_of(frame))


def test_what_comes_back_whole_is_not_remarked_on(model: LanguageModel, tmp_path: Path) -> None:
    frame = rows_of(model, tmp_path, "rolling", str, ROWS)
    names, missing = told(frame, model, "rolling")
    assert names >= PER_BYTE and not missing and not notes_of(frame)


def test_mode_lm_eval_keeps_its_numbers(model: LanguageModel, tmp_path: Path) -> None:
    frame = rows_of(model, tmp_path, "rolling", str.lower, ROWS, "lm-eval")
    names, missing = told(frame, model, "rolling", "lm-eval")
    assert names >= PER_BYTE and not missing and any("loses 3 of 18" in note for note in notes_of(frame))


def test_of_choices_only_numbers_per_byte_are_withheld(model: LanguageModel, tmp_path: Path) -> None:
    names, [missing] = told(rows_of(model, tmp_path, "choice", str.lower, ROWS), model, "choice")
    assert "acc" in names and "gold_bits_per_byte" not in names and "no gold_bits_per_byte" in missing.reason


@pytest.mark.parametrize("task", ["rolling", "choice", "written"])
def test_a_document_with_a_token_that_the_model_has_not_is_broken(
    model: LanguageModel, tmp_path: Path, task: str
) -> None:
    """The others are asked."""
    frame = rows_of(model, tmp_path, task, str, [ROWS[0], {"q": "x", "text": "hello <user> hi"}, ROWS[1]])
    assert frame["broken"].notna().tolist() == [False, True, False]
    reason = str(frame["broken"][1])
    assert reason.startswith(str(tmp_path)) and "document 1: token id 320 ('<user>') is not one of" in reason
    assert "resize_token_embeddings" in reason


def test_where_all_documents_have_such_a_token_the_task_says_so(model: LanguageModel, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="document 0: token id 320"):
        rows_of(model, tmp_path, "written", str, [{"q": "x", "text": "hello <user> hi"}])


def test_the_context_that_cut_a_text_is_told(model: LanguageModel, tmp_path: Path) -> None:
    for text, whole in (("the cat " * 40, False), ("the cat", True)):
        frame = rows_of(model, tmp_path, "rolling", str, [{"q": "", "text": text}])
        assert TASK.resolved(frame) == {"context": 64, "whole_documents": whole}
