"""The samples of a cell of the measure `task` as tables of answers: what each document says under every metric.

The columns are those of `answers_table`, so that metrics can be compared document by document over a ladder of models.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from harness import strict_json
from harness.evidence.answered import has_documents
from harness.evidence.selection import listed
from harness.results.record import Scalar

if TYPE_CHECKING:
    import pandas as pd

_READ = (
    *("document", "items", "question_digest", "text_digest", "cluster"),
    *("right_log_probs", "right_hits", "hits", "choices", "log_probs", "continuation_ids", "extracted", "target"),
)
"""Columns of samples that are looked at: most others are long lists."""


class AnswersOf(NamedTuple):
    """The answers to one task, judged in one way."""

    task: str
    part: str
    """Which way of extracting; empty where there is one alone."""
    metric: str
    """That says right or wrong."""
    chance: float
    """What guessing gets."""
    rows: list[dict[str, Any]]
    """A row per document."""


def answers_of_samples(
    samples: pd.DataFrame, of: Sequence[str], part: Scalar | list[Scalar] = None
) -> Iterator[AnswersOf]:
    """Of every task and part: the first metric of `of` that it has. part: those that are wanted; None for all."""
    if not has_documents(samples):
        return
    for task, rows in samples[samples["broken"].isna()].groupby("task", sort=False):
        first = strict_json.loads(rows["items"].iloc[0])
        metric = next((name for name in of if any(_is_of(key, name) for key in first)), None)
        if metric is None:
            continue
        told = rows[[name for name in _READ if name in rows]].to_dict("records")
        each = [strict_json.loads(row["items"]) for row in told]
        chance = rows["chance"].mean() if "chance" in rows and rows["chance"].notna().any() else 0.0
        for key in (key for key in first if _is_of(key, metric)):
            name = key[len(metric) + 1 :]
            if part is None or name in listed(part):
                found = [
                    _document(row, items, key, name) for row, items in zip(told, each, strict=True) if key in items
                ]
                yield AnswersOf(str(task), name, metric, float(chance), found)


def _is_of(key: str, metric: str) -> bool:
    return key == metric or key.startswith(f"{metric}/")


def _document(row: Mapping[Any, Any], items: Mapping[str, Any], key: str, part: str) -> dict[str, Any]:
    """What a document says under every metric."""
    digest = row.get("question_digest") or row.get("text_digest")
    found = {"document": f"{row['document']} {digest}", "right": float(items[key]), "cluster": row.get("cluster")}
    numbers = {name: items.get(name) for name in ("brier_score", "likelihood", "token_accuracy")}
    found |= {name: float(item) for name, item in numbers.items() if isinstance(item, int | float)}
    if "gold_bits_per_byte" in items:
        found |= dict(zip(("gold_log_prob", "gold_bytes"), map(float, items["gold_bits_per_byte"]), strict=True))
    similarity = _edit_similarity(row, items, part)
    if similarity is not None:
        found["edit_similarity"] = similarity
    return found | _hits(row)


def _hits(row: Mapping[Any, Any]) -> dict[str, float]:
    """Tokens of the right answer, and those that were the likeliest."""
    ids = row.get("continuation_ids")
    if ids is not None and not isinstance(ids, float) and not any(map(len, ids)):
        return {}  # of a model without tokens
    written, scored = row.get("right_log_probs"), row.get("hits")
    if written is not None and not isinstance(written, float):
        return {"tokens": float(len(written)), "hits": float(row["right_hits"])}
    if scored is not None and not isinstance(scored, float) and len(scored) == 1 and not len(row["choices"]):
        return {"tokens": float(len(row["log_probs"][0])), "hits": float(scored[0])}
    return {}


def _edit_similarity(row: Mapping[Any, Any], items: Mapping[str, Any], part: str) -> float | None:
    """As the task scores it, else of what was extracted and the nearest target in their normal forms."""
    from harness.tasks.judging.text_scores import edit_similarity

    key = f"edit_similarity/{part}" if part else "edit_similarity"
    if key in items:
        return float(items[key])
    extracted, targets = row.get("extracted"), row.get("target")
    if not isinstance(extracted, str) or targets is None or isinstance(targets, float) or not len(targets):
        return None
    value = strict_json.loads(extracted).get(part or "none")
    if isinstance(value, list) or items.get(f"extraction_failure/{part}" if part else "extraction_failure"):
        return None if isinstance(value, list) else 0.0
    return edit_similarity(value, [str(target) for target in targets], {})
