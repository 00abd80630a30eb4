"""What two probes tell beside their loss: how far the distributions are apart, and what is wrong with what is written.

Continuations of two models differ for good reasons: one near tie that falls the other way, and all after it is another
text. So they are not compared as texts. What is held against the head needs no statistics, because no change of the
probabilities alone can bring it about:

* it wrote the same tokens and ended elsewhere, or it no longer ends at a token that the base ends at: a stop token is
wrong * where both read with the same probabilities to the bit, it wrote something else: decoding is wrong * what it
wrote is not what it expects when it reads the same at once: its cache, or its decode step, is wrong * its chat template
shows the same conversation with other white space, or otherwise though nothing else has changed, or no more
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Any

from harness.evidence.probe_pairs import Continuation, ProbePair, probe_pair
from harness.measures.probe import CHAT
from harness.results.samples import reading_samples
from harness.statistics.speed_decision import Decision

if TYPE_CHECKING:
    import pandas as pd

    from harness.comparison.paired_quality import PairedQuality

SET_AGAIN = "set it again from a run whose suite has this `kl_margin` in its `gate:`"
MOST_GAP = 0.5
"""Nats by which decoding and reading may differ by rounding: in bf16 near ties differ by a tenth at most."""


def is_probe(base: pd.DataFrame, head: pd.DataFrame) -> bool:
    """Whether both are samples of the measure `probe`."""
    return "top_ids" in base and "top_ids" in head


def probe_verdict(
    base: pd.DataFrame, head: pd.DataFrame, verdict: PairedQuality, kl_margin: float | None
) -> PairedQuality:
    """The verdict on the loss, with what the distributions and the continuations say beside it.

    kl_margin: nats per token, above which a mean divergence is a FAIL, and without which nothing passes; None: any is
    allowed.
    """
    if verdict.incomparable is not None:
        return verdict
    with reading_samples():
        pair = probe_pair(base, head)
    details = verdict.details | _details(pair)
    faults = list(_faults(pair))
    if kl_margin is not None and pair.documents and details["kl_mean"] > kl_margin:
        faults.append(f"its mean divergence of {details['kl_mean']:.3g} nats per token is above {kl_margin:g}")
    told = [verdict.sentence, _in_words(pair, details)]
    if not faults:
        can_tell = kl_margin is None or pair.bounds_divergence or verdict.decision is Decision.FAIL
        if not can_tell and pair.documents:
            told.append(f"the baseline keeps too few tokens of a position to see {kl_margin:g}: {SET_AGAIN}")
        decision = verdict.decision if can_tell else Decision.INCONCLUSIVE
        return replace(verdict, decision=decision, details=details, sentence="; ".join(filter(None, told)))
    name = verdict.sentence.partition(":")[0]
    return replace(
        verdict,
        decision=Decision.FAIL,
        p=0.0,
        log_evidence=inf,
        details=details | {"faults": faults},
        sentence=f"{name}: {'; '.join(faults)} ({'; '.join(filter(None, told))})",
    )


def _details(pair: ProbePair) -> dict[str, Any]:
    """Plain data."""
    both = [(a, b) for a, b in pair.continuations.values() if a is not None and b is not None]
    told: dict[str, Any] = {
        "continued": len(both),
        "same_continuations": sum(a.tokens == b.tokens for a, b in both),
    }
    if not pair.documents:
        return told
    worst = max(pair.documents, key=lambda one: float(one.kl.mean()))
    return told | {
        "kl_mean": float(pair.kl.mean()),
        "kl_worst": float(worst.kl.mean()),
        "kl_worst_document": worst.document,
        "top1": pair.agreement,
        "tokens": len(pair.kl),
    }


def _in_words(pair: ProbePair, details: dict[str, Any]) -> str:
    if not pair.documents:
        return "no divergence, because the two read other tokens"
    if pair.identical:
        return ""
    of = f", of document {details['kl_worst_document']} {details['kl_worst']:.2g}" if len(pair.documents) > 1 else ""
    left = f" ({len(pair.other_tokens)} documents were read as other tokens)" if pair.other_tokens else ""
    return (
        f"KL(base || head) is at least {details['kl_mean']:.2g} nats per token{of}, "
        f"the likeliest token is the same at {100 * details['top1']:.1f} % of {details['tokens']:,}{left}"
    )


def _faults(pair: ProbePair) -> Iterator[str]:
    """Sentences on what is wrong with the head for certain."""
    if pair.same_tokens:
        ours, theirs = pair.end_ids
        if gone := sorted(ours - theirs):
            yield f"an answer no longer ends at token {_ids(gone)} (it ends at {_ids(sorted(theirs))})"
        elif pair.identical and ours != theirs:
            yield f"an answer ends at token {_ids(sorted(theirs - ours))} too"
    for name, (before, after) in pair.continuations.items():
        where = "the answer in the conversation" if name == CHAT else f"the continuation of document {name}"
        if before is None:
            continue
        if after is None:
            yield f"{where} is missing" + (": its chat template is gone, or can't be shown" if name == CHAT else "")
            continue
        if after.gap > MOST_GAP + before.gap:
            yield (
                f"in {where} it wrote tokens that it finds {after.gap:.2g} nats less likely than others when it reads "
                "the same at once: the KV cache or the decode step is wrong"
            )
        if pair.same_tokens:
            yield from _faults_of(pair, before, after, where)


def _faults_of(pair: ProbePair, before: Continuation, after: Continuation, where: str) -> Iterator[str]:
    """Of a continuation that both have, under one tokenizer."""
    if before.prompt != after.prompt:
        a, b = before.prompt_text, after.prompt_text
        if a is not None and b is not None and a != b and "".join(a.split()) == "".join(b.split()):
            yield f"the chat template shows the same conversation with other white space: {a!r} and {b!r}"
        elif pair.identical:
            yield f"the chat template shows the same conversation otherwise: {a!r} and {b!r}"
        return
    shared = min(len(before.tokens), len(after.tokens))
    if before.tokens[:shared] == after.tokens[:shared]:
        if len(before.tokens) != len(after.tokens) or before.finish != after.finish:
            yield (
                f"{where} has the same tokens and ends elsewhere: after {len(before.tokens)} ({before.finish}) and "
                f"{len(after.tokens)} ({after.finish}) of them"
            )
    elif pair.identical:
        at = next(n for n, (x, y) in enumerate(zip(before.tokens, after.tokens, strict=False)) if x != y)
        yield (
            f"{where} differs from token {at} on, though both read with the same probabilities to the bit: decoding "
            "differs"
        )


def _ids(ids: list[int]) -> str:
    return ", ".join(map(str, ids)) or "none"
