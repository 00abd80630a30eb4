"""Finds a published data set, checks its bytes, and reads it.

Looked for under HARNESS_DATA first, then in the cache. A file may lie there gzipped under its name with `.gz`: what is
checked is what is in it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.corpora.local import DATA_VARIABLE, data_folder
from harness.errors import UserError
from harness.published_data.table import data_set

if TYPE_CHECKING:
    import pandas as pd

_SHA256 = {
    "epoch_chinchilla": {
        "svg_extracted_data.csv": "193478df4e90f040016431996c45682659306840ecdadf83cfb9cd5ca0aa1b30",
    },
    "gadre_overtraining": {
        "runs.csv": "22d7cfeca6c63b0e900d5194054cac661f81554935a1b8a51ac8f20dd9a489e3",
        "eval_metadata.csv": "8cd5243244a6890c8cec31cf7752901131f1da479b3c4920e37eb65ad608089c",
        "task_sets.json": "388743729d455201a68b902819d9d91b2f5635843f344d885ab989e4d29bcbdc",
    },
    "datablations_repetition": {
        "runs_all_incl_outliers.csv": "b0f894076bf73fbfc8fb583be2902a9f62a1daf5a4384f4d64fac7dcbf77a713",
        "runs_fit182.csv": "9ec67aa826973dfd2a6f14d5a6e7f427a46f38b632606708a0c95d6d387910e8",
    },
    "bbh_codex": {
        "code_davinci_002_accuracy.csv": "127694581de5b40a85ef38ec46f6db46656ba90892c9d12291ff02f5a1ca4a5e",
    },
    "cot_wei2022": {
        "cot_vs_standard_by_size.csv": "38618c36a9331140ce44019f4a31c0eae2f9cfd548f5af32e2436099bfbd677f",
    },
    "pythia_evals": {
        "pythia_v1_evals.csv": "8cd618926c4fe11b34e76a8b008f86acf59fb83a70702626df3889d126c32a26",
    },
}


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
    return None


def frame(name: str, table: str | None = None) -> pd.DataFrame:
    """A data set's main table (or another of its CSV files) as it was published, in its own columns.

    `data_set(name).columns` says what the main table's columns mean. Raises UserError where the data set is unknown, is
    not on this machine, or is there with other bytes than declared.
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
    file = table or wanted.table
    declared = _SHA256[name]
    if file not in declared:
        raise UserError(f"it has no table '{file}' (tables: {', '.join(declared)})", place=f"data set {name}")
    return pd.read_csv(io.BytesIO(_checked(found.folder, file, declared[file], name)))


def training_runs(name: str) -> pd.DataFrame:
    """All training runs of a data set in the columns that laws are fitted to, one row each; the index is `frame`'s.

    N: parameters (`data_set(name).size` says which). D: training tokens. C: training FLOPs. loss: nats per token. And
    where there are any, U: unique tokens; run: the run's name. What is missing of D and C follows from C = 6 N D.
    Raises UserError where the data set holds no training runs, or as `frame` does.
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
    import pandas as pd

    declared = data_set(name)
    if declared.size is None:
        raise UserError(
            "it holds no training runs with sizes, tokens and losses that a law could be fitted to",
            place=f"data set {name}",
        )
    columns = {column.role: published[column.name] for column in declared.columns if column.role is not None}
    if "C" not in columns:
        columns["C"] = 6.0 * columns["N"] * columns["D"]
    if "D" not in columns:
        columns["D"] = columns["C"] / (6.0 * columns["N"])
    return pd.DataFrame({role: columns[role] for role in ("run", "N", "D", "C", "U", "loss") if role in columns})


def _file(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _checked(folder: Path, file: str, sha256: str, name: str) -> bytes:
    """The file's bytes, if they are those that are declared."""
    path = _file(folder, file)
    if path is None:
        raise UserError(f"there is no {file} in {folder}", place=f"data set {name}")
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise UserError(
            f"these are not the bytes that were published: their sha256 is {found}, it should be {sha256}. Remove the "
            f"file and run `harness data get {name}`",
            place=str(path),
        )
    return content
