"""A text that a suite names becomes documents: the embedded corpus, an asset, local files, the hub.

`spec.py` says what may be named; `microworld.py`, `probe_text.py`, `shakespeare.py`, `local.py` and `hub.py` are the
kinds, each with the four abilities of `source.py`; `training.py` makes a training and a validation part of a corpus.
"""

from harness.corpora.local import Local
from harness.corpora.source import OnProgress
from harness.corpora.spec import Corpus, corpora, source

__all__ = ["Corpus", "OnProgress", "corpora", "digest", "documents", "ensure", "notes", "size_hint"]


def documents(spec: str) -> list[str]:
    """The documents of the text that `spec` names, fetched or made where that is still to do. Raises UserError."""
    return source(spec).documents()


def digest(spec: str) -> str:
    """Hash (sha256, hex) of what determines the text: another text, another digest. No network. Raises UserError."""
    return source(spec).digest()


def ensure(spec: str, on_progress: OnProgress | None = None) -> None:
    """Bring the text into reach, so that `documents` works offline. Raises UserError."""
    source(spec).ensure(on_progress or (lambda done, total: None))


def size_hint(spec: str) -> int | None:
    """About how many bytes of text it has, without fetching it; None where that isn't known. Raises UserError."""
    return source(spec).size()


def notes(spec: str) -> list[str]:
    """What a reader of numbers on this text must know: which files of a folder are not read. Raises UserError."""
    text = source(spec)
    return text.notes() if isinstance(text, Local) else []
