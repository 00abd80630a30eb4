"""Two runs' samples of the measure `probe`, put side by side: distributions at every position, and continuations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.evidence.row_digest import DISTRIBUTION, DISTRIBUTION_DIGEST, distribution_digest
from harness.measures.probe import CHAT, TOP
from harness.statistics.truncated_divergence import Truncated, divergence_bound

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DocumentPair:
    """A document that both read as the same tokens."""

    document: str
    kl: Floats
    """(tokens,) lower bound of KL(base || head), nats."""
    agrees: NDArray[np.bool_]
    """(tokens,) whether both expect the same token most."""
    identical: bool
    """Whether all that is known of both distributions is the same, bit for bit."""
    is_cut: bool = False
    """Whether a baseline kept so few of the likeliest tokens that the bound of the divergence is a loose one."""


@dataclass(frozen=True)
class Continuation:
    """What a model wrote after a document's beginning, or as the answer in the conversation."""

    document: str
    prompt: tuple[int, ...]
    prompt_text: str | None
    tokens: tuple[int, ...]
    finish: str
    gap: float
    """See `measures.probe`: how far the likeliest token was from what was written when all is read at once."""


@dataclass(frozen=True)
class ProbePair:
    """Two probes."""

    documents: tuple[DocumentPair, ...]
    other_tokens: tuple[str, ...]
    """Documents that the two read as other tokens, or one of them not at all."""
    continuations: Mapping[str, tuple[Continuation | None, Continuation | None]]
    """By document, of base and head, where either has one."""
    end_ids: tuple[frozenset[int], frozenset[int]]
    """Which tokens end an answer of the base's and of the head's model."""

    @property
    def kl(self) -> Floats:
        """(tokens,) of all documents."""
        return np.concatenate([pair.kl for pair in self.documents]) if self.documents else np.empty(0)

    @property
    def agreement(self) -> float:
        """Share of the tokens where both expect the same token most; nan without any."""
        agrees = [pair.agrees for pair in self.documents]
        return float(np.concatenate(agrees).mean()) if agrees and sum(map(len, agrees)) else float("nan")

    @property
    def same_tokens(self) -> bool:
        """Whether every document was read as the same tokens."""
        return bool(self.documents) and not self.other_tokens

    @property
    def bounds_divergence(self) -> bool:
        """Whether a divergence that is not seen would be: of all documents, all that was measured is there."""
        return bool(self.documents) and (self.identical or not any(pair.is_cut for pair in self.documents))

    @property
    def identical(self) -> bool:
        """Whether both models gave the same distributions at every place, bit for bit."""
        return self.same_tokens and all(pair.identical for pair in self.documents)


def probe_pair(base: pd.DataFrame, head: pd.DataFrame) -> ProbePair:
    """Two samples of the measure. Raises LookupError or ValueError where they are none."""
    rows = [{str(row["document"]): row for row in frame.to_dict("records")} for frame in (base, head)]
    pairs, others = [], []
    for name in dict.fromkeys([*rows[0], *rows[1]]):
        a, b = rows[0].get(name), rows[1].get(name)
        if name == CHAT or not any(row is not None and row["tokens"] for row in (a, b)):
            continue
        if a is None or b is None or a["ids_digest"] != b["ids_digest"]:
            others.append(name)
        else:
            pairs.append(_pair(name, a, b))
    wrote = [{name: found for name, row in side.items() if (found := _continuation(row)) is not None} for side in rows]
    names = [name for name in dict.fromkeys([*rows[0], *rows[1]]) if name in wrote[0] or name in wrote[1]]
    return ProbePair(
        documents=tuple(pairs),
        other_tokens=tuple(others),
        continuations={name: (wrote[0].get(name), wrote[1].get(name)) for name in names},
        end_ids=(_end_ids(base), _end_ids(head)),
    )


def _pair(name: str, a: Mapping[Any, Any], b: Mapping[Any, Any]) -> DocumentPair:
    p, q = _truncated(a), _truncated(b)
    is_cut = any(isinstance(row.get(DISTRIBUTION_DIGEST), str) for row in (a, b))
    return DocumentPair(
        document=name,
        kl=divergence_bound(p, q),
        agrees=p.ids[:, 0] == q.ids[:, 0],
        identical=_alike(a, b, is_cut),
        is_cut=is_cut,
    )


def _alike(a: Mapping[Any, Any], b: Mapping[Any, Any], by_digest: bool) -> bool:
    if by_digest:
        return distribution_digest(a) == distribution_digest(b)
    return all(np.array_equal(np.asarray(a[column]), np.asarray(b[column])) for column in DISTRIBUTION)


def _truncated(row: Mapping[Any, Any]) -> Truncated:
    rest = np.asarray(row["rest_log_prob"], dtype=np.float64)
    ids, log_probs = (np.asarray(row[column]).reshape(len(rest), -1) for column in ("top_ids", "top_log_probs"))
    if ids.shape != log_probs.shape or ids.shape[1] > TOP:
        raise ValueError(f"{ids.shape} ids and {log_probs.shape} log-probabilities of a probe")
    return Truncated(ids.astype(np.int64), log_probs.astype(np.float64), rest)


def _continuation(row: Mapping[Any, Any]) -> Continuation | None:
    if not isinstance(row.get("ended_by"), str):
        return None
    text = row.get("prompt_text")
    return Continuation(
        document=str(row["document"]),
        prompt=_whole(row["prompt"]),
        prompt_text=text if isinstance(text, str) else None,
        tokens=_whole(row["continuation"]),
        finish=row["ended_by"],
        gap=float(row["continuation_gap"]),
    )


def _end_ids(frame: pd.DataFrame) -> frozenset[int]:
    told = [value for value in frame["end_ids"] if isinstance(value, list | np.ndarray)] if "end_ids" in frame else []
    return frozenset(_whole(told[0])) if told else frozenset()


def _whole(values: Iterable[int]) -> tuple[int, ...]:
    return tuple(map(int, values))
