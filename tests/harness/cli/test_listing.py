"""`harness list`: a summary by kind, and a search."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.cli import main


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setattr(sys, "argv", ["harness", "list", *words])
        patch.setenv("COLUMNS", "200")
        main()
    assert not ended.value.code
    return capsys.readouterr().out


def test_alone_it_counts_each_kind(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {line.split()[0]: line for line in listed(capsys).splitlines() if line.strip()}
    for kind in ("suites", "measures", "models", "corpora", "tasks", "laws", "analyses", "plugins", "assets", "data"):
        count = int(rows[kind].split()[1].replace(",", ""))
        assert count > 0 or kind == "plugins"
    assert "harness list tasks" in rows["tasks"] and "perplexity" in rows["measures"]
    assert len(rows) < 20


def test_what_is_searched_is_in_each_row(capsys: pytest.CaptureFixture[str]) -> None:
    text = listed(capsys, "tasks", "--search", "ARC")
    names = [line.split()[0] for line in text.splitlines() if line.startswith(" ") and "yaml" in line]
    assert "arc_easy" in names and all("arc" in name for name in names)


def test_without_a_kind_all_are_searched(capsys: pytest.CaptureFixture[str]) -> None:
    text = listed(capsys, "--search", "perplexity")
    assert "Measure perplexity" in text and "Analysis scaling_law" in text and "Kinds of models" not in text


def test_the_folder_of_an_installation_is_not_searched(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere_zq"
    folder.mkdir()
    (folder / "own.yaml").write_text("task: own_task\n")
    assert "own_task" in listed(capsys, "tasks", "--tasks-path", str(folder), "--search", "own")
    assert "own_task" not in listed(capsys, "tasks", "--tasks-path", str(folder), "--search", "elsewhere_zq")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("microwrld", "nothing has 'microwrld' in its name or description; did you mean 'microworld'?"),
        ("zq" * 99, "nothing has 'zq"),
        ("\x1b[31m", "nothing has"),
    ],
)
def test_nothing_found_is_a_sentence(capsys: pytest.CaptureFixture[str], text: str, said: str) -> None:
    found = listed(capsys, "tasks", "--search", text)
    assert found.startswith(said) and "\x1b" not in found and found.count("\n") == 1
