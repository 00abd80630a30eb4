"""Text from a data set of the Hugging Face hub, through `datasets` (an optional package).

Fetched once, then kept in the cache: the same spec means the same text on this machine from then on. A revision
(`@COMMIT`) makes it the same on every machine.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import kept_file, strict_json
from harness.cache import cache_folder
from harness.corpora.source import OnProgress
from harness.errors import UserError


@dataclass(frozen=True)
class HubText:
    """One split of a hub data set: `hub:NAME[@REVISION][:CONFIG]/SPLIT[#FIELD]`."""

    name: str
    split: str
    config: str | None = None
    revision: str | None = None
    field: str = "text"

    def documents(self) -> list[str]:
        """The field of every row that has text in it."""
        return self._kept() or self._fetched()

    def digest(self) -> str:
        """Hash of the spec. The hub isn't asked: pin a revision where the text must be the same elsewhere."""
        made_of = [self.name, self.revision, self.config, self.split, self.field]
        return hashlib.sha256(strict_json.dumps(["hub", *made_of]).encode()).hexdigest()

    def ensure(self, on_progress: OnProgress) -> None:
        """Fetch it if it isn't in the cache. Raises UserError without `datasets`, a connection or such a data set."""
        if self._kept() is None:
            self._fetched()

    def _kept(self) -> list[str] | None:
        """What was fetched before; None where there is nothing, or what is damaged."""
        with contextlib.suppress(OSError, ValueError, RecursionError):
            if isinstance(documents := json.loads(self._file().read_bytes()), list):
                self._keep(documents)  # an earlier version fetched it, and kept no checksum
        kept = kept_file.kept_json(self._file())
        return None if kept is None else list(json.loads(kept)["documents"])

    def _keep(self, documents: list[str]) -> None:
        kept_file.write_json(self._file(), strict_json.dumps({"documents": documents}, ensure_ascii=False, indent=0))

    def _fetched(self) -> list[str]:
        documents = [text for row in self._rows() if (text := self._text(row))]
        if not documents:
            raise UserError(f"no row has text in '{self.field}'", place=self._place())
        self._keep(documents)
        return documents

    def size(self) -> int | None:
        """Known once it is in the cache."""
        return self._file().stat().st_size if self._file().exists() else None

    def _rows(self) -> Any:
        try:
            from datasets import load_dataset
        except ImportError:
            raise UserError(
                "texts of the Hugging Face hub need `datasets`; `pip install gpt-harness[hub]`", place=self._place()
            ) from None
        try:
            return load_dataset(self.name, self.config, split=self.split, revision=self.revision)
        except Exception as error:  # whatever datasets, huggingface_hub or the connection raise: there are dozens
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise UserError(
                f"the hub did not give it: {reason}. Without a network, fetch it elsewhere and name the local file",
                place=self._place(),
            ) from error

    def _text(self, row: dict[str, Any]) -> str:
        value = row.get(self.field)
        if not isinstance(value, str):
            raise UserError(
                f"the field '{self.field}' holds no text; write #FIELD behind the split, one of {', '.join(row)}",
                place=self._place(),
            )
        return value

    def _place(self) -> str:
        return f"hub {self.name}/{self.split}"

    def _file(self) -> Path:
        return cache_folder("corpora") / f"hub-{self.digest()[:32]}.json"
