"""Prompts in mode lm-eval: character by character what lm-evaluation-harness 0.4.13 asks of the same task.

`PROMPTS` are that harness' own output for these configurations and rows (its seed of examples is 1234).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.tasks.ask import Choice
from harness.tasks.config import FewshotConfig, TaskConfig
from harness.tasks.prompts.fewshot import Draw, Pool, draw_as_lm_eval
from harness.tasks.prompts.prompt import ask
from harness.tasks.prompts.prompt_settings import PromptSettings
from harness.tasks.task import Task

# fmt: off
DOCUMENT = 1  # of the rows that are asked: the stream of random numbers has moved on
ROWS: list[dict[str, Any]] = [
    {"q": f"q{i}", "choices": [f"a{i}", f"b{i} ", f"c{i}"], "label": i % 3, "ans": f"a{i}" if i % 2 else "",
     "pre": "A:" if i % 2 else "A: ", "many": [f"m{i}", f"n{i}"]}
    for i in range(4)
]
POOL: list[dict[str, Any]] = [
    {**ROWS[0], "q": f"p{i}", "choices": [f"x{i}", f"y{i}", f"z{i}"], "label": i % 3, "ans": f"x{i}" if i % 2 else ""}
    for i in range(7)
]
CHOICE = {
    "output_type": "multiple_choice",
    "doc_to_text": "Q: {{q}}\nA:", "doc_to_choice": "choices", "doc_to_target": "label",
}
LIKELIHOOD = {"output_type": "loglikelihood", "doc_to_text": "{{q}} is", "doc_to_target": "{{' ' + ans}}"}
SINGLE, MULTI = {"chat": True, "multi_turn": False}, {"chat": True, "multi_turn": True}
WRITTEN = {"output_type": "generate_until", "doc_to_text": "q", "doc_to_target": "ans"}
APART, TOGETHER = {"test_split": "rows", "training_split": "pool"}, {"validation_split": "rows"}
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "no examples": ({**APART, **CHOICE}, {}),
    "a pool apart": ({**APART, **CHOICE}, {"shots": 5}),
    "the same split, one drawn more": ({**TOGETHER, **CHOICE}, {"shots": 2}),
    "a document among its own examples": ({"test_split": "rows", **CHOICE}, {"shots": 4}),
    "the split itself is named": ({"test_split": "rows", "fewshot_split": "rows", **CHOICE}, {"shots": 3}),
    "the first ones": ({**TOGETHER, **CHOICE, "fewshot_config": {"sampler": "first_n"}}, {"shots": 2}),
    "choices that are questions": (
        {**APART, **CHOICE, "doc_to_text": "{{label}}", "doc_to_target": "{{q}}.", "gen_prefix": "So"}, {"shots": 1}),
    "description, delimiters, empty answers": (
        {**APART, **WRITTEN, "description": "Say {{q}}.", "target_delimiter": "=>", "fewshot_delimiter": "\n"},
        {"shots": 2, "system": "Be brief."}),
    "an answer begun": ({**APART, **CHOICE, "gen_prefix": "pre"}, {"shots": 2}),
    "several right answers": ({**APART, **WRITTEN, "doc_to_target": "{{many}}", "gen_prefix": " so "}, {"shots": 1}),
    "the likelihood of a text": ({**APART, **LIKELIHOOD}, {"shots": 1}),
    "without context": ({**APART, **CHOICE, "metric_list": ["acc_mutual_info"]}, {}),
    "examples shown otherwise": (
        {**APART, **CHOICE, "fewshot_config": {
            "doc_to_text": "E {{q}}", "doc_to_target": "{{label + 1}}", "doc_to_choice": ["i", "j", "k", "l"],
            "target_delimiter": "-", "fewshot_delimiter": ";", "gen_prefix": "is"}},
        {"shots": 2}),
    "a conversation": ({**APART, **CHOICE, "description": "D."}, {"shots": 1, **MULTI, "system": "S"}),
    "one turn": ({**APART, **CHOICE}, {"shots": 1, **SINGLE, "system": "S"}),
    "one turn, an answer begun": ({**APART, **CHOICE, "gen_prefix": "It is"}, {"shots": 1, **SINGLE}),
    "a conversation, an answer begun with a space": (
        {**APART, **CHOICE, "gen_prefix": "It is "}, {"shots": 1, **MULTI}),
}
PROMPTS: dict[str, tuple[list[str], list[str]]] = {  # contexts and continuations, each named once where all are equal
    "no examples": (["Q: q1\nA:"], [" a1", " b1 ", " c1"]),
    "a pool apart": (
        ["Q: p6\nA: x6\n\nQ: p4\nA: y4\n\nQ: p0\nA: x0\n\nQ: p5\nA: z5\n\nQ: p3\nA: x3\n\nQ: q1\nA:"],
        [" a1", " b1 ", " c1"]),
    "the same split, one drawn more": (["Q: q0\nA: a0\n\nQ: q2\nA: c2\n\nQ: q1\nA:"], [" a1", " b1 ", " c1"]),
    "a document among its own examples": (
        ["Q: q0\nA: a0\n\nQ: q2\nA: c2\n\nQ: q3\nA: a3\n\nQ: q1\nA: b1 \n\nQ: q1\nA:"],
        [" a1", " b1 ", " c1"]),
    "the split itself is named": (
        ["Q: q0\nA: a0\n\nQ: q2\nA: c2\n\nQ: q3\nA: a3\n\nQ: q1\nA:"],
        [" a1", " b1 ", " c1"]),
    "the first ones": (["Q: q0\nA: a0\n\nQ: q2\nA: c2\n\nQ: q1\nA:"], [" a1", " b1 ", " c1"]),
    "choices that are questions": (["x3 So p3.\n\na1So", "x3 So p3.\n\nb1 So", "x3 So p3.\n\nc1So"], [" q1."]),
    "description, delimiters, empty answers": (["Be brief.\nSay q1.p0p6q1"], [""]),
    "an answer begun": (["Q: p0\nA: A: x0\n\nQ: p6\nA: A: x6\n\nQ: q1\nA: A:"], [" a1", " b1 ", " c1"]),
    "several right answers": (["p3 so m0\n\nq1 so "], [""]),
    "the likelihood of a text": (["p3 is  x3\n\nq1 is"], [" a1"]),
    "without context": (
        ["Q: q1\nA:", "Q: q1\nA:", "Q: q1\nA:", "", "", ""],
        [" a1", " b1 ", " c1", " a1", " b1 ", " c1"]),
    "examples shown otherwise": (["E p0-is j;E p6-is j;Q: q1\nA:"], [" a1", " b1 ", " c1"]),
    "a conversation": (["<s>S\n\nD.</><u>Q: p3\nA:</><a>x3</><u>Q: q1\nA:</><a>"], ["a1", "b1 ", "c1"]),
    "one turn": (["<s>S</><u>Q: p3\nA: x3\n\nQ: q1\nA:</><a>"], ["a1", "b1 ", "c1"]),
    "one turn, an answer begun": (["<u>Q: p3\nA: It is x3\n\nQ: q1\nA:</><a>It is"], [" a1", " b1 ", " c1"]),
    "a conversation, an answer begun with a space": (
        ["<u>Q: p3\nA:</><a>It is x3</><u>Q: q1\nA:</><a>It is "],
        ["a1", "b1 ", "c1"]),
}
# fmt: on


def told(messages: list[dict[str, str]], add_generation_prompt: bool, continue_final_message: bool) -> str:
    """A small chat template."""
    assert continue_final_message is not add_generation_prompt
    text = "".join(f"<{message['role'][0]}>{message['content']}</>" for message in messages)
    return text + "<a>" if add_generation_prompt else text[:-3]


@pytest.mark.parametrize("case", CASES)
def test_prompt(case: str) -> None:
    keys, given = CASES[case]
    pmi = "metric_list" in keys
    keys = {name: value for name, value in keys.items() if name != "metric_list"}
    if "fewshot_config" in keys:
        keys["fewshot_config"] = FewshotConfig(**keys["fewshot_config"])
    config = TaskConfig(task="t", file=Path("t.yaml"), **keys)
    task = Task(config)
    rows = POOL if task.shot_split == "pool" else ROWS
    sampler = getattr(config.fewshot_config, "sampler", None) or "random"
    pool = Pool(rows, task.shot_split, "t.yaml", excludes=task.lm_eval_excludes)
    drawn = draw_as_lm_eval(pool, Draw(given.get("shots", 0), sampler, 1234, "t"), list(enumerate(ROWS)))
    settings = PromptSettings(
        mode="lm-eval",
        chat=told if given.get("chat") else None,
        multi_turn=given.get("multi_turn", False),
        system=given.get("system"),
        unconditional=pmi,
    )
    shots = [(place, rows[place]) for place in drawn[DOCUMENT]]
    asked = ask(config, ROWS[DOCUMENT], DOCUMENT, shots, settings, lambda function, key: pytest.fail("no function"))
    assert asked.shots == drawn[DOCUMENT]
    contexts, continuations = PROMPTS[case]
    count = max(len(contexts), len(continuations))
    expected = list(
        zip(contexts * (count // len(contexts)), continuations * (count // len(continuations)), strict=True)
    )
    got = [(one.context, one.continuation) if isinstance(one, Choice) else (one.context, "") for one in asked.requests]
    assert got == expected
