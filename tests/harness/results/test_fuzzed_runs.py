"""A run of an earlier version has no checksums, and may say anything: what is no run is a sentence, what is one is
shown."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from rich.console import Console

from harness.comparison.compare import compare
from harness.errors import UserError
from harness.kept_file import read_json, unseal
from harness.report.html import html
from harness.report.making import of_run
from harness.report.markdown import markdown
from harness.report.terminal import print_run, print_runs
from harness.results.find import find_run, next_sequence
from harness.results.run import Run
from harness.results.run_folder import CELLS, MANIFEST

ODD: list[Any] = [
    *(None, True, 0, -1, 10**400, 1e308, "NaN", "Infinity", "", "x" * 10_000, [], {}, [[]], {"a": 1}, [None], 3.5),
    *("\x1b[31m", "../../etc", {"": None}, [[[[[[[[1]]]]]]]]),
]
"""What stands in the place of a value."""
NONE = [b"", b"\0" * 50, b"\xff\xfe", b"{", b"[]", b"null", b"{}", b"[{}]\n[]\n", b"[" * 100_000, b'{"a": ' * 9999]
"""What stands in the place of a file."""
SECONDS = 30.0
"""That one may take on a busy machine."""


@pytest.fixture(scope="module")
def old(builders: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What lies in a run folder of the version without checksums, by file."""
    folder = tmp_path_factory.mktemp("old") / "now"
    builders.full_run(folder)
    lines = [json.loads(unseal(line, CELLS)) for line in (folder / CELLS).read_bytes().splitlines()[::8]]
    return {
        MANIFEST: json.loads(read_json(folder / MANIFEST, MANIFEST)) | {"schema_version": 1},
        CELLS: [line | {"schema_version": 1, "samples": None, "samples_sha256": None} for line in lines],
        "findings.json": json.loads((folder / "findings.json").read_bytes()),
        "expectations.json": json.loads((folder / "expectations.json").read_bytes()),
    }


def written(files: dict[str, Any], folder: Path) -> Run:
    folder.mkdir(exist_ok=True)
    for name, value in files.items():
        text = "".join(json.dumps(line) + "\n" for line in value) if name == CELLS else json.dumps(value)
        (folder / name).write_text(text)
    return Run(folder)


def looked_at(run: Run) -> int:
    """Everything that reads a run; how many of them refused it with a sentence."""
    console, refused = Console(file=StringIO(), width=160), 0
    looks = (
        lambda: find_run(str(run.folder), run.folder.parent),
        lambda: print_run(Run(run.folder), console),
        lambda: print_runs([Run(run.folder)], console),
        lambda: markdown(of_run(Run(run.folder))),
        lambda: html(of_run(Run(run.folder))),
        lambda: compare(Run(run.folder), Run(run.folder)),
        lambda: next_sequence(run.folder.parent),
    )
    for look in looks:
        began = time.monotonic()
        try:
            look()
        except UserError as error:
            assert error.message
            refused += 1
        assert time.monotonic() - began < SECONDS
    return refused


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, (*at, key))


def mutated(files: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    """The same with one value replaced or gone."""
    name = draw.choice(sorted(files))
    value = json.loads(json.dumps(files[name]))
    *before, last = draw.choice([place for place in places(value) if place])
    inside = value
    for key in before:
        inside = inside[key]
    if draw.random() < 0.2:
        del inside[last]
    else:
        inside[last] = draw.choice(ODD)
    return files | {name: value}


def many(old: dict[str, Any], folder: Path, count: int) -> None:
    assert looked_at(written(old, folder)) == 0
    draw = random.Random(7)
    for _ in range(count):
        looked_at(written(mutated(old, draw), folder))


def test_an_old_run_with_an_odd_value_is_shown_or_a_sentence(old: dict[str, Any], tmp_path: Path) -> None:
    many(old, tmp_path / "runs", 30)


@pytest.mark.nightly
def test_old_runs_with_many_odd_values_are_shown_or_a_sentence(old: dict[str, Any], tmp_path: Path) -> None:
    many(old, tmp_path / "runs", 600)


@pytest.mark.parametrize("name", [MANIFEST, CELLS, "findings.json", "expectations.json"])
@pytest.mark.parametrize("content", NONE)
def test_a_file_that_is_none_is_a_sentence(old: dict[str, Any], tmp_path: Path, name: str, content: bytes) -> None:
    run = written(old, tmp_path / "runs")
    (run.folder / name).write_bytes(content)
    looked_at(run)
    if name == MANIFEST:
        with pytest.raises(UserError):
            _ = run.manifest
    elif content != b"[]" or name == CELLS:
        assert run.damage != [] or content == b""


def test_a_run_that_vanishes_is_a_sentence(old: dict[str, Any], tmp_path: Path) -> None:
    run = written(old, tmp_path / "runs")
    for file in run.folder.iterdir():
        file.unlink()
    run.folder.rmdir()
    assert looked_at(run) >= 2
