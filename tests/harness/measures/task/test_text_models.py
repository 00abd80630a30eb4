"""A model that is no more than texts in and texts out is measured by tasks: the numbers of its twin with logits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.errors import Unsupported, UserError
from harness.measures.measure import Facts
from harness.measures.task.collection import collect
from harness.measures.task.measure import needs
from harness.measures.task.settings import TaskSettings
from harness.measures.task.summary import summarize
from harness.models.contract import Generates, Logits, Scores
from harness.results.record import Measurement
from harness.tasks.files.library import TaskLibrary
from tests.harness.character_ngram import Counts, Texts, WithLogits
from tests.harness.loaded_model import Loaded

TEXT = "the cat sat on the mat. the dog sat on the log. the cow sat on the hay. " * 3 + "who? mat log hay"
ROWS = [{"who": who, "where": where} for where, who in enumerate(("the cat", "the dog", "the cow", "the hay"))]
CHOICES = """
output_type: multiple_choice
doc_to_text: "{{who}} sat on the"
doc_to_choice: [mat, log, hay, cow]
doc_to_target: where
"""
ENDING = """
output_type: loglikelihood
doc_to_text: "{{who}} sat on the"
doc_to_target: " {{['mat', 'log', 'hay', 'cow'][where]}}"
"""
WRITTEN = """
output_type: generate_until
doc_to_text: "{{who}} sat on the"
doc_to_target: "{{['mat', 'log', 'hay', 'cow'][where]}}"
generation_kwargs: {until: ["."], max_gen_toks: 6}
metric_list: [{metric: exact_match}]
"""
WHOLE = """
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{who}} sat on the hay"
"""
TASKS = {"choices": CHOICES, "ending": ENDING, "written": WRITTEN, "whole": WHOLE}
COUNT_TOKENS = {"acc_tokens", "token_accuracy"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tasks")
    (path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    for name, text in TASKS.items():
        head = (
            f"task: {name}\ndataset_path: json\ndataset_kwargs: {{data_files: {{test: rows.jsonl}}}}\ntest_split: test"
        )
        (path / f"{name}.yaml").write_text(head + text)
    return path


@pytest.fixture(scope="module")
def counts() -> Counts:
    return Counts(TEXT)


def measured(model: Any, folder: Path, task: str, **given: Any) -> tuple[pd.DataFrame, dict[str, Measurement]]:
    settings = TaskSettings(task=task, **given)
    frame = pd.DataFrame(collect(Loaded(model, folder), settings))
    found = summarize(frame, settings, Facts(model.identity))
    return frame, {one.metric.name: one for one in found if isinstance(one, Measurement)}


def test_what_each_has(counts: Counts) -> None:
    texts, logits = Texts(counts), WithLogits(counts)
    assert isinstance(texts, Scores) and isinstance(texts, Generates) and not isinstance(texts, Logits)
    assert isinstance(logits, Logits) and not isinstance(logits, Scores | Generates)


@pytest.mark.parametrize("task", ["choices", "ending", "written"])
def test_the_numbers_of_the_twin_with_logits(counts: Counts, folder: Path, task: str) -> None:
    given = {"likelihood": True} if task == "written" else {}
    _, ours = measured(Texts(counts), folder, task, **given)
    _, theirs = measured(WithLogits(counts), folder, task, **given)
    assert set(ours) == set(theirs) - COUNT_TOKENS and set(ours) != set(theirs), "no number of tokens that aren't there"
    for name, number in ours.items():
        assert number.value == pytest.approx(theirs[name].value, rel=1e-5), name
        assert (number.n, number.n_unit) == (theirs[name].n, theirs[name].n_unit)
    assert {"choices": "acc", "ending": "acc", "written": "exact_match"}[task] in ours
    assert 0 < ours["exact_match" if task == "written" else "acc"].value < 1


def test_whole_texts(counts: Counts, folder: Path) -> None:
    """The twin with logits has nothing that stands before a first character, and is refused."""
    _, ours = measured(Texts(counts), folder, "whole")
    total = sum(Texts(counts).loglikelihood_rolling([f"{row['who']} sat on the hay" for row in ROWS]))
    size = sum(len(f"{row['who']} sat on the hay") for row in ROWS)
    assert ours["bits_per_byte"].value == pytest.approx(-total / size / 0.6931471805599453)
    with pytest.raises(UserError, match="neither BOS nor EOS"):
        measured(WithLogits(counts), folder, "whole")


def test_samples_hold_no_tokens(counts: Counts, folder: Path) -> None:
    frame, _ = measured(Texts(counts), folder, "choices")
    first = frame.iloc[0]
    assert not any(map(len, (*first["prompt_ids"], *first["continuation_ids"])))
    assert [len(each) for each in first["log_probs"]] == [1] * 4 and list(first["cut"]) == [0] * 4
    assert json.loads(first["pieces"]) == {} and "lost_bytes" not in frame
    assert list(first["continuations"]) == [" mat", " log", " hay", " cow"]
    written = measured(Texts(counts), folder, "written")[0].iloc[0]
    assert list(written["continuations"]) == [" mat"] and list(written["finish"]) == ["stop_string"]


@pytest.mark.parametrize("task", ["choices", "written"])
def test_what_was_finished_is_not_asked_again(counts: Counts, folder: Path, task: str, tmp_path: Path) -> None:
    class Once(Texts):
        def loglikelihood(self, pairs: Any) -> Any:
            raise AssertionError("asked again")

        def generate_until(self, prompts: Any) -> Any:
            raise AssertionError("asked again")

    settings = TaskSettings(task=task)
    kept = tmp_path / "key"
    first = collect(Loaded(Texts(counts), folder, kept), settings)
    assert collect(Loaded(Once(counts), folder, kept), settings) == first


def test_draws_are_told_to_the_model(counts: Counts, folder: Path) -> None:
    asked = []

    class Heard(Texts):
        def generate_until(self, prompts: Any) -> Any:
            asked.extend(prompts)
            return super().generate_until(prompts)

    given = {"samples": 3, "temperature": 0.5, "top_p": 0.9, "documents": 1}
    frame, _ = measured(Heard(counts), folder, "written", **given)
    assert len({prompt.seed for prompt in asked}) == 3 == len(frame.iloc[0]["continuations"])
    assert {(prompt.temperature, prompt.top_p, prompt.max_new, prompt.until) for prompt in asked} == {
        (0.5, 0.9, 6, (".",))
    }


def test_what_it_can_t_be_asked(counts: Counts, folder: Path) -> None:
    with pytest.raises(UserError, match="ask it without beams"):
        measured(Texts(counts), folder, "written", generation={"num_beams": 2})
    with pytest.raises(Unsupported, match="no chat template"):
        measured(Texts(counts), folder, "choices", chat=True)


@pytest.mark.parametrize(
    ("task", "given", "needed"),
    [
        ("choices", {}, {"scores"}),
        ("ending", {}, {"scores"}),
        ("whole", {}, {"scores"}),
        ("written", {}, {"generates"}),
        ("written", {"likelihood": True}, {"scores", "generates"}),
    ],
)
def test_what_a_task_needs(folder: Path, task: str, given: dict[str, Any], needed: set[str]) -> None:
    assert set(needs(TaskLibrary((str(folder),)), TaskSettings(task=task, **given))) == needed
