"""A sentence that names options of a command, in the words of who called a function."""

from __future__ import annotations

import re
from collections.abc import Mapping

from harness.shorthand.options import MODEL, MODELS, keyword

OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
"""An option as it stands in a sentence."""
_PLACES = re.compile(r"^--[a-z][a-z-]*(, --[a-z][a-z-]*)*(?=: |$)", re.MULTILINE)
"""Those before a sentence, or that are a place."""


def in_keywords(sentence: str, kinds: Mapping[str, str] | None = None) -> str:
    """`text=FILE` for `--text FILE`, and `fresh=True` for `--fresh`. Commands that it advises, in backticks, stay.

    kinds: by keyword of the function that was called its annotation.
    """
    known = kinds or {}

    def written(span: str) -> str:
        if span.startswith("`") and not span.startswith("`--"):
            return span
        if valued := re.fullmatch(r"`(--[a-z-]+) ([^`]+)`", span):
            value = valued[2] if valued[2].isupper() or valued[2].isdecimal() else repr(valued[2])
            return f"`{_named(valued[1], known).removesuffix('=True')}={value}`"
        if span.startswith("`"):
            return OPTION.sub(lambda option: _named(option[0], known), span)
        return OPTION.sub(lambda option: f"`{_named(option[0], known)}`", span)

    plain = re.sub(rf"^{MODEL}(?=: |$)", MODELS, sentence, flags=re.MULTILINE)
    plain = _PLACES.sub(lambda places: OPTION.sub(lambda option: _named(option[0], known), places[0]), plain)
    return "".join(map(written, re.split(r"(`[^`]*`)", plain)))


PERMISSIONS = {
    "--trust-remote-code": "trust_remote_code",
    "--allow-task-code": "task_code",
    "--allow-code-execution": "code_execution",
    "--tasks-path": "task_paths",
}
"""Options that are fields of `harness.Allowed`."""
OF_OTHER_WORDS = {
    "--no-cache": ("cached", "cached=False"),
    "--base": ("of_base", "of_base"),
    "--head": ("of_head", "of_head"),
    "--dir": ("below", "below"),
    "--as": ("format", "format"),
}
"""Options that a function has under another name: that keyword, and how it is said."""


def _named(option: str, known: Mapping[str, str]) -> str:
    name = keyword(option)
    if option in OF_OTHER_WORDS and OF_OTHER_WORDS[option][0] in known:
        return OF_OTHER_WORDS[option][1]
    if name in known:
        return f"{name}=True" if known[name] == "bool" else name
    if option in PERMISSIONS and "allowed" in known:
        value = "('DIR',)" if option == "--tasks-path" else "True"
        return f"allowed=harness.Allowed({PERMISSIONS[option]}={value})"
    return name
