"""The in-context score on models whose answer is known: one that copies, one that counts, one that knows nothing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from harness import corpora
from harness.errors import Unsupported
from harness.measures.in_context import IN_CONTEXT, InContextSettings, collect, summarize
from harness.measures.measure import Facts
from harness.models.cache_behavior import CacheBehavior
from harness.results.record import Measurement

VOCABULARY = 48
CONTEXT = 64


class Tokens:
    """Text of characters; each is a token."""

    size, bos_id, eos_id, digest = VOCABULARY, 0, 0, "d"

    def encode(self, text: str) -> list[int]:
        return [1 + ord(character) % (VOCABULARY - 1) for character in text]


class Identity:
    name, context, vocabulary, device, prefix = "known", CONTEXT, VOCABULARY, "cpu", (0,)
    cache = CacheBehavior()


class Known:
    """A model by the logits that it gives after a prefix."""

    identity, tokenizer = Identity(), Tokens()

    def forward(self, tokens: Tensor, *_: Any, logits_at: Tensor, **__: Any) -> Tensor:
        rows = [[self.logits(row[: int(at) + 1].tolist()) for at in logits_at] for row in tokens]
        return torch.tensor(rows)

    def logits(self, prefix: list[int]) -> list[float]:
        """Knows nothing."""
        return [0.0] * VOCABULARY


class Copying(Known):
    """An induction head: what followed the same two tokens before follows again."""

    def logits(self, prefix: list[int]) -> list[float]:
        found = [0.0] * VOCABULARY
        for place in range(len(prefix) - 2, 0, -1):
            if prefix[place - 1 : place + 1] == prefix[-2:]:
                found[prefix[place + 1]] = 4.0
                break
        return found


class Counting(Known):
    """The more often a token has come, the likelier: learns frequencies, no order."""

    def logits(self, prefix: list[int]) -> list[float]:
        return [math.log(1 + prefix.count(token)) for token in range(VOCABULARY)]


class Positional(Known):
    """Surer of one token the later it stands, whatever was read: a text that is easier at its end."""

    def logits(self, prefix: list[int]) -> list[float]:
        return [len(prefix) / 20 if token == 7 else 0.0 for token in range(VOCABULARY)]


PERIOD = 16


def _document(number: int) -> str:
    """Sixteen letters of its own, again and again."""
    letters = np.random.default_rng(number).choice(list("abcdefghijklmnopqrstuvwxyz"), PERIOD)
    return "".join(letters) * 5


DOCUMENTS = [_document(number) for number in range(24)]


@pytest.fixture(autouse=True)
def text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpora, "documents", lambda spec: [*DOCUMENTS, "short"])


def found(model: Known, **given: Any) -> dict[str, Measurement]:
    settings = InContextSettings(text="fixture", **given)
    rows = collect(lambda: model, settings)  # type: ignore[arg-type, return-value]
    return {m.metric.name: m for m in summarize(pd.DataFrame(rows), settings, Facts(None))}  # type: ignore[arg-type]


def _below(measurement: Measurement) -> bool:
    return measurement.high is not None and measurement.high < 0


def _around_zero(measurement: Measurement) -> bool:
    return measurement.low is not None and measurement.high is not None and measurement.low <= 0 <= measurement.high


def test_a_model_that_copies_learns_in_context() -> None:
    numbers = found(Copying())
    assert _below(numbers["in_context_score"]) and _below(numbers["context_order_score"])
    assert _below(numbers["induction_score"]) and numbers["induction_score"].value < -1
    assert numbers["documents_read"].value == len(DOCUMENTS)
    assert abs(numbers["induction_control"].value) < 0.3 * abs(numbers["induction_score"].value)


def test_a_model_that_knows_nothing_stays_at_zero() -> None:
    numbers = found(Known())
    for name in ("in_context_score", "context_order_score", "induction_score", "induction_control"):
        assert numbers[name].value == pytest.approx(0, abs=1e-6)
    assert numbers["early_loss"].value == pytest.approx(math.log(VOCABULARY), abs=1e-5)


def test_frequencies_alone_bring_no_order() -> None:
    """The known bad case: the score falls, and the control says that it is not the order."""
    numbers = found(Counting())
    assert _below(numbers["shuffled_context_score"])
    assert abs(numbers["context_order_score"].value) < 0.5 * abs(numbers["shuffled_context_score"].value)


def test_position_alone_is_no_induction() -> None:
    numbers = found(Positional())
    assert abs(numbers["induction_control"].value) > 0.05
    assert _around_zero(numbers["induction_score"]) and abs(numbers["induction_score"].value) < 0.03


def test_the_score_is_late_less_early_of_each_document() -> None:
    """Against the bands cut out by hand, one forward pass per document."""
    model = Copying()
    settings = InContextSettings(text="fixture", early=0.2, late=0.9, band=0.1)
    rows = [row for row in collect(lambda: model, settings) if row["kind"] == "text"]  # type: ignore[arg-type, return-value]
    for row in rows[:4]:
        ids = [0, *Tokens().encode(DOCUMENTS[row["document"]])][:CONTEXT]
        nll = np.array(
            [-torch.tensor(model.logits(ids[:at])).log_softmax(-1)[ids[at]].item() for at in range(1, CONTEXT)]
        )
        assert row["early"] == pytest.approx(nll[12 - 6 : 12 + 7].mean(), abs=1e-5)  # 0.2 · 62 and 0.1 · 63
        assert row["late"] == pytest.approx(nll[56 - 6 : 56 + 7].mean(), abs=1e-5)  # 0.9 · 62


def test_the_same_seed_gives_the_same_rows() -> None:
    first, again, other = (found(Copying(), random_seed=seed)["induction_score"].value for seed in (1, 1, 2))
    assert first == again != other


def test_rows_say_what_they_read_so_that_runs_can_be_paired(monkeypatch: pytest.MonkeyPatch) -> None:
    """By text under any tokenizer, by tokens under one; an edited document is another one."""

    def digests(**given: Any) -> pd.DataFrame:
        rows = collect(lambda: Known(), InContextSettings(text="fixture", **given))  # type: ignore[arg-type, return-value]
        return pd.DataFrame(rows).set_index(["kind", "document"])[["text_digest", "ids_digest"]]

    before = digests()
    assert before.equals(digests()) and before.loc["text"].notna().all(axis=None)
    assert before.loc["copy", "ids_digest"].is_unique
    assert (digests(random_seed=3).loc["copy", "ids_digest"] != before.loc["copy", "ids_digest"]).all()
    edited = [*DOCUMENTS[:3], DOCUMENTS[3][:5] + "q" + DOCUMENTS[3][6:], *DOCUMENTS[4:]]
    monkeypatch.setattr(corpora, "documents", lambda spec: edited)
    differing = (digests().loc["text"] != before.loc["text"]).all(axis=1)
    assert list(differing[differing].index) == [3]


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(Unsupported, match="context of 64"):
        found(Known(), tokens=65)
    with pytest.raises(Unsupported, match="two copies of 40"):
        found(Known(), copied=40)
    with pytest.raises(ValidationError, match="put them apart"):
        InContextSettings(text="fixture", early=0.5, late=0.55)


def test_documents_that_are_too_short_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpora, "documents", lambda spec: ["short", "shorter"])
    with pytest.raises(Unsupported, match=r"the longest has 7: give `tokens` a smaller number"):
        found(Known())


def test_it_can_be_declared() -> None:
    assert all(metric.definition and metric.unit for metric in IN_CONTEXT.metrics)
