"""The whole model: attention against its oracle, causality, masks, initialization, loss."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT, explicit_attention, fused_attention, next_token_loss
from reference_impl.model.presets import preset
from tests.tiny_models import sharp_gpt

TINY = GPTConfig(vocabulary=61, context=24, layers=3, heads=2, width=16)


def model(config: GPTConfig = TINY, seed: int = 0) -> GPT:
    return sharp_gpt(config, seed=seed)


def tokens(batch: int, time: int, config: GPTConfig = TINY, seed: int = 1) -> torch.Tensor:
    return torch.randint(0, config.vocabulary, (batch, time), generator=torch.Generator().manual_seed(seed))


@settings(max_examples=20, deadline=None)
@given(
    batch=st.integers(1, 3),
    time=st.integers(1, 9),
    cached=st.integers(0, 9),
    masked=st.booleans(),
    seed=st.integers(0, 99),
)
def test_fused_attention_is_explicit_attention(batch: int, time: int, cached: int, masked: bool, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    queries = torch.randn(batch, 2, time, 8, generator=generator)
    keys, values = torch.randn(2, batch, 2, cached + time, 8, generator=generator)
    visible = None
    if masked:
        visible = torch.rand(batch, 1, time, cached + time, generator=generator) < 0.5
        visible[..., -1] = True  # every query sees something
    fused = fused_attention(queries, keys, values, visible, 0.0)
    torch.testing.assert_close(fused, explicit_attention(queries, keys, values, visible, 0.0), rtol=0, atol=1e-5)


def test_attention_by_hand() -> None:
    # One head of width 1; the second query weighs the two keys e^2 : e^0.
    queries = torch.tensor([[[[5.0], [2.0]]]])
    keys = torch.tensor([[[[1.0], [0.0]]]])
    values = torch.tensor([[[[10.0], [20.0]]]])
    second = (10 * math.e**2 + 20) / (math.e**2 + 1)
    for attend in (explicit_attention, fused_attention):
        torch.testing.assert_close(attend(queries, keys, values, None, 0.0).flatten(), torch.tensor([10.0, second]))


def test_explicit_and_fused_models_agree_with_and_without_padding() -> None:
    fused = model()
    explicit = GPT(TINY, attention=explicit_attention).eval()
    explicit.load_state_dict(fused.state_dict())
    mask = torch.ones(3, 10, dtype=torch.long)
    mask[1, :4] = 0
    for given_mask in (None, mask):
        a, b = (m(tokens(3, 10), attention_mask=given_mask) for m in (fused, explicit))
        torch.testing.assert_close(a, b, rtol=0, atol=1e-5)


def test_a_later_token_changes_no_earlier_logits() -> None:
    gpt, before = model(), tokens(2, 12)
    after = before.clone()
    after[:, 7] = (after[:, 7] + 1) % TINY.vocabulary
    a, b = gpt(before), gpt(after)
    assert torch.equal(a[:, :7], b[:, :7])
    assert not torch.allclose(a[:, 7], b[:, 7])


@settings(max_examples=15, deadline=None)
@given(lengths=st.lists(st.integers(1, 12), min_size=2, max_size=4))
def test_left_padded_rows_equal_single_rows(lengths: list[int]) -> None:
    gpt, longest = model(), max(lengths)
    rows = [tokens(1, length, seed=i) for i, length in enumerate(lengths)]
    padded = torch.cat([torch.cat([tokens(1, longest - row.size(1), seed=50), row], dim=1) for row in rows])
    mask = torch.tensor([[0] * (longest - length) + [1] * length for length in lengths])
    logits = gpt(padded, attention_mask=mask)
    assert logits.isfinite().all()  # at padding too
    for i, row in enumerate(rows):
        torch.testing.assert_close(logits[i : i + 1, longest - lengths[i] :], gpt(row), rtol=0, atol=1e-5)


def test_padding_without_positions_would_be_seen() -> None:
    """The known-bad case: padded rows whose positions count the padding."""
    gpt, row = model(), tokens(1, 6)
    padded = torch.cat([torch.zeros(1, 4, dtype=torch.long), row], dim=1)
    mask = torch.tensor([[0] * 4 + [1] * 6])
    wrong = gpt(padded, attention_mask=mask, positions=torch.arange(10)[None])
    assert (wrong[:, 4:] - gpt(row)).abs().max() > 0.1


def test_logits_at_picks_positions() -> None:
    gpt, text = model(), tokens(2, 9)
    at = torch.tensor([8, 0, 3])
    torch.testing.assert_close(gpt(text, logits_at=at), gpt(text)[:, at], rtol=0, atol=1e-6)


def test_positions_can_be_given() -> None:
    gpt, text = model(), tokens(2, 5)
    assert torch.equal(gpt(text, positions=torch.arange(5).expand(2, 5)), gpt(text))
    assert not torch.allclose(gpt(text, positions=torch.arange(5).flip(0).expand(2, 5)), gpt(text), atol=1e-2)


def test_a_sequence_longer_than_the_context_is_refused() -> None:
    with pytest.raises(ValueError, match="25 tokens don't fit the model's context of 24"):
        model()(tokens(1, 25))


@pytest.mark.parametrize("name", ["nano", "micro", "mini", "midi", "maxi"])
def test_initial_loss_is_that_of_guessing(name: str) -> None:
    """Within .1 nats of ln V. (Logits have a variance of width * .02^2, half of which is added to the loss.)"""
    torch.manual_seed(0)
    gpt = GPT(preset(name, 1024, context=64))
    text = torch.randint(0, 1024, (8, 65))
    with torch.no_grad():
        loss = next_token_loss(gpt(text[:, :-1]), text[:, 1:])
    assert abs(loss.item() - math.log(1024)) < 0.1


def test_residual_projections_start_smaller() -> None:
    torch.manual_seed(0)
    gpt = GPT(GPTConfig(vocabulary=512, context=16, layers=8, heads=4, width=128))
    for block in gpt.blocks:
        for projection in (block.attention.out, block.ffn.down):
            assert projection.weight.std().item() == pytest.approx(0.02 / math.sqrt(16), rel=0.05)
        for other in (block.attention.qkv, block.ffn.up):
            assert other.weight.std().item() == pytest.approx(0.02, rel=0.05)
    for name, parameter in gpt.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any()


def test_a_tied_head_is_one_parameter_with_both_gradients() -> None:
    gpt = model()
    assert gpt.head.weight is gpt.token_embedding.weight
    assert "head.weight" not in dict(gpt.named_parameters())
    text = torch.zeros(1, 4, dtype=torch.long)
    next_token_loss(gpt(text), text).backward()
    assert gpt.token_embedding.weight.grad is not None
    assert gpt.token_embedding.weight.grad[5].any()  # token 5 was never looked up: the head's gradient
    untied = GPT(GPTConfig(vocabulary=61, context=24, layers=1, heads=2, width=16, tie_head=False))
    assert untied.head.weight is not untied.token_embedding.weight


def test_loss_is_the_mean_over_valid_targets_in_fp32() -> None:
    logits = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([[1, 2, -100, 4, -100], [0, -100, -100, -100, 6]])
    by_hand = [-logits[i, j].log_softmax(-1)[t] for i in range(2) for j, t in enumerate(targets[i]) if t >= 0]
    assert next_token_loss(logits, targets).item() == pytest.approx(torch.stack(by_hand).mean().item(), abs=1e-6)
    assert next_token_loss(logits.bfloat16(), targets).dtype == torch.float32


def test_dropout_only_while_training() -> None:
    config = GPTConfig(vocabulary=61, context=24, layers=2, heads=2, width=16, dropout=0.5)
    gpt, text = model(config), tokens(1, 8)
    assert torch.equal(gpt(text), gpt(text))
    gpt.train()
    assert not torch.equal(gpt(text), gpt(text))


def test_bf16_is_a_plain_cast() -> None:
    gpt, text = model(), tokens(2, 12)
    exact = gpt(text)
    logits = gpt.to(torch.bfloat16)(text)
    assert logits.dtype == torch.bfloat16
    # Two layers of ten roundings each and three around them, of 2^-8 at most: sqrt(23) 2^-8 where they are independent,
    # times two and a half for what norms and softmax make of them.
    assert (logits.float() - exact).norm() / exact.norm() < 0.05


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"width": 10, "heads": 3}, "can't be shared by 3 heads"),
        ({"layers": 0}, "layers must be a whole number of at least 1"),
        ({"context": 2.5}, "context must be a whole number"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1"),
        ({"norm_epsilon": 0.0}, "norm_epsilon must be above 0"),
        ({"kv_heads": 3}, "2 heads can't share 3 kv_heads"),
        ({"norm": "batch"}, "norm must be one of layer, rms, none, not 'batch'"),
        ({"positions": "rotary", "heads": 4}, "a head is 1 wide: make it even"),
    ],
)
def test_impossible_configs_are_refused(wrong: dict[str, float], sentence: str) -> None:
    right = {"vocabulary": 10, "context": 8, "layers": 1, "heads": 2, "width": 4}
    with pytest.raises(ValueError, match=sentence):
        GPTConfig(**{**right, **wrong})  # type: ignore[arg-type]


def test_exact_and_approximated_gelu_are_close_and_not_the_same() -> None:
    approximated, exact = model(), model(GPTConfig(**{**vars(TINY), "ffn": "gelu_exact"}))
    ours, theirs = approximated(tokens(1, 8)), exact(tokens(1, 8))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0.05)
    assert not torch.equal(ours, theirs)
