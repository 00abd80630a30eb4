"""The embedded corpora (`microworld`, and `assistant` for alignment) as texts: made once by our code, then read from
the cache.

The cached copy lies under a hash of the code that made it, the sha256 of its bytes beside it; so the digest is that
of the bytes themselves, and is known at once after the first time.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness import kept_file, strict_json
from harness.cache import cache_folder
from harness.corpora.source import OnProgress
from harness.errors import UserError
from harness.spelling import nearest

NAME, ASSISTANT = "microworld", "assistant"
NAMES = (NAME, ASSISTANT)
"""Of the embedded corpora."""
SPLITS = ("train", "validation", "test")
_PACKAGES = "reference_impl.text"


@dataclass(frozen=True)
class Microworld:
    """One split of an embedded corpus."""

    split: str
    name: str = NAME

    def documents(self) -> list[str]:
        """Its documents, made if they are not in the cache."""
        kept = kept_file.kept_bytes(self._file())
        return self._make() if kept is None else list(json.loads(kept))

    def digest(self) -> str:
        """sha256 of the documents; makes them where no one did so before."""
        kept = kept_file.kept_bytes(self._digest_file())
        return hashlib.sha256(_content(self._make())).hexdigest() if kept is None else kept.decode()

    def ensure(self, on_progress: OnProgress) -> None:
        """Make it if it isn't in the cache."""
        self.documents()

    def size(self) -> int | None:
        """Bytes, as the corpus declares them."""
        return int(_corpus(self.name).BYTES[self.split])

    def _make(self) -> list[str]:
        documents = list(_corpus(self.name).documents(self.split))
        content = _content(documents)
        kept_file.keep_bytes(self._file(), content)
        kept_file.keep_bytes(self._digest_file(), hashlib.sha256(content).hexdigest().encode())
        return documents

    def _file(self) -> Path:
        return cache_folder("corpora", f"{self.name}-{_code(self.name)[:16]}") / f"{self.split}.json"

    def _digest_file(self) -> Path:
        return self._file().with_suffix(".sha256")


def _content(documents: list[str]) -> bytes:
    return strict_json.dumps(documents, ensure_ascii=False, indent=0).encode()


def questions(theme: str, split: str, seeds: int = 1, name: str = NAME) -> list[dict[str, Any]]:
    """One evaluation set of a corpus as plain rows, made once and then read from the cache.

    Of several seeds (0, 1, ...) one set after the other, each prompt once: more questions, also without a sentence of
    the other splits.

    Columns: those of `reference_impl.text.microworld.Question` (prompt, target, answer, choices, level, reasoning
    (direct or steps), joint, until), and `gold`, the index of the target among the choices; None and no choices where
    the answer is generated. Raises UserError for an unknown theme or split.
    """
    if split not in SPLITS:
        raise UserError(
            f"there is no split '{split}'{nearest(split, SPLITS)} (there are: {', '.join(SPLITS)})", place=name
        )
    rows: dict[str, dict[str, Any]] = {}
    for seed in range(seeds):
        sets = _evaluation_sets(split, seed, _code(name), name)
        if theme not in sets:
            raise UserError(
                f"there is no theme '{theme}'{nearest(theme, sets)} (there are: {', '.join(sets)})", place=name
            )
        for row in sets[theme]:
            rows.setdefault(row["prompt"], row)
    return [{**row, "choices": list(row["choices"])} for row in rows.values()]


@cache
def questions_digest(theme: str, split: str, seeds: int = 1, name: str = NAME) -> str:
    """sha256 of what `questions` gives, which is the same for as long as a process runs. Raises UserError."""
    return hashlib.sha256(
        strict_json.dumps(questions(theme, split, seeds, name), ensure_ascii=False).encode()
    ).hexdigest()


@cache
def _evaluation_sets(split: str, seed: int, code: str, name: str) -> dict[str, list[dict[str, Any]]]:
    """Every set of a split by its theme."""
    file = cache_folder("corpora", f"{name}-{code[:16]}") / f"{split}-{seed}.questions.json"
    if (kept := kept_file.kept_bytes(file)) is not None:
        return dict(json.loads(kept))
    try:
        made = _corpus(name).evaluation_sets(split, seed)
    except ValueError as error:  # a theme has too few different questions whose sentences belong to this split
        raise UserError(
            f"the split '{split}' has no full evaluation sets ({error}); take train or test", place=name
        ) from None
    sets = {
        theme: [
            {
                "prompt": asked.prompt,
                "target": asked.target,
                "answer": asked.answer,
                "choices": list(asked.choices),
                "level": asked.level,
                "reasoning": asked.reasoning,
                "joint": asked.joint,
                "until": asked.until,
                "gold": asked.gold if asked.choices else None,
            }
            for asked in rows
        ]
        for theme, rows in made.items()
    }
    kept_file.keep_bytes(file, strict_json.dumps(sets, ensure_ascii=False).encode())
    return sets


def _corpus(name: str) -> Any:
    """The package that makes it."""
    return importlib.import_module(f"{_PACKAGES}.{name}")


@cache
def _code(name: str) -> str:
    """Hash of the source files of its package and of what that takes from microworld, found without importing them."""
    digest = hashlib.sha256()
    for package in dict.fromkeys((name, NAME)):
        spec = importlib.util.find_spec(f"{_PACKAGES}.{package}")
        assert spec is not None and spec.submodule_search_locations is not None
        files = sorted(Path(spec.submodule_search_locations[0]).glob("*.py"))
        assert files, f"{package} has no source files"
        for file in files:
            digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()
