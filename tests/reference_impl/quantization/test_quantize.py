"""Whole models with integer weights: ours, and others made of linear layers."""

import copy
import weakref

import pytest
import torch
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from reference_impl.inference.engine import Engine
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT, next_token_loss
from reference_impl.quantization.bf16 import Bf16Weight
from reference_impl.quantization.quantize import Scheme, quantize_
from reference_impl.quantization.quantized_modules import QuantizedEmbedding, QuantizedLinear
from reference_impl.quantization.weight_bytes import weight_bytes, weight_bytes_read
from reference_impl.quantization.weight_format import dense_type

CONFIG = GPTConfig(vocabulary=64, context=32, layers=2, heads=2, width=48)
SCHEMES: list[Scheme] = ["int8", "int4"]


def text(batch: int, seed: int) -> torch.Tensor:
    """Sequences with something to learn: each token is 5 times the one before plus 1, or, one time in ten, anything."""
    generator = torch.Generator().manual_seed(seed)
    columns = [torch.randint(0, 64, (batch,), generator=generator)]
    for _ in range(31):
        anything = torch.randint(0, 64, (batch,), generator=generator)
        rule = torch.rand(batch, generator=generator) < 0.9
        columns.append(torch.where(rule, (5 * columns[-1] + 1) % 64, anything))
    return torch.stack(columns, dim=1)


@pytest.fixture(scope="module")
def trained() -> GPT:
    torch.manual_seed(0)
    gpt = GPT(CONFIG)
    optimizer = torch.optim.AdamW(gpt.parameters(), lr=3e-3)
    for step in range(80):
        batch = text(16, seed=step)
        optimizer.zero_grad()
        next_token_loss(gpt(batch[:, :-1]), batch[:, 1:]).backward()
        optimizer.step()
    return gpt.eval()


def loss_and_best(gpt: nn.Module) -> tuple[float, torch.Tensor]:
    held_out = text(64, seed=10_000)
    with torch.no_grad():
        logits = gpt(held_out[:, :-1])
    return next_token_loss(logits, held_out[:, 1:]).item(), logits.argmax(-1)


NATS: dict[Scheme, float] = {"int8": 0.002, "int4": 0.01}
"""How much the loss may change."""


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_trained_model_barely_changes(trained: GPT, scheme: Scheme) -> None:
    loss, best = loss_and_best(trained)
    assert loss < 2.0  # it has learnt the rule: guessing is 4.16
    quantized_loss, quantized_best = loss_and_best(quantize_(copy.deepcopy(trained), scheme))
    assert abs(quantized_loss - loss) < NATS[scheme]
    assert (quantized_best == best).float().mean() > 0.995


def test_a_quantizer_with_a_wrong_group_order_fails_that(trained: GPT) -> None:
    """The known-bad case."""
    wrong = quantize_(copy.deepcopy(trained), "int4")
    for name, buffer in wrong.named_buffers():
        if name.endswith(("weight.scale", "weight.zero")) and buffer.dim() == 2:
            buffer.copy_(buffer.flip(1))
    assert abs(loss_and_best(wrong)[0] - loss_and_best(trained)[0]) > 5 * NATS["int4"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_cache_and_generation_work_on_quantized_models(trained: GPT, scheme: Scheme) -> None:
    gpt, prompts = quantize_(copy.deepcopy(trained), scheme), text(2, seed=1)[:, :20]
    cache = Engine(gpt).new_cache(2, 20)
    assert cache.keys.dtype == torch.bfloat16
    pieces = torch.cat([gpt(piece, cache=cache) for piece in prompts.split([15, 1, 1, 3], dim=1)], dim=1).float()
    whole = gpt(prompts).float()
    assert (pieces - whole).norm() / whole.norm() < 0.02


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_becomes_what(scheme: Scheme) -> None:
    gpt = quantize_(GPT(CONFIG), scheme)
    assert not any(type(module) is nn.Linear for module in gpt.modules())
    assert isinstance(gpt.head, QuantizedLinear) and isinstance(gpt.token_embedding, QuantizedEmbedding)
    assert (gpt.head.weight is gpt.token_embedding.weight) == (scheme == "int8")
    assert isinstance(gpt.position_embedding, QuantizedEmbedding)
    assert isinstance(gpt.position_embedding.weight, Bf16Weight)
    assert not gpt.training and not any(p.requires_grad for p in gpt.parameters())
    assert {p.dtype for p in gpt.parameters()} == {dense_type("cpu")} == {gpt(text(1, seed=0)).dtype}


def test_bytes_of_our_model() -> None:
    gpt = GPT(CONFIG)
    width, layers = 48, 2
    biases, norms = layers * 9 * width, layers * 4 * width + 2 * width
    vectors = biases + norms
    weights = layers * 12 * width * width
    tokens, positions = 64 * width, 32 * width
    assert weight_bytes(gpt) == 4 * (weights + vectors + tokens + positions)
    assert weight_bytes_read(gpt) == 4 * (weights + vectors + tokens)
    bf16 = copy.deepcopy(gpt).to(torch.bfloat16)
    assert weight_bytes(bf16) * 2 == weight_bytes(gpt)

    # int8: inputs 48 padded to 64 (192 fit); one bf16 scale per output.
    padded = layers * 8 * width * 64 + layers * 4 * width * width + 64 * 64
    scales = layers * (3 + 1 + 4 + 1) * width + 64
    int8 = quantize_(copy.deepcopy(gpt), "int8")
    assert weight_bytes_read(int8) == padded + 2 * scales + 2 * biases + norms * dense_type("cpu").itemsize
    assert weight_bytes(int8) == weight_bytes_read(int8) + 2 * positions
    # int4: five bits a weight; the look-up's int8 copy is stored, not read.
    int4 = quantize_(copy.deepcopy(gpt), "int4")
    assert weight_bytes_read(int4) == padded * 5 // 8 + 2 * biases + norms * dense_type("cpu").itemsize
    assert weight_bytes(int4) == weight_bytes_read(int4) + 2 * positions + 64 * 64 + 2 * 64


def test_an_untied_embedding_is_not_read() -> None:
    gpt = GPT(GPTConfig(vocabulary=64, context=32, layers=1, heads=2, width=32, tie_head=False))
    assert weight_bytes(gpt) - weight_bytes_read(gpt) == 4 * (64 + 32) * 32
    quantize_(gpt, "int8")
    assert weight_bytes(gpt) - weight_bytes_read(gpt) == 2 * (64 + 32) * 32


def llama(tied: bool) -> LlamaForCausalLM:
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=259,
            hidden_size=48,
            intermediate_size=112,
            num_hidden_layers=2,
            num_attention_heads=6,
            num_key_value_heads=2,
            max_position_embeddings=64,
            tie_word_embeddings=tied,
            bos_token_id=0,
            eos_token_id=1,
        )
    ).eval()


def huggingface_gpt2() -> GPT2LMHeadModel:
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=259, n_positions=64, n_embd=48, n_layer=2, n_head=4, bos_token_id=0, eos_token_id=1)
    return GPT2LMHeadModel(config).eval()


@pytest.mark.parametrize(("scheme", "tolerance"), [("int8", 0.03), ("int4", 0.2)])
@pytest.mark.parametrize("make", [lambda: llama(True), lambda: llama(False), huggingface_gpt2])
def test_other_models(make, scheme: Scheme, tolerance: float) -> None:
    model, tokens = make(), torch.randint(0, 259, (2, 40), generator=torch.Generator().manual_seed(0))
    frequencies = {name: buffer.clone() for name, buffer in model.named_buffers()}
    with torch.no_grad():
        expected = model(tokens).logits
    size = weight_bytes(model)
    quantize_(model, scheme)
    with torch.no_grad():
        logits = model(tokens).logits
    assert (logits.float() - expected).norm() / expected.norm() < tolerance
    assert weight_bytes(model) < 0.6 * size
    # One token at a time, through their own generation and cache.
    assert model.generate(tokens[:, :5], max_new_tokens=3, do_sample=False, pad_token_id=0).size(1) <= 8
    for name, buffer in frequencies.items():
        assert torch.equal(model.get_buffer(name), buffer)


def test_a_quantized_transposed_layer_is_the_same_layer() -> None:
    """`transformers`' Conv1D keeps (in, out)."""
    from transformers.pytorch_utils import Conv1D

    layer = Conv1D(96, 64)
    nn.init.normal_(layer.bias)
    model = nn.Sequential(layer)
    x = torch.randn(4, 64, generator=torch.Generator().manual_seed(0))
    expected = model(x)
    y = quantize_(model, "int8")(x)
    assert y.dtype == torch.float32
    assert (y - expected).norm() / expected.norm() < 0.02


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_layer_gives_back_the_type_it_is_given(scheme: Scheme, dtype: torch.dtype) -> None:
    model = quantize_(nn.Sequential(nn.Linear(64, 48)), scheme)
    x = torch.randn(3, 5, 64, generator=torch.Generator().manual_seed(0)).to(dtype)[:, -1:]
    y = model(x)
    assert y.dtype == dtype and y.shape == (3, 1, 48)


@pytest.mark.parametrize("scheme", [*SCHEMES, "bf16"])
def test_weights_that_are_not_finite_are_refused(scheme: Scheme) -> None:
    model = nn.Sequential(nn.Linear(32, 32))
    with torch.no_grad():
        model[0].weight[3, 4] = torch.inf
    with pytest.raises(ValueError, match="the weight of '0' holds values that aren't finite"):
        quantize_(model, scheme)


def test_a_layer_in_two_places_stays_one_layer() -> None:
    shared = nn.Linear(32, 32)
    model = quantize_(nn.Sequential(shared, nn.ReLU(), shared), "int8")
    assert model[0] is model[2]
    assert weight_bytes(model) == 32 * 32 + 2 * 32 + 2 * 32


@pytest.mark.parametrize("scheme", SCHEMES)
def test_each_layer_is_freed_before_the_next_is_converted(scheme: Scheme, monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Sequential(*(nn.Linear(32, 32) for _ in range(3)))
    originals = [weakref.ref(layer) for layer in model]
    alive: list[int] = []
    from reference_impl.quantization import quantize as quantization

    make = quantization.WEIGHTS[scheme]

    def counted(weight: torch.Tensor) -> nn.Module:
        alive.append(sum(original() is not None for original in originals))
        return make(weight)

    monkeypatch.setitem(quantization.WEIGHTS, scheme, counted)
    quantize_(model, scheme)
    assert alive == [3, 2, 1]


def test_what_can_not_be_quantized_is_refused() -> None:
    with pytest.raises(ValueError, match="no quantization scheme 'int3': take one of bf16, int8"):
        quantize_(GPT(CONFIG), "int3")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Embedding has no linear layer to quantize"):
        quantize_(nn.Embedding(4, 4), "int8")
