"""Which code a worker runs: the packages that it imported, each with its version and a digest.

Of an installed distribution that is the hash of its RECORD, which holds those of all its files, so that thousands of
them need not be read. Files that were edited after they were installed are found by their time, and hashed. Of a
package that lies elsewhere (a checkout, an editable install, a folder of PYTHONPATH) all sources and libraries of its
folder are hashed: what is imported of it hangs on what a worker did before, and equal code has to have equal digests.
Each file is hashed when it is first seen: workers are forked from a server that imported most of it, and has hashed it
then.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.results.provenance import SOURCES, Package

LARGE = 32 * 2**20
"""Bytes of a file above which its size and its ends stand for it: a library of hundreds of megabytes."""
MOST_FILES = 4000
"""Of a package that is in no distribution: a checkout of a framework has tens of thousands."""
OWN = {"__main__", "__mp_main__"}
SYSTEM = ("/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/")
LIBRARY = "library"
"""What stands before the name of a shared library that no distribution installed: a kernel that ctypes loaded."""


@dataclass(frozen=True)
class Distribution:
    """An installed distribution, as its RECORD tells of it."""

    name: str
    version: str
    digest: str
    record: Path
    written: int
    """Nanoseconds since 1970 when it was installed."""


def imported_packages() -> dict[str, Package]:
    """By name what this process has imported by now: distributions, and top-level packages of code that is in none. Not
    Python's own library. Takes milliseconds where it was called before the process was forked, too."""
    found: dict[str, Package] = {}
    edited: dict[Distribution, list[str]] = {}
    loose: dict[str, dict[str, str]] = {}
    for name, file in _files():
        installed = _distribution_of(file)
        if installed is None:
            loose.setdefault(name.partition(".")[0], {})[name] = file
            continue
        if _is_edited(file, installed):
            edited.setdefault(installed, []).append(file)
        else:
            edited.setdefault(installed, [])
    for installed, files in edited.items():
        told = [installed.digest, *(f"{os.path.basename(file)} {_digest_of(file)}" for file in sorted(files))]
        digest = installed.digest if not files else hashlib.sha256("\n".join(told).encode()).hexdigest()
        found[installed.name] = Package(version=installed.version, digest=digest[:16])
    for top, modules in loose.items():
        folder = _folder_of(top)
        told = list(_sources(folder)) if folder else []
        beside = {name: file for name, file in modules.items() if not (told and file.startswith(folder + os.sep))}
        told += [f"{name} {_digest_of(file)}" for name, file in sorted(beside.items())]
        version = getattr(sys.modules.get(top), "__version__", None)
        digest = hashlib.sha256("\n".join(told).encode()).hexdigest()
        found[top] = Package(version=version if isinstance(version, str) else None, digest=digest[:16])
    return dict(sorted(found.items()))


def _files() -> Iterator[tuple[str, str]]:
    """The modules that were imported, and libraries that are none, with their files; not Python's and the system's."""
    own = tuple(os.path.realpath(sysconfig.get_path(name)) + os.sep for name in ("stdlib", "platstdlib"))
    for name, module in list(sys.modules.items()):
        if name in OWN or name.partition(".")[0] in sys.stdlib_module_names:
            continue
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and os.path.isabs(file) and not _is_below(file, own):
            yield name, file
    for file in _mapped_libraries():
        if not _is_below(file, (*own, *SYSTEM)):
            yield f"{LIBRARY} {os.path.basename(file)}", file


def _is_below(file: str, folders: tuple[str, ...]) -> bool:
    """Whether it came with Python or the system, and was not installed there by anybody."""
    return file.startswith(folders) and "site-packages" not in file and "dist-packages" not in file


def _folder_of(top: str) -> str:
    """The folder of a package; empty for a module beside others, and for a namespace that many may put theirs into."""
    file = getattr(sys.modules.get(top), "__file__", None)
    return os.path.dirname(file) if isinstance(file, str) and os.path.basename(file) == "__init__.py" else ""


@cache
def _sources(folder: str) -> tuple[str, ...]:
    """Name and digest of each source and library below a folder; nothing where there are more than `MOST_FILES`: then
    what was imported stands for it."""
    files: list[str] = []
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__" and not name.startswith(".")]
        files += [os.path.join(root, name) for name in names if name.endswith(SOURCES)]
        if len(files) > MOST_FILES:
            return ()
    return tuple(f"{os.path.relpath(file, folder)} {_digest_of(file)}" for file in sorted(files))


def _mapped_libraries() -> list[str]:
    """Shared libraries that this process has loaded, as ctypes does (Linux; none elsewhere)."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
            paths = {line.split(None, 5)[5].strip() for line in maps if ".so" in line and line.count("/")}
    except OSError:
        return []
    named = (path for path in paths if ".so" in os.path.basename(path) and os.path.isfile(path))
    return sorted(path for path in named if not os.path.basename(path).startswith("libpython"))


@cache
def _distribution_of(file: str) -> Distribution | None:
    """The distribution that installed a file; None where none did."""
    folder, inside = os.path.split(file)
    while True:
        installed = _installed_in(folder)
        if installed:
            named = installed.get(inside.partition(os.sep)[0], ())
            if len(named) == 1:
                return named[0]
            # a folder that several share, such as a namespace package: the one that has the file
            return next((one for one in named if inside.replace(os.sep, "/") in _hashes(one.record)), None)
        folder, last = os.path.split(folder)
        if not last:
            return None
        inside = os.path.join(last, inside)


@cache
def _installed_in(folder: str) -> dict[str, tuple[Distribution, ...]]:
    """By top-level name (of a folder or a file) the distributions that are installed in a folder."""
    found: dict[str, tuple[Distribution, ...]] = {}
    try:
        entries = [entry.path for entry in os.scandir(folder) if entry.name.endswith(".dist-info")]
    except OSError:
        return {}
    for entry in sorted(entries):
        record = Path(entry, "RECORD")
        try:
            content, written = record.read_bytes(), record.stat().st_mtime_ns
        except OSError:  # of a system's own packages, which have none
            continue
        name, _, version = Path(entry).stem.partition("-")
        lines = [line for line in content.splitlines() if not _tells_of_installing(line)]
        one = Distribution(name, version, hashlib.sha256(b"\n".join(lines)).hexdigest(), record, written)
        for top in {line.partition(b"/")[0].partition(b",")[0] for line in content.splitlines()}:
            found[os.fsdecode(top)] = (*found.get(os.fsdecode(top), ()), one)
    return found


def _tells_of_installing(line: bytes) -> bool:
    """Whether a line of a RECORD is of a file that says where from, and by whom, it was installed: no code."""
    name = line.partition(b",")[0].rpartition(b"/")[2]
    return name in (b"direct_url.json", b"INSTALLER", b"REQUESTED")


@cache
def _hashes(record: Path) -> dict[str, str]:
    """By path, as the RECORD writes it, the hash of each file: `sha256=` and base64."""
    with record.open(encoding="utf-8", newline="", errors="replace") as file:
        return {row[0]: row[1] for row in csv.reader(file) if len(row) > 1}


@cache
def _is_edited(file: str, installed: Distribution) -> bool:
    """Whether a file is not the one that was installed. One that is no newer than the RECORD is taken for it."""
    try:
        if os.stat(file).st_mtime_ns <= installed.written:
            return False
    except OSError:
        return False
    name = os.path.relpath(file, installed.record.parent.parent).replace(os.sep, "/")
    kind, _, told = _hashes(installed.record).get(name, "").partition("=")
    if kind != "sha256":
        return True
    return told.rstrip("=") != base64.urlsafe_b64encode(bytes.fromhex(_digest_of(file))).decode().rstrip("=")


@cache
def _digest_of(file: str) -> str:
    """sha256 of a file as it was when it was first asked for, which is soon after it was imported."""
    try:
        with open(file, "rb") as opened:
            size = os.fstat(opened.fileno()).st_size
            if size <= LARGE:
                return hashlib.sha256(opened.read()).hexdigest()
            digest = hashlib.sha256(f"{size} bytes\n".encode() + opened.read(2**20))
            opened.seek(-(2**20), os.SEEK_END)
            digest.update(opened.read())
            return digest.hexdigest()
    except OSError as error:
        return f"unreadable: {error.strerror}"
