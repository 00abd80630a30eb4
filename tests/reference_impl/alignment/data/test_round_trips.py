"""Whatever texts rows have, every format of file gives them back."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from reference_impl.alignment.data.reading import read
from reference_impl.alignment.data.rows import Demonstration, Preference
from reference_impl.text.dialog import Message

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9).map("x{}".format)
PAIRS = st.lists(st.tuples(TEXTS, TEXTS, TEXTS.map("y{}".format)), min_size=1, max_size=4)
TURNS = st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=3)
NAMES = ("prompt", "chosen", "rejected")


def write(path: Path, rows: list[dict[str, str]]) -> None:
    match path.suffix:
        case ".jsonl":
            path.write_text(
                "\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8", newline=""
            )
        case ".json":
            path.write_text(json.dumps(rows), encoding="utf-8")
        case ".parquet":
            parquet.write_table(pa.Table.from_pylist(rows), path)
        case _:
            with path.open("w", encoding="utf-8", newline="") as file:
                table = csv.DictWriter(file, NAMES, delimiter="\t" if path.suffix == ".tsv" else ",")
                table.writeheader()
                table.writerows(rows)


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".tsv", ".parquet"])
def test_pairs_of_any_text(suffix: str, tmp_path: Path) -> None:
    @given(PAIRS)
    def holds(pairs: list[tuple[str, str, str]]) -> None:
        path = tmp_path / f"rows{suffix}"
        write(path, [dict(zip(NAMES, pair, strict=True)) for pair in pairs])
        rows = read(path, Preference).rows
        assert [(row.prompt, row.chosen, row.rejected) for row in rows] == pairs

    holds()


def test_conversations_of_any_text_in_both_spellings(tmp_path: Path) -> None:
    @given(TURNS)
    def holds(turns: list[tuple[str, str]]) -> None:
        path = tmp_path / "rows.jsonl"
        said = [(role, text) for turn in turns for role, text in zip(("user", "assistant"), turn, strict=True)]
        spelled = {"user": "human", "assistant": "gpt"}
        path.write_text(json.dumps({"messages": [{"role": role, "content": text} for role, text in said]}))
        messages = read(path, Demonstration).rows
        path.write_text(json.dumps({"conversations": [{"from": spelled[role], "value": text} for role, text in said]}))
        assert read(path, Demonstration).rows == messages
        assert [row.response for row in messages] == [answer for _, answer in turns]
        whole = (*messages[-1].prompt, Message("assistant", messages[-1].response))
        assert [(message.role, message.content) for message in whole if isinstance(message, Message)] == said

    holds()


@given(PAIRS, st.sampled_from(["\n\nHuman: {}\n\nAssistant: {}"]))
def test_dialogs_of_hh_rlhf(pairs: list[tuple[str, str, str]], frame: str) -> None:
    from reference_impl.alignment.data.formats.hh_rlhf import dialog_of

    turns = [(asked.strip(), answer.strip()) for asked, answer, _ in pairs]
    dialog = dialog_of("".join(frame.format(*turn) for turn in turns))
    assert [message.content for message in dialog] == [text for turn in turns for text in turn]
