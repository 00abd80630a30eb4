"""Our model and `transformers`' GPT-2 compute the same logits and gradients from the same weights."""

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT, next_token_loss
from reference_impl.model.huggingface import (
    from_huggingface,
    state_from_huggingface,
    state_to_huggingface,
    to_huggingface,
)
from tests.tiny_models import scrambled

CONFIGS = [
    GPTConfig(vocabulary=61, context=24, layers=1, heads=1, width=8),
    GPTConfig(vocabulary=97, context=16, layers=2, heads=3, width=24, ffn_width=48),
    GPTConfig(vocabulary=50, context=32, layers=4, heads=4, width=16, norm_epsilon=1e-3),
    GPTConfig(vocabulary=128, context=20, layers=3, heads=2, width=64, tie_head=False),
    GPTConfig(vocabulary=61, context=24, layers=1, heads=2, width=16, ffn="gelu_exact"),
]


def texts(config: GPTConfig) -> torch.Tensor:
    return torch.randint(0, config.vocabulary, (3, config.context), generator=torch.Generator().manual_seed(1))


def assert_same_function(ours: GPT, theirs: GPT2LMHeadModel) -> None:
    text = texts(ours.config)
    logits, their_logits = ours(text), theirs(text).logits
    torch.testing.assert_close(logits, their_logits, rtol=0, atol=1e-5)

    next_token_loss(logits[:, :-1], text[:, 1:]).backward()
    next_token_loss(their_logits[:, :-1], text[:, 1:]).backward()
    their_gradients = {name: p.grad for name, p in theirs.named_parameters() if p.grad is not None}
    expected = state_from_huggingface(their_gradients, ours.config)
    assert expected.keys() == dict(ours.named_parameters()).keys()
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], rtol=0, atol=1e-5, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("config", CONFIGS)
def test_theirs_from_ours(config: GPTConfig) -> None:
    ours = scrambled(GPT(config))
    assert_same_function(ours, to_huggingface(ours))


@pytest.mark.parametrize("config", CONFIGS)
def test_ours_from_theirs(config: GPTConfig) -> None:
    theirs = scrambled(to_huggingface(GPT(config)), seed=3)
    ours = from_huggingface(theirs)
    assert ours.config == config
    assert_same_function(ours, theirs)


def test_round_trip_is_bitwise() -> None:
    ours = scrambled(GPT(CONFIGS[1]))
    back = from_huggingface(to_huggingface(ours))
    for name, tensor in ours.state_dict().items():
        assert torch.equal(back.state_dict()[name], tensor)
    state = ours.state_dict()
    again = state_from_huggingface(state_to_huggingface(state, ours.config), ours.config)
    assert all(torch.equal(again[name], state[name]) for name in state)


def test_padding_agrees_too() -> None:
    ours = scrambled(GPT(CONFIGS[2]))
    theirs = to_huggingface(ours)
    mask = torch.ones(3, 12, dtype=torch.long)
    mask[0, :5] = 0
    text, positions = texts(ours.config)[:, :12], (mask.cumsum(-1) - 1).clamp(min=0)
    expected = theirs(text, attention_mask=mask, position_ids=positions).logits
    logits = ours(text, attention_mask=mask)
    real = mask.bool()
    torch.testing.assert_close(logits[real], expected[real], rtol=0, atol=1e-5)


def test_a_wrong_row_order_would_be_seen() -> None:
    """The known-bad case: queries, keys and values split as (3, heads, width) where rows are (heads, 3, width)."""
    ours = scrambled(GPT(CONFIGS[1]))
    theirs = to_huggingface(ours)
    wrong = dict(theirs.state_dict())
    for layer in range(ours.config.layers):
        for part in ("weight", "bias"):
            mine = ours.state_dict()[f"blocks.{layer}.attention.qkv.{part}"]
            wrong[f"transformer.h.{layer}.attn.c_attn.{part}"] = mine.t() if part == "weight" else mine
    theirs.load_state_dict(wrong)
    assert (theirs(texts(ours.config)).logits - ours(texts(ours.config))).abs().max() > 0.1


def test_type_and_mode_are_kept() -> None:
    ours = GPT(CONFIGS[0]).to(torch.bfloat16).train()
    theirs = to_huggingface(ours)
    assert theirs.dtype == torch.bfloat16 and theirs.training
    back = from_huggingface(theirs.eval())
    assert back.head.weight.dtype == torch.bfloat16 and not back.training


@pytest.mark.parametrize(
    ("different", "sentence"),
    [
        ({"activation_function": "relu"}, "activation_function is 'relu'"),
        ({"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx is on"),
        ({"attn_pdrop": 0.0, "resid_pdrop": 0.1}, "this model has one dropout"),
    ],
)
def test_what_we_do_not_compute_is_refused(different: dict[str, object], sentence: str) -> None:
    config = GPT2Config(vocab_size=20, n_positions=8, n_embd=8, n_layer=1, n_head=1, bos_token_id=0, eos_token_id=0)
    for key, value in different.items():
        setattr(config, key, value)
    with pytest.raises(ValueError, match=sentence):
        from_huggingface(GPT2LMHeadModel(config))
