"""The documents of a task: rows of a split of the data set that its file names.

Where a `dataset_path` leads, the first of these that fits:

| what | where it lies |
|---|---|
| the user's table names it | the file or folder there, `asset:NAME/...`, or `data:NAME/...` under HARNESS_DATA |
| `microworld`, `assistant` | an embedded corpus' evaluation sets; `dataset_name` is the theme |
| `asset:NAME/FOLDER` | a fetched asset |
| `json`, `csv`, `parquet`, `arrow`, `text` | the files of `dataset_kwargs.data_files` |
| a file or folder | relative to the task file, or to the working folder |
| anything else | the Hugging Face hub, through `datasets` |
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, Protocol

from harness.corpora import microworld
from harness.errors import UserError
from harness.input_file import why_no_path
from harness.mode import Mode
from harness.tasks.config import TaskConfig
from harness.tasks.data import files as data_files
from harness.tasks.data.files import BUILDERS
from harness.tasks.data.hub import HubData
from harness.tasks.data.local_files import ON_HUB, Local, Location, flat
from harness.tasks.data.microworld_questions import Microworld, seeds_of
from harness.tasks.data.rows import Rows

DataTable = Mapping[str, Location]
"""`dataset_path` or `dataset_path/dataset_name` -> where its documents lie on this machine."""
_IS_URL = ("hf://", "http://", "https://", "s3://", "gs://")


class DataSource(Protocol):
    """A data set, wherever it lies."""

    def rows(self, split: str) -> Rows:
        """The rows of a split. Raises UserError; of a missing split with those that there are."""

    def identity(self, split: str) -> Hashable:
        """Equal for two splits that are the same rows, whatever they are called."""

    def digest(self, split: str) -> str:
        """Hash of what determines the rows. Fetches nothing."""

    def ensure(self) -> None:
        """Bring it into reach, so that `rows` works offline. Raises UserError."""


def source(config: TaskConfig, table: DataTable, mode: Mode = "right") -> DataSource:
    """Where a task's documents come from. Reads nothing yet. Raises UserError where no such place is known.

    mode: in lm-eval the types of CSV's columns are guessed, as there.
    """
    path, name, place = config.dataset_path, config.dataset_name, f"{config.file}: dataset_path"
    if path is None:
        raise UserError("no `dataset_path`, so there are no documents", place=str(config.file))
    for key in keys_of_data(config):
        if key in table:
            builder = path if path in BUILDERS else None
            return Local(_absolute(table[key]), name, config.dataset_kwargs, config.file, f"data {key}", builder, mode)
    if path in microworld.NAMES:
        return Microworld(name, seeds_of(config), place, path)
    if path.startswith(("asset:", "data:")):
        return Local(path, name, config.dataset_kwargs, config.file, place, None, mode)
    listed = config.dataset_kwargs.get("data_files")
    if path in BUILDERS and listed is not None and not any(_is_url(file) for file in flat(listed)):
        return Local(".", name, config.dataset_kwargs, config.file, place, path, mode, own=True)
    if path not in BUILDERS and _is_local(path, config.file):
        return Local(path, name, config.dataset_kwargs, config.file, place, None, mode, own=True)
    if path.startswith((".", "/", "~")) or data_files.is_data_file(Path(path)):
        raise UserError(
            f"there is no {path}; a path is relative to the task file, or to the working folder", place=place
        )
    return HubData(path, name, config.dataset_kwargs, place, tuple(keys_of_data(config)))


def keys_of_data(config: TaskConfig) -> list[str]:
    """The words under which the user may tell where the documents lie, the most exact first."""
    paths = [config.dataset_path or ""]
    if paths[0] in BUILDERS:  # a file on the hub: its data set's name
        paths = [
            "/".join(str(file).removeprefix(ON_HUB).split("/")[:2])
            for file in flat(config.dataset_kwargs.get("data_files"))
            if str(file).startswith(ON_HUB)
        ][:1]
    named = [f"{path}/{config.dataset_name}" for path in paths if config.dataset_name is not None]
    return [*named, *paths]


def _absolute(location: Location) -> Location:
    """What the user's table says is relative to the working folder."""
    if isinstance(location, str) and (why := why_no_path(location)) is not None:
        raise UserError(f"this names data, and {why}", place="tasks.data")
    if not isinstance(location, str):
        return {split: str(_absolute(inner)) for split, inner in location.items()}
    return location if location.startswith(("asset:", "data:")) else str(Path(location).expanduser().absolute())


def _is_local(path: str, beside: Path) -> bool:
    places = [Path(path).expanduser(), beside.parent / path]
    whole = path.replace("{name}", "*").replace("{split}", "*")
    if whole != path:
        return any(place.parent.is_dir() for place in places)
    return any(place.is_file() or (place.is_dir() and data_files.has_data(place)) for place in places)


def _is_url(file: Any) -> bool:
    return str(file).startswith(_IS_URL)
