"""Compile the kernel for this very processor and load it; once per machine, kept in the user's cache.

There is no wheel that fits every processor, and a C++ compiler takes five seconds. Where there is none, where it
fails, or where GPT_NATIVE=0 is set, `native_library` gives the reason and everything runs through torch's operations.
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
SECONDS = 120
"""A compiler that takes longer is given up."""


@dataclass(frozen=True)
class Native:
    """The loaded kernel, or why there is none."""

    library: ctypes.CDLL | None
    reason: str
    """Why it is missing; where it was compiled to if it is not."""


@cache
def native_library() -> Native:
    """The kernel, compiled first if this machine has not compiled it yet. Never raises."""
    if _switched_off():
        return Native(None, "GPT_NATIVE=0 is set")
    compiler = _compiler()
    if compiler is None:
        return Native(None, "no C++ compiler: install g++")
    try:
        path = Path(platformdirs.user_cache_dir("gpt-reference")) / f"decode-{_digest(compiler)}.so"
        if not path.is_file():
            _compile(compiler, path)
        library = ctypes.CDLL(str(path))
    except (OSError, subprocess.SubprocessError) as error:
        told = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        return Native(None, f"{compiler} could not compile it: {told[0] if told else type(error).__name__}")
    pointer = ctypes.c_void_p
    library.decode_step.argtypes = (pointer, pointer)
    library.attend_rows.argtypes = (pointer,)
    library.multiply_rows.argtypes = (pointer, ctypes.c_int32, ctypes.c_int32, pointer, pointer)
    library.widen.argtypes = (pointer, ctypes.c_int32, ctypes.c_int64, ctypes.c_int64, pointer)
    library.decode_step.restype = library.attend_rows.restype = library.multiply_rows.restype = (
        library.widen.restype
    ) = None
    return Native(library, str(path))


def kernel_identity() -> str:
    """What the kernel is that would be used, without compiling it: a digest, or `none` where there can't be one.

    With another kernel, or none, speeds are others, and answers differ by rounding.
    """
    compiler = None if _switched_off() else _compiler()
    try:
        return "none" if compiler is None else _digest(compiler)
    except OSError:
        return "none"


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
        made.replace(path)


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
