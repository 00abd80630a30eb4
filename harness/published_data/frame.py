"""Finds a published data set, checks its bytes, and reads it.

It is looked for under HARNESS_DATA first, then in the cache. A file may lie there gzipped, as NAME.gz: its content is
what is checked.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

from harness import assets
from harness.corpora.local import DATA_VARIABLE, data_folder
from harness.errors import UserError
from harness.published_data.table import data_set
from harness.spelling import nearest

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Where:
    """Where a data set lies on this machine."""

    folder: Path
    kind: Literal["HARNESS_DATA", "cache"]


def where(name: str) -> Where | None:
    """Where the data set lies; None where it isn't here. Raises UserError for an unknown name."""
    wanted = data_set(name)
    root = data_folder()
    if root is not None and _file(root / name, wanted.table) is not None:
        return Where(root / name, "HARNESS_DATA")
    return Where(assets.folder(name), "cache") if assets.is_present(name) else None


def frame(name: str, file: str | None = None) -> pd.DataFrame:
    """A data set's main table, or another of its CSV files, in the columns in which it was published.

    `data_set(name).columns` says what the main table's columns mean; known errors in it are corrected
    (`data_set(name).mends`). Raises UserError where the data set is unknown, is not on this machine, or is there with
    other bytes than declared.
    """
    import pandas as pd

    wanted = data_set(name)
    found = where(name)
    if found is None:
        raise UserError(
            f"it isn't on this machine; `harness data get {name}` brings it, or set {DATA_VARIABLE} to a folder that "
            f"holds it as {name}/{wanted.table}",
            place=f"data set {name}",
        )
    declared = {PurePosixPath(part.pattern).name: part.sha256 for part in assets.asset(name).files}
    file = file or wanted.table
    if file not in declared:
        raise UserError(
            f"it has no file '{file}'{nearest(file, declared)} (files: {', '.join(declared)})", place=f"data set {name}"
        )
    table = pd.read_csv(io.BytesIO(_checked(found, file, declared[file], name)))
    if file == wanted.table:
        for mend in wanted.mends:
            table = mend.apply(table)
    return table


def training_runs(name: str) -> pd.DataFrame:
    """All training runs of a data set, one row each, in the columns that laws are fitted to; the index is `frame`'s.

    loss in nats per token, and those of the following that are published: parameters N (`data_set(name).counted` says
    which), tokens D, compute C in FLOPs, unique_tokens, run (its name). Raises UserError where the data set holds no
    training runs, or as `frame` does.
    """
    return _as_runs(frame(name), name)


def fitted_runs(name: str, fit: str | None = None) -> pd.DataFrame:
    """The rows of `training_runs` that a published fit used: the named one of `data_set(name).fits`, or the first.

    Raises UserError where there is no such fit, or as `training_runs` does.
    """
    rows = data_set(name).fit(fit)
    published = frame(name)
    return _as_runs(published[rows.keep(published)], name)


def _as_runs(published: pd.DataFrame, name: str) -> pd.DataFrame:
    wanted = data_set(name)
    if wanted.counted is None:
        raise UserError(
            "it holds no training runs with sizes, tokens and losses that a law could be fitted to",
            place=f"data set {name}",
        )
    roles = {column.name: column.role for column in wanted.columns if column.role is not None}
    return published[list(roles)].rename(columns=roles)


def _file(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _checked(found: Where, file: str, sha256: str, name: str) -> bytes:
    """The file's bytes, if they are those that are declared."""
    path = _file(found.folder, file)
    if path is None:
        raise UserError(f"there is no {file} in {found.folder}", place=f"data set {name}")
    content = path.read_bytes()
    if path.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"not a whole gzip file ({error})", place=str(path)) from error
    if (digest := hashlib.sha256(content).hexdigest()) != sha256:
        raise UserError(
            f"these are not the bytes that were published: their sha256 is {digest}, it should be {sha256}. Take the "
            f"file away and run `harness data get {name}`",
            place=str(path),
        )
    return content
