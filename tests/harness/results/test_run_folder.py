"""A run folder of anybody's: nothing in it leads elsewhere."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import ModuleType

import pytest

from harness import kept_file
from harness.errors import UserError
from harness.results.run import Run
from harness.results.run_folder import CELLS, MANIFEST, inside


@pytest.fixture
def folder(builders: ModuleType, tmp_path: Path) -> Path:
    return Path(builders.full_run(tmp_path / "run").folder)


@pytest.mark.parametrize(
    "name", [MANIFEST, CELLS, "report.html", "samples/new.parquet", "samples/deep/link", "summary.md"]
)
def test_no_link_is_followed(folder: Path, tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    outside.write_text("secret")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(outside)
    for read in (lambda run: run.manifest, lambda run: run.cells, lambda run: run.records):
        with pytest.raises(UserError, match="symbolic link") as caught:
            read(Run(folder))
        assert str(folder / name) in str(caught.value)
    assert outside.read_text() == "secret"


def test_a_folder_that_is_a_link_and_a_pipe(folder: Path, tmp_path: Path) -> None:
    (folder / "more").symlink_to(tmp_path)
    with pytest.raises(UserError, match="symbolic link"):
        Run(folder).cells  # noqa: B018
    (folder / "more").unlink()
    (folder / CELLS).unlink()
    os.mkfifo(folder / CELLS)
    with pytest.raises(UserError, match="no plain file"):
        Run(folder).cells  # noqa: B018


def test_of_a_folder_that_is_no_run_nobody_is_told_to_remove_anything(tmp_path: Path) -> None:
    (tmp_path / "more").symlink_to(tmp_path)
    with pytest.raises(UserError, match="not a run folder"):
        Run(tmp_path).manifest  # noqa: B018


def test_a_run_itself_may_be_reached_by_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to(folder)
    assert Run(tmp_path / "latest").cells


@pytest.mark.parametrize("name", ["../run2/samples/a.parquet", "/etc/passwd", "samples/../../x"])
def test_samples_lie_inside(folder: Path, name: str) -> None:
    with pytest.raises(UserError, match="isn't in its folder"):
        inside(folder, name)
    lines = [json.loads(kept_file.unseal(line, CELLS)) for line in (folder / CELLS).read_bytes().splitlines()]
    named = [kept_file.seal(json.dumps(line | {"samples": name}), CELLS) for line in lines]
    (folder / CELLS).write_text("".join(line + "\n" for line in named))
    run = Run(folder)
    with pytest.raises(UserError, match="isn't in its folder"):
        run.samples_of(run.cells[0])
