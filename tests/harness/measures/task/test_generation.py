"""Written answers of models that say how they end, think and converse: from task file to numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from harness.errors import Unsupported, UserError
from harness.measures.diversity import DiversitySettings
from harness.measures.diversity import collect as continued
from harness.measures.measure import Facts, notes_of
from harness.measures.task.collection import collect
from harness.measures.task.settings import TaskSettings
from harness.measures.task.summary import summarize
from harness.models.contract import LanguageModel, ModelSource
from harness.models.open import open_model
from tests.harness.loaded_model import Loaded
from tests.tiny_models import byte_tokenizer

CHAT = (
    "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)
NUMBER = '[{name: n, filter: [{function: regex, regex_pattern: "([0-9]+)"}, {function: take_first}]}]'
WRITTEN = """
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: rows.jsonl}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{q}}}}"
doc_to_target: "{{{{a}}}}"
metric_list: [{{metric: exact_match}}]
{more}
"""


def scripted(
    folder: Path,
    pieces: Sequence[str],
    *,
    kind: str = "transformers",
    special: Sequence[str] = ("<eos>",),
    ends: Sequence[int] = (),
    template: str | None = None,
    first: str | None = None,
    loops: bool = False,
) -> LanguageModel:
    """A Llama whose next token depends on the last alone: after `:` or `]` it writes the pieces, then `<eos>`.

    special: the special tokens, ids from 0. ends: what its generation_config.json says. first: what the tokenizer puts
    before a text. loops: the last piece again and again instead of `<eos>`.
    """
    from tokenizers import AddedToken, processors
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    backend = byte_tokenizer(special)
    backend.add_tokens([AddedToken(piece, normalized=False) for piece in pieces if piece not in special])
    if first is not None:
        backend.post_processor = processors.TemplateProcessing(
            single=f"{first} $A", special_tokens=[(first, special.index(first))]
        )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<eos>", bos_token=first)
    tokenizer.chat_template = template
    ids = [tokenizer.convert_tokens_to_ids(piece) for piece in pieces]
    script = [*ids, ids[-1] if loops else tokenizer.eos_token_id]
    width = -(-len(tokenizer) // 8) * 8
    shape = LlamaConfig(
        vocab_size=width, hidden_size=width, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=128, tie_word_embeddings=False, eos_token_id=None, bos_token_id=None,
    )  # fmt: skip
    model = LlamaForCausalLM(shape)
    with torch.no_grad():
        model.model.layers[0].self_attn.o_proj.weight.zero_()
        model.model.layers[0].mlp.down_proj.weight.zero_()
        model.model.embed_tokens.weight.copy_(torch.eye(width))
        model.lm_head.weight.zero_()
        for start in (":", "]", "\n"):
            model.lm_head.weight[script[0], tokenizer.encode(start, add_special_tokens=False)[0]] = 2.0
        for one, other in pairwise(script):
            model.lm_head.weight[other, one] = 2.0
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": list(ends)} if ends else {}))
    return open_model(ModelSource("m", kind, str(folder), "d"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [{"q": "How many? Answer:", "a": "5"}, {"q": "And now? Answer:", "a": "5"}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def written(folder: Path, model: LanguageModel, more: str, **given: Any) -> tuple[pd.DataFrame, dict[str, float]]:
    """The samples of a task file with this, and its numbers."""
    (folder / "w.yaml").write_text(WRITTEN.format(name="w", more=more))
    settings = TaskSettings(task=str(folder / "w.yaml"), **given)
    frame = pd.DataFrame(collect(Loaded(model, folder), settings))
    return frame, {m.metric.name: m.value for m in summarize(frame, settings, Facts(model.identity))}


SHORT = "generation_kwargs: {until: [], max_gen_toks: 8}\n"


@pytest.mark.parametrize("kind", ["transformers", "converted"])
@pytest.mark.parametrize("mode", ["right", "lm-eval"])
def test_an_answer_ends_at_every_declared_end(folder: Path, kind: str, mode: str) -> None:
    model = scripted(folder / "m", ["5", "<turn>"], kind=kind, special=("<eos>", "<turn>"), ends=(0, 1), loops=True)
    frame, found = written(folder, model, SHORT, mode=mode)
    assert [list(row) for row in frame.finish] == [["end"]] * 2
    assert [row[0] for row in frame.continuations] == ["5", "5"]
    assert (found["cut_off_answers"], found["exact_match"]) == (0.0, 1.0)


def test_an_end_that_is_spelled_out(folder: Path) -> None:
    model = scripted(folder / "m", ["5", "<", "e", "o", "s", ">", "6"], loops=True)
    frame, _ = written(folder, model, SHORT)
    assert (frame.continuations[0][0], frame.finish[0][0]) == ("5", "stop_string")


def test_diversity_ends_there_too(folder: Path) -> None:
    model = scripted(folder / "m", ["5", "<turn>"], special=("<eos>", "<turn>"), ends=(1,), loops=True)
    (folder / "text.jsonl").write_text(json.dumps({"text": "ab: more"}) + "\n")
    given = {"text": str(folder / "text.jsonl"), "prompt": 3, "generate": 6, "temperature": 0.0}
    [row] = continued(lambda: model, DiversitySettings(**given))  # type: ignore[arg-type]
    assert row["ended"] and len(row["tokens"]) == 1
    [row] = continued(lambda: model, DiversitySettings(**given, stop_at_end=False))  # type: ignore[arg-type]
    assert not row["ended"] and len(row["tokens"]) == 6


THOUGHT = ["<think>", " 3 apples", "\n\n", "so 4", "</think>", "\n \n", "The answer is 5"]
THINKS = f'generation_kwargs: {{until: ["\\n\\n"], max_gen_toks: 16}}\nfilter_list: {NUMBER}\n'


@pytest.mark.parametrize("tags", [("<think>", "</think>"), ("[THINK]", "[/THINK]"), ("<thought>", "</thought>")])
@pytest.mark.parametrize("special", [True, False])
def test_a_thought_is_no_part_of_the_answer(folder: Path, tags: tuple[str, str], special: bool) -> None:
    pieces = [tags[THINKING.index(piece)] if piece in THINKING else piece for piece in THOUGHT]
    model = scripted(folder / "m", pieces, special=("<eos>", *tags) if special else ("<eos>",))
    frame, found = written(folder, model, THINKS)
    assert frame.continuations[0][0] == "The answer is 5"
    assert frame.thoughts[0][0] == "3 apples\n\nso 4"
    assert (found["exact_match"], found["extraction_failure"], found["unfinished_thoughts"]) == (1.0, 0.0, 0.0)
    assert len(frame.continuation_ids[0]) == 1 and len(frame.continuation_ids[0][0]) == 8, "all tokens are kept"


THINKING = ("<think>", "</think>")


def test_thoughts_are_left_alone_where_the_suite_or_the_mode_says_so(folder: Path) -> None:
    model = scripted(folder / "m", THOUGHT)
    for given in ({"thinking": "off"}, {"mode": "lm-eval"}):
        frame, found = written(folder, model, THINKS, **given)
        assert frame.continuations[0][0] == "<think> 3 apples"
        assert found["exact_match"] == 0.0 and "unfinished_thoughts" not in found and "thoughts" not in frame


def test_a_thought_that_the_prompt_opened(folder: Path) -> None:
    template = CHAT + "{% if add_generation_prompt and enable_thinking is not defined %}<think>\n{% endif %}"
    model = scripted(folder / "m", [*THOUGHT[1:]], template=template)
    frame, found = written(folder, model, THINKS, chat=True)
    assert frame.prompts[0][0].endswith("[assistant]<think>\n")
    assert (frame.continuations[0][0], frame.thoughts[0][0]) == ("The answer is 5", "3 apples\n\nso 4")
    assert found["exact_match"] == 1.0
    given = {"chat": True, "chat_template_args": {"enable_thinking": False}}
    frame, _ = written(folder, model, THINKS, **given)
    assert frame.prompts[0][0].endswith("[assistant]") and not notes_of(frame)
    frame, _ = written(folder, model, THINKS, chat=True, chat_template_args={"thinking_budget": 3})
    assert notes_of(frame) == ["the chat template of m knows no `thinking_budget` (setting `chat_template_args`)"]


@pytest.mark.parametrize("ended", [True, False])
def test_a_thought_that_is_not_finished_has_no_answer(folder: Path, ended: bool) -> None:
    model = scripted(folder / "m", ["<think>", " 5"], loops=not ended)
    (frame, found) = written(folder, model, SHORT + f"filter_list: {NUMBER}\n")
    assert frame.continuations[0][0] == "" and not frame.answered[0][0]
    assert json.loads(frame.extracted[0]) == {"n": "[invalid]"}, "5 stands in the thought alone"
    assert (found["exact_match"], found["extraction_failure"], found["unfinished_thoughts"]) == (0.0, 1.0, 1.0)
    assert found["cut_off_answers"] == float(not ended)
    _, plain = written(folder, model, SHORT)
    assert (plain["exact_match"], plain["extraction_failure"]) == (0.0, 1.0), "also without a filter that may fail"


def test_a_thought_that_the_task_file_begins(folder: Path) -> None:
    model = scripted(folder / "m", [*THOUGHT[1:]])
    frame, found = written(folder, model, THINKS + 'doc_to_text: "{{q}}<think>\\nOkay:"\n')
    assert (frame.continuations[0][0], frame.thoughts[0][0]) == ("The answer is 5", "3 apples\n\nso 4")
    assert found["exact_match"] == 1.0


SYSTEM_REFUSED = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}" + CHAT
SYSTEM_DROPPED = "{% for m in messages if m['role'] != 'system' %}{{ m['content'] }}{% endfor %}"


@pytest.mark.parametrize(
    ("template", "told"), [(SYSTEM_REFUSED, "refuses a system message"), (SYSTEM_DROPPED, "drops the system message")]
)
def test_a_template_without_a_system_prompt_skips_the_cell(folder: Path, template: str, told: str) -> None:
    model = scripted(folder / "m", ["5"], template=template)
    with pytest.raises(Unsupported, match=told):
        written(folder, model, SHORT, chat=True, system="Be brief.")
    written(folder, model, SHORT, chat=True)


def test_text_that_only_looks_like_a_thought(folder: Path) -> None:
    """The tags are letters of this model: nothing declares them."""
    model = scripted(folder / "m", list("<i>5"))
    frame, _ = written(folder, model, SHORT)
    assert frame.continuations[0][0] == "<i>5" and "thoughts" not in frame


def test_choices_are_not_scored_inside_a_thought(folder: Path) -> None:
    template = CHAT + "{% if add_generation_prompt and enable_thinking is not defined %}<think>\n{% endif %}"
    model = scripted(folder / "m", ["5"], template=template)
    text = WRITTEN.format(name="c", more="doc_to_choice: [five, six]\n").replace("generate_until", "multiple_choice")
    (folder / "c.yaml").write_text(text.replace("exact_match", "acc").replace("{{a}}", "five"))
    settings = {"task": str(folder / "c.yaml"), "chat": True}
    with pytest.raises(Unsupported, match="the prompt ends within a thought"):
        collect(Loaded(model, folder), TaskSettings(**settings))
    for more in ({"chat_template_args": {"enable_thinking": False}}, {"thinking": "off"}):
        rows = collect(Loaded(model, folder), TaskSettings(**settings, **more))
        assert [row["gold"] for row in rows] == [[0], [0]]


@pytest.mark.parametrize("mode", ["right", "lm-eval"])
@pytest.mark.parametrize("writes", [True, False])
def test_one_bos_whoever_writes_it(folder: Path, mode: str, writes: bool) -> None:
    template = ("{{ bos_token }}" if writes else "") + CHAT
    model = scripted(folder / "m", ["5"], special=("<eos>", "<s>"), first="<s>", template=template)
    frame, _ = written(folder, model, SHORT, chat=True, mode=mode)
    ids = list(frame.prompt_ids[0][0])
    assert ids[0] == 1 and ids.count(1) == 1


def test_the_date_of_a_chat_template_is_a_setting(folder: Path) -> None:
    model = scripted(folder / "m", ["5"], template="Today is {{ strftime_now('%d %b %Y') }}\n" + CHAT)
    frame, _ = written(folder, model, SHORT, chat=True)
    assert frame.prompts[0][0].startswith("Today is 26 Jul 2024\n")
    assert notes_of(frame) == ["the chat template was given the date 2024-07-26 (setting `date`)"]
    frame, _ = written(folder, model, SHORT, chat=True, date="2025-02-28")
    assert frame.prompts[0][0].startswith("Today is 28 Feb 2025\n")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"date": "2025-02-30"}, "2025-02-30 is not a date"),
        ({"date": "yesterday"}, "date"),
        ({"chat": True, "chat_template_args": "thinking"}, "is a mapping of names to values"),
        ({"chat": True, "chat_template_args": [1]}, "is a mapping of names to values"),
        ({"chat_template_args": {"a": 1}}, "set `chat: true`"),
    ],
)
def test_settings_that_can_not_be(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        TaskSettings(task="t", **given)


def test_arguments_of_a_template_are_one_scalar_whatever_their_order() -> None:
    one = TaskSettings(task="t", chat=True, chat_template_args={"b": 1, "a": False})
    other = TaskSettings(task="t", chat=True, chat_template_args='{"a": false, "b": 1}')
    assert one == other and one.chat_template_args == '{"a": false, "b": 1}'


def test_special_tokens_and_empty_questions_in_the_data_are_told(folder: Path) -> None:
    rows = [{"q": "x:", "a": "5"}, {"q": "", "a": "5"}, {"q": "y <eos> z:", "a": "5"}]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    frame, _ = written(folder, scripted(folder / "m", ["5"], special=("<eos>", "<s>"), first="<s>"), SHORT)
    assert notes_of(frame) == [
        "w: the question is empty in document 1",
        "w: special tokens of this model (<eos>) are spelled in the data of document 2; it reads them as those tokens",
    ]


def test_a_written_temperature_of_0_is_greedy(folder: Path) -> None:
    model = scripted(folder / "m", ["5", "6", "7"])
    more = "repeats: 3\ngeneration_kwargs: {{do_sample: true, temperature: {t}, until: [], max_gen_toks: 4}}\n"
    zero, _ = written(folder, model, more.format(t="0.0"))
    assert list(zero.continuations[0]) == ["567"] * 3
    with pytest.raises(UserError, match="`do_sample: true` without a temperature above 0"):
        written(folder, model, more.format(t="0.0"), mode="lm-eval")
    drawn, _ = written(folder, model, more.format(t="9.0"))
    assert len(set(drawn.continuations[0])) == 3
    cold, _ = written(folder, model, more.format(t="9.0"), temperature=0)
    assert list(cold.continuations[0]) == ["567"] * 3, "the suite's too"


def test_beams_where_the_file_asks_for_them(folder: Path) -> None:
    model = scripted(folder / "m", ["5", "6", "7"])
    frame, found = written(folder, model, "generation_kwargs: {num_beams: 3, until: ['7'], max_gen_toks: 8}\n")
    assert (frame.continuations[0][0], frame.finish[0][0]) == ("56", "stop_string")
    assert found["cut_off_answers"] == 0.0


def test_few_shot_examples_that_show_the_question_itself_are_left_out(folder: Path) -> None:
    rows = [{"id": n, "q": f"{'What is one' if n % 3 == 0 else f'Number {n}'}? Answer:", "a": "5"} for n in range(9)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    model = scripted(folder / "m", ["5"])
    more = SHORT + "training_split: test\nfewshot_delimiter: '|'\n"
    frame, _ = written(folder, model, more, shots=4)
    for place, (document, shots) in enumerate(zip(frame.document, frame.shots, strict=True)):
        assert document == place and len(shots) == 4
        assert all(rows[shot]["q"] != rows[document]["q"] for shot in shots)
    assert frame.prompts[0][0].count("What is one") == 1
    theirs, _ = written(folder, model, more, shots=4, mode="lm-eval")
    assert any("What is one" in prompt[0].rpartition("|")[0] for prompt in theirs.prompts[::3]), "lm-eval shows them"
