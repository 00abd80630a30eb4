"""Every command of docs/baselines.md and of `--fail-on` in docs/reports.md, as it stands there, on runs of a moment."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import Result
from typer.testing import CliRunner

from harness.cli.app import app
from harness.comparison.expectation import Expectation
from harness.errors import ExitCode, UserError
from harness.results.baseline import find_baseline
from harness.yaml_files.document import parse_document
from tests.harness.gate.gate_runs import Makes

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "baselines.md").read_text(encoding="utf-8")
REPORTS = (DOCS / "reports.md").read_text(encoding="utf-8")
EXPECTATIONS = (DOCS / "expectations.md").read_text(encoding="utf-8")


def commands(text: str) -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", text, re.S)
    return [line for block in blocks for line in block.splitlines() if line.startswith("harness ")]


@pytest.fixture
def make(builders: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Makes:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return Makes(builders, tmp_path / "results/runs")


def harness(line: str) -> Result:
    done = CliRunner().invoke(app, shlex.split(line)[1:], env={"COLUMNS": "200"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_every_command_of_the_page(make: Makes) -> None:
    gate = "{metric: bits_per_byte}"
    make.run("one", gate, suite="ci", sequence=1)
    lines = commands(PAGE)
    assert len(lines) == 9
    for line in lines:
        if line.startswith("harness run"):
            make.run("two", gate, suite="ci", sequence=2)
            continue
        done = harness(line)
        assert done.exit_code == ExitCode.PASS, f"{line}: {done.output}"
        if line == "harness gate latest":
            assert "two against baseline:ci" in done.output
            assert "the baseline is baseline:ci: the run one of commit one000000000, set by " in done.output
        if line == "harness baseline log ci":
            assert done.output.startswith("  1. run one of commit one000000000, suite ci (0123456789ab)\n")
            assert "  before: nothing" in done.output and "  the int8 kernels of October are in" in done.output
    with pytest.raises(UserError, match="there is no baseline of the suite quickstart") as caught:
        make.run("other", sequence=3)
        harness("harness gate latest")
    assert caught.value.exit_code is ExitCode.BASELINE_MISSING


def test_every_command_of_a_failing_build(make: Makes) -> None:
    make.run("main-run", sequence=1), make.run("head", shift=0.1, sequence=2)
    codes = [harness(line).exit_code for line in commands(REPORTS) if "--fail-on" in line]
    assert codes == [ExitCode.UNMET, ExitCode.UNMET]


def test_the_pages_name_every_option(make: Makes) -> None:
    shown = harness("harness baseline set --help").output
    for option in ("--name", "--dir", "--why", "--by", "--incomplete", "--dirty", "--another-suite"):
        assert option in shown and f"`{option}`" in PAGE
    for kind in ("worse", "different", "incomparable"):
        assert f"| `{kind}` |" in REPORTS


def test_the_expectations_of_the_page_can_be_read() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", EXPECTATIONS, re.S)
    (block,) = [one for one in blocks if "run:" in one]
    found = [Expectation(**entry) for entry in parse_document(block, "page").data["expect"]]
    assert [one.stored for one in found] == ["baseline:ci", "main", "main", "main"]
    assert all(f"| `{name}`" in EXPECTATIONS for name in Expectation.model_fields if name != "at_least")


def test_a_large_baseline_one_without_a_log_and_several(make: Makes) -> None:
    make.run("one", sequence=1)
    assert harness("harness baseline list").exit_code == ExitCode.PASS
    with pytest.raises(UserError, match="there is no baseline here") as caught:
        harness("harness baseline show")
    assert caught.value.exit_code is ExitCode.BASELINE_MISSING
    for name in ("a", "b"):
        harness(f"harness baseline set one --name {name} --why because")
    with pytest.raises(UserError, match="name one of a, b"):
        harness("harness baseline log")
    assert harness("harness baseline show baseline:a").exit_code == ExitCode.PASS
    (find_baseline("b").folder / "log.jsonl").unlink()
    done = harness("harness baseline list")
    assert done.exit_code == ExitCode.USAGE and "baseline:b: there is no log.jsonl in this folder" in done.output
    for line in ("harness baseline show b", "harness baseline log b"):
        assert harness(line).exit_code == ExitCode.USAGE
    with pytest.raises(UserError, match=r"there is no log.jsonl") as caught:
        harness("harness gate one --baseline baseline:b")
    assert caught.value.exit_code is ExitCode.USAGE
