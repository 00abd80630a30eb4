"""The contract that commands call the Python face alone: it names every package, and what it leaves out is few."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import harness

HOUSE = Path(harness.__file__).parent
PRINTED_AND_SHARED = {
    *("cli", "report", "assets", "published_data"),
    *("address_limit", "cache", "common_prefix", "errors", "file_digest", "input_file", "kept_file", "limits", "mode"),
    *(
        "notice",
        "number",
        "promises",
        "reader",
        "spelling",
        "standard_streams",
        "strict_entry",
        "strict_json",
        "strict_models",
    ),
    *("threads", "whole_file", "__init__", "__main__", "py"),
}


def contract() -> dict[str, list[str]]:
    told = tomllib.loads((HOUSE.parent / "pyproject.toml").read_text())
    [found] = [one for one in told["tool"]["importlinter"]["contracts"] if one["name"].startswith("Commands parse")]
    return dict(found)


def test_every_package_is_forbidden_or_shared() -> None:
    """Known bad: a new package that no list names, so that commands may import it."""
    own = {path.stem for path in HOUSE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    forbidden = {name.removeprefix("harness.") for name in contract()["forbidden_modules"]}
    assert own - forbidden - PRINTED_AND_SHARED == set() and not forbidden & PRINTED_AND_SHARED
    assert contract()["source_modules"] == ["harness.cli"]


def test_what_is_left_out_prints_or_parses() -> None:
    for line in contract()["ignore_imports"]:
        target = line.partition(" -> ")[2]
        assert target.startswith(
            ("harness.gate.", "harness.history.", "harness.shorthand.", "harness.benchmarking.")
        ) or (line == "harness.cli.refusing -> harness.suite.wording")


def _names_used() -> Iterator[tuple[Path, str]]:
    """`harness.NAME` in every command, and `from harness import NAME`, where that is no module."""
    for path in sorted((HOUSE / "cli").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "harness":
                yield path, node.attr
            elif isinstance(node, ast.ImportFrom) and node.module == "harness":
                yield from ((path, alias.name) for alias in node.names)


def test_commands_use_public_names() -> None:
    used = {name for _, name in _names_used()}
    modules = {path.stem for path in HOUSE.iterdir()}
    assert used - modules - {"__version__"} <= set(harness.HOME) and len(used) > 60
