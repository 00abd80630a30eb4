"""Rollouts: drawn from the present weights, whatever became of them; every sample apart; scored as they were drawn."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from scipy.stats import chisquare

from reference_impl.alignment.gpt_policy import GPTPolicy
from reference_impl.alignment.mismatch import mismatch
from reference_impl.alignment.rollout import Rolled, draw
from reference_impl.alignment.token_log_probs import token_log_probs
from reference_impl.inference.engine import Engine
from reference_impl.model.gpt import GPT
from reference_impl.native.build import native_library
from tests.reference_impl.alignment.items import gpt

PROMPTS = [(1, 2, 3), (4, 5), (6,)]
EOS = 0


def rolled(policy: GPTPolicy, samples: int = 4, **settings: float) -> list[Rolled]:
    return draw(policy, PROMPTS, samples, **({"max_new": 9, "eos": EOS, "temperature": 0.8} | settings))  # type: ignore[arg-type]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7])
def test_log_probs_are_the_trainers_at_the_temperature(temperature: float) -> None:
    policy = GPTPolicy(gpt(llama=True))
    found = rolled(policy, temperature=temperature)
    answered = [one.answered for one in found]
    scored = token_log_probs(policy, answered, temperature)
    off = mismatch(found, scored.log_probs)
    assert off.largest < 1e-4 and off.mean <= off.largest and abs(off.k1) < 1e-3 and 0 <= off.k3 < 1e-6
    elsewhere = mismatch(found, token_log_probs(policy, answered, 1.3).log_probs)
    assert elsewhere.mean > 0.05 and elsewhere.k3 > 0.05, "another temperature is another policy"


def test_mismatch_by_hand() -> None:
    found = rolled(GPTPolicy(gpt()), samples=1)
    exact = torch.tensor([value for one in found for value in one.log_probs], dtype=torch.float64)
    shifted = exact.clone()
    shifted[0] += 0.5
    off = mismatch(found, shifted)
    assert off.mean == pytest.approx(0.5 / len(exact)) and off.largest == pytest.approx(0.5)
    assert off.k1 == pytest.approx(-0.5 / 3) and off.k3 == pytest.approx((torch.tensor(0.5).exp() - 1.5).item() / 3)
    with pytest.raises(ValueError, match="are not those of"):
        mismatch(found, exact[1:])


def test_samples_differ_and_are_keyed_by_seed_step_prompt_and_number() -> None:
    policy = GPTPolicy(gpt())
    found = [one.answered for one in rolled(policy)]
    assert [one.prompt for one in found] == [prompt for prompt in PROMPTS for _ in range(4)]
    for start in (0, 4, 8):
        assert len({one.response for one in found[start : start + 4]}) > 1, "a group of equal responses teaches nothing"
    assert found == [one.answered for one in rolled(policy)]
    for changed in ({"seed": 1}, {"step": 1}):
        assert found != [one.answered for one in rolled(policy, **changed)]
    alone = draw(policy, PROMPTS[1:2], 2, max_new=9, eos=EOS, temperature=0.8)
    assert [one.answered for one in alone] == found[4:6]


def test_a_prompt_that_comes_twice_gets_other_responses() -> None:
    policy = GPTPolicy(gpt())
    found = draw(policy, [PROMPTS[0]] * 2, 2, max_new=9, eos=EOS)
    assert [one.answered for one in found] == [r.answered for r in draw(policy, PROMPTS[:1], 4, max_new=9, eos=EOS)]


def test_prompts_may_be_lists_or_tensors() -> None:
    kinds = [[(1, 2)], [[1, 2]], [torch.tensor([1, 2])]]
    found = [draw(GPTPolicy(gpt()), prompts, 2, max_new=5, eos=EOS) for prompts in kinds]  # type: ignore[arg-type]
    assert found[0] == found[1] == found[2]


def test_it_ends_with_eos_or_is_cut_off() -> None:
    found = [one.answered for one in rolled(GPTPolicy(gpt(vocabulary=8)), samples=20)]
    assert any(one.ended for one in found) and not all(one.ended for one in found)
    for one in found:
        assert EOS not in one.response[:-1]
        assert one.ended == (one.response[-1] == EOS)
        assert one.ended or len(one.response) == 9


def test_drawn_tokens_have_the_probabilities_that_are_scored() -> None:
    policy = GPTPolicy(gpt(vocabulary=8), vocabulary=6)
    found = draw(policy, [(1, 2)], 4000, max_new=1, eos=EOS, temperature=1.4)
    counts = torch.tensor([one.answered.response[0] for one in found]).bincount(minlength=6)
    each = {one.answered.response[0]: one.log_probs[0] for one in found}
    expected = torch.tensor([each[token] for token in sorted(each)], dtype=torch.float64).exp()
    assert len(counts) == 6 == len(each) and expected.sum().item() == pytest.approx(1.0, abs=1e-6)
    assert chisquare(counts.numpy(), (expected / expected.sum() * 4000).numpy()).pvalue > 1e-3


# --- no weight is stale -----------------------------------------------------------------------------------------------


def _step(model: GPT) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.3, fused=True)
    model(torch.tensor([[1, 2, 3]])).float().square().mean().backward()
    optimizer.step()


def _load(model: GPT) -> None:
    model.load_state_dict(gpt(tie_head=False).state_dict() | {"final_norm.weight": torch.full((32,), -2.0)})


def _replace(model: GPT) -> None:
    for parameter in model.parameters():
        parameter.data = -parameter.data.clone() * 1.5


def _in_place_behind_autograd(model: GPT) -> None:
    for parameter in model.parameters():
        parameter.data.mul_(-1.5)


def _moved(model: GPT) -> None:
    model.to(torch.float64).to(torch.float32)
    _replace(model)
    model.to(torch.bfloat16)


@pytest.mark.skipif(native_library().library is None, reason="the compiled decoder keeps addresses and copies")
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("change", [_step, _load, _replace, _in_place_behind_autograd, _moved])
def test_a_rollout_has_the_present_weights(change: Callable[[GPT], None], kind: torch.dtype) -> None:
    policy = GPTPolicy(gpt(tie_head=False).to(kind))
    before = rolled(policy)
    change(policy.model)
    found = rolled(policy)
    assert found == rolled(GPTPolicy(copy.deepcopy(policy.model)))
    assert [one.log_probs for one in found] != [one.log_probs for one in before]


@pytest.mark.skipif(native_library().library is None, reason="the compiled decoder keeps addresses and copies")
def test_a_decoder_that_is_kept_would_be_stale() -> None:
    """What the test above is for: bf16 norms are copies, so a kept decoder mixes old and new weights."""

    class Keeping(GPTPolicy):
        kept: Engine | None = None

        def decoder(self) -> Engine:
            self.kept = self.kept or super().decoder()
            return self.kept

    policy = Keeping(gpt(tie_head=False).to(torch.bfloat16))
    rolled(policy)
    _in_place_behind_autograd(policy.model)
    assert rolled(policy) != rolled(GPTPolicy(copy.deepcopy(policy.model)))


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompts", "settings", "sentence"),
    [
        ([(1,), ()], {}, "prompt 1: the prompt is empty"),
        ([(1, 99)], {}, "unknown token id 99"),
        ([(1,) * 20], {}, "prompt 0: 20 tokens and 9 new ones don't fit the model's context of 24"),
        ([(1,) * 15], {"max_new": 10}, "prompt 0: 15 tokens and 10"),
        (["text"], {}, "prompt 0 is text: encode it"),
        ([(1,)], {"temperature": 0.0}, "temperature must be above 0"),
        ([(1,)], {"samples": 0}, "not 0 of 9"),
        ([(1,)], {"max_new": 0}, "not 2 of 0"),
        ([(1,)], {"eos": 61}, "EOS token 61 is unknown"),
    ],
)
def test_bad_input_is_one_sentence(prompts: list[tuple[int, ...]], settings: dict[str, float], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        draw(GPTPolicy(gpt()), prompts, **({"samples": 2, "max_new": 9, "eos": EOS} | settings))  # type: ignore[arg-type]


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(broken: float) -> None:
    policy = GPTPolicy(gpt())
    policy.model.final_norm.weight.data[0] = broken
    with pytest.raises(
        ValueError, match=r"final_norm.weight of the policy holds values that aren't finite .* training diverged"
    ):
        rolled(policy)


def test_no_prompts_give_no_responses() -> None:
    assert draw(GPTPolicy(gpt()), [], max_new=3, eos=EOS) == []
