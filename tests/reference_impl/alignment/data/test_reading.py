"""Files of every format as rows, what is left out of them, and what is wrong with them."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from reference_impl.alignment.data.excluded import Excluded
from reference_impl.alignment.data.formats import FORMATS, Format
from reference_impl.alignment.data.reading import KINDS, Data, read
from reference_impl.alignment.data.rows import (
    Demonstration,
    Judged,
    Preference,
    Prompt,
    chosen_of,
    judged_of,
    prompts_of,
)
from reference_impl.files import TextError
from reference_impl.text.dialog import Dialog, Message, asked

SKY = asked("What color is the sky?")


def written(folder: Path, *rows: Mapping[str, Any], name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def said(role: str, content: str, keys: tuple[str, str] = ("role", "content")) -> dict[str, str]:
    return {keys[0]: role, keys[1]: content}


def turns(*contents: str) -> Dialog:
    return tuple(Message("assistant" if at % 2 else "user", content) for at, content in enumerate(contents))


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)
@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.parquet", "rows.jsonl.gz"])
def test_a_format_is_recognized_from_its_example(format: Format, name: str, tmp_path: Path) -> None:
    path, rows = tmp_path / name, [dict(format.example)] * 2
    if name.endswith(".parquet"):
        parquet.write_table(pa.Table.from_pylist(rows), path)
    elif name.endswith(".gz"):
        path.write_bytes(gzip.compress(("\n".join(map(json.dumps, rows))).encode()))
    else:
        path.write_text("\n".join(map(json.dumps, rows)) if name.endswith("l") else json.dumps(rows))
    data: Data[Any] = read(path, format.kind)  # type: ignore[type-var]
    assert data.format == format.name
    assert [type(row) for row in data.rows] == [format.kind] * 2
    assert data.rows[1].place == f"{path}:2"
    assert data.excluded == ()


def test_every_kind_has_a_format_and_names_differ() -> None:
    assert {format.kind for format in FORMATS} == set(KINDS.values())
    assert len({format.name for format in FORMATS}) == len(FORMATS)


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ({"prompt": "The sky is", "chosen": " blue.", "rejected": " green."}, ("The sky is", " blue.", " green.")),
        (  # TRL's conversational form
            {
                "prompt": [said("user", SKY[0].content)],
                "chosen": [said("assistant", "Blue.")],
                "rejected": [said("assistant", "Green.")],
            },
            (SKY, "Blue.", "Green."),
        ),
        (  # UltraFeedback, binarized: a text, and whole dialogs
            {
                "prompt": SKY[0].content,
                "chosen": [said("user", SKY[0].content), said("assistant", "Blue.")],
                "rejected": [said("user", SKY[0].content), said("assistant", "Green.")],
            },
            (SKY, "Blue.", "Green."),
        ),
        (  # the implicit prompt is what both dialogs begin with
            {
                "chosen": [said("system", "Hm."), said("user", "a"), said("assistant", "b")],
                "rejected": [said("system", "Hm."), said("user", "a"), said("assistant", "c")],
            },
            (asked("a", "Hm."), "b", "c"),
        ),
        ({"chosen": "The sky is blue.", "rejected": "The sky is black."}, ("The sky is", " blue.", " black.")),
        ({"chosen": "2 + 2 = 4", "rejected": "2 + 2 = 45"}, ("2 + 2 =", " 4", " 45")),
        (
            {
                "chosen": "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Sky?\n\nAssistant: Blue: so\nAssistant: it is.",
                "rejected": "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Sky?\n\nAssistant:  Green. ",
            },
            (turns("Hi", "Hello", "Sky?"), "Blue: so\nAssistant: it is.", "Green."),
        ),
        (
            {"system": "Be brief.", "question": "Sky?", "chosen": "Blue.", "rejected": "Green."},
            (asked("Sky?", "Be brief."), "Blue.", "Green."),
        ),
        (
            {"prompt": "Sky?", "response_0": "Green.", "response_1": "Blue.", "better_response_id": 1, "is_safe": True},
            (asked("Sky?"), "Blue.", "Green."),
        ),
        (  # parts, as data with pictures have them
            {
                "prompt": [{"role": "user", "content": [{"type": "text", "text": "Sky?"}]}],
                "chosen": [said("assistant", "Blue.")],
                "rejected": [said("assistant", "Green.")],
            },
            (asked("Sky?"), "Blue.", "Green."),
        ),
    ],
)
def test_preferences(row: dict[str, Any], wanted: tuple[Any, str, str], tmp_path: Path) -> None:
    [made] = read(written(tmp_path, row), Preference).rows
    assert (made.prompt, made.chosen, made.rejected) == wanted
    assert (made.margin, made.label) == (None, 1.0)


@pytest.mark.parametrize(
    ("more", "margin", "label"),
    [
        ({"margin": 1.5}, 1.5, 1.0),
        ({"score_chosen": 8.0, "score_rejected": 5}, 3.0, 1.0),
        ({"score_chosen": 8, "score_rejected": 5, "margin": 0.5}, 0.5, 1.0),
        ({"score_chosen": 5, "score_rejected": 5}, 0.0, 0.5),
        ({"tie": True}, None, 0.5),
        ({"tie": False, "margin": None}, None, 1.0),
        ({"label": 0.8}, None, 0.8),
    ],
)
def test_how_sure_and_by_how_much(more: dict[str, Any], margin: float | None, label: float, tmp_path: Path) -> None:
    row = {"prompt": "a", "chosen": "b", "rejected": "c"} | more
    [made] = read(written(tmp_path, row), Preference).rows
    assert (made.margin, made.label, made.is_tie) == (margin, label, label == 0.5)


@pytest.mark.parametrize(
    ("winner", "chosen", "label"),
    [("model_a", "A", 1.0), ("model_b", "B", 1.0), ("tie", "A", 0.5), ("tie (bothbad)", "A", 0.5)],
)
def test_the_winner_of_an_arena(winner: str, chosen: str, label: float, tmp_path: Path) -> None:
    sides = {f"conversation_{s}": [said("user", "q"), said("assistant", s.upper())] for s in "ab"}
    [made] = read(written(tmp_path, sides | {"winner": winner}), Preference).rows
    assert (made.chosen, made.label) == (chosen, label)


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ({"prompt": "The sky is", "completion": " blue."}, [("The sky is", " blue.")]),
        ({"prompt": "Sky?", "completion": [said("assistant", "Blue.")]}, [(asked("Sky?"), "Blue.")]),
        ({"messages": [said("user", "Sky?"), said("assistant", "Blue.")]}, [(asked("Sky?"), "Blue.")]),
        (
            {
                "conversations": [
                    said(*one, ("from", "value"))
                    for one in (("human", "a"), ("gpt", "b"), ("human", "c"), ("gpt", "d"))
                ]
            },
            [(turns("a"), "b"), (turns("a", "b", "c"), "d")],
        ),
        (  # a greeting is context and no answer; what follows the last answer is nothing
            {
                "system": "Hm.",
                "conversations": [
                    said(*one, ("from", "value"))
                    for one in (("gpt", "Hello!"), ("human", "a"), ("gpt", "b"), ("human", "c"))
                ],
            },
            [((Message("system", "Hm."), Message("assistant", "Hello!"), Message("user", "a")), "b")],
        ),
        ({"instruction": "Name it.", "input": "sky", "output": "Blue."}, [(asked("Name it.\n\nsky"), "Blue.")]),
        ({"instruction": "Name it.", "input": "", "output": "Blue."}, [(asked("Name it."), "Blue.")]),
        ({"instruction": "Name it.", "output": "Blue."}, [(asked("Name it."), "Blue.")]),
        (
            {"instruction": "Which?", "context": "The sky.", "response": "Blue.", "category": "qa"},
            [(asked("Which?\n\nThe sky."), "Blue.")],
        ),
        (
            {
                "id": "s",
                "instruction": "Add.",
                "instances": [{"input": "1 1", "output": "2"}, {"input": "", "output": "0"}],
            },
            [(asked("Add.\n\n1 1"), "2"), (asked("Add."), "0")],
        ),
        ({"question": "Sky?", "answer": "Blue."}, [(asked("Sky?"), "Blue.")]),
        ({"prompt": "Sky?", "response": "Blue."}, [(asked("Sky?"), "Blue.")]),
        ({"prompt": [said("user", "Sky?")], "response": "Blue."}, [(asked("Sky?"), "Blue.")]),
        (
            {"system_prompt": "Hm.", "question": "Sky?", "response": "Blue."},
            [(asked("Sky?", "Hm."), "Blue.")],
        ),
        (  # only the completion's turns are learned
            {
                "prompt": [said("user", "a"), said("assistant", "b"), said("user", "c")],
                "completion": [said("assistant", "d")],
            },
            [(turns("a", "b", "c"), "d")],
        ),
    ],
)
def test_demonstrations(row: dict[str, Any], wanted: list[tuple[Any, str]], tmp_path: Path) -> None:
    data = read(written(tmp_path, row), Demonstration)
    assert [(one.prompt, one.response) for one in data.rows] == wanted
    last = read(written(tmp_path, row), Demonstration, turns="last")
    if "instances" not in row:
        assert [(one.prompt, one.response) for one in last.rows] == wanted[-1:]


def test_places_within_a_row(tmp_path: Path) -> None:
    path = written(tmp_path, {"messages": [said("user", "a"), said("assistant", "b")] * 2})
    assert [row.place for row in read(path, Demonstration).rows] == [f"{path}:1, message 2", f"{path}:1, message 4"]


@pytest.mark.parametrize(("label", "wanted"), [(True, True), (0, False), ("True", True), ("no", False), (1.0, True)])
def test_judged_responses(label: Any, wanted: bool, tmp_path: Path) -> None:
    [made] = read(written(tmp_path, {"prompt": "a", "completion": "b", "label": label}), Judged).rows
    assert (made.prompt, made.response, made.wanted) == ("a", "b", wanted)


def test_prompts_of_any_file_and_with_answers(tmp_path: Path) -> None:
    path = written(tmp_path, {"prompt": "2 + 2 =", "answer": "4"}, {"prompt": [said("user", "Sky?")]})
    assert [(row.prompt, row.answer) for row in read(path, Prompt).rows] == [("2 + 2 =", "4"), (asked("Sky?"), None)]
    path = written(tmp_path, {"question": "2 + 2?", "answer": "4"})
    [made] = read(path, Prompt, columns={"prompt": "question"}).rows
    assert (made.prompt, made.answer) == ("2 + 2?", "4")


def test_a_csv_file_with_a_byte_order_mark_and_crlf(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file)
        table.writerows([["", "prompt", "chosen", "rejected", "margin"], ["0", "a,\nb", "c", "d", "0.5"]])
    assert b"\r\n" in path.read_bytes()
    [made] = read(path, Preference).rows
    assert (made.prompt, made.chosen, made.rejected, made.margin) == ("a,\nb", "c", "d", 0.5)


def test_messages_in_a_csv_cell_are_json(tmp_path: Path) -> None:
    path = tmp_path / "chats.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["messages"], [json.dumps([said("user", "a"), said("assistant", "b")])]])
    assert [row.response for row in read(path, Demonstration).rows] == ["b"]
    path.write_text("messages\n[broken\n")
    with pytest.raises(TextError, match=r"chats.csv:2: .* no list of messages in JSON"):
        read(path, Demonstration)


def test_what_is_of_no_use_is_left_out_and_counted(tmp_path: Path) -> None:
    good = {"prompt": "a", "chosen": "b", "rejected": "c"}
    changes: list[dict[str, Any]] = [
        {}, {"chosen": ""}, {"chosen": " \n"}, {"rejected": None}, {"rejected": "b"}, {"prompt": " "},
        {"score_chosen": 1, "score_rejected": 2}, {"prompt": None}, {},
    ]  # fmt: skip
    path = written(tmp_path, *(good | change for change in changes))
    data = read(path, Preference)
    assert len(data.rows) == 2
    assert data.excluded == (
        Excluded("the chosen response is empty", 2, f"{path}:2"),
        Excluded("the rejected response is empty", 1, f"{path}:4"),
        Excluded("chosen and rejected are the same", 1, f"{path}:5"),
        Excluded("the prompt is empty", 2, f"{path}:6"),
        Excluded("the rejected response has the higher score", 1, f"{path}:7"),
    )
    assert str(data).startswith(
        "2 preferences of the format preference; 2 left out: the chosen response is empty (first at "
    )


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([said("user", "a"), said("tool", "b"), said("assistant", "c")], "role 'tool'"),
        ([said("user", "a")], "no turn is the assistant's"),
        ([said("assistant", "a")], "nobody asks"),
        ([], "no turn is the assistant's"),
        ([said("user", "a"), {"role": "assistant", "content": [{"type": "image"}]}], r"than text \(image\)"),
        ([said("user", "a"), {"role": "assistant", "content": None}], "the response is empty"),
    ],
)
def test_conversations_of_no_use(messages: list[Any], reason: str, tmp_path: Path) -> None:
    with pytest.raises(TextError, match=f"no row is left of the format messages: 1 left out: .*{reason}"):
        read(written(tmp_path, {"messages": messages}), Demonstration)


@pytest.mark.parametrize(
    ("chosen", "rejected", "reason"),
    [
        ([said("user", "a"), said("assistant", "b")], [said("user", "z"), said("assistant", "c")], "before their last"),
        ([said("user", "a")], [said("user", "a"), said("assistant", "c")], "not the assistant's"),
        ("One thing.", "Another thing.", "don't begin alike"),
        ("The same.", "The same.", "are the same"),
        ("\n\nHuman: a\n\nAssistant: b", "x\n\nHuman: a\n\nAssistant: c", "begins with no speaker"),
        ("\n\nHuman: a\n\nAssistant: b", "\n\nHuman: z\n\nAssistant: c", "before their last"),
        ("\n\nHuman: a\n\nAssistant: b", "\n\nHuman: a\n\nAssistant:", "rejected response is empty"),
    ],
)
def test_pairs_without_a_common_prompt(chosen: Any, rejected: Any, reason: str, tmp_path: Path) -> None:
    with pytest.raises(TextError, match=f"1 left out: .*{reason}"):
        read(written(tmp_path, {"chosen": chosen, "rejected": rejected}), Preference)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"prompt": 3, "chosen": "a", "rejected": "b"}, "column 'prompt' holds a number; it must hold a list"),
        ({"prompt": "x", "chosen": 3, "rejected": "b"}, "column 'chosen' holds a number"),
        (
            {"prompt": "x", "chosen": "a", "rejected": "b", "margin": "much"},
            "'margin' holds 'much'; it must hold a num",
        ),
        ({"prompt": "x", "chosen": "a", "rejected": "b", "margin": True}, "must hold a number"),
        ({"prompt": "x", "chosen": "a", "rejected": "b", "label": 2}, "'label' holds 2.0; it is the probability"),
        ({"prompt": "x", "chosen": "a", "rejected": "b", "tie": "maybe"}, "must hold true or false"),
        ({"prompt": "x", "chosen": "a", "rejected": "\ud800"}, "half of a surrogate pair"),
        ({"prompt": [3], "chosen": [], "rejected": []}, "message 1 of 'prompt' is a number"),
        ({"prompt": [{"role": "user"}], "chosen": [], "rejected": []}, r"has no content/value \(it has: role\)"),
        ({"prompt": [{"content": "a"}], "chosen": [], "rejected": []}, "has no role/from"),
        ({"prompt": [said("user", 3)], "chosen": [], "rejected": []}, "the content of message 1"),  # type: ignore[arg-type]
        ({"conversation_a": [], "conversation_b": [], "winner": "me"}, "'winner' holds 'me'"),
        ({"prompt": "x", "response_0": "a", "response_1": "b", "better_response_id": 2}, "it must hold 0 or 1"),
    ],
)
def test_a_column_of_another_type_is_an_error_with_its_place(row: dict[str, Any], told: str, tmp_path: Path) -> None:
    path = written(tmp_path, row)
    with pytest.raises(TextError, match=told) as error:
        read(path, Preference)
    assert str(error.value).startswith(f"{path}:1: ")


def test_broken_json_in_line_7(tmp_path: Path) -> None:
    path = written(tmp_path, *[{"prompt": "a", "chosen": "b", "rejected": "c"}] * 6)
    path.write_text(path.read_text() + '{"prompt": "a", "chosen"\n')
    with pytest.raises(TextError, match=r"rows.jsonl:7: not JSON at column 25"):
        read(path, Preference)


def test_two_formats_in_one_file(tmp_path: Path) -> None:
    path = written(tmp_path, {"prompt": "a", "chosen": "b", "rejected": "c"}, {"instruction": "a", "output": "b"})
    with pytest.raises(TextError, match=r"rows.jsonl:2: has no column 'prompt'.*\(there are: instruction, output\)"):
        read(path, Preference)


def test_an_unknown_format_says_what_is_there_and_what_is_wanted(tmp_path: Path) -> None:
    path = written(tmp_path, {"query": "a", "good": "b", "bad": "c"})
    with pytest.raises(TextError, match="there are: query, good, bad") as error:
        read(path, Preference)
    for format in FORMATS:
        assert (f"{format.name}: {', '.join(format.columns)}" in str(error.value)) == (format.kind is Preference)
    named = {"prompt": "query", "chosen": "good", "rejected": "bad"}
    assert read(path, Preference, columns=named).rows[0].chosen == "b"
    with pytest.raises(TextError, match=r"rows.jsonl:1: has no column 'question' \(there are: query"):
        read(path, Preference, columns={"prompt": "question"})


def test_a_file_of_another_kind_says_which(tmp_path: Path) -> None:
    path = written(tmp_path, {"instruction": "a", "output": "b"})
    with pytest.raises(TextError, match="looks like alpaca, a format of demonstrations: read it as such"):
        read(path, Preference)
    path = written(tmp_path, {"prompt": "a", "completion": "b", "label": False})
    with pytest.raises(TextError, match="looks like judged, a format of judged"):
        read(path, Demonstration)  # what is unwanted must not be imitated


def test_a_format_may_be_named(tmp_path: Path) -> None:
    row = {"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: a\n\nAssistant: c"}
    path = written(tmp_path, row)
    assert read(path, Preference).format == "hh-rlhf"
    [made] = read(path, Preference, format="implicit-prompt").rows
    assert made.prompt == "\n\nHuman: a\n\nAssistant:"
    with pytest.raises(ValueError, match="there is no format 'hh'; formats of preferences are: preference,"):
        read(path, Preference, format="hh")
    with pytest.raises(ValueError, match="'alpaca' is of demonstrations, not of preferences"):
        read(path, Preference, format="alpaca")
    with pytest.raises(TextError, match="has no column 'prompt'"):
        read(path, Preference, format="preference")


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.csv"])
def test_a_file_without_rows(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("prompt,chosen,rejected\n" if name.endswith("csv") else "\n")
    with pytest.raises(TextError, match="there is no row in it"):
        read(tmp_path / name, Preference)


def test_a_file_that_is_not_there_or_unknown(tmp_path: Path) -> None:
    with pytest.raises(TextError, match="no such file"):
        read(tmp_path / "rows.jsonl", Preference)
    (tmp_path / "rows.docx").write_text("a")
    with pytest.raises(TextError, match="unknown kind"):
        read(tmp_path / "rows.docx", Preference)


def test_a_folder_with_several_splits_must_name_one(tmp_path: Path) -> None:
    for name in ("train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001"):
        written(tmp_path, {"prompt": name, "chosen": "b", "rejected": "c"}, name=f"{name}.jsonl")
    with pytest.raises(TextError, match="several splits; name one"):
        read(tmp_path, Preference)
    assert len(read(tmp_path, Preference, split="train").rows) == 2
    assert [row.prompt for row in read(tmp_path, Preference, split="test").rows] == ["test-00000-of-00001"]
    with pytest.raises(TextError, match=r"no file here is of the split 'dev'"):
        read(tmp_path, Preference, split="dev")
    (tmp_path / "train_sft").mkdir()
    written(tmp_path / "train_sft", {"prompt": "s", "chosen": "b", "rejected": "c"})
    assert [row.prompt for row in read(tmp_path, Preference, split="train_sft").rows] == ["s"]


def test_pairs_become_demonstrations_judged_responses_and_prompts() -> None:
    pairs = [Preference("a", "b", "c", place="f:1"), Preference("a", "d", "e", label=0.5)]
    assert list(chosen_of(pairs)) == [Demonstration("a", "b", "f:1")]
    assert list(judged_of(pairs)) == [Judged("a", "b", True, "f:1"), Judged("a", "c", False, "f:1")]
    assert list(prompts_of(pairs)) == [Prompt("a", place="f:1")]


def test_a_prompt_that_is_answered_already_is_left_out(tmp_path: Path) -> None:
    begun = {"prompt": [said("user", "a"), said("assistant", "b")], "chosen": "c", "rejected": "d"}
    path = written(tmp_path, begun, {"prompt": [], "chosen": "c", "rejected": "d"}, {**begun, "prompt": "a"})
    data = read(path, Preference)
    assert [row.prompt for row in data.rows] == ["a"]
    assert [one.reason for one in data.excluded] == [
        "the prompt ends with a turn of the assistant, and the next turn should be the assistant's",
        "the prompt is empty",
    ]
