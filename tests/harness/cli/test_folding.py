"""Sentences on stderr: folded at words in a terminal, whole elsewhere."""

from __future__ import annotations

import itertools
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from harness.cli.folding import UNIT, folded
from tests.harness.cli.terminal import in_terminal

PIECES = ("error:", "a", "東京", "`harness show x`", "/tmp/a/long/path", "of", "it;")
WORDS = st.lists(st.sampled_from(PIECES), max_size=30)


@given(WORDS.map(" ".join), st.integers(1, 60))
def test_words_stay_whole_and_in_order_and_lines_are_filled(text: str, width: int) -> None:
    lines = folded(text, width).split("\n")
    assert " ".join(lines) == text
    for line, after in itertools.pairwise(lines):
        pieces = [found[0] for found in UNIT.finditer(line)]
        assert cell_len(line) <= width or len(pieces) == 1
        first = UNIT.match(after)
        assert first and cell_len(line) + 1 + cell_len(first[0]) > width, "it would have fitted"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("error: one two\n", "error: one\ntwo\n"),
        ("  note one two three", "  note one\n  two\n  three"),
        ("3 kept; resume with: harness run --resume x", "3 kept;\nresume\nwith:\nharness run --resume x"),
        ("no `closed quote here", "no `closed\nquote here"),
        ("", ""),
    ],
)
def test_what_is_folded_where(text: str, wanted: str) -> None:
    assert folded(text, 10) == wanted


def test_an_error_in_a_terminal_and_in_a_pipe() -> None:
    words = ("show", "nothing", "--out", "/tmp/" + "/".join(["folder"] * 30), "--format", "tabel-of-many-words")
    code, shown = in_terminal(*words, columns=60)
    piped = subprocess.run([sys.executable, "-m", "harness", *words], capture_output=True, text=True, check=False)
    assert code == piped.returncode == 2 and len(piped.stderr.splitlines()) == 1
    assert len(shown.splitlines()) > 1 and " ".join(shown.split()) == " ".join(piped.stderr.split())
    assert all(cell_len(line) <= 60 or " " not in line for line in shown.splitlines())
