"""The measure `task`, from task files to numbers: against one forward pass per choice; resumed, broken, controlled."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import settings as examined
from hypothesis import strategies as st

from harness.errors import Unsupported, UserError
from harness.measures.measure import Facts
from harness.measures.task.collection import collect
from harness.measures.task.settings import TaskSettings
from harness.measures.task.summary import summarize
from harness.models.contract import LanguageModel, ModelSource
from harness.models.open import open_model
from harness.results.record import Measurement, Missing, Status
from tests.harness.loaded_model import Loaded

ANIMALS = ["cat", "dog", "bird", "the river", "old tree", "red barn", "mat", "a", "café", "東京"]
CHOICES = """
task: animals
dataset_path: json
dataset_kwargs: {data_files: {test: animals.jsonl, train: train.jsonl}}
test_split: test
training_split: train
output_type: multiple_choice
doc_to_text: "Q: {{question}}\\nA:"
doc_to_choice: choices
doc_to_target: gold
cluster: passage
"""
WRITTEN = """
task: written
dataset_path: json
dataset_kwargs: {data_files: {test: animals.jsonl}}
test_split: test
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{choices[gold]}}"
generation_kwargs: {until: ["\\n"], max_gen_toks: 5}
metric_list: [{metric: exact_match, ignore_case: true}]
filter_list:
  - name: strict
    filter: [{function: regex, regex_pattern: "answer is (\\\\w+)"}, {function: take_first}]
  - name: flexible
    filter: [{function: regex, regex_pattern: "(\\\\w+)"}, {function: take_first}]
reasoning:
  direct: {}
  cot: {gen_prefix: "Let us see."}
"""
WHOLE = """
task: whole
dataset_path: json
dataset_kwargs: {data_files: {test: animals.jsonl}}
test_split: test
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{question}} {{choices|join(', ')}}"
"""
ENDING = """
task: ending
dataset_path: json
dataset_kwargs: {data_files: {test: animals.jsonl}}
test_split: test
output_type: loglikelihood
doc_to_text: "{{question}}"
doc_to_target: " {{choices[gold]}}"
"""


def documents(count: int, offset: int = 0) -> list[dict[str, Any]]:
    rows = []
    for number in range(offset, offset + count):
        choices = [ANIMALS[(number + step * 3) % len(ANIMALS)] for step in range(4)]
        question = f"what sat on {ANIMALS[number % 7]} {number}?"
        rows.append({"question": question, "choices": choices, "gold": number * 7 % 4, "passage": f"p{number // 3}"})
    return rows


def write_tasks(folder: Path, rows: list[dict[str, Any]]) -> None:
    lines = {"animals": rows, "train": documents(12, offset=1000)}
    for name, content in lines.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in content))
    for name, text in {"animals": CHOICES, "written": WRITTEN, "whole": WHOLE, "ending": ENDING}.items():
        (folder / f"{name}.yaml").write_text(text)
    (folder / "group.yaml").write_text("group: both\ntask: [animals, ending]\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tasks")
    write_tasks(path, documents(11))
    return path


@pytest.fixture(scope="module")
def model(llama_folder: Path) -> LanguageModel:
    return open_model(ModelSource("m", "converted", str(llama_folder), "d"))


def asked(model: LanguageModel, folder: Path, task: str, **given: Any) -> list[dict[str, Any]]:
    return collect(Loaded(model, folder), TaskSettings(task=task, **given))


def measured(rows: list[dict[str, Any]], model: LanguageModel, task: str, **given: Any) -> dict[str, Measurement]:
    found = summarize(pd.DataFrame(rows), TaskSettings(task=task, **given), Facts(model.identity))
    return {m.metric.name if m.part is None else f"{m.metric.name} {m.part}": m for m in found}


def log_prob(model: LanguageModel, before: list[int], after: list[int]) -> float:
    """One request, one forward pass, every logit: the slow and obvious way."""
    tokens = torch.tensor([before + after])
    logits = model.forward(tokens).double().log_softmax(-1)[0]
    return sum(float(logits[len(before) - 1 + i, token]) for i, token in enumerate(after))


def test_choices_are_scored_as_one_by_one(model: LanguageModel, folder: Path) -> None:
    rows = asked(model, folder, "animals", context=64)
    assert [row["document"] for row in rows] == list(range(11))
    for row in rows:
        prompt = f"Q: {documents(11)[row['document']]['question']}\nA:"
        assert row["prompts"] == [prompt]
        before = model.tokenizer.encode(prompt)
        each = []
        for place, choice in enumerate(row["choices"]):
            after = model.tokenizer.encode(f"{prompt} {choice}")[len(before) :]
            each.append(log_prob(model, before, after))
            assert sum(row["log_probs"][place]) == pytest.approx(each[-1], abs=1e-4)
        assert row["acc"] == float(each.index(max(each)) == row["gold"][0])
    found = measured(rows, model, "animals")
    assert found["acc"].value == pytest.approx(sum(row["acc"] for row in rows) / 11)
    assert found["acc"].low is not None and found["acc"].low <= found["acc"].value <= (found["acc"].high or 0)
    assert "clusters" in found["acc"].interval  # documents share passages
    assert found["chance"].value == 0.25 and found["broken_documents"].value == 0


def test_every_output_type_and_group(model: LanguageModel, folder: Path) -> None:
    whole = measured(asked(model, folder, "whole"), model, "whole")
    assert whole["bits_per_byte"].value == pytest.approx(math.log2(whole["byte_perplexity"].value))
    ending = measured(asked(model, folder, "ending"), model, "ending")
    assert {"perplexity", "acc", "gold_bits_per_byte"} <= set(ending)
    rows = asked(model, folder, "both")
    both = measured(rows, model, "both")
    assert both["acc"].n == 22 and "strata" in both["acc"].interval
    assert both["acc"].value == pytest.approx((both["acc animals"].value + both["acc ending"].value) / 2)


def test_written_answers_by_every_rule_and_reasoning(model: LanguageModel, folder: Path) -> None:
    rows = asked(model, folder, "written")
    found = measured(rows, model, "written")
    assert {"exact_match strict", "exact_match flexible", "extraction_failure strict"} <= set(found)
    assert found["extraction_failure strict"].value == 1.0  # a random model never says "answer is"
    assert all(len(row["continuation_ids"][0]) <= 5 for row in rows)
    thinking = asked(model, folder, "written", reasoning="cot")
    assert thinking[0]["prompts"][0].endswith("Let us see.")
    drawn = asked(model, folder, "written", samples=3, temperature=1.0)
    assert all(len(row["continuations"]) == 3 for row in drawn)
    assert "exact_match flexible-maj@3" in measured(drawn, model, "written", samples=3, temperature=1.0)
    again = asked(model, folder, "written", samples=3, temperature=1.0, documents=4)
    by_document = {row["document"]: row["continuations"] for row in drawn}
    assert all(row["continuations"] == by_document[row["document"]] for row in again)  # whatever else is asked


def test_space_that_makes_an_answer_wrong_is_counted_in_mode_lm_eval(model: LanguageModel, tmp_path: Path) -> None:
    write_tasks(tmp_path, documents(4))
    said = [row["continuations"][0] for row in asked(model, tmp_path, "written")]
    rows = [{**row, "choices": [f" {text}\n"], "gold": 0} for row, text in zip(documents(4), said, strict=True)]
    plain = WRITTEN.split("filter_list")[0].replace("task: written", "task: plain")
    (tmp_path / "plain.yaml").write_text(plain.replace("choices[gold]}}", "choices[0]}}"), encoding="utf-8")
    (tmp_path / "animals.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    rows = asked(model, tmp_path, "plain", mode="lm-eval")
    assert "4 of 4 documents are wrong only by white space" in rows[0]["notes"]
    wrong = measured(rows, model, "plain", mode="lm-eval")
    assert (wrong["exact_match"].value, wrong["wrong_by_space"].value, wrong["wrong_by_space"].n) == (0, 4, 4)
    right = measured(asked(model, tmp_path, "plain"), model, "plain")
    assert right["exact_match"].value == 1 and "wrong_by_space" not in right


def test_the_right_answer_of_a_written_one_is_scored_as_it_would_follow(model: LanguageModel, folder: Path) -> None:
    """Teacher-forced: against one forward pass, and the answers are those without `likelihood`."""
    rows = asked(model, folder, "written", likelihood=True)
    plain = asked(model, folder, "written")
    assert [row["continuations"] for row in rows] == [row["continuations"] for row in plain]
    for row in rows:
        before = model.tokenizer.encode(row["prompts"][0])
        after = model.tokenizer.encode(f"{row['prompts'][0]} {row['target'][0]}")[len(before) :]
        logits = model.forward(torch.tensor([before + after]))[0, len(before) - 1 : -1]
        assert sum(row["right_log_probs"]) == pytest.approx(log_prob(model, before, after), abs=1e-4)
        assert row["right_hits"] == int((logits.argmax(-1) == torch.tensor(after)).sum())
        assert row["token_accuracy"] == row["right_hits"] / len(after)
    found = measured(rows, model, "written", likelihood=True)
    assert found["token_accuracy"].value == pytest.approx(sum(row["token_accuracy"] for row in rows) / 11)
    assert found["gold_bits_per_byte"].value > 0 and "token_accuracy" not in measured(plain, model, "written")
    thinking = asked(model, folder, "written", likelihood=True, reasoning="cot")
    assert "token_accuracy" not in thinking[0]  # how the right steps would read nobody says


def test_a_likelihood_counts_the_tokens_that_are_hit(model: LanguageModel, folder: Path) -> None:
    rows = asked(model, folder, "ending")
    assert all(row["greedy"][0] == (row["hits"][0] == len(row["log_probs"][0])) for row in rows)
    assert measured(rows, model, "ending")["token_accuracy"].value == pytest.approx(
        sum(row["hits"][0] / len(row["log_probs"][0]) for row in rows) / 11
    )


def test_examples_depend_on_seed_task_and_document_alone(model: LanguageModel, folder: Path) -> None:
    whole = {row["document"]: row["shots"] for row in asked(model, folder, "animals", shots=2)}
    few = {row["document"]: row["shots"] for row in asked(model, folder, "animals", shots=2, documents=3)}
    assert few == {number: whole[number] for number in few} and len(few) == 3
    other = {row["document"]: row["shots"] for row in asked(model, folder, "animals", shots=2, shot_seed=1)}
    assert other != whole
    longer = asked(model, folder, "animals", shots=1)[0]
    row = documents(12, offset=1000)[longer["shots"][0]]
    assert longer["prompts"][0].startswith(f"Q: {row['question']}\nA: {row['choices'][row['gold']]}\n\nQ: ")


@examined(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(min_value=1, max_value=10), st.sampled_from(["animals", "written", "both"]))
def test_resumed_is_straight(
    model: LanguageModel, folder: Path, tmp_path_factory: pytest.TempPathFactory, kept: int, task: str
) -> None:
    """A kill after some documents, with half a line written: the rest is asked, and all is as if nothing had been."""
    unfinished = tmp_path_factory.mktemp("unfinished") / "cell.jsonl"
    chosen = TaskSettings(task=task)
    straight = collect(Loaded(model, folder, unfinished), chosen)
    lines = unfinished.read_text().splitlines(keepends=True)
    unfinished.write_text("".join(lines[:kept]) + lines[kept][:9])
    resumed = collect(Loaded(model, folder, unfinished), chosen)
    for one, other in zip(straight, resumed, strict=True):
        assert one.keys() == other.keys()
        for key in one.keys() - {"log_probs", "items"}:
            alike = pytest.approx(other[key], abs=1e-5) if isinstance(other[key], float) else other[key]
            assert one[key] == alike, key
        for a, b in zip(one["log_probs"], other["log_probs"], strict=True):
            assert a == pytest.approx(b, abs=1e-5)


@pytest.mark.parametrize("task", ["animals", "written"])
def test_lines_that_cannot_be_read_are_asked_again(
    model: LanguageModel, folder: Path, tmp_path: Path, task: str
) -> None:
    unfinished = tmp_path / "cell.jsonl"
    straight = collect(Loaded(model, folder, unfinished), TaskSettings(task=task))
    good = unfinished.read_bytes().split(b"\n")[:-1]
    nonsense = [b"\0" * 9, b"\xff\xfe", b"{", b"[]", b"{}", b'{"task": "%s", "document": 3}' % task.encode()]
    unfinished.write_bytes(b"".join(line + b"\n" for line in [*good[:2], *nonsense, good[4]]))
    again = collect(Loaded(model, folder, unfinished), TaskSettings(task=task))
    assert [row["continuations"] for row in again] == [row["continuations"] for row in straight]
    assert {json.loads(line)["document"] for line in unfinished.read_bytes().splitlines()} == set(range(11))


def test_a_broken_document_is_counted_and_told(model: LanguageModel, tmp_path: Path) -> None:
    rows = documents(8)
    rows[2]["choices"] = ["cat", "", "dog", "bird"]
    rows[3]["gold"] = 9
    rows[5]["choices"] = None
    rows[6]["choices"] = ["cat " * 80, "a", "b", "c"]
    write_tasks(tmp_path, rows)
    found = asked(model, tmp_path, "animals")
    broken = {row["document"]: row["broken"] for row in found if row["broken"]}
    assert set(broken) == {2, 3, 5, 6}
    file = tmp_path / "animals.yaml"
    assert broken[2].startswith(f"{file}:doc_to_choice: document 2: choice 1 is empty")
    assert broken[3].startswith(f"{file}:doc_to_target: document 3: the right answer is 9")
    assert broken[5].startswith(f"{file}:doc_to_choice: document 5:")
    assert broken[6].startswith(f"{file}: document 6: the continuation") and "context" in broken[6]
    numbers = measured(found, model, "animals")
    assert numbers["broken_documents"].value == 4 and numbers["acc"].n == 4


def test_half_a_character_breaks_one_document(model: LanguageModel, tmp_path: Path) -> None:
    rows = documents(4)
    rows[1]["question"] = "\ud83d"
    rows[2]["choices"] = ["cat", "\udc00", "dog", "bird"]
    write_tasks(tmp_path, rows)
    broken = {row["document"]: row["broken"] for row in asked(model, tmp_path, "animals") if row["broken"]}
    assert set(broken) == {1, 2}
    assert "\\ud83d" in broken[1] and "\\udc00" in broken[2]


@pytest.mark.parametrize(
    ("content", "told"), [("", "none.jsonl: it has no rows"), (None, "none.jsonl (`data_files` of ")]
)
def test_a_task_of_a_group_without_documents_is_no_silence(
    model: LanguageModel, tmp_path: Path, content: str | None, told: str
) -> None:
    write_tasks(tmp_path, documents(4))
    if content is not None:
        (tmp_path / "none.jsonl").write_text(content)
    (tmp_path / "none.yaml").write_text(CHOICES.replace("task: animals", "task: none").replace("animals.", "none."))
    (tmp_path / "group.yaml").write_text("group: both\ntask: [animals, none]\n")
    rows = asked(model, tmp_path, "both")
    numbers = summarize(pd.DataFrame(rows), TaskSettings(task="both"), Facts(model.identity))
    mine = {(one.metric.name, one.part): one.n for one in numbers if isinstance(one, Measurement)}
    assert mine["acc", "animals"] == 4 and ("acc", None) not in mine
    group, task = (one for one in numbers if isinstance(one, Missing))
    assert (group.part, group.status) == (None, Status.FAILED)
    assert group.reason == "the group both has no number, because its task none has none"
    assert task.part == "none" and task.reason.startswith("task none: ")
    assert told in task.reason


def test_a_task_alone_without_documents_is_an_error(model: LanguageModel, tmp_path: Path) -> None:
    write_tasks(tmp_path, [])
    with pytest.raises(UserError, match=r"animals.jsonl: it has no rows"):
        asked(model, tmp_path, "animals")


def test_documents_without_a_cluster_are_clusters_of_their_own(model: LanguageModel, tmp_path: Path) -> None:
    write_tasks(tmp_path, [{**row, "passage": None} for row in documents(8)])
    rows = asked(model, tmp_path, "animals")
    assert [row["cluster"] for row in rows] == [None] * 8
    assert measured(rows, model, "animals")["acc"].interval == "Wilson over documents"


def test_a_group_by_its_file_is_the_whole_cell(model: LanguageModel, folder: Path) -> None:
    file = str(folder / "group.yaml")
    found = measured(asked(model, folder, file), model, file)
    assert found["acc"].n == 22 and "acc both" not in found


def test_a_share_of_answers_that_were_cut_off_stays_a_share(model: LanguageModel, folder: Path) -> None:
    drawn = [{**row, "finish": ["length", "length"]} for row in asked(model, folder, "written")]
    cut_off = measured(drawn, model, "written")["cut_off_answers"]
    assert cut_off.value == cut_off.high == 1.0
    assert cut_off.low is not None and 0.5 < cut_off.low < 1.0  # eleven documents are no certainty


def test_a_long_prompt_loses_its_beginning_and_says_so(model: LanguageModel, folder: Path) -> None:
    rows = asked(model, folder, "animals", shots=3)
    assert all(max(row["cut"]) > 0 for row in rows)
    assert measured(rows, model, "animals")["truncated_documents"].value == len(rows)
    assert all(len(row["prompt_ids"][0]) <= model.identity.context for row in rows)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"task": "animal"}, "animals"),
        ({"task": "animals", "shots": 50}, "50 few-shot examples are wanted"),
        ({"task": "animals", "reasoning": "cot"}, "reasoning"),
        ({"task": "animals", "samples": 4, "temperature": 1.0}, "writes no answers"),
        ({"task": "written", "samples": 4}, "temperature"),
        ({"task": "animals", "shots": 2, "sampler": "fixed"}, "examples that the file gives"),
    ],
)
def test_bad_input_is_one_sentence(model: LanguageModel, folder: Path, given: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        collect(Loaded(model, folder), TaskSettings(**given))


def test_what_the_model_lacks_is_unsupported(folder: Path, model: LanguageModel) -> None:
    with pytest.raises(Unsupported, match="chat template"):
        asked(model, folder, "animals", chat=True)
    with pytest.raises(Unsupported, match="context of 65"):
        asked(model, folder, "animals", context=65)


def test_a_random_model_stays_at_chance(model: LanguageModel, tmp_path: Path) -> None:
    """The control: golds that nothing tells are guessed, and the interval says so."""
    rows = documents(400)
    for number, row in enumerate(rows):
        row["gold"] = (number * 2_654_435_761 >> 16) % 4  # no relation to the text
        row["passage"] = str(number)
    write_tasks(tmp_path, rows)
    acc = measured(asked(model, tmp_path, "animals"), model, "animals")["acc"]
    assert acc.low is not None and acc.high is not None and acc.low <= 0.25 <= acc.high
    assert acc.high - acc.low < 0.1
