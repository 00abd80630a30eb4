"""Without a compiler, or with one that fails, there is a reason and everything goes through torch. Missing sources are
an error."""

import random
import shutil
from pathlib import Path

import pytest
import torch

from reference_impl.inference.engine import Engine
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.native import build


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    forget()
    monkeypatch.delenv("GPT_NATIVE", raising=False)
    monkeypatch.setattr(build.platformdirs, "user_cache_dir", lambda name: str(tmp_path / name))
    # what is compiled here runs for no time to speak of
    monkeypatch.setattr(build, "FLAGS", ("-O0", *(flag for flag in build.FLAGS if not flag.startswith("-O"))))
    yield
    forget()


def forget() -> None:
    """As in a new process."""
    build.native_library.cache_clear()
    build._native.cache_clear()


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


@pytest.mark.parametrize("name", build.SOURCES)
def test_missing_sources_are_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """With a compiler or without: falling back to torch would hide that the package is broken."""
    here = shutil.copytree(build.HERE, tmp_path / "native")
    (here / name).unlink()
    monkeypatch.setattr(build, "HERE", here)
    for compiler in (shutil.which("g++") or "g++", None):
        monkeypatch.setattr(build, "_compiler", lambda compiler=compiler: compiler)
        for asked in (build.native_library, build.planned_kernel, build.kernel_identity):
            with pytest.raises(FileNotFoundError, match=f"{name}: missing, .*; install the package again"):
                asked()
    monkeypatch.setenv("GPT_NATIVE", "0")
    assert build.native_library().reason == "GPT_NATIVE=0 is set", "who wants none needs no sources"


def test_every_source_decides_the_identity() -> None:
    """A header that `SOURCES` lacks could change, and the old kernel would go on running."""
    there = {path.name for path in build.HERE.iterdir() if path.suffix not in (".py", "") and path.is_file()}
    assert there == set(build.SOURCES) >= set(build.COMPILED)


def compiler_that(tmp_path: Path, name: str, version: str, then: str) -> Path:
    """A program that tells its version, and else does what `then` says with the last argument as `$out`."""
    made = tmp_path / name
    made.write_text(
        "#!/bin/sh\n"
        f'[ "$1" = --version ] && {{ echo {version}; exit 0; }}\n'
        f'for out in "$@"; do :; done\n{then}\n'
    )  # fmt: skip
    made.chmod(0o755)
    return made


def test_the_identity_tells_kernels_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = build._compiler()
    if real is None:
        pytest.skip("no C++ compiler")
    found = {build.kernel_identity()}
    monkeypatch.setenv("CXX", str(compiler_that(tmp_path, "other", "13", f'exec {real} "$@"')))
    found.add(build.kernel_identity())
    forget()
    monkeypatch.setattr(build, "FLAGS", (*build.FLAGS, "-DOTHER"))
    found.add(build.kernel_identity())
    assert len(found) == 3 and "none" not in found
    monkeypatch.setenv("GPT_NATIVE", "0")
    assert build.kernel_identity() == "none"


@pytest.mark.parametrize("then", ["exit 1", "exit 0", 'echo "no library" > "$out"'])
def test_a_compiler_that_tells_its_version_and_fails_makes_no_kernel(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, then: str
) -> None:
    monkeypatch.setenv("CXX", str(compiler_that(tmp_path, "broken", "13", then)))
    assert build.kernel_identity() == "none" and build.native_library().library is None
    assert build.native_library().identity == "none" and works()


def test_a_damaged_library_is_compiled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    if build._compiler() is None:
        pytest.skip("no C++ compiler")
    first = build.native_library()
    path = Path(first.reason)
    whole = path.read_bytes()
    compiled: list[Path] = []

    def compile_again(compiler: str, path: Path) -> None:
        """What a compiler would make, and did before."""
        compiled.append(path)
        path.unlink()
        path.write_bytes(whole)

    monkeypatch.setattr(build, "_compile", compile_again)
    other = whole[: whole.rindex(build._SEAL)]
    for damaged in (
        flipped(whole, 5000),
        flipped(whole, -70),  # within the checksum
        whole[:-100],
        b"",
        other + build._SEAL + build._checksum("kernel-0.so", other),
    ):
        path.unlink()  # it is open: writing to it would change what this process runs
        path.write_bytes(damaged)
        forget()
        again = build.native_library()
        assert again.library is not None and again.identity == first.identity and "compiled again" in again.recompiled
        assert compiled.pop() == path and str(path) in again.recompiled
        forget()
        assert build.native_library().recompiled == ""
    assert compiled == []


def flipped(content: bytes, place: int) -> bytes:
    found = bytearray(content)
    found[place] ^= 4
    return bytes(found)


def test_no_flipped_bit_of_a_library_is_loaded(tmp_path: Path) -> None:
    first = build.native_library()
    if first.library is None:
        pytest.skip(first.reason)
    whole, copy = Path(first.reason).read_bytes(), tmp_path / Path(first.reason).name
    copy.write_bytes(whole)
    assert build._is_whole(copy)
    draw = random.Random(0)
    for bit in (*(draw.randrange(8 * len(whole)) for _ in range(300)), *range(8 * len(whole) - 600, 8 * len(whole))):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        copy.write_bytes(damaged)
        assert not build._is_whole(copy), bit
