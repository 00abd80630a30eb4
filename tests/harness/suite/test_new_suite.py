"""Suites to begin with: each runs as it is written, and nothing is overwritten."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import harness
from harness.cli import main
from harness.cli.init import Kind
from harness.errors import UserError
from harness.results.finding import Outcome
from harness.results.record import Status
from harness.suite.new_suite import KINDS, TEMPLATES, init


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize("kind", KINDS)
def test_each_runs_as_it_is_written(
    kind: str, shared_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(shared_cache))
    monkeypatch.chdir(tmp_path)
    run = harness.run(str(harness.init(kind)), out=tmp_path / "runs")
    assert {cell.status for cell in run.cells} == {Status.OK}
    assert not run.manifest.problems and not any(finding.failed for finding in run.findings)
    assert run.manifest.suite == kind
    for outcome in run.expectations:
        assert outcome.outcome is Outcome.MET, outcome


def test_each_kind_has_a_template_with_comments_and_a_word_on_the_command_line() -> None:
    assert sorted(path.name for path in TEMPLATES.iterdir()) == sorted(f"{kind}.yaml" for kind in KINDS)
    assert [kind.value for kind in Kind] == list(KINDS)
    for kind in KINDS:
        lines = (TEMPLATES / f"{kind}.yaml").read_text().splitlines()
        assert sum(line.lstrip().startswith("#") for line in lines) >= 4
        assert max(map(len, lines)) <= 130


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("name: mine")
    with pytest.raises(UserError, match="is there already"):
        init("eval", file)
    assert file.read_text() == "name: mine"
    (tmp_path / "link.yaml").symlink_to(tmp_path / "gone.yaml")
    with pytest.raises(UserError, match="is there already"):
        init("eval", tmp_path / "link.yaml")


@pytest.mark.parametrize(
    ("kind", "file", "said"),
    [
        ("evil", "a.yaml", "did you mean 'eval'"),
        ("", "a.yaml", "there are eval"),
        ("eval", "no/folder/a.yaml", "make the folder first"),
        ("eval", "suite.json", "end it with .yaml"),
        ("eval", "a" * 400 + ".yaml", "can't be written"),
        ("eval", "\0.yaml", "can't be written"),
    ],
)
def test_mistakes(kind: str, file: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=said):
        init(kind, file)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_only_be_read(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="permission denied"):
        init("eval", tmp_path / "a.yaml")


def test_the_command(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def command(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["harness", "init", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    monkeypatch.chdir(tmp_path)
    assert command() == 0
    assert "harness run eval.yaml" in capsys.readouterr().out
    assert command("ci", "-o", "a b.yaml") == 0
    assert "harness ci 'a b.yaml' --base origin/main" in capsys.readouterr().out
    assert command() == 2
    assert capsys.readouterr().err == "error: eval.yaml: is there already and is left as it is; name another file\n"
