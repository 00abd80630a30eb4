"""`calls:` of a suite: what another process can't be given is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UserError
from harness.suite.load import load_suite


@pytest.mark.parametrize("arguments", [".nan", "[1, .inf]", "[2020-01-01]"])
def test_arguments_are_what_json_has(tmp_path: Path, arguments: str) -> None:
    file = tmp_path / "suite.yaml"
    file.write_text(f"name: project\ncalls:\n  work: {{call: 'kernels:work', arguments: {arguments}}}\n")
    with pytest.raises(UserError, match=r"suite.yaml:3: calls.work.arguments: should be what JSON has"):
        load_suite(str(file))
