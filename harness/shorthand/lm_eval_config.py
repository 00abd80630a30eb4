"""`--config FILE` of lm-eval: its flags as YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness import strict_json
from harness.errors import UserError, shown
from harness.shorthand.lm_eval_flags import BY_NAME
from harness.spelling import nearest
from harness.yaml_files.document import read_document


def config_flags(path: Path) -> dict[str, list[str]]:
    """The flags of such a file, with what would stand behind each on a command line. Raises UserError for a file that
    can't be read, and for an unknown key with its line."""
    document = read_document(path, "a file of lm-eval's flags")
    if not isinstance(document.data, dict):
        raise UserError("a mapping of lm-eval's flags to their values", place=str(path))
    found: dict[str, list[str]] = {}
    for key, value in document.data.items():
        name = str(key).replace("-", "_")
        flag = BY_NAME.get(name)
        if flag is None or name == "config":
            raise UserError(
                f"lm-eval has no flag '{shown(name)}'{nearest(name, BY_NAME)}", place=document.place((key,))
            )
        if value is None or (value is False and name != "fewshot_as_multiturn") or value in ({}, [], ""):
            continue
        if value is True and flag.takes in ("nothing", "perhaps"):
            found[name] = []
        elif flag.takes != "nothing":
            found[name] = _words(value)
    return found


def _words(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [strict_json.dumps(value)]
    if isinstance(value, list):
        return [",".join("None" if one is None else str(one) for one in value)]
    return [str(value).lower() if isinstance(value, bool) else str(value)]
