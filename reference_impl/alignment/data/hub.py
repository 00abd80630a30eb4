"""Data sets of the Hugging Face hub as local files: `hub:OWNER/NAME[@REVISION][:PATTERN]`.

`huggingface_hub` fetches what is missing and keeps it in its cache, where it is found without a connection, too
(`HF_HUB_OFFLINE=1`). A revision (`@COMMIT`) makes the data the same everywhere.
"""

from __future__ import annotations

import os
import re
from fnmatch import fnmatch
from pathlib import Path

from reference_impl.files import TextError
from reference_impl.files.compression import COMPRESSIONS
from reference_impl.files.folder import listing
from reference_impl.files.rows import FORMATS

HUB = "hub:"
_NAME = re.compile(r"(?P<name>[\w.-]+(?:/[\w.-]+)?)(?:@(?P<revision>[\w./-]+))?(?::(?P<pattern>.+))?")
_DATA = [f"*{ending}{packed}" for ending in FORMATS if ending != ".txt" for packed in ("", *COMPRESSIONS)]


def is_on_hub(path: str | os.PathLike[str]) -> bool:
    """Whether a path names a data set of the hub."""
    return os.fspath(path).startswith(HUB)


def fetched(spelled: str) -> tuple[Path, list[Path]]:
    """The folder of a data set of the hub and those of its files that are named.

    Raises TextError for a name that the hub can't have, without `huggingface_hub`, and where there are no such files.
    """
    named = _NAME.fullmatch(spelled.removeprefix(HUB))
    if named is None:
        raise TextError(spelled, "data of the hub are written hub:OWNER/NAME, hub:OWNER/NAME@REVISION:PATTERN")
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise TextError(
            spelled, "data of the Hugging Face hub need `huggingface_hub`; `pip install gpt-harness[hub]`"
        ) from None
    patterns = [named["pattern"]] if named["pattern"] else _DATA
    try:
        folder = Path(
            snapshot_download(named["name"], repo_type="dataset", revision=named["revision"], allow_patterns=patterns)
        )
    except Exception as error:  # of huggingface_hub, of its connection: there are dozens
        reason = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
        raise TextError(
            spelled, f"the hub did not give it: {reason}. Without a network, fetch it elsewhere and name the local file"
        ) from error
    # What an earlier call fetched lies in the same folder.
    files = [
        file
        for file in listing(folder, deep=True).data
        if any(fnmatch(file.relative_to(folder).as_posix(), pattern) for pattern in patterns)
    ]
    if not files:
        raise TextError(
            spelled, f"it has no file like {named['pattern'] or ', '.join(FORMATS)}; look at its files, and name some"
        )
    return folder, files
