"""A task's documents from the Hugging Face hub, through `datasets` (an optional package) and its own cache."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness import strict_json
from harness.errors import UserError
from harness.tasks.data.rows import Rows

_UNUSED = ("trust_remote_code", "streaming")
"""Keys of `dataset_kwargs` that current versions of `datasets` refuse, or that make it give no list."""


@dataclass(frozen=True)
class HubData:
    """A data set by its name on the hub."""

    path: str
    name: str | None
    options: Mapping[str, Any] = field(repr=False)
    """`dataset_kwargs`."""
    place: str
    keys: tuple[str, ...]
    """How the user can name it in the table of local data."""

    def rows(self, split: str) -> Rows:
        """See `DataSource`."""
        parts = self._load()
        if split not in parts:
            raise UserError(f"'{self.path}' has no split '{split}' (there are: {', '.join(parts)})", place=self.place)
        part = parts[split]
        return Rows((dict(row) for row in part), part.features)

    def identity(self, split: str) -> Hashable:
        """See `DataSource`."""
        return split

    def digest(self, split: str) -> str:
        """See `DataSource`. Of what is asked of the hub, which isn't asked here: pin `dataset_kwargs.revision`."""
        made_of = ["hub", self.path, self.name, dict(self.options), split]
        return hashlib.sha256(strict_json.dumps(made_of, sort_keys=True, default=str).encode()).hexdigest()

    def ensure(self) -> None:
        """See `DataSource`."""
        self._load()

    @property
    def missing(self) -> UserError | None:
        """What must be installed first, or told, as an error to raise."""
        if importlib.util.find_spec("datasets") is not None:
            return None
        return UserError(
            f"'{self.path}' is a data set of the Hugging Face hub, which needs `datasets` "
            f"(`pip install gpt-harness[hub]`); or {self._fix}",
            place=self.place,
        )

    @property
    def _fix(self) -> str:
        key = (self.keys or (self.path,))[0]
        return (
            f"say where it is on this machine: `data: {{{key}: FILE or FOLDER}}` in a suite's `tasks:`, "
            f"`--data {key}=FILE` of `harness eval`"
        )

    def _load(self) -> Any:
        if (missing := self.missing) is not None:
            raise missing
        from datasets import load_dataset

        options = {key: value for key, value in self.options.items() if key not in _UNUSED}
        try:
            return load_dataset(self.path, self.name, **options)
        except Exception as error:  # whatever datasets, huggingface_hub or the connection raise: there are dozens
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise UserError(
                f"'{self.path}' could not be fetched from the hub: {reason}. Without a network, {self._fix}",
                place=self.place,
            ) from error
