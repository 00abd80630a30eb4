"""The embedded corpus as a text: made once by our own code, then read from the cache.

The cached copy lies under a hash of the code that made it, with its sha256 beside it; so the digest is that of
the bytes themselves, and is known at once after the first time.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.cache import cache_folder
from harness.corpora.source import OnProgress
from harness.whole_file import write_whole

SPLITS = ("train", "validation", "test")
_PACKAGE = "reference_impl.text.microworld"


@dataclass(frozen=True)
class Microworld:
    """One split of the embedded corpus."""

    split: str

    def documents(self) -> list[str]:
        """Its documents, made if they are not in the cache."""
        file = self._file()
        try:
            kept = file.read_bytes()
            if hashlib.sha256(kept).hexdigest() == self._digest_file().read_text(encoding="ascii").strip():
                return list(json.loads(kept))
        except OSError:
            pass
        return self._make()

    def digest(self) -> str:
        """sha256 of the documents; makes them where no one did so before."""
        try:
            return self._digest_file().read_text(encoding="ascii").strip()
        except OSError:
            self._make()
            return self._digest_file().read_text(encoding="ascii").strip()

    def ensure(self, on_progress: OnProgress) -> None:
        """Make it if it isn't in the cache."""
        if not (self._file().exists() and self._digest_file().exists()):
            self._make()

    def size(self) -> int | None:
        """Bytes, as the corpus declares them."""
        from reference_impl.text.microworld import BYTES

        return {str(split): size for split, size in BYTES.items()}[self.split]

    def _make(self) -> list[str]:
        from reference_impl.text import microworld

        documents = list(microworld.documents(self.split))
        content = json.dumps(documents, ensure_ascii=False, indent=0).encode()
        write_whole(self._file(), content)
        # last: with the digest the text is whole
        write_whole(self._digest_file(), hashlib.sha256(content).hexdigest())
        return documents

    def _file(self) -> Path:
        return cache_folder("corpora", f"microworld-{_code()[:16]}") / f"{self.split}.json"

    def _digest_file(self) -> Path:
        return self._file().with_suffix(".sha256")


@cache
def _code() -> str:
    """Hash of the package's source files, found without importing them."""
    spec = importlib.util.find_spec(_PACKAGE)
    assert spec is not None and spec.submodule_search_locations is not None
    digest = hashlib.sha256()
    for file in sorted(Path(spec.submodule_search_locations[0]).glob("*.py")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()
