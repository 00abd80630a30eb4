"""Where an arm runs: this environment, another interpreter, packages of its own, or a revision of the project here."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from harness import kept_file
from harness.errors import UserError, shown
from harness.gate.arms.arm import Arm, ArmChoice
from harness.gate.arms.building import PIP, built, finished, identity, interpreter, run
from harness.gate.arms.revision import with_revision


def prepare(choice: ArmChoice, side: str, tell: Callable[[str], None], folder: Path | None = None) -> Arm:
    """The arm that was asked for, its environment built where it has to be.

    folder: where the user's project is (the working folder). tell: takes a sentence before something slow. Raises
    UserError.
    """
    place, here = f"arm {side}", folder or Path.cwd()
    python = interpreter(choice.python, place) if choice.python else sys.executable
    arm = Arm(choice, python, environment=f"{choice.python}" if choice.python else "this environment")
    if choice.install:
        arm = _with_packages(arm, place, tell)
    if choice.revision:
        arm = with_revision(arm, here, place, tell)
    if choice.path:
        named = Path(choice.path).expanduser()
        if not named.is_dir():
            raise UserError(f"there is no folder {choice.path}", place=place)
        words = f"{arm.environment}, {choice.path} first"
        arm = replace(arm, paths=(str(named.resolve()), *arm.paths), environment=words)
    return arm


def _with_packages(arm: Arm, place: str, tell: Callable[[str], None]) -> Arm:
    """An environment that holds the packages that were asked for, and what they need, and nothing else."""
    wanted = [_requirement(text, place) for text in arm.choice.install]
    words = ", ".join(Path(text).name if "/" in text else text for text in arm.choice.install)
    determined = [identity(arm.python, place), *(f"{text} {_content(text)}" for text in wanted)]
    with built(determined) as (folder, is_there):
        python = str(folder / "bin" / "python")
        if not is_there:
            tell(f"{place}: building an environment with {words}")
            run([arm.python, "-m", "venv", str(folder)], "a virtual environment can't be made", place)
            run([python, *PIP, "install", *wanted], f"{words} can't be installed", place)
            finished(folder, determined)
    return replace(arm, python=python, built=folder.name, environment=f"an environment with {words}")


def _requirement(text: str, place: str) -> str:
    """A requirement as pip takes it; a path is made absolute. Raises UserError for a file that is not there."""
    if text.endswith(".whl") or text.startswith((".", "/", "~")):
        path = Path(text).expanduser()
        if not path.exists():
            raise UserError(f"there is no {text} to install", place=place)
        return str(path.resolve())
    if text.startswith("-"):
        raise UserError(f"'{shown(text)}' is an option of pip, not a package", place=place)
    return text


def _content(requirement: str) -> str:
    """The digest of what a path holds; empty for a name, which an index serves."""
    path = Path(requirement)
    if path.is_file():
        return kept_file.content_sha256(path)
    if not path.is_dir():
        return ""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.is_file() and not {".git", "__pycache__", ".venv", "build"} & set(file.relative_to(path).parts):
            digest.update(f"{file.relative_to(path)} {kept_file.content_sha256(file)}\n".encode())
    return digest.hexdigest()
