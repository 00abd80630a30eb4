"""Documents in files on this machine, where a task file or the user's table says."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import assets, strict_json
from harness.corpora import local, row_files
from harness.errors import UserError
from harness.file_digest import file_sha256
from harness.input_file import why_no_path
from harness.mode import Mode
from harness.tasks.data import files as data_files
from harness.tasks.data.rows import Rows, concatenated

Location = str | Mapping[str, str]
"""A file or folder, perhaps with {name} (`dataset_name`) and {split} in it, or one for each split."""
ON_HUB = "hf://datasets/"
"""What stands before the name of a data set on the hub."""


@dataclass(frozen=True)
class Local:
    """Files on this machine."""

    location: Location
    name: str | None
    options: Mapping[str, Any] = field(repr=False)
    """`dataset_kwargs`."""
    beside: Path
    """The task file: paths may be relative to its folder."""
    place: str
    builder: str | None = None
    """That of `datasets` which reads the files, where the task names one."""
    mode: Mode = "right"
    own: bool = False
    """Whether the task names these files itself, so that every option must be one of their reader."""

    def rows(self, split: str) -> Rows:
        """See `DataSource`."""
        files = self._files(split)
        if self.own:
            told = f"{self.beside}: dataset_kwargs"
            data_files.refuse_unknown(self.options, files[0], self.builder, self.mode, told)
        found = concatenated([self._read(file, split) for file in files])
        if not len(found):
            raise UserError("it has no rows", place=", ".join(map(str, files[:3])))
        return found

    def _read(self, file: Path, split: str) -> Rows:
        return data_files.read_rows(file, split, self.options, builder=self.builder, mode=self.mode)

    def identity(self, split: str) -> Hashable:
        """See `DataSource`. The files, and the split only where a file holds several."""
        files = tuple(self._files(split))
        by_split = len(files) == 1 and data_files.is_by_split(files[0], split)
        return (files, split if by_split else None)

    def digest(self, split: str) -> str:
        """See `DataSource`. The files' hashes; of an asset its own."""
        if asset := self._asset():
            name, inner = asset
            made_of = ["asset", assets.digest(name), inner, self.name, split]
        else:
            made_of = ["files", split, *(file_sha256(file) for file in self._files(split))]
        return hashlib.sha256(strict_json.dumps(made_of).encode()).hexdigest()

    def ensure(self) -> None:
        """See `DataSource`."""
        if asset := self._asset():
            assets.get(asset[0])

    def size(self, split: str) -> int:
        """Bytes of the files that hold a split. Raises UserError."""
        return sum(file.stat().st_size for file in self._files(split))

    def _asset(self) -> tuple[str, str] | None:
        if not isinstance(self.location, str) or not self.location.startswith("asset:"):
            return None
        name, _, inner = self.location.removeprefix("asset:").partition("/")
        assets.asset(name, self.place)
        return name, inner

    def _files(self, split: str) -> list[Path]:
        if not isinstance(self.location, str):
            if split not in self.location:
                raise UserError(f"names no split '{split}' (there are: {', '.join(self.location)})", place=self.place)
            return self._at(self.location[split], split)
        return self._at(self.location, split)

    def _at(self, location: str, split: str) -> list[Path]:
        path = self._path(_filled(location, self.name, split))
        listed = self.options.get("data_files")
        if listed is not None and path.is_dir():
            return self._listed(path, listed, split)
        if "*" in path.name:
            if found := sorted(file for file in path.parent.glob(path.name) if file.is_file()):
                row_files.refuse_twins(found)
                return found
        elif path.is_dir():
            return data_files.split_files(path, None if "{name}" in location else self.name, split)
        elif path.is_file():
            return [path]
        raise UserError(f"there is no {path}{self._others(location)}", place=self.place)

    def _listed(self, folder: Path, listed: Any, split: str) -> list[Path]:
        """Files that `data_files` names: by split, or all of them the training split, as `datasets` has it."""
        by_split = listed if isinstance(listed, Mapping) else {"train": listed}
        if split not in by_split:
            there = ", ".join(map(str, by_split))
            raise UserError(f"`data_files` names no split '{split}' (there are: {there})", place=str(self.beside))
        found = []
        for pattern in flat(by_split[split]):
            bare = _without_hub(str(pattern))
            if (why := why_no_path(bare)) is not None:
                raise UserError(f"`data_files` names files, and {why}", place=self.place)
            # as `datasets` has it, from the working folder, where none lies beside the task file
            folders = [folder, Path.cwd()] if self.own and self.location == "." else [folder]
            tried = [_matching(one, bare) if "*" in bare else [one / bare] for one in folders]
            files = next((some for some in tried if some and some[0].is_file()), tried[0])
            if not files or not files[0].is_file():
                raise UserError(f"there is no {folder / bare} (`data_files` of {self.beside})", place=self.place)
            found += [file for file in files if file.is_file()]
        row_files.refuse_twins(found)
        return found

    def _path(self, location: str) -> Path:
        if location.startswith("asset:"):
            name, _, inner = location.removeprefix("asset:").partition("/")
            assets.asset(name, self.place)
            return assets.get(name) / inner
        if location.startswith("data:"):
            name, _, inner = location.removeprefix("data:").partition("/")
            return local.data_path(name, location) / inner
        if (why := why_no_path(location)) is not None:
            raise UserError(f"this names data, and {why}", place=self.place)
        path = Path(location).expanduser()
        relative = self.beside.parent / path
        return relative if not path.is_absolute() and (relative.exists() or not path.exists()) else path

    def _others(self, location: str) -> str:
        """The splits whose file would be found, where {split} is in the file's name."""
        if "{split}" not in Path(location).name:
            return ""
        before, _, after = Path(_filled(location, self.name, "\1")).name.partition("\1")
        folder = self._path(_filled(location, self.name, "\1")).parent
        if not folder.is_dir():
            return ""
        found = sorted(
            item.name[len(before) : len(item.name) - len(after)]
            for item in folder.iterdir()
            if item.name.startswith(before) and item.name.endswith(after)
        )
        return f" (splits there: {', '.join(found[:30])})" if found else ""


def _matching(folder: Path, pattern: str) -> list[Path]:
    """The files that a pattern such as `a/*.json` names."""
    path = Path(folder, pattern)  # of an absolute one: itself
    try:
        return sorted(
            Path(path.anchor).glob(str(path.relative_to(path.anchor))) if path.is_absolute() else folder.glob(pattern)
        )
    except (ValueError, NotImplementedError, OSError):  # of what is no pattern
        return []


def _filled(location: str, name: str | None, split: str) -> str:
    return location.replace("{name}", name or "").replace("{split}", split)


def _without_hub(file: str) -> str:
    """The path within a data set's repository of `hf://datasets/OWNER/NAME/path`."""
    return "/".join(file.removeprefix(ON_HUB).split("/")[2:]) if file.startswith(ON_HUB) else file


def flat(listed: Any) -> Iterable[Any]:
    """The files of `data_files`: one, a list of them, or a list for each split."""
    if isinstance(listed, Mapping):
        return [file for files in listed.values() for file in flat(files)]
    return listed if isinstance(listed, list | tuple) else [] if listed is None else [listed]
