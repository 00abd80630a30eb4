"""HellaSwag's documents as they are asked."""

import re
from collections.abc import Iterable
from typing import Any


def cleaned(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each row with `query` (activity, colon, context), `choices` and `gold`, free of WikiHow's bracketed marks."""
    return [
        {
            **row,
            "query": _clean(f"{row['activity_label']}: {row['ctx_a']} {row['ctx_b'].capitalize()}"),
            "choices": [_clean(ending) for ending in row["endings"]],
            "gold": int(row["label"]),
        }
        for row in rows
    ]


def _clean(text: str) -> str:
    return re.sub(r"\[.*?\]", "", text.strip().replace(" [title]", ". ")).replace("  ", " ")
