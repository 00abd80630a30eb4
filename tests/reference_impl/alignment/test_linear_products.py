"""Linear layers by oneDNN against torch's own: values and gradients, who gets them, and when they are used."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from reference_impl.alignment import linear_products
from reference_impl.alignment.gpt_policy import GPTPolicy
from reference_impl.alignment.linear_products import LinearByOneDNN, faster_linear, half_idle, is_there, linear
from reference_impl.alignment.token_log_probs import token_log_probs
from tests.reference_impl.alignment.items import assert_same, gpt, gradients, items

by_onednn = pytest.mark.skipif(not is_there(), reason="this torch has no oneDNN")


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """oneDNN whatever the processor and the shape; says which products it made, by the second factor's shape."""
    made: list[tuple[int, ...]] = []
    sound = linear_products.product

    def watched(a: Tensor, b: Tensor) -> Tensor:
        made.append(tuple(b.shape))
        return sound(a, b)

    monkeypatch.setattr(linear_products, "is_faster", lambda: True)
    monkeypatch.setattr(linear_products, "WORTH", 0)
    monkeypatch.setattr(linear_products, "product", watched)
    return made


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def with_gradients_of(function: object, x: Tensor, weight: Tensor, bias: Tensor | None) -> Iterator[Tensor]:
    """The value, and gradients to what learns."""
    learning = [part.clone().requires_grad_() if part is not None else None for part in (x, weight, bias)]
    value = function(*learning)  # type: ignore[operator]
    (value * numbers(*value.shape, seed=9).to(value.dtype)).sum().backward()
    yield value.detach()
    yield from (part.grad for part in learning if part is not None and part.grad is not None)


@by_onednn
@pytest.mark.parametrize("leading", [(1,), (7,), (1, 9), (2, 3, 5)])
@pytest.mark.parametrize("biased", [False, True])
def test_values_and_gradients_are_those_in_fp64(used: list[object], leading: tuple[int, ...], biased: bool) -> None:
    x, weight, bias = numbers(*leading, 33), numbers(20, 33, seed=1), numbers(20, seed=2) if biased else None
    found = list(with_gradients_of(linear, x, weight, bias))
    assert len(used) == 3
    exact = [part.double() if part is not None else None for part in (x, weight, bias)]
    wanted = list(with_gradients_of(F.linear, *exact))  # type: ignore[arg-type]
    assert len(found) == len(wanted) == 3 + biased
    for one, other in zip(found, wanted, strict=True):
        assert one.shape == other.shape and one.dtype == torch.float32
        assert (one - other).norm() <= 1e-6 * other.norm()


@by_onednn
def test_only_what_learns_has_a_gradient_computed(used: list[tuple[int, ...]]) -> None:
    x, weight = numbers(4, 8), numbers(3, 8, seed=1).requires_grad_()
    linear(x, weight).sum().backward()
    assert len(used) == 2 and weight.grad is not None
    linear(x.requires_grad_(), weight.detach()).sum().backward()
    assert len(used) == 4 and x.grad is not None


@by_onednn
def test_a_weight_that_was_changed_before_its_gradients_is_refused(used: list[object]) -> None:
    x, weight = numbers(4, 8).requires_grad_(), numbers(3, 8, seed=1)
    value = linear(x, weight).sum()
    weight += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.backward()


@by_onednn
@pytest.mark.parametrize("llama", [False, True])
def test_a_policy_is_scored_as_without(
    used: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch, llama: bool
) -> None:
    policy, answered = GPTPolicy(gpt(llama)), items([(4, 3), (5, 7), (1, 1), (2, 9)])

    def scored() -> tuple[Tensor, dict[str, Tensor]]:
        log_probs = token_log_probs(policy, answered, 0.7).log_probs
        return log_probs.detach(), gradients(policy.model, (log_probs * numbers(len(log_probs))).sum())

    found = scored()
    layers = sum(isinstance(module, nn.Linear) for module in policy.model.modules())
    assert len(used) == 3 * layers  # the head has no product for its own gradient, but makes its logits again
    again = scored()
    assert torch.equal(found[0], again[0]) and all(torch.equal(found[1][name], again[1][name]) for name in again[1])
    monkeypatch.setattr(linear_products, "is_faster", lambda: False)
    made = len(used)
    wanted = scored()
    assert len(used) == made
    torch.testing.assert_close(found[0], wanted[0], rtol=1e-5, atol=1e-5)
    assert_same(found[1], wanted[1], 1e-5)


class Stored(Tensor):
    """Stands for a weight that is more than its numbers."""


@pytest.mark.parametrize("kind", ["fp64", "bf16", "autocast", "subclass", "vector"])
def test_what_is_not_plain_fp32_is_left_to_torch(used: list[object], kind: str) -> None:
    x, weight = numbers(4, 8), numbers(3, 8, seed=1)
    if kind in ("fp64", "bf16"):
        x, weight = (part.to(torch.float64 if kind == "fp64" else torch.bfloat16) for part in (x, weight))
    if kind == "subclass":
        weight = weight.as_subclass(Stored)
    if kind == "vector":
        weight = weight[0]
    with torch.autocast("cpu", torch.bfloat16, enabled=kind == "autocast"):
        wanted = F.linear(x, weight)
        with LinearByOneDNN():
            found = F.linear(x, weight)
    assert not used and torch.equal(found, wanted) and found.dtype == wanted.dtype


def test_small_products_and_other_processors_are_left_to_torch(
    used: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    x, weight = numbers(4, 8), numbers(3, 8, seed=1)
    monkeypatch.setattr(linear_products, "WORTH", 4 * 8 * 3 + 1)
    assert torch.equal(linear(x, weight), F.linear(x, weight)) and not used
    monkeypatch.setattr(linear_products, "WORTH", 0)
    monkeypatch.setattr(linear_products, "is_faster", lambda: False)
    assert torch.equal(linear(x, weight), F.linear(x, weight)) and not used


@by_onednn
def test_outside_everything_is_as_before(used: list[object]) -> None:
    x, layer = numbers(4, 8), nn.Linear(8, 3)
    with LinearByOneDNN():
        layer(x)
    assert len(used) == 1
    layer(x)
    assert len(used) == 1


def test_processors_that_mkl_leaves_half_idle() -> None:
    amd = "processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu avx2 fma {}\n\nprocessor\t: 1\n"
    assert half_idle(amd.format("avx512f avx512dq"))
    assert not half_idle(amd.format(""))
    assert not half_idle(amd.format("avx512f").replace("AuthenticAMD", "GenuineIntel"))
    assert not half_idle("Features\t: fp asimd\nCPU implementer\t: 0x41\n") and not half_idle("")


@pytest.mark.parametrize(
    "fault", [AttributeError("gone"), RuntimeError("not built"), TypeError("other arguments"), None]
)
def test_an_operation_that_is_gone_or_computes_something_else_is_not_used(
    fault: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(a: Tensor, b: Tensor) -> Tensor:
        if fault is not None:
            raise fault
        return a @ b.T + 1

    monkeypatch.setattr(linear_products, "product", broken)
    assert not is_there.__wrapped__()


def test_other_devices_and_processors_pay_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear_products, "is_faster", lambda: True)
    assert isinstance(faster_linear(torch.device("cpu")), LinearByOneDNN)
    assert not isinstance(faster_linear(torch.device("meta")), LinearByOneDNN)
    monkeypatch.setattr(linear_products, "is_faster", lambda: False)
    assert not isinstance(faster_linear(torch.device("cpu")), LinearByOneDNN)
