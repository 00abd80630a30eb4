"""Sliced log-probabilities against all logits at once: values, gradients, entropies, KL, and what is held in memory."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import Tensor

from reference_impl.alignment import token_log_probs as sliced
from reference_impl.alignment.answered import Answered
from reference_impl.alignment.gpt_policy import GPTPolicy
from reference_impl.alignment.policy import Head
from reference_impl.alignment.prefix_kl import compared, prefix_kl
from reference_impl.alignment.token_log_probs import per_response, score_states, token_log_probs
from tests.reference_impl.alignment.items import VOCABULARY, assert_same, gpt, gradients, items, plain_log_probs

ANSWERED = items([(4, 3), (5, 7), (1, 1), (2, 9)])
COUNT = sum(len(item.response) for item in ANSWERED)


@pytest.fixture(params=[1 << 22, 3 * VOCABULARY], ids=["one slice", "slices of three rows"])
def in_slices(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sliced, "ELEMENTS", request.param)


@pytest.mark.usefixtures("in_slices")
@pytest.mark.parametrize("temperature", [1.0, 0.7, 2.5])
@pytest.mark.parametrize("tied", [True, False])
def test_values_and_gradients_are_those_of_all_logits_at_once(temperature: float, tied: bool) -> None:
    policy = GPTPolicy(gpt(tie_head=tied))
    weights = torch.randn(COUNT, generator=torch.Generator().manual_seed(0))
    scored = token_log_probs(policy, ANSWERED, temperature)
    plain = plain_log_probs(policy.states(ANSWERED), policy.model.head, ANSWERED, temperature)
    torch.testing.assert_close(scored.log_probs, plain, rtol=1e-5, atol=1e-5)
    assert_same(
        gradients(policy.model, (scored.log_probs * weights).sum()),
        gradients(policy.model, (plain * weights).sum()),
        1e-6 * 5 if temperature < 1 else 2e-6,
    )


@pytest.mark.usefixtures("in_slices")
def test_in_double_precision_it_is_exact() -> None:
    """Two orders of summation in fp32 differ by some 1e-6; here what is left is the formula."""
    policy = GPTPolicy(gpt().double())
    weights = torch.randn(COUNT, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    scored = token_log_probs(policy, ANSWERED, 0.7)
    plain = plain_log_probs(policy.states(ANSWERED), policy.model.head, ANSWERED, 0.7)
    assert_same(
        gradients(policy.model, (scored.log_probs * weights).sum()),
        gradients(policy.model, (plain * weights).sum()),
        1e-12,
    )


@pytest.mark.usefixtures("in_slices")
@pytest.mark.parametrize("tied", [True, False])
def test_what_is_compared_with_a_reference_has_the_gradients_of_what_is_scored(tied: bool) -> None:
    policy, reference = GPTPolicy(gpt(tie_head=tied)), GPTPolicy(gpt(tie_head=tied, width=16))
    weights = torch.randn(COUNT, generator=torch.Generator().manual_seed(0))
    scored, found = token_log_probs(policy, ANSWERED, 0.7), compared(policy, reference, ANSWERED, 0.7)
    torch.testing.assert_close(found.log_probs, scored.log_probs, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.entropies, scored.entropies, rtol=1e-5, atol=1e-5)
    assert not any(other.requires_grad for other in found[1:])
    assert_same(
        gradients(policy.model, (found.log_probs * weights).sum()),
        gradients(policy.model, (scored.log_probs * weights).sum()),
        1e-5,
    )
    with torch.no_grad():
        assert not compared(policy, reference, ANSWERED, 0.7).log_probs.requires_grad


def test_scoring_without_the_temperature_is_seen() -> None:
    policy = GPTPolicy(gpt())
    plain = plain_log_probs(policy.states(ANSWERED), policy.model.head, ANSWERED, 0.7)
    assert (token_log_probs(policy, ANSWERED).log_probs - plain).abs().max() > 0.1


@pytest.mark.usefixtures("in_slices")
def test_bias_entropy_and_their_gradients() -> None:
    """Against autograd over the written-out formulas, in fp64: also by finite differences."""
    generator = torch.Generator().manual_seed(0)
    rows = COUNT + len(ANSWERED)
    states = torch.randn(rows, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(VOCABULARY, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(VOCABULARY, generator=generator, dtype=torch.float64, requires_grad=True)

    def score(states: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        return score_states(states, Head(weight, bias), ANSWERED, 0.8)

    _, entropies = score(states, weight, bias)
    table = (torch.nn.functional.linear(states, weight, bias) / 0.8).log_softmax(-1)
    predicting = sliced.predicting_rows(ANSWERED, states.device)
    torch.testing.assert_close(entropies, -(table.exp() * table).sum(-1)[predicting])
    assert torch.autograd.gradcheck(score, (states, weight, bias), fast_mode=True)
    assert torch.autograd.gradcheck(lambda *x: score(*x)[1], (states, weight, bias), fast_mode=True)
    assert not token_log_probs(GPTPolicy(gpt()), ANSWERED).entropies.requires_grad


def test_certain_tokens_have_no_entropy_and_finite_gradients() -> None:
    states = torch.full((3, 1), 1e4, requires_grad=True)
    weight = torch.zeros(VOCABULARY, 1)
    weight[7] = 1.0
    log_probs, entropies = score_states(states, Head(weight), [Answered((1,), (7, 7), True)])
    assert log_probs.tolist() == [0.0, 0.0] and entropies.abs().max() == 0.0
    (log_probs.sum() + entropies.sum()).backward()  # type: ignore[no-untyped-call]
    assert states.grad is not None and states.grad.isfinite().all()


def test_many_slices_in_bf16_lose_no_small_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    answered = items([(1, 900)])
    states = torch.randn(901, 8, generator=generator).bfloat16()
    weight = torch.randn(VOCABULARY, 8, generator=generator).bfloat16()

    def slope(kind: torch.dtype, elements: int) -> Tensor:
        monkeypatch.setattr(sliced, "ELEMENTS", elements)
        head = weight.to(kind).requires_grad_()
        score_states(states.to(kind), Head(head), answered)[0].sum().backward()  # type: ignore[no-untyped-call]
        assert head.grad is not None and head.grad.dtype == kind
        return head.grad.float()

    exact = slope(torch.float32, 1 << 22)
    assert (slope(torch.bfloat16, VOCABULARY) - exact).norm() < 6e-3 * exact.norm()


@pytest.mark.parametrize("llama", [False, True])
def test_autocast_scores_and_learns_as_without_but_for_rounding(llama: bool) -> None:
    policy = GPTPolicy(gpt(llama))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scored = token_log_probs(policy, ANSWERED)
    plain = token_log_probs(policy, ANSWERED)
    assert scored.log_probs.dtype == torch.float32
    assert (scored.log_probs - plain.log_probs).abs().mean() < 0.05
    found = gradients(policy.model, scored.log_probs.sum())
    wanted = gradients(policy.model, plain.log_probs.sum())
    assert all((found[name] - wanted[name]).norm() < 0.1 * wanted[name].norm() for name in wanted)


def test_a_second_derivative_is_refused() -> None:
    states = torch.randn(3, 4, requires_grad=True)
    weight = torch.randn(VOCABULARY, 4, requires_grad=True)
    loss = score_states(states, Head(weight), items([(1, 2)]))[0].square().sum()
    (slope,) = torch.autograd.grad(loss, states, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_without_gradients_is_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match="temperature must be above 0"):
        token_log_probs(GPTPolicy(gpt()), ANSWERED, temperature)


def test_sums_per_response() -> None:
    assert per_response(torch.tensor([1.0, 2.0, 4.0]), (1, 2)).tolist() == [1.0, 6.0]


def test_probabilities_of_all_responses_sum_to_one() -> None:
    """Every response of up to two tokens that ends with token 0 or is cut off: the end is scored like any token."""
    policy = GPTPolicy(gpt(vocabulary=5))
    responses = [(0,), *((a, b) for a in range(1, 5) for b in range(5))]
    answered = [Answered((3, 1), response, response[-1] == 0) for response in responses]
    scored = token_log_probs(policy, answered, 0.9)
    assert per_response(scored.log_probs, scored.lengths).exp().sum().item() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.usefixtures("in_slices")
@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_prefix_kl_is_that_of_the_whole_distributions(temperature: float) -> None:
    policy, reference = GPTPolicy(gpt()), GPTPolicy(gpt(llama=True))
    kind = [
        torch.nn.functional.linear(p.states(ANSWERED), p.model.head.weight).div(temperature).log_softmax(-1)
        for p in (policy, reference)
    ]
    wanted = torch.nn.functional.kl_div(kind[1], kind[0], log_target=True, reduction="none").sum(-1)
    found = prefix_kl(policy, reference, ANSWERED, temperature)
    torch.testing.assert_close(found, wanted[sliced.predicting_rows(ANSWERED, wanted.device)], rtol=1e-4, atol=1e-5)
    assert not found.requires_grad and (prefix_kl(policy, policy, ANSWERED) == 0).all()


def test_prefix_kl_needs_one_vocabulary() -> None:
    with pytest.raises(ValueError, match="61 token ids and the reference 50"):
        prefix_kl(GPTPolicy(gpt()), GPTPolicy(gpt(vocabulary=50)), items([(2, 2)]))


@pytest.mark.usefixtures("in_slices")
def test_autograd_keeps_no_logits() -> None:
    """Not the logits of every position, nor of a slice: nothing that is larger than the weights and states."""

    def largest(of_vocabulary: int, score: object) -> int:
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda x: sizes.append(x.numel()) or x, lambda x: x):  # type: ignore[func-returns-value]
            score()  # type: ignore[operator]
        return max(sizes)

    states = torch.randn(COUNT + len(ANSWERED), 4, requires_grad=True)
    head = torch.nn.Linear(4, VOCABULARY, bias=False)
    assert largest(VOCABULARY, lambda: score_states(states, Head(head.weight), ANSWERED)) <= 4 * VOCABULARY
    assert largest(VOCABULARY, lambda: plain_log_probs(states, head, ANSWERED, 1.0)) > 4 * VOCABULARY


MEMORY = """
import sys, torch
from reference_impl.alignment.answered import Answered
from reference_impl.alignment.policy import Head
from reference_impl.alignment.token_log_probs import score_states
def peak(name):
    return int(next(line for line in open("/proc/self/status") if line.startswith(name)).split()[1])
torch.set_num_threads(1)
rows, width, vocabulary = 2048, 8, 40_000
answered = [Answered((1,), tuple(range(rows)), True)]
states = torch.randn(rows + 1, width, requires_grad=True)
weight = torch.randn(vocabulary, width, requires_grad=True)
if sys.argv[1] == "sliced":
    score = lambda states: score_states(states, Head(weight), answered)[0]
else:
    score = lambda states: (states[:-1] @ weight.T).log_softmax(-1).gather(-1, torch.arange(rows)[:, None])
(weight[:9] @ weight[:9].T).sum().backward()  # what the first product sets up is no part of it
before = peak("VmRSS")
score(states).sum().backward()
print((peak("VmHWM") - before) / 1024)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_the_peak_of_memory_is_that_of_slices() -> None:
    def peak(way: str) -> float:
        return float(subprocess.run([sys.executable, "-c", MEMORY, way], capture_output=True, check=True).stdout)

    logits = 2048 * 40_000 * 4 / 2**20
    assert peak("sliced") < 0.5 * logits
    assert peak("plain") > 1.5 * logits


def test_the_head_is_not_rounded_by_autocast() -> None:
    """It would be in the forward pass alone: probabilities and their gradients would be of two different heads."""
    policy = GPTPolicy(gpt())
    states = policy.states(ANSWERED).detach()
    plain = score_states(states, policy.head, ANSWERED, 0.7)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under = score_states(states, policy.head, ANSWERED, 0.7)
    assert all(torch.equal(a, b) for a, b in zip(plain, under, strict=True))
