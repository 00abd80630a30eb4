"""Commented suites to begin with: what `harness init` writes. `harness.init` is this function."""

from __future__ import annotations

from pathlib import Path

from harness.errors import UserError, printable, shown
from harness.spelling import nearest_aside

TEMPLATES = Path(__file__).parent / "templates"
KINDS = {
    "eval": "models on tasks and texts",
    "bench": "speed and memory",
    "ci": "what a pull request is asked",
    "scaling": "a ladder of sizes and its law",
    "train": "a model of your own",
}
"""Each with what it is for."""


def init(kind: str = "eval", file: Path | str | None = None) -> Path:
    """Write a suite that runs as it is, to be edited: eval, bench, ci, scaling or train. Returns where it lies.

    file: where; left out, `KIND.yaml` in the working folder. Raises UserError for another kind, for a file that is
    there (nothing is ever overwritten), and for a folder that isn't there or can't be written to.
    """
    if kind not in KINDS:
        raise UserError(f"there is no suite to begin with called '{shown(kind)}'{nearest_aside(kind, KINDS)}; {_all()}")
    path = Path(f"{kind}.yaml" if file is None else file)
    if path.suffix not in (".yaml", ".yml"):
        raise UserError("is no name of a suite file; end it with .yaml", place=str(path))
    text = (TEMPLATES / f"{kind}.yaml").read_text(encoding="utf-8")
    try:
        with path.open("x", encoding="utf-8", newline="\n") as new:
            new.write(text)
    except FileExistsError:
        raise UserError("is there already and is left as it is; name another file", place=str(path)) from None
    except (OSError, ValueError) as error:  # the second of a name that no system takes
        why = "; make the folder first" if isinstance(error, FileNotFoundError) else ""
        said = getattr(error, "strerror", None) or str(error)
        raise UserError(f"can't be written: {said.lower()}{why}", place=printable(str(path))) from None
    return path


def _all() -> str:
    return "there are " + ", ".join(f"{name} ({what})" for name, what in KINDS.items())
