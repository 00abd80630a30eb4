"""Two probes side by side: which documents pair, and what is read of their rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.evidence.probe_pairs import probe_pair
from harness.measures.probe import CHAT


def row(document: str, tokens: int = 3, seed: int = 0, **changed: Any) -> dict[str, Any]:
    """A document of three tokens, of each of which four of five outcomes are known."""
    logits = np.random.default_rng(seed).normal(size=(tokens, 5))
    logs = logits - np.logaddexp.reduce(logits, axis=1)[:, None]
    order = np.argsort(-logs, axis=1)
    told = {
        "document": document,
        "tokens": tokens,
        "ids_digest": f"ids of {document}",
        "token_nll": [1.0] * tokens,
        "top_ids": order[:, :4].ravel().astype(np.int32),
        "top_log_probs": np.take_along_axis(logs, order[:, :4], 1).ravel(),
        "rest_log_prob": np.take_along_axis(logs, order[:, 4:], 1).ravel(),
    }
    return told | changed


WRITTEN = {"prompt": [1], "continuation": [2, 3], "ended_by": "end", "continuation_gap": 0.0}


def test_equal_probes_have_no_divergence() -> None:
    frame = pd.DataFrame([row("0") | {"end_ids": [7, 0]}, row("1", seed=1)])
    pair = probe_pair(frame, frame)
    assert (pair.kl == 0).all() and len(pair.kl) == 6 and pair.agreement == 1
    assert pair.identical and pair.same_tokens and pair.end_ids == ({0, 7}, {0, 7})


def test_documents_of_other_tokens_and_missing_ones_have_none() -> None:
    base = pd.DataFrame([row("0"), row("1"), row("2")])
    head = pd.DataFrame([row("0", seed=3), row("1", ids_digest="other")])
    pair = probe_pair(base, head)
    assert [one.document for one in pair.documents] == ["0"] and pair.other_tokens == ("1", "2")
    assert pair.kl.mean() > 0 and not pair.same_tokens and not pair.identical


def test_continuations_are_paired_by_document() -> None:
    base = pd.DataFrame([row("0") | WRITTEN, {"document": CHAT, "tokens": 0, "prompt_text": "Hi"} | WRITTEN])
    head = pd.DataFrame([row("0") | WRITTEN | {"continuation": np.array([2])}])
    pair = probe_pair(base, head)
    before, after = pair.continuations["0"]
    assert before is not None and after is not None and (before.tokens, after.tokens) == ((2, 3), (2,))
    before, after = pair.continuations[CHAT]
    assert before is not None and before.prompt_text == "Hi" and after is None
    assert pair.same_tokens  # the conversation is no document


def test_what_is_no_probe_raises() -> None:
    with pytest.raises((LookupError, ValueError)):
        probe_pair(pd.DataFrame([row("0")]), pd.DataFrame([row("0", rest_log_prob=np.zeros(2))]))
