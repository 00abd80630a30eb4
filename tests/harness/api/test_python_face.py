"""`import harness`: complete, lazy, typed, silent, and documented by examples that run."""

from __future__ import annotations

import ast
import inspect
import json
import re
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import harness
from harness.number import with_interval

ROOT = Path(harness.__file__).parents[1]
PAGE = ROOT / "docs" / "python.md"
HEAVY = {"torch", "transformers", "pandas", "numpy", "pyarrow", "pydantic", "rich", "typer", "yaml"}


def test_every_name_is_there() -> None:
    assert set(harness.HOME) <= set(dir(harness))
    assert set(harness.__all__) == set(harness.HOME) - {"eval", "list"}
    for name in harness.HOME:
        found = getattr(harness, name)
        assert not inspect.ismodule(found), name
        if not isinstance(found, types.UnionType | types.GenericAlias) and name != "OnEvent":
            assert callable(found) and found.__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'evla'"):
        harness.evla  # noqa: B018


def test_type_checkers_see_every_name() -> None:
    tree = ast.parse(Path(harness.__file__).read_text())
    checked = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: f"{node.module}"
        for node in checked.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    seen.pop("Sequence")
    assert seen == harness.HOME


def test_the_import_loads_little() -> None:
    code = (
        "import sys; before = set(sys.modules)\n"
        "import harness, json; dir(harness)\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = json.loads(ended.stdout)
    assert not {name.partition(".")[0] for name in loaded} & HEAVY
    assert [name for name in loaded if name.startswith("harness")] == ["harness"]


@pytest.mark.parametrize("kind", ["suites", "models", "corpora", "laws", "analyses", "assets", "data", "measures"])
def test_lists_are_tables_and_print_nothing(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    found = harness.list(kind)
    assert len(found) and found.columns.is_unique
    assert capfd.readouterr() == ("", "")


def test_an_unknown_kind_is_told() -> None:
    with pytest.raises(harness.UserError, match="did you mean 'models'"):
        harness.list("modles")


@pytest.fixture(scope="module")
def points() -> pd.DataFrame:
    """Runs on a Chinchilla surface, exactly."""
    rows = [
        {"parameters": n, "tokens": d, "loss": 1.7 + 400 / n**0.34 + 410 / d**0.28}
        for n in (1e7, 3e7, 1e8, 3e8)
        for d in (1e8, 1e9, 1e10)
    ]
    return pd.DataFrame(rows)


def test_fit_takes_a_table_and_prints_nothing(
    points: pd.DataFrame, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    points.to_csv(tmp_path / "runs.csv", index=False)
    found = harness.fit(points, replicates=0, profiles=False)
    of_file = harness.fit(tmp_path / "runs.csv", replicates=0, profiles=False)
    table = found.table()
    pd.testing.assert_frame_equal(table.drop(columns="data"), of_file.table().drop(columns="data"))
    assert found.draws is None
    assert "alpha" in " ".join(map(str, table["name"])) or len(table) > 3
    assert capfd.readouterr() == ("", "")
    with pytest.raises(harness.UserError, match="rows of a published data set"):
        harness.fit(points, rows="every")
    with pytest.raises(harness.UserError):
        harness.fit(points.drop(columns="loss"))


def test_a_fit_shows_its_numbers(points: pd.DataFrame) -> None:
    """Its law, every finding with its interval, and first why not to trust it."""
    found = harness.fit(points, replicates=20, profiles=False)
    lines = repr(found).splitlines()
    assert lines[0] == f"Fit of {found.scaling.fit.law.formula}"
    doubts = [line for line in lines if line.startswith("not to be trusted: ")]
    assert doubts == [f"not to be trusted: {why}" for why in found.problems] == lines[1 : 1 + len(doubts)]
    assert [line.split()[0] for line in lines[1 + len(doubts) :]] == [one.name for one in found.findings]
    alpha = next(one for one in found.findings if one.name == "alpha")
    assert f"alpha  {with_interval(alpha.value, alpha.low, alpha.high)}" in repr(found) and alpha.low is not None


def test_doctor_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    assert harness.doctor(measure=False).threads >= 1
    assert capfd.readouterr() == ("", "")


def _examples() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)


def test_the_page_names_everything() -> None:
    text = PAGE.read_text()
    table = text.partition("## Everything")[2]
    assert not [name for name in harness.HOME if f"`{name}`" not in table]
    told = set(
        re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| `")))
    )
    assert told <= set(harness.HOME)


def test_the_page_runs(
    points: pd.DataFrame, llama_folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {"points": points, "folder": llama_folder}
    monkeypatch.setattr("harness.shorthand.model_name.TRAINED_ON", {"corpus": "microworld", "steps": 2})
    for example in _examples():
        quick = example.replace('"tokens": 1_000_000', '"steps": 2')
        for one in ("perplexity", "bench"):
            quick = quick.replace(f'harness.{one}("nano"', f"harness.{one}(folder")
        exec(compile(quick, str(PAGE), "exec"), names)
    assert len(names["second"].cells) == 1 and names["second"].cells[0].source == "cache"
    assert names["speed"].ratios.empty


OUTSIDE = """
import harness
from harness import InMemory

results = harness.perplexity("m", text="t.txt", precision=["fp32", "int8"])
reveal_type(results)
reveal_type(results.records)
reveal_type(harness.fit("runs.csv").problems)
harness.perplexity(text="no model")
"""


def test_types_are_seen_from_outside(tmp_path: Path) -> None:
    assert (Path(harness.__file__).parent / "py.typed").is_file()
    (tmp_path / "script.py").write_text(OUTSIDE)
    ended = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", f"--cache-dir={tmp_path}/c", "script.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin", "MYPYPATH": ""},
    )
    assert 'Revealed type is "harness.api.results.Results"' in ended.stdout, ended.stdout + ended.stderr
    assert 'Revealed type is "tuple[str, ...]"' in ended.stdout or "builtins.tuple[builtins.str" in ended.stdout
    assert 'Missing positional argument "models"' in ended.stdout
