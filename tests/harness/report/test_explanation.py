"""What `harness explain` shows of a document: every token, every border, every judgement."""

from __future__ import annotations

import io
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from harness.errors import UserError
from harness.measures.task.samples.rows import read
from harness.report.explanation import HEAD, TAIL, Explanation, explanations, print_explanation
from harness.report.token_text import token_text, visible
from harness.results.run import Run
from harness.tasks.judging.metric_table import BUILT_IN


def printed(explanation: Explanation, *, whole: bool = False, colors: bool = False) -> str:
    file = io.StringIO()
    console = Console(file=file, width=200, force_terminal=colors, color_system="truecolor" if colors else None)
    print_explanation(explanation, console, whole)
    return file.getvalue()


def line(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.lstrip().startswith(start))


QUESTION = "Q: What is the capital of Egypt?\nA:"


@pytest.fixture(scope="module")
def run(task_builders: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("runs") / "one"
    b = task_builders
    capitals = [
        b.choice_row(
            0,
            QUESTION,
            ["Cairo", "Alexandria | Giza"],
            [-1.5, -2.0],
            shots=(4, 7),
            cut=2,
            without_context=[-5.0, -9.0],
        ),
        b.unjudged_row(1, "capitals.yaml:doc_to_text: document 1 has no column `country`"),
        b.choice_row(2, "Short", ["one", "two words"], [-0.01, -3.0], gold=(0, 1)),
    ]
    others = [b.choice_row(0, "word " * 500, ["a", "b"], [-2.0, -1.0])]
    others += [
        b.written_row(
            0, "2 + 2 =", [" 4. Yes", " 5"], "4", {"strict": "4", "loose": "[invalid]"}, task="sums", finish="length"
        ),
        b.rolling_row(0, [("<start>", "the cat"), *[("cat", f" sat {n}") for n in range(6)]]),
        b.continuation_row(0, "The end is\u00a0near, my", " friend\n", -3.0),
        b.written_row(0, "3 + 3 =", ["6"], "6", {"strict": "6"}, task="thoughts", thought="3\n\nand 3"),
        b.written_row(
            1, "3 + 3 =", [""], "6", {"strict": "[invalid]"}, task="thoughts", thought="3 and", answered=False
        ),
    ]
    cells = [b.task_cell(folder, capitals), b.task_cell(folder, capitals, precision="int8")]
    cells += [b.task_cell(folder, [row | {"task": f"other_{n}"}]) for n, row in enumerate(others)]
    made: Run = b.task_run(folder, cells)
    return made


def test_a_question_with_choices(run: Run) -> None:
    text = printed(explanations(run, "capitals", 0, where=["precision=int8"])[0])
    assert "capitals, document 0  nano, int8" in text
    assert "few-shot examples: documents 4, 7 of their split" in text
    assert "prompt: 10 tokens; 2 more at its left did not fit and were cut off" in text
    # from where it was cut to its end, with the line break to be seen
    assert "\n| What| is| the| capital| of| Egypt|?|↵\n|A|:|\n◂ here the prompt ends" in text
    assert "| Cairo| -1.500" in line(text, "choice 0 (right)  ")
    # four tokens share -2; a border of the text itself is no border between tokens
    assert line(text, "choice 1  ") == "choice 1  | Alexandria| -0.500  |·| -0.500  |\\|| -0.500  | Giza| -0.500"
    assert line(text, "choice 1 without") == (
        "choice 1 without context, after |<start>|  | Alexandria| -2.250  |·| -2.250  |\\|| -2.250  | Giza| -2.250"
    )
    right = line(text, "0   Cairo").split()
    assert right[:9] == ["0", "Cairo", "right", "-1.5000", "-0.3000", "-0.3000", "-1.5000", "3.5000", "1"]
    assert right[9:] == ["no", "acc"]
    wrong = line(text, "1   Alexandria | Giza").split()[4:]
    # per character and byte of the choice itself, 17; per token 4; minus -9
    assert wrong[:5] == ["-2.0000", "-0.1176", "-0.1176", "-0.5000", "7.0000"]
    assert wrong[5:] == ["4", "no", "acc_norm,", "acc_bytes,", "acc_tokens,", "acc_mutual_info"]
    assert "acc 1, acc_norm 0" in line(text, "scores: ")
    assert "guessing is right with probability 0.5" in text


def test_several_right_choices_and_greedy(run: Run) -> None:
    text = printed(explanations(run, "capitals", 2)[0])
    assert line(text, "0   one").split()[2] == line(text, "1   two words").split()[3] == "right"
    assert line(text, "0   one").split()[-3:] == ["yes", "every", "rule"]
    assert line(text, "1   two words").split()[-1] == "no"
    assert "prompt: 1 token, nothing cut off" in text


def test_a_broken_document_says_why(run: Run) -> None:
    text = printed(explanations(run, "capitals", 1)[0])
    assert "not judged: capitals.yaml:doc_to_text: document 1 has no column `country`" in text
    assert "prompt" not in text


def test_every_cell_that_has_the_document(run: Run) -> None:
    assert [one.at["precision"] for one in explanations(run, "capitals", 0)] == ["fp32", "int8"]
    assert [one.at["precision"] for one in explanations(run, "capitals", 0, where=["precision=INT8"])] == ["int8"]
    assert [one.title for one in explanations(run, "capitals", 0, model="nano")] == ["nano, fp32", "nano, int8"]


def test_a_long_prompt_shows_both_ends(run: Run) -> None:
    one = explanations(run, "other_0", 0)[0]
    short, whole = printed(one), printed(one, whole=True)
    count = len(one.document.requests[0].prompt)
    assert count == 501
    assert f"… {count - HEAD - TAIL} tokens are not shown (--whole shows them) …" in short
    assert whole.count("|") - short.count("|") == count - HEAD - TAIL - 1, "the middle, and one row of borders less"
    assert "--whole" not in whole


def test_written_answers(run: Run) -> None:
    text = printed(explanations(run, "other_1", 0)[0])
    assert "answer 1 of 2: 3 tokens, ended by the token limit: it is cut off\n" in text
    assert "| 4| -0.500  |.| -0.500  | Yes| -0.500\ntext:  4. Yes\n" in text
    assert "answer 2 of 2: 1 token" in text
    assert line(text, "strict").split() == ["strict", "4", "exact_match", "1,", "extraction_failure", "0"]
    assert line(text, "loose").split() == ["loose", "[invalid]", "exact_match", "0,", "extraction_failure", "1"]
    assert "right: 4" in text


def test_windows_of_a_long_text(run: Run) -> None:
    one = explanations(run, "other_2", 0)[0]
    text, whole = printed(one), printed(one, whole=True)
    assert "window 1 of 7: 2 tokens scored after 3 tokens, sum -3.0000 nats\n|the| -1.500  | cat| -1.500\n" in text
    assert "… 3 windows are not shown" in text and "window 7 of 7" in text and "window 4 of 7" not in text
    assert "window 4 of 7" in whole


def test_a_continuation(run: Run) -> None:
    text = printed(explanations(run, "other_3", 0)[0])
    assert "| is|⟨U+00A0⟩|near|,| my|" in text
    assert "continuation  | friend| -1.500  |↵| -1.500" in text
    assert "sum -3.0000 nats; not every token is the likeliest" in text


def test_colors_shade_tokens_in_turn_and_draw_no_borders(run: Run) -> None:
    text = printed(explanations(run, "capitals", 0)[0], colors=True)
    assert "|A|" not in text
    first, second = text.index("\x1b[30;48;2;232;232;232m What"), text.index("\x1b[30;48;2;200;200;200m is")
    assert first < second


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("capitols", 0), r"no task 'capitols' \(did you mean 'capitals'\?\); there are: capitals, other_0"),
        (("capitals", 9), "capitals has no document 9 here; it has 0 to 2"),
        (("capitals", 0, "mini"), "no cell has model = mini.*nano"),
        (("capitals", 0, None, ["precison=int8"]), "no cell has 'precison' .did you mean 'precision'"),
        (("capitals", 0, None, ["int8"]), "is no name=value"),
    ],
)
def test_what_is_not_there_is_named(run: Run, arguments: tuple[str, int], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        explanations(run, *arguments)


def test_a_run_without_tasks(full_run: Run) -> None:
    with pytest.raises(UserError, match="no cell of this run has documents"):
        explanations(full_run, "capitals", 0)


def test_a_group_names_its_tasks(task_builders: ModuleType, tmp_path: Path) -> None:
    rows = [task_builders.choice_row(0, "Is it", ["a", "b"], [-1, -2], task=name) for name in ("rivers", "lakes")]
    run = task_builders.task_run(tmp_path, [task_builders.task_cell(tmp_path, rows, task="waters")])
    with pytest.raises(UserError, match="waters is a group; name one of its tasks: rivers, lakes"):
        explanations(run, "waters", 0)
    assert len(explanations(run, "lakes", 0)) == 1


def test_samples_of_an_older_run_lack_columns(task_builders: ModuleType, tmp_path: Path) -> None:
    frame = task_builders.samples([task_builders.choice_row(0, QUESTION, ["Cairo", "Giza"], [-1, -2])])
    kept = ["task", "document", "choices", "gold", "prompt_ids", "continuation_ids", "log_probs"]
    run = task_builders.task_run(tmp_path, [task_builders.task_cell(tmp_path, pd.DataFrame(frame[kept]))])
    text = printed(explanations(run, "capitals", 0)[0])
    assert "prompt: 12 tokens, nothing cut off" in text
    assert "⟨" in text, "tokens whose texts are not known are numbers"
    assert "-2.0000" in line(text, "1   Giza")


@given(text=st.text(st.sampled_from(" ab\n\t\u00a0\u200b|é"), max_size=12))
def test_nothing_invisible_is_left(text: str) -> None:
    shown = visible(text)
    assert not set(shown) & set("\t\u00a0\u200b")
    assert "  " not in shown and not shown.endswith(" ")
    assert shown.count("\n") == shown.count("↵") == text.count("\n")
    back = shown.replace("↵\n", "\n").replace("→", "\t").replace("·", " ")
    assert back.replace("⟨U+00A0⟩", "\u00a0").replace("⟨U+200B⟩", "\u200b") == text


@given(pieces=st.lists(st.text(st.sampled_from("ab |"), min_size=1, max_size=4), min_size=1, max_size=6))
def test_borders_can_be_told_from_the_text(pieces: list[str]) -> None:
    import re

    console = Console(file=io.StringIO(), color_system=None)
    text = token_text(range(len(pieces)), dict(enumerate(pieces)), console).plain
    found = re.split(r"(?<!\\)\|", text)[1:-1]
    assert [one.replace("\\|", "|").replace("·", " ") for one in found] == pieces


def test_a_thought_is_shown_beside_the_answer(run: Run) -> None:
    [one] = explanations(run, "other_4", 0)
    assert line(printed(one), "thought: ").startswith("thought: 3")
    assert line(printed(one), "text: ") == "text: 6"
    [other] = explanations(run, "other_5", 1)
    assert line(printed(other), "text: ") == "text: none: still thinking when it ended"


def test_every_rule_that_takes_a_choice_has_its_heading(task_builders: ModuleType) -> None:
    row = task_builders.choice_row(0, "Q", ["yes", "no"], [-2.0, -3.0], without_context=[-2.5, -2.5])
    rules = read(row).rules()
    assert {rule: BUILT_IN[rule].worth for rule in rules} == {
        "acc": "sum",
        "acc_norm": "per character",
        "acc_bytes": "per byte",
        "acc_tokens": "per token",
        "acc_mutual_info": "less without context",
    }
