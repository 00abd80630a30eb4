"""Defects of quantizers. Each check must pass on the sound quantizer and fail on the bad one."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from harness import corpora
from harness.measures import fidelity
from harness.measures.fidelity import FidelitySettings
from harness.measures.measure import Facts
from harness.models.contract import LanguageModel, ModelSource, Precision
from harness.models.reference import as_language_model
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.quantization.gptq import error_feedback, quantize_columns
from reference_impl.quantization.int4 import Int4Weight, dequantize_int4, quantize_int4
from reference_impl.quantization.int8 import Int8Weight, dequantize_int8, quantize_int8
from reference_impl.quantization.llm_int8 import DynamicInt8Weight, quantize_rows
from reference_impl.quantization.quantize import quantize_
from reference_impl.quantization.stored_bytes import stored_bytes
from reference_impl.quantization.weight_bytes import weight_bytes
from reference_impl.text.tokenizer import ByteBPE
from tests.tiny_models import trained_gpt

TEXT = [f"The cat no. {n} sat near the river, {n % 7} miles from the old mill; the dog ran away." for n in range(30)]
CONFIG = GPTConfig(vocabulary=300, context=64, layers=2, heads=2, width=64)


@pytest.fixture(scope="module")
def tokenizer() -> ByteBPE:
    return ByteBPE.train(TEXT, CONFIG.vocabulary)


@pytest.fixture(scope="module")
def trained(tokenizer: ByteBPE) -> GPT:
    return trained_gpt(CONFIG, tokenizer, TEXT, 24)


@pytest.fixture
def measured(
    trained: GPT, tokenizer: ByteBPE, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Precision, Callable[[nn.Module], None]], dict[str, float]]:
    """Fidelity of the trained model at a precision, after something was done to its weights."""
    monkeypatch.setattr(corpora, "documents", lambda text: TEXT)

    def measure(precision: Precision, spoil: Callable[[nn.Module], None]) -> dict[str, float]:
        def load(at: Precision | None = None) -> LanguageModel:
            gpt = copy.deepcopy(trained)
            model = as_language_model(gpt, tokenizer, ModelSource("m", "reference", "-", "d", at or precision))
            if at is None:
                spoil(gpt)
                for weight in of_int4(gpt):
                    weight._packed = None  # what torch's own kernel read when the model was tried at opening
            return model

        settings = FidelitySettings(text="texts", window=64, prompt=6, generate=12)
        samples = pd.DataFrame(fidelity.collect(load, settings))
        found = fidelity.summarize(samples, settings, Facts(load().identity))
        return {item.metric.name: item.value for item in found}

    return measure


Measured = Callable[[Precision, Callable[[nn.Module], None]], dict[str, float]]


def nothing(model: nn.Module) -> None:
    """Leaves the model sound."""


def faithful(found: dict[str, float]) -> bool:
    """What int4 must hold on this model; its sound figures are three times better."""
    return found["kl_mean"] < 0.001 and found["top1_agreement"] > 0.96 and abs(found["loss_change"]) < 0.003


def of_int4(model: nn.Module) -> list[Int4Weight]:
    return [module for module in model.modules() if isinstance(module, Int4Weight)]


def test_int4_scales_shifted_by_a_group_are_seen(measured: Measured) -> None:
    def shift(model: nn.Module) -> None:
        for weight in of_int4(model):
            weight.scale.copy_(weight.scale.roll(1, dims=1))

    sound, bad = measured("int4", nothing), measured("int4", shift)
    assert faithful(sound)
    assert not faithful(bad) and bad["kl_mean"] > 4 * sound["kl_mean"]


def test_a_dropped_zero_point_is_seen(measured: Measured) -> None:
    def drop(model: nn.Module) -> None:
        for weight in of_int4(model):
            weight.zero.zero_()

    assert not faithful(measured("int4", drop))


def test_codes_whose_halves_are_swapped_are_seen(measured: Measured) -> None:
    def swap(model: nn.Module) -> None:
        for weight in of_int4(model):
            weight.codes.copy_((weight.codes << 4) | (weight.codes >> 4))

    assert not faithful(measured("int4", swap))


def test_a_model_that_was_not_quantized_at_all_is_exactly_itself(measured: Measured) -> None:
    found = measured("fp32", nothing)
    assert found["kl_mean"] == found["loss_change"] == 0 and found["top1_agreement"] == 1


def test_a_tied_head_that_comes_untied_is_seen(trained: GPT) -> None:
    def check(gpt: GPT) -> bool:
        """The head and the embedding are one weight: the same rows, and the bytes of one."""
        head, embedding = gpt.head.weight, gpt.token_embedding.weight
        assert isinstance(head, Int8Weight) and isinstance(embedding, Int8Weight)
        same = torch.equal(head.dense(0, CONFIG.vocabulary), embedding.dense(0, CONFIG.vocabulary))
        return same and weight_bytes(gpt) == stored_bytes(CONFIG, "int8", activation_bytes=4)

    def quantized() -> GPT:
        gpt = copy.deepcopy(trained)
        quantize_(gpt, "int8", torch.float32)
        return gpt

    copied, other = quantized(), quantized()
    copied.token_embedding.weight = Int8Weight(trained.token_embedding.weight.detach())  # type: ignore[assignment]
    coarse = dequantize_int4(*quantize_int4(trained.head.weight.detach()))
    other.head.weight = Int8Weight(coarse)  # type: ignore[assignment]
    assert check(quantized())
    assert not check(copied)  # twice the memory
    assert not check(other)  # and not the same numbers


def test_an_int8_scale_per_tensor_is_seen() -> None:
    def check(quantize: Callable[[Tensor], Tensor]) -> bool:
        """Every output channel keeps its own accuracy, however quiet it is beside the others."""
        draw = torch.Generator().manual_seed(0)
        weight = torch.randn(16, 128, generator=draw) * torch.logspace(-3, 0, 16)[:, None]
        error = (quantize(weight) - weight).norm(dim=1) / weight.norm(dim=1)
        return bool((error < 0.02).all())

    def per_tensor(weight: Tensor) -> Tensor:
        scale = weight.abs().amax() / 127
        return (weight / scale).round() * scale

    assert check(lambda weight: dequantize_int8(*quantize_int8(weight)))
    assert not check(per_tensor)


def test_error_feedback_with_the_wrong_sign_is_seen() -> None:
    draw = torch.Generator().manual_seed(0)
    weight = torch.randn(32, 128, generator=draw)
    x = torch.randn(512, 16, generator=draw) @ torch.randn(16, 128, generator=draw)
    x += 0.3 * torch.randn(512, 128, generator=draw)

    def check(factor: Tensor) -> bool:
        """GPTQ's outputs are nearer than those of rounding to nearest."""
        nearest = dequantize_int4(*quantize_int4(weight))
        ours = quantize_columns(weight, factor).dense()
        return bool((x @ (ours - weight).t()).norm() < (x @ (nearest - weight).t()).norm())

    factor = error_feedback(x.t() @ x)
    assert check(factor)
    assert not check(2 * factor.diag().diag() - factor)  # the errors are pushed on instead of made up for
    assert not check(factor.flip(0, 1))  # the Hessian's order of columns is not the weight's


def test_loud_inputs_rounded_with_the_rest_are_seen() -> None:
    draw = torch.Generator().manual_seed(0)
    weight, x = torch.randn(32, 128, generator=draw), torch.randn(8, 128, generator=draw)
    x[:, 5] = 80

    def check(matmul: Callable[[Tensor], Tensor]) -> bool:
        """What the quiet inputs contribute comes through."""
        exact = x @ dequantize_int8(*quantize_int8(weight)).t()
        quiet = x.clone()
        quiet[:, 5] = 0
        return bool((matmul(x) - exact).norm() < 0.02 * (quiet @ weight.t()).norm())

    def all_in_one(x: Tensor) -> Tensor:
        codes, step = quantize_rows(x)
        return (codes.float() * step[:, None]) @ dequantize_int8(*quantize_int8(weight)).t()

    assert check(DynamicInt8Weight(weight).matmul)
    assert not check(all_in_one)
