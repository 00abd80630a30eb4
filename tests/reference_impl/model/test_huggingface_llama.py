"""Our model and `transformers`' Llama compute the same logits and gradients from the same weights."""

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from reference_impl.inference.kv_cache import KVCache
from reference_impl.model.gpt import explicit_attention, next_token_loss
from reference_impl.model.huggingface import to_huggingface
from reference_impl.model.huggingface_llama import config_from_llama, from_llama, tensors_from_llama
from tests.tiny_models import scrambled

SHAPES = [
    {"num_attention_heads": 4, "num_key_value_heads": 4, "tie_word_embeddings": True},
    {"num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": False},
    {"num_attention_heads": 6, "num_key_value_heads": 2, "tie_word_embeddings": True, "rope_theta": 50_000.0},
    {"num_attention_heads": 2, "num_key_value_heads": 1, "tie_word_embeddings": True, "rms_norm_eps": 1e-3},
]


def llama(**shape: object) -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=61, hidden_size=24, intermediate_size=40, num_hidden_layers=3, max_position_embeddings=32, **shape
    )
    return scrambled(LlamaForCausalLM(config))


@pytest.mark.parametrize("shape", SHAPES)
def test_same_logits_and_gradients(shape: dict[str, object]) -> None:
    theirs = llama(**shape)
    ours = from_llama(theirs)
    text = torch.randint(0, 61, (3, 32), generator=torch.Generator().manual_seed(1))
    logits, their_logits = ours(text), theirs(text).logits
    torch.testing.assert_close(logits, their_logits, rtol=0, atol=2e-5)

    next_token_loss(logits[:, :-1], text[:, 1:]).backward()
    next_token_loss(their_logits[:, :-1], text[:, 1:]).backward()
    their_gradients = {name: p.grad for name, p in theirs.named_parameters()}
    expected = dict(tensors_from_llama(their_gradients.__getitem__, ours.config))
    assert expected.keys() == dict(ours.named_parameters()).keys()
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], rtol=0, atol=2e-5, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("shape", SHAPES)
def test_cache_padding_and_attention_kind_change_nothing(shape: dict[str, object]) -> None:
    ours = from_llama(llama(**shape))
    text = torch.randint(0, 61, (2, 20), generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        expected = ours(text)
        cache = KVCache.for_model(ours, 2, 20)
        pieces = [ours(text[:, start:stop], cache=cache) for start, stop in ((0, 11), (11, 12), (12, 20))]
        torch.testing.assert_close(torch.cat(pieces, 1), expected, rtol=0, atol=1e-5)

        padded = torch.cat((torch.zeros(2, 5, dtype=torch.long), text), 1)
        mask = torch.ones_like(padded)
        mask[:, :5] = 0
        torch.testing.assert_close(ours(padded, attention_mask=mask)[:, 5:], expected, rtol=0, atol=1e-5)

        ours.attend = explicit_attention
        torch.testing.assert_close(ours(text), expected, rtol=0, atol=1e-5)


def test_known_bad_rotation_of_neighbors_is_another_function() -> None:
    """The original paper's pairing (2i, 2i + 1) with these weights must not pass the parity test."""
    theirs = llama(**SHAPES[0])
    ours = from_llama(theirs)
    with torch.no_grad():
        for block in ours.blocks:
            rows = block.attention.qkv.weight.view(4, 3, 6, 24)
            rows[:, :2] = rows[:, :2, [0, 3, 1, 4, 2, 5]]
    text = torch.arange(20)[None]
    assert (ours(text) - theirs(text).logits).abs().max() > 0.1


@pytest.mark.parametrize(
    ("different", "sentence"),
    [
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu'"),
        ({"attention_bias": True}, "it has biases"),
        ({"rope_parameters": {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0}}, "rope_type is 'linear'"),
        ({"head_dim": 16}, "4 heads of 16 are not hidden_size 24 wide"),
    ],
)
def test_what_we_do_not_compute_is_refused(different: dict[str, object], sentence: str) -> None:
    config = LlamaConfig(vocab_size=20, hidden_size=24, num_attention_heads=4, num_key_value_heads=4)
    for key, value in different.items():
        setattr(config, key, value)
    with pytest.raises(ValueError, match=sentence):
        config_from_llama(config)


def test_a_llama_is_no_gpt2() -> None:
    with pytest.raises(ValueError, match="only a GPT-2 shape"):
        to_huggingface(from_llama(llama(**SHAPES[1])))
