"""Without a compiler, or with one that fails, there is a reason and everything goes through torch."""

from pathlib import Path

import pytest
import torch

from reference_impl.inference.engine import Engine
from reference_impl.inference.native import build
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    build.native_library.cache_clear()
    monkeypatch.delenv("GPT_NATIVE", raising=False)
    monkeypatch.setattr(build.platformdirs, "user_cache_dir", lambda name: str(tmp_path / name))
    yield
    build.native_library.cache_clear()


def works() -> bool:
    engine = Engine(GPT(GPTConfig(11, 8, 1, 1, 8)))
    return engine.native is None and engine(torch.tensor([[1]]), engine.new_cache(1, 2)).shape == (1, 1, 11)


def test_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPT_NATIVE", "0")
    assert build.native_library().reason == "GPT_NATIVE=0 is set" and works()


def test_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(build.shutil, "which", lambda name: None)
    assert build.native_library().reason == "no C++ compiler: install g++" and works()


def test_a_compiler_that_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    compiler = tmp_path / "broken"
    compiler.write_text("#!/bin/sh\necho 'out of registers' >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    assert build.native_library().reason == f"{compiler} could not compile it: out of registers" and works()
    assert not list(tmp_path.glob("gpt-reference/*"))  # nothing half made is left


def test_a_compiler_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "/no/such/compiler")
    assert "could not compile it" in build.native_library().reason and works()


def test_the_identity_tells_kernels_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = set()
    for version in ("12", "13"):
        compiler = tmp_path / f"compiler-{version}"
        compiler.write_text(f"#!/bin/sh\necho {version}\n")
        compiler.chmod(0o755)
        monkeypatch.setenv("CXX", str(compiler))
        found.add(build.kernel_identity())
    monkeypatch.setattr(build, "FLAGS", (*build.FLAGS, "-ffast-math"))
    found.add(build.kernel_identity())
    monkeypatch.setenv("CXX", "/no/such/compiler")
    assert build.kernel_identity() == "none"
    monkeypatch.setenv("GPT_NATIVE", "0")
    assert build.kernel_identity() == "none"
    assert len(found) == 3 and "none" not in found
