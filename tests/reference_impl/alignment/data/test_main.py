"""The command that says what is in a file."""

import json
from pathlib import Path

import pytest

from reference_impl.alignment.data.__main__ import main
from reference_impl.text.tokenizer import SMALLEST_VOCABULARY, ByteBPE


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    rows = [{"query": "a", "chosen": "b" * 9, "rejected": "c"}, {"query": "a", "chosen": "b", "rejected": "b"}] * 2
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, [*rows, {**rows[0], "chosen": "b"}])))
    ByteBPE.train(["throwaway"], SMALLEST_VOCABULARY).save(tmp_path / "tokenizer.json")
    return tmp_path / "pairs.jsonl"


def test_it_tells_counts_and_the_first_row(pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(pairs), "--column", "prompt=query"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("3 preferences of the format preference; 2 left out: chosen and rejected are the same (first")
    assert "  chosen: 'bbbbbbbbb'\n" in out


def test_it_tells_what_is_left_in_token_ids(pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tokenizer = str(pairs.with_name("tokenizer.json"))
    assert main([str(pairs), "--column", "prompt=query", "--tokenizer", tokenizer, "--context", "8"]) == 0
    assert (
        f"1 in token ids; 2 left out: prompt and response are longer than 8 tokens together (first at {pairs}:1)"
        in (capsys.readouterr().out)
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "of no known format of preferences"),
        (["--column", "prompt=question"], "has no column 'question'"),
        (["--column", "prompt"], "--column is written OURS=THEIRS"),
        (["--column", "prompt=query", "--tokenizer", "nowhere.json"], "nowhere.json"),
        (["--column", "prompt=query", "--format", "alpaca"], "'alpaca' is of demonstrations"),
    ],
)
def test_mistakes_are_one_sentence(
    pairs: Path, words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(pairs), *words]) == 2
    assert told in capsys.readouterr().err
