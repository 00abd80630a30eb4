"""`perplexity MODEL … --text FILE` -> the suite that it stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import corpora
from harness.errors import UserError, shown
from harness.spelling import nearest_word

NAME = "perplexity"


def perplexity_suite(
    models: Mapping[str, Mapping[str, Any]],
    texts: Sequence[str],
    *,
    window: int | None = None,
    stride: int | None = None,
    documents: int | None = None,
    bos: str = "auto",
    precision: Sequence[str] = (),
    device: str = "auto",
) -> dict[str, Any]:
    """One cell for each model, text and precision. models: entries of a suite. texts: as suites name them
    (`texts_named`). The other settings are those of the measure `perplexity`; None leaves one to the measure."""
    given = {"window": window, "stride": stride, "documents": documents}
    settings = {"text": one_or_all(texts), **{key: value for key, value in given.items() if value is not None}}
    if bos != "auto":
        settings["bos"] = bos
    return {
        "name": NAME,
        "models": {name: dict(entry) for name, entry in models.items()},
        "matrix": matrix(precision, device),
        "measures": [{NAME: settings}],
    }


def matrix(precision: Sequence[str], device: str) -> dict[str, Any]:
    """The axes of a one-liner. precision: none leaves it to the models."""
    return ({"precision": one_or_all(precision)} if precision else {}) | {"device": device}


def one_or_all(values: Sequence[Any]) -> Any:
    """A single value as itself, several as a list: as a person would write them in a suite."""
    return values[0] if len(values) == 1 else list(values)


def texts_named(files: Sequence[str], named: Sequence[str]) -> list[str]:
    """The texts of a suite. files: of `--text`, paths of files and folders (`FILE#FIELD` says which column). named: of
    `--corpus`, names of texts. Raises UserError where there is none of that name, or none at all."""
    if not files and not named:
        raise UserError("say what is read: `--text FILE`, or `--corpus NAME` (`harness list corpora`)", place="--text")
    return [*(_file(text) for text in files), *(_corpus(name) for name in named)]


def _file(text: str) -> str:
    path = Path(text.partition("#")[0]).expanduser()
    declared = {row.spec for row in corpora.corpora()}
    try:
        there = bool(text.strip()) and (path.exists() or Path(text).expanduser().exists())
    except OSError as error:  # a folder that this user may not look into
        raise UserError(f"'{shown(text)}' can't be read ({error.strerror})", place="--text") from None
    if not there:
        hint = f"; the corpus of that name is `--corpus {text}`" if text in declared else _near(path)
        raise UserError(f"there is no file or folder '{shown(text)}'{hint}", place="--text")
    return f"./{text}" if text in declared else text


def _near(path: Path) -> str:
    """What lies beside a file that isn't there; of a link that leads nowhere, that."""
    if path.is_symlink():
        return ": this link leads nowhere"
    near = nearest_word(path.name, (entry.name for entry in path.parent.iterdir())) if path.parent.is_dir() else None
    return f"; did you mean '{path.parent / near}'?" if near else ""


def _corpus(name: str) -> str:
    try:
        corpora.size_hint(name)
    except UserError as error:
        raise UserError(error.message, place=f"--corpus {shown(name)}") from None
    return name
