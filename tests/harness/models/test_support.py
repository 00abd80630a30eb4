"""Each architecture's numbers against plain whole passes of `transformers`, and the table of docs/models.md against
what is found."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.harness.models.architectures import ARCHITECTURES, Architecture
from tests.harness.models.support import FORMATS, HEADER, SCALE, examine, table_in_page, tokenizer_file

AGAIN = "write the table again: python -m tests.harness.models.support"
QUICK = [one for one in ARCHITECTURES if one.quick]
all_of_them = pytest.mark.skipif(
    os.environ.get("HARNESS_ARCHITECTURES") != "all", reason="takes minutes; run with HARNESS_ARCHITECTURES=all"
)
by_name = pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda one: one.name)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tokenizer_file(tmp_path_factory.mktemp("tokenizer"))


def test_the_page_has_a_row_for_each_architecture() -> None:
    _, _, _, *rows, _ = table_in_page().splitlines()
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == [one.name for one in ARCHITECTURES]
    assert not [row for row in rows if "wrong" in row]


@pytest.mark.parametrize("architecture", QUICK, ids=lambda one: one.name)
def test_a_part_of_the_table(architecture: Architecture, tmp_path: Path, tokenizer: Path) -> None:
    row = examine(architecture, tmp_path, tokenizer)
    assert row.right
    in_page = [line for line in table_in_page().splitlines() if line.startswith(f"| {architecture.name} |")]
    assert [without_formats(line) for line in in_page] == [without_formats(row.line)], AGAIN


@pytest.mark.slow
@all_of_them
@by_name
def test_the_whole_table(architecture: Architecture, tmp_path: Path, tokenizer: Path) -> None:
    row = examine(architecture, tmp_path, tokenizer, formats=FORMATS)
    assert row.right
    assert row.line in table_in_page().splitlines(), AGAIN


def without_formats(line: str) -> list[str]:
    """The cells but that of the formats, which the oracle of quantization holds in a part of the runs."""
    cells = line.split(" | ")
    column = HEADER.index("Quantized")
    return cells[:column] + cells[column + 1 :]


@pytest.mark.slow
@all_of_them
@pytest.mark.parametrize("scale", [0.02, 1.0])
@by_name
def test_the_size_of_the_weights_changes_nothing(
    architecture: Architecture, scale: float, tmp_path: Path, tokenizer: Path
) -> None:
    row = examine(architecture, tmp_path, tokenizer, scale, seed=1)
    assert row.right
    assert (row.scores == "refused") == (architecture.refused is not None)


@pytest.mark.parametrize("scale", [0.02, 1.0])
@pytest.mark.parametrize("name", ["bert", "bert (as a language model)", "roberta", "electra", "bart", "marian", "t5"])
def test_other_kinds_are_refused_whatever_the_size_of_their_weights(
    name: str, scale: float, tmp_path: Path, tokenizer: Path
) -> None:
    [architecture] = [one for one in ARCHITECTURES if one.name == name]
    row = examine(architecture, tmp_path, tokenizer, scale)
    assert row.scores == "refused" and architecture.refused is not None and architecture.refused in row.why


def test_the_part_is_drawn_from_every_kind() -> None:
    assert 12 <= len(QUICK) <= 20 and SCALE == 0.3
    assert any(one.refused for one in QUICK) and any("longrope" in one.name for one in QUICK)
