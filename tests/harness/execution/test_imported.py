"""Which code a worker runs: installed, edited after that, in a checkout, a namespace, a library that ctypes loads."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.results.provenance import Package, exchanged, together

TREE = Path(__file__).parents[3]
PROGRAM = """
import sys, json, importlib
sys.path[:0] = json.loads(sys.argv[1])
for name in json.loads(sys.argv[2]):
    importlib.import_module(name)
from harness.execution.imported import imported_packages
print(json.dumps({name: package.model_dump() for name, package in imported_packages().items()}))
"""
Imported = Callable[..., dict[str, Any]]


@pytest.fixture
def imported(tmp_path: Path) -> Imported:
    """What a process of its own says of the modules that it imported from two folders."""

    def told(*modules: str) -> dict[str, Any]:
        folders = [str(tmp_path / "site-packages"), str(tmp_path / "checkout")]
        done = subprocess.run(
            [sys.executable, "-B", "-c", PROGRAM, json.dumps(folders), json.dumps(modules)],
            capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": str(TREE)},
        )  # fmt: skip
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return told


def installed(folder: Path, name: str, version: str, files: dict[str, str]) -> None:
    """A distribution as pip leaves it: its RECORD is written last."""
    site, rows = folder / "site-packages", []
    for path, content in files.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(content)
        os.utime(site / path, (1e9, 1e9))
        digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).decode().rstrip("=")
        rows.append(f"{path},sha256={digest},{len(content)}")
    record = site / f"{name}-{version}.dist-info/RECORD"
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text("\n".join([*rows, f"{record.parent.name}/RECORD,,"]) + "\n")


def test_what_is_installed_is_told_by_its_distribution(tmp_path: Path, imported: Imported) -> None:
    installed(tmp_path, "Some_Kernels", "1.2", {"kernels/__init__.py": "x = 1", "kernels/lazy.py": "", "one.py": ""})
    found = imported("kernels", "one")
    assert found["Some_Kernels"]["version"] == "1.2" and not {"kernels", "one"} & found.keys()
    assert imported("kernels", "kernels.lazy")["Some_Kernels"] == found["Some_Kernels"], "whatever was imported of it"
    assert "numpy" not in found and not set(found) & sys.stdlib_module_names
    installed(tmp_path, "Some_Kernels", "1.2", {"kernels/__init__.py": "x = 2", "kernels/lazy.py": "", "one.py": ""})
    assert imported("kernels")["Some_Kernels"]["digest"] != found["Some_Kernels"]["digest"], (
        "another build of one version"
    )


def test_where_it_was_installed_from_is_no_code(tmp_path: Path, imported: Imported) -> None:
    """Two states of a project are built from two temporary folders."""
    told = []
    for origin in ("/tmp/one", "/tmp/another"):
        direct = {"kernels-1.2.dist-info/direct_url.json": json.dumps({"url": origin})}
        installed(tmp_path, "kernels", "1.2", {"kernels/__init__.py": "x = 1", **direct})
        told.append(imported("kernels")["kernels"]["digest"])
    assert told[0] == told[1]


def test_known_bad_what_was_edited_in_place_has_another_digest(tmp_path: Path, imported: Imported) -> None:
    files = {"kernels/__init__.py": "x = 1", "kernels/fast.py": "y = 1"}
    installed(tmp_path, "kernels", "1.2", files)
    before = imported("kernels.fast")["kernels"]
    (tmp_path / "site-packages/kernels/fast.py").write_text("y = 2")
    edited = imported("kernels.fast")["kernels"]
    assert edited["version"] == before["version"] and edited["digest"] != before["digest"]
    (tmp_path / "site-packages/kernels/fast.py").write_text("y = 1")  # newer than its RECORD, and what that says
    assert imported("kernels.fast")["kernels"] == before
    (tmp_path / "site-packages/kernels/added.py").write_text("z = 1")
    assert imported("kernels.added")["kernels"]["digest"] != before["digest"]


def test_a_checkout_is_told_by_its_sources(tmp_path: Path, imported: Imported) -> None:
    """Also with the dist-info of an editable install, whose RECORD names none of them."""
    installed(tmp_path, "ours", "0.1", {"__editable__.ours.pth": str(tmp_path / "checkout")})
    package = tmp_path / "checkout/ours"
    (package / "deep").mkdir(parents=True)
    for name in ("__init__.py", "fast.py", "deep/kernel.cpp"):
        (package / name).write_text("")
    (package / "__init__.py").write_text("__version__ = '0.2'")
    (package.parent / "alone.py").write_text("")
    before = imported("ours", "alone")
    assert before["ours"]["version"] == "0.2" and before["alone"]["version"] is None
    assert imported("ours", "ours.fast", "alone") == before | {"harness": imported("ours")["harness"]}
    for name in ("fast.py", "deep/kernel.cpp"):
        (package / name).write_text("# edited")
        now = imported("ours", "alone")
        assert now["ours"]["digest"] != before["ours"]["digest"] and now["alone"] == before["alone"], name
        before = now
    (package / "__pycache__").mkdir(exist_ok=True)
    (package / "__pycache__/fast.py").write_text("# no source")
    (package / "notes.txt").write_text("nor this")
    assert imported("ours", "alone") == before
    (package.parent / "alone.py").write_text("# edited")
    assert imported("ours", "alone")["alone"] != before["alone"]


def test_a_namespace_belongs_to_whose_file_it_is(tmp_path: Path, imported: Imported) -> None:
    installed(tmp_path, "one", "1", {"shared/one/__init__.py": ""})
    installed(tmp_path, "two", "2", {"shared/two/__init__.py": ""})
    (tmp_path / "checkout/shared/three").mkdir(parents=True)
    (tmp_path / "checkout/shared/three/__init__.py").write_text("")
    found = imported("shared.two", "shared.three")
    assert found["two"]["version"] == "2" and "one" not in found and "shared" in found


def test_a_library_that_ctypes_loads_is_told(tmp_path: Path, imported: Imported) -> None:
    compiled = pytest.importorskip("_ctypes_test", reason="this Python came without its tests")
    place = tmp_path / "checkout"
    place.mkdir()
    library = place / "libkernel.so"
    library.write_bytes(Path(compiled.__file__).read_bytes())
    (place / "loads.py").write_text(f"import ctypes; ctypes.CDLL({str(library)!r})")
    before = imported("loads")
    library.write_bytes(library.read_bytes() + b"\0")
    assert imported("loads")["library libkernel"] != before["library libkernel"]


def test_launches_are_put_together() -> None:
    one, other = Package(version="1", digest="a" * 16), Package(version="2", digest="b" * 16)
    assert together([{"k": one}, {"k": one, "m": other}]) == {"k": one, "m": other}
    mixed = together([{"k": other}, {"k": one}])
    assert mixed["k"].digest == "a" * 16 + "+" + "b" * 16 and mixed["k"].version == "2+1"
    assert exchanged(mixed) == ["k"] and exchanged({"k": one}) == []
    assert together([]) == {}
