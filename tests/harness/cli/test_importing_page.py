"""Every command of docs/importing.md, and what `harness import` and `export` print and exit with."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner, Result

from harness.cli.app import app
from harness.interchange.formats import FORMATS

PAGE = Path(__file__).parents[3] / "docs/importing.md"
TEXT = PAGE.read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```bash\n(.*?)```", TEXT, re.S) for line in block.splitlines()]


@pytest.fixture(scope="module")
def files() -> ModuleType:
    return importlib.import_module("tests.harness.interchange.foreign_files")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def called(*words: str) -> Result:
    done = CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_every_command_of_the_page(files: ModuleType) -> None:
    files.write(Path("bench.json"), files.hyperfine())
    for at, day in enumerate(("monday", "tuesday", "wednesday")):
        files.write(Path(f"{day}.json"), files.pytest_benchmark((0.001 + at / 1e6, 0.002)))
    for side, right in (("base", (1, 0, 1, 1)), ("head", (1, 1, 1, 1))):
        lines = files.lm_eval_samples(right)
        files.write(Path(side) / "results.json", files.lm_eval(lines))
        files.write_lines(Path(side) / "sums.jsonl", lines)
    printed = [called(*shlex.split(line)[1:]) for line in COMMANDS]
    assert [done.exit_code for done in printed] == [0] * len(COMMANDS) and len(COMMANDS) == 6
    assert "imported into results/runs/" in printed[0].output and "3 launches" in printed[1].output
    assert "0/1" in printed[4].output and Path("hot-paths.json").stat().st_size > 1000


def test_the_page_names_every_format() -> None:
    assert all(f"| `{one.name}` |" in TEXT for one in FORMATS)


def test_export_to_standard_output(files: ModuleType) -> None:
    called("import", files.write(Path("a"), files.pytest_benchmark()))
    done = called("export", "latest", "--to", "pytest-benchmark")
    assert done.exit_code == 0 and done.stdout.startswith('{\n    "machine_info"')
