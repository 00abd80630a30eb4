"""A run with another kernel than it was asked for must fail, not pass as that kernel's."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from configurations import CORE, NUMERIC

CHILD = Path(__file__).parent / "child.py"
NAMES = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "GPT_NATIVE")


@pytest.mark.parametrize(
    ("configuration", "environment", "said"),
    [
        ("narrowest", {}, "torch's kernels are"),
        ("aten-default", {"ATEN_CPU_CAPABILITY": "Default"}, "not default"),
        ("onednn-avx2", {"ONEDNN_MAX_CPU_ISA": "SSE41"}, "oneDNN has 'Intel SSE4.1', not 'Intel AVX2'"),
        ("no-kernel", {"CXX": "g++"}, "the compiled kernel: "),
        ("kernel", {"GPT_NATIVE": "0"}, "the compiled kernel: GPT_NATIVE=0 is set"),
    ],
)
def test_another_kernel_is_a_failure(configuration: str, environment: dict[str, str], said: str) -> None:
    if "CXX" in environment and shutil.which("g++") is None:
        pytest.skip("no C++ compiler, so no kernel that could be there unasked")
    kept = {name: value for name, value in os.environ.items() if name not in NAMES}
    done = subprocess.run(
        [sys.executable, str(CHILD), configuration, "--version"],
        env=kept | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"another kernel than '{configuration}' runs: ")
    assert said in done.stderr


@pytest.mark.parametrize("tests", [CORE, NUMERIC], ids=["core", "numeric"])
def test_the_parts_are_all_of_the_tests_once(tests: tuple[str, ...]) -> None:
    program = importlib.util.spec_from_file_location("isa_main", CHILD.with_name("__main__.py"))
    assert program is not None and program.loader is not None
    main = importlib.util.module_from_spec(program)
    program.loader.exec_module(main)
    parts = main.shares(tests, 3)
    root = CHILD.parents[2]
    paths = [root / name for name in tests]
    expected = {str(file) for path in paths for file in ([path] if path.is_file() else path.rglob("test_*.py"))}
    assert len(parts) == 3 and sorted(file for part in parts for file in part) == sorted(expected)
    sizes = [sum(Path(file).stat().st_size for file in part) for part in parts]
    assert max(sizes) < 1.2 * min(sizes)
    assert main.shares(["tests/isa/test_child.py"], 4) == [[str(CHILD.with_name("test_child.py"))]]
