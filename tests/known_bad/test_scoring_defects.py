"""Defects that the shared way of scoring invites, and the check of each: it must pass on the sound implementation and
fail on the bad one."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from harness.models import token_tree
from harness.models.contract import LanguageModel, ModelSource
from harness.models.reference import as_language_model
from harness.scoring import engine, plan, prefix_tree
from harness.scoring.budget import Budget
from harness.scoring.engine import score
from harness.scoring.plan import Segment
from harness.scoring.prefix_tree import Node, Span
from harness.scoring.request import Scored
from reference_impl.decoding import prefixes
from reference_impl.decoding.generation import generate
from reference_impl.inference import tree_attention
from reference_impl.inference.kv_cache import KVCache
from reference_impl.inference.tree_attention import Block
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.text.tokenizer import ByteBPE
from tests.known_bad.test_decoding_defects import Model, rows_depend_on_themselves_alone


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        gpt = GPT(GPTConfig(vocabulary=300, context=64, layers=2, heads=2, width=16, tie_head=False))
    with torch.no_grad():
        for parameter in gpt.parameters():
            parameter.mul_(8)
    return as_language_model(gpt, ByteBPE.train(["text"], 257), ModelSource("model", "reference", "path", "digest"))


def scored_as_if_alone(model: LanguageModel, budget: Budget) -> bool:
    """Choices that share a context, one the beginning of another, one split elsewhere too, and the context itself:
    each gets what one pass over it alone gives."""
    rng = random.Random(0)
    context = tuple(rng.randrange(300) for _ in range(12))
    requests = [Scored(context + tuple(rng.randrange(300) for _ in range(n)), 12) for n in (1, 2, 3, 4)]
    requests += [Scored((*requests[3].ids, 7, 8), 12), Scored(requests[3].ids, 14), Scored(context, 1)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "budget_for", lambda model: budget)
        patch.setattr(engine, "can_share", lambda model, longest: True)
        found = score(model, requests)
    return all(
        np.allclose(one.log_probs, alone(model, request), atol=1e-4)
        for one, request in zip(found, requests, strict=True)
    )


def alone(model: LanguageModel, request: Scored) -> Any:
    with torch.inference_mode():
        log_probs = model.forward(torch.tensor([request.read]))[0, request.start - 1 :].double().log_softmax(-1)
    return log_probs.gather(1, torch.tensor(request.ids[request.start :])[:, None])[:, 0].numpy()


ONE_PASS, PARTS = Budget(512, 512), Budget(7, 3, 0)


@pytest.mark.parametrize("budget", [ONE_PASS, PARTS])
def test_shared_scoring_is_sound(model: LanguageModel, budget: Budget) -> None:
    assert scored_as_if_alone(model, budget)


def test_logits_taken_one_place_late_are_seen(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever counts the scored tokens themselves, and not those that predict them."""

    def late(path: Sequence[tuple[Node, int]], number: int, request: Scored) -> None:
        for node, start in path:
            begin, end = max(request.start, start), start + len(node.ids)
            if begin < end:
                node.spans.append(Span(number, begin - request.start, begin - start, end - begin))

    monkeypatch.setattr(prefix_tree, "_want", late)
    assert not scored_as_if_alone(model, ONE_PASS)


def test_one_text_split_in_two_places_whose_leading_logits_are_taken_is_seen(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """lm-eval's: logits that two requests share are taken from where the first of them is split."""
    starts: dict[tuple[int, ...], int] = {}

    def leading(path: Sequence[tuple[Node, int]], number: int, request: Scored) -> None:
        first = starts.setdefault(request.read, request.start) - 1
        after = first + len(request.ids) - request.start
        for node, start in path:
            begin, end = max(first, start), min(after, start + len(node.ids))
            if begin < end:
                node.spans.append(Span(number, begin - first, begin - start, end - begin))

    monkeypatch.setattr(prefix_tree, "_want", leading)
    assert not scored_as_if_alone(model, ONE_PASS)


def test_siblings_that_see_each_other_are_seen(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = token_tree.layout

    def causal(segments: Sequence[Segment], held: int) -> tuple[Tensor | None, Tensor]:
        return None, layout(segments, held)[1]

    monkeypatch.setattr(engine, "layout", causal)
    assert not scored_as_if_alone(model, ONE_PASS)


def test_positions_that_count_siblings_are_seen(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = token_tree.layout

    def in_a_row(segments: Sequence[Segment], held: int) -> tuple[Tensor | None, Tensor]:
        visible, positions = layout(segments, held)
        return visible, torch.arange(held, held + positions.size(1))[None]

    monkeypatch.setattr(engine, "layout", in_a_row)
    assert not scored_as_if_alone(model, ONE_PASS)


def test_a_branch_that_stays_in_the_cache_is_seen(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache is cut to the right length, but by its first tokens: what is left are the last branch's."""

    def last(self: KVCache, length: int) -> None:
        for part in (self.keys, self.values):
            part[..., :length, :] = part[..., self.length - length : self.length, :].clone()
        self.length = length

    monkeypatch.setattr(KVCache, "truncate", last)
    assert not scored_as_if_alone(model, PARTS)


def test_a_node_in_parts_whose_later_scores_are_forgotten_is_seen(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begins_again(node: Node, at: int) -> tuple[Node, Node]:
        first, rest = prefix_tree.cut(node, at)
        rest.spans = [span._replace(place=0) for span in rest.spans]
        return first, rest.counted()

    monkeypatch.setattr(plan, "cut", begins_again)
    assert not scored_as_if_alone(model, PARTS)


def test_a_block_of_attention_that_begins_too_early_is_seen(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the compiled kernel branches are computed apart: a cut inside of one hides its own beginning from it."""
    blocks = tree_attention._blocks

    def halved(visible: Tensor) -> list[Block]:
        def parts() -> Iterator[Block]:
            held = visible.size(1) - visible.size(0)
            for block in blocks(visible):
                middle = (block.first + block.end) // 2
                for first, end in ((block.first, middle), (middle, block.end)):
                    near = torch.cat((visible[first:end, :held], visible[first:end, held + first : held + end]), dim=1)
                    if first < end:
                        yield Block(first, end, near)

        return list(parts())

    monkeypatch.setattr(tree_attention, "kernel_attention", lambda *parts: None)
    assert scored_as_if_alone(model, ONE_PASS)
    monkeypatch.setattr(tree_attention, "_blocks", halved)
    assert not scored_as_if_alone(model, ONE_PASS)


def test_a_prompt_that_is_read_to_the_end_of_its_padding_is_seen() -> None:
    """Prompts of one pass are padded on the right: what follows one isn't what follows its row."""

    class ReadsOn(Model):
        def forward(self, tokens: Tensor, cache: Any = None, logits_at: Any = None, **given: Any) -> Tensor:
            if logits_at is not None:
                logits_at = logits_at.max().expand_as(logits_at)
            return super().forward(tokens, cache=cache, logits_at=logits_at, **given)

    assert rows_depend_on_themselves_alone(generate, Model(), 0.0)
    assert not rows_depend_on_themselves_alone(generate, ReadsOn(), 0.0)


def test_a_stem_of_which_only_the_first_token_is_copied_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """What several prompts begin with is read once and copied to each."""
    begin = KVCache.begin

    def first_only(self: KVCache, stem: KVCache) -> None:
        begin(self, stem)
        for part in (self.keys, self.values):
            part[..., 1 : stem.length, :] = 0

    monkeypatch.setattr(prefixes, "WORTH_SHARING", 2)
    assert rows_depend_on_themselves_alone(generate, Model(), 0.0)
    monkeypatch.setattr(KVCache, "begin", first_only)
    assert not rows_depend_on_themselves_alone(generate, Model(), 0.0)
