"""Packed passes against one pass per item: states and gradients, and what would leak or shift is seen."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.alignment.answered import Answered
from reference_impl.alignment.gpt_policy import GPTPolicy
from reference_impl.alignment.packed import pack
from reference_impl.model.forward_pass import ForwardPass
from reference_impl.model.gpt import fused_attention, rotation
from tests.reference_impl.alignment.items import CONTEXT, assert_same, gpt, gradients, items, plain_states

LENGTHS = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=6)
MODELS = {llama: gpt(llama) for llama in (False, True)}


@settings(max_examples=25, deadline=None)
@given(LENGTHS, st.booleans(), st.booleans(), st.integers(0, 1000))
def test_states_and_gradients_are_those_of_a_pass_per_item(
    lengths: list[tuple[int, int]], shared: bool, llama: bool, seed: int
) -> None:
    answered = items(lengths, seed, shared)
    answered = [*answered, replace(answered[0], response=(seed % 60, 3))]  # the first one's prompt, further on
    model = MODELS[llama]
    weights = torch.randn(sum(len(item.response) + 1 for item in answered), model.config.width)
    wanted, found = plain_states(model, answered), GPTPolicy(model).states(answered)
    assert (found - wanted).norm() <= 1e-5 * wanted.norm()
    assert_same(gradients(model, (found * weights).sum()), gradients(model, (wanted * weights).sum()), 1e-5)


def test_equal_prompts_are_read_once_in_whatever_order() -> None:
    one, other = items([(5, 3)]), items([(5, 4)], seed=1)
    again = [replace(one[0], response=(1, 2))]
    apart = [*one, *other, *again]
    for answered in ([*one, *again, *other], apart):
        assert pack(answered).tokens.size(1) == 5 + 3 + 2 + 5 + 4
    torch.testing.assert_close(GPTPolicy(gpt()).states(apart), plain_states(gpt(), apart), rtol=1e-4, atol=1e-4)


def test_a_response_that_is_a_prompt_elsewhere_is_not_taken_for_it() -> None:
    first = Answered((1, 2), (3, 4), True)
    answered = [first, Answered((1, 2, 3), (4,), True), first]
    assert pack(answered).tokens.size(1) == 2 + 2 + 2 + 4
    torch.testing.assert_close(GPTPolicy(gpt()).states(answered), plain_states(gpt(), answered), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("llama", [False, True])
def test_an_attention_that_looks_across_items_is_seen(llama: bool) -> None:
    """The check above fails on it: plain causal attention over the row of all items."""
    model, answered = MODELS[llama], items([(4, 3), (5, 2)])
    packed = pack(answered)
    turn = rotation(packed.positions, model.config.head_width, model.config.rotary_base) if llama else None
    leaking = model.features(packed.tokens, ForwardPass(fused_attention, packed.positions, turn), packed.rows)[0]
    wanted = plain_states(model, answered)
    assert (leaking - wanted).norm() > 1e-2 * wanted.norm()
    assert torch.allclose(leaking[:4], wanted[:4], atol=1e-4)  # the first item has nobody to look at


def test_positions_that_are_not_restarted_are_seen() -> None:
    model, answered = MODELS[False], items([(4, 3), (5, 2)])
    packed = pack(answered)
    running = torch.arange(packed.tokens.size(1))[None]
    shifted = model.features(packed.tokens, ForwardPass(packed.attend, running), packed.rows)[0]
    wanted = plain_states(model, answered)
    assert (shifted - wanted).norm() > 1e-2 * wanted.norm()


def test_only_the_single_item_has_to_fit_the_context() -> None:
    answered = items([(CONTEXT - 4, 4)] * 5)
    torch.testing.assert_close(GPTPolicy(gpt()).states(answered), plain_states(gpt(), answered), rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match=r"item 2: 21 prompt tokens and 4 response tokens don't fit .* context of 24"):
        GPTPolicy(gpt()).states([*answered[:2], *items([(CONTEXT - 3, 4)])])


@pytest.mark.parametrize("token", [-1, 61])
def test_an_unknown_token_is_named_with_its_item(token: int) -> None:
    wrong = Answered((1, 2), (3, token), True)
    with pytest.raises(ValueError, match=f"item 1: token id {token} is outside of the policy's vocabulary of 61"):
        GPTPolicy(gpt()).states([*items([(2, 2)]), wrong])


def test_no_items_are_refused() -> None:
    with pytest.raises(ValueError, match="no items"):
        GPTPolicy(gpt()).states([])


def test_dropout_is_off() -> None:
    model = gpt(dropout=0.5).train()
    policy = GPTPolicy(model)
    answered = items([(4, 3), (5, 2)])
    assert torch.equal(policy.states(answered), policy.states(answered))


def test_a_mask_or_dropout_is_refused() -> None:
    packed = pack(items([(2, 2)]))
    x = torch.zeros(1, 1, 4, 8)
    with pytest.raises(ValueError, match="without a mask or dropout"):
        packed.attend(x, x, x, dropout=0.1)


def test_padding_ids_are_neither_scored_nor_read() -> None:
    policy = GPTPolicy(gpt(), vocabulary=50)
    assert len(policy.head.weight) == 50
    with pytest.raises(ValueError, match="token id 55"):
        policy.states([Answered((1,), (55,), True)])
    with pytest.raises(ValueError, match="62 tokens can't be drawn"):
        GPTPolicy(gpt(), vocabulary=62)


def test_a_scale_of_its_own_counts_for_every_response() -> None:
    one, other = Answered((1, 2, 3), (4, 5), True), Answered((1, 2, 3), (6, 7, 8), True)
    packed = pack([one, other])
    queries, keys, values = torch.randn(3, 1, 2, 8, 4, generator=torch.Generator().manual_seed(0)).unbind(0)
    found = packed.attend_scaled(queries, keys, values, 1.7)
    assert torch.allclose(packed.attend_scaled(queries * 3.4, keys, values), found, atol=1e-5)  # 1.7 of 1/sqrt(4)
    assert not torch.allclose(packed.attend_scaled(queries, keys, values)[:, :, 5:], found[:, :, 5:], atol=1e-2)
