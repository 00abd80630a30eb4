"""The documents of a task: rows of a split of the data set that its file names."""

from __future__ import annotations

from collections.abc import Mapping

DataTable = Mapping[str, str | Mapping[str, str]]
"""`dataset_path` or `dataset_path/dataset_name` -> a file or folder (with {name} and {split} in it), or split -> file."""
