"""Building what an arm runs in: interpreters, and folders that are built once.

What is built is kept in the cache by what determines it (interpreter, requirements, the bytes of local files; a
commit), so that the second comparison with a base starts at once.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness import kept_file
from harness.cache import cache_folder
from harness.errors import UserError, inert, shown

OLDEST = (3, 8)
"""The oldest Python that the worker runs under."""
LINES = 12
"""Of what pip says, how many are quoted where it fails."""
BUILD_MINUTES = 60
COMPLETE = "complete.json"
"""In a folder that was built to its end."""


def interpreter(named: str, place: str) -> str:
    """The interpreter that `python=` names: a program, or the folder of a virtual environment. Raises UserError."""
    path = Path(named).expanduser()
    if path.is_dir():
        inside = [path / "bin" / "python", path / "Scripts" / "python.exe"]
        found = next((str(file) for file in inside if file.is_file()), None)
        if found is None:
            raise UserError(f"{named} is no virtual environment (it has no bin/python)", place=place)
    else:
        found = shutil.which(str(path))
        if found is None:
            raise UserError(f"there is no interpreter {named}", place=place)
    found = str(Path(found).absolute())  # not resolved: a virtual environment is where its link is
    version = version_of(found, place)
    if version < OLDEST:
        raise UserError(
            f"{named} is Python {version[0]}.{version[1]}; an arm needs {OLDEST[0]}.{OLDEST[1]} or later", place=place
        )
    return found


def version_of(python: str, place: str) -> tuple[int, int]:
    """Major and minor version of an interpreter. Raises UserError where it is none."""
    program = "import json, sys; print(json.dumps(sys.version_info[:2]))"
    try:
        done = subprocess.run([python, "-c", program], capture_output=True, text=True, timeout=60, check=True)
        major, minor = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        raise UserError(f"{python} does not run as a Python", place=place) from None
    return int(major), int(minor)


PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input")


def pip_of(python: str, place: str) -> list[str]:
    """A pip that runs under an interpreter: its own, or one in an environment that is made for it."""
    try:
        if subprocess.run([python, "-m", "pip", "--version"], capture_output=True, timeout=60).returncode == 0:
            return [python, *PIP]
    except (OSError, subprocess.SubprocessError):
        pass
    determined = [identity(python, place), "pip"]
    with built(determined) as (folder, is_there):
        if not is_there:
            run([python, "-m", "venv", str(folder)], "an environment with pip can't be made", place)
            finished(folder, determined)
    return [str(folder / "bin" / "python"), *PIP]


@contextmanager
def built(determined: Sequence[str]) -> Iterator[tuple[Path, bool]]:
    """The folder of the cache for what `determined` determines, and whether it is there already; held meanwhile, so
    that two builds don't meet. What a build left that did not end is removed first."""
    from filelock import FileLock

    name = hashlib.sha256("\n".join(determined).encode()).hexdigest()[:20]
    root = cache_folder("environments")
    with FileLock(root / f"{name}.lock"):
        folder = root / name
        is_there = kept_file.kept_json(folder / COMPLETE, COMPLETE) is not None if folder.is_dir() else False
        if not is_there:
            shutil.rmtree(folder, ignore_errors=True)
        yield folder, is_there


def finished(folder: Path, determined: Sequence[str]) -> None:
    """Say that a folder was built to its end."""
    kept_file.write_json(folder / COMPLETE, json.dumps({"of": list(determined)}, allow_nan=False), COMPLETE)


def run(command: Sequence[str], problem: str, place: str, folder: Path | None = None) -> str:
    """Run a program to its end; its stdout. Raises UserError with its last lines where it fails."""
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=BUILD_MINUTES * 60,
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"{problem}: it took more than {BUILD_MINUTES} minutes", place=place) from None
    except OSError as error:
        raise UserError(f"{problem}: {command[0]}: {error.strerror}", place=place) from None
    if done.returncode:
        lines = (done.stdout + "\n" + done.stderr).strip().splitlines()[-LINES:]
        said = "".join(f"\n  {inert(shown(line, 300))}" for line in lines if line.strip())
        raise UserError(f"{problem} (exit status {done.returncode}):{said}", place=place)
    return done.stdout


def identity(python: str, place: str) -> str:
    """What an interpreter is: its own digest of version and place."""
    major, minor = version_of(python, place)
    return f"{major}.{minor} {Path(python).resolve()}"
