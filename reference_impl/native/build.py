"""Compile the kernel for this very processor and load it; once per machine, kept in the user's cache.

There is no wheel that fits every processor, and a C++ compiler takes five seconds. Where there is none, where it
fails, or where GPT_NATIVE=0 is set, `native_library` gives the reason and everything runs through torch's operations.
Sources that are missing are another matter: the package is broken, and that is an error.

A library with a flipped bit computes wrong numbers or ends the process, so its sha256 stands at its end (the loader
looks at nothing behind the last section), and it is compared before the library is loaded; a damaged one is compiled
again.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import platformdirs

HERE = Path(__file__).parent
COMPILED = ("decode.cpp", "attention.cpp")
SOURCES = (*COMPILED, "weights.hpp", "exponential.hpp")
FLAGS = (
    *("-std=c++20", "-O3", "-march=native", "-fopenmp", "-fPIC", "-shared"),
    # What sums in another order needs, and no more: not-a-number and infinity keep their meaning.
    *("-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros", "-fassociative-math"),
)
_SEAL = b"\nsha256 "
SECONDS = 120
"""A compiler that takes longer is given up."""


@dataclass(frozen=True)
class Native:
    """The loaded kernel, or why there is none."""

    library: ctypes.CDLL | None
    reason: str
    """Why it is missing; where it was compiled to if it is not."""
    identity: str = "none"
    """A digest of what the compiled code depends on; `none` where there is none."""
    recompiled: str = ""
    """What was wrong with the library that was kept, which is why it was compiled again."""


@cache
def native_library() -> Native:
    """The kernel, compiled first if this machine has not compiled it yet.

    Raises FileNotFoundError where this package lacks its own sources, and nothing else.
    """
    return _native(_switched_off(), _compiler())


@cache
def _native(switched_off: bool, compiler: str | None) -> Native:
    if switched_off:
        return Native(None, "GPT_NATIVE=0 is set")
    _check_sources()
    if compiler is None:
        return Native(None, "no C++ compiler: install g++")
    try:
        identity = _digest(compiler)
        path = Path(platformdirs.user_cache_dir("gpt-reference")) / f"kernel-{identity}.so"
        damaged = path.is_file() and not _is_whole(path)
        if damaged or not path.is_file():
            _compile(compiler, path)
        library = _load(path)
    except (OSError, AttributeError, subprocess.SubprocessError) as error:
        told = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        return Native(None, f"{compiler} could not compile it: {told[0] if told else type(error).__name__}")
    recompiled = f"{path}: damaged, its sha256 is another than when it was compiled; it was compiled again"
    return Native(library, str(path), identity, recompiled if damaged else "")


def _check_sources() -> None:
    if missing := [name for name in SOURCES if not (HERE / name).is_file()]:
        raise FileNotFoundError(
            f"{HERE / missing[0]}: missing, so the compiled kernel can't be built; install the package again"
        )


def _load(path: Path) -> ctypes.CDLL:
    """Raises OSError where it is no library, AttributeError where it is another one."""
    library = ctypes.CDLL(str(path))
    pointer = ctypes.c_void_p
    library.decode_step.argtypes = (pointer, pointer)
    library.attend_rows.argtypes = (pointer,)
    library.multiply_rows.argtypes = (pointer, ctypes.c_int32, ctypes.c_int32, pointer, pointer)
    library.widen.argtypes = (pointer, ctypes.c_int32, ctypes.c_int64, ctypes.c_int64, pointer)
    library.decode_step.restype = library.attend_rows.restype = library.multiply_rows.restype = (
        library.widen.restype
    ) = None
    return library


def planned_kernel() -> Native:
    """The kernel that a process which starts now will use, compiled now if it has to be. Raises as `native_library`.

    With another kernel, or none, speeds are others, and answers differ by rounding. A compiler that is there and fails
    makes none, so it does not do to ask what it would make.
    """
    return _native(_switched_off(), _compiler())


def kernel_identity() -> str:
    """The identity of `planned_kernel`: a digest, or `none`."""
    return planned_kernel().identity


def kernel_in_use() -> str | None:
    """The identity of the kernel, where this process has asked for it; None: nothing that it ran needed to know."""
    return native_library().identity if native_library.cache_info().currsize else None


def _switched_off() -> bool:
    return os.environ.get("GPT_NATIVE") == "0"


def _compiler() -> str | None:
    return next(filter(None, (os.environ.get("CXX"), shutil.which("g++"), shutil.which("clang++"))), None)


def _compile(compiler: str, path: Path) -> None:
    """Write the library whole or not at all: several processes may do it at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder, path.name)
        subprocess.run(
            [compiler, *FLAGS, *(str(HERE / name) for name in COMPILED), "-o", str(made)],
            check=True,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        with made.open("ab") as file:
            file.write(_SEAL + _checksum(path.name, made.read_bytes()))
        _load(made)  # what can't be loaded is not kept: the compiler may be fixed
        made.replace(path)


def _is_whole(path: Path) -> bool:
    """Whether a kept library is, byte for byte, what was compiled for this name."""
    content, found, checksum = path.read_bytes().rpartition(_SEAL)
    return bool(found) and checksum == _checksum(path.name, content)


def _checksum(name: str, library: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + library).hexdigest().encode()


def _digest(compiler: str) -> str:
    """What the compiled code depends on: source, flags, compiler, processor."""
    parts = [*((HERE / name).read_bytes() for name in SOURCES), " ".join(FLAGS).encode(), _version(compiler).encode()]
    parts.append(f"{platform.machine()} {_processor_flags()}".encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:24]


@cache
def _version(compiler: str) -> str:
    return subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False).stdout


def _processor_flags() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
