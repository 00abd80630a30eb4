"""Every block of docs/alignment-data.md, and its table of formats."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from reference_impl.alignment.data.__main__ import main
from reference_impl.alignment.data.formats import FORMATS
from reference_impl.alignment.data.reading import kind_name
from reference_impl.text.chat_template import PLAIN_TURNS
from reference_impl.text.dialog import Message, asked

TEXT = (Path(__file__).parents[4] / "docs" / "alignment-data.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.S | re.M)


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [rows] = blocks("json")
    (tmp_path / "pairs.jsonl").write_text(rows)
    monkeypatch.chdir(tmp_path)


def test_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line for block in blocks("bash") for line in block.splitlines()]
    assert len(lines) == 1
    for line in lines:
        words = shlex.split(line)
        assert words[:3] == ["python", "-m", "reference_impl.alignment.data"]
        assert main(words[3:]) == 0
    out = capsys.readouterr().out
    assert "1 left out: chosen and rejected are the same (at pairs.jsonl:2)" in out
    assert " ".join(re.search(r"`(1 left out: .*?)`", TEXT, re.S)[1].split()) in out  # type: ignore[index]


def test_the_python(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(blocks("python")) == 2
    for block in blocks("python"):
        exec(compile(block, "docs/alignment-data.md", "exec"), {})
    out = capsys.readouterr().out
    assert out.startswith("2 preferences of the format preference; 1 left out")
    assert out.endswith("1.0 0.0\n")


def test_the_table_has_every_format_with_its_columns() -> None:
    rows = [[cell.strip() for cell in line.split(" |")] for line in TEXT.splitlines() if line.startswith("| `")]
    assert [row[0] for row in rows] == [f"| `{format.name}`" for format in FORMATS]
    for row, format in zip(rows, FORMATS, strict=True):
        assert row[1] == kind_name(format.kind)
        assert all(f"`{column}`" in row[2] for column in format.columns)
        told = " ".join(row[3:])
        assert all(f"`{column}`" in told for column in format.optional) or "as `preference`" in told


def test_the_conversation() -> None:
    dialog = (*asked("What color is the sky?", "Be brief."), Message("assistant", "Blue."))
    prompt = PLAIN_TURNS.prompt((*dialog, Message("user", "And the grass?")))
    assert f"\n```\n{prompt}\n```\n" in TEXT
