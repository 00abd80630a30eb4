"""References stay what they were, and the ones that don't are found out."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from reference_impl.alignment.gpt_policy import GPTPolicy
from reference_impl.alignment.lora import add_lora
from reference_impl.alignment.policy import Policy
from reference_impl.alignment.prefix_kl import prefix_kl
from reference_impl.alignment.reference_policy import AdapterOff, FrozenCopy, ReferenceChanged
from reference_impl.alignment.settings.lora import LoRA
from reference_impl.alignment.token_log_probs import token_log_probs
from reference_impl.alignment.transformers_policy import TransformersPolicy
from tests.reference_impl.alignment.items import gpt, items
from tests.tiny_models import llama

ITEMS = items([(4, 3), (5, 7)])


def learn(policy: Policy, steps: int = 3) -> None:
    """Make the responses likelier."""
    learning = [parameter for parameter in policy.module.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=0.05, fused=True)
    for _ in range(steps):
        (-token_log_probs(policy, ITEMS).log_probs.mean()).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()


def adapted() -> TransformersPolicy:
    return TransformersPolicy(add_lora(llama(), LoRA(rank=4, alpha=8)))


def total(policy: Policy, reference: Policy) -> float:
    return float(prefix_kl(policy, reference, ITEMS).sum())


@pytest.mark.parametrize("policy", [GPTPolicy(gpt()), TransformersPolicy(llama())], ids=["ours", "transformers"])
def test_a_copy_is_the_policy_as_it_was(policy: Any) -> None:
    before = token_log_probs(policy, ITEMS).log_probs.detach()
    reference = FrozenCopy(policy)
    mine = {id(parameter) for parameter in policy.module.parameters()}
    assert not mine & {id(parameter) for parameter in reference.module.parameters()}
    assert total(policy, reference) == 0.0
    learn(policy)
    found = token_log_probs(reference, ITEMS).log_probs
    assert torch.equal(found, before) and not found.requires_grad and total(policy, reference) > 0.1
    assert not any(parameter.requires_grad for parameter in reference.module.parameters())


def test_a_reference_that_trains_along_hides_the_divergence_and_is_found_out() -> None:
    policy = GPTPolicy(gpt())
    reference, along = FrozenCopy(policy), FrozenCopy(policy)
    along._policy = policy  # what `reference = policy` comes to
    learn(policy)
    assert total(policy, policy) == 0.0 and total(policy, reference) > 0.1
    with pytest.raises(ReferenceChanged, match="give the optimizer the policy's parameters alone"):
        along.states(ITEMS)


def test_an_optimizer_with_the_references_parameters_is_found_out() -> None:
    reference = FrozenCopy(GPTPolicy(gpt()))
    reference.module.requires_grad_(True)
    optimizer = torch.optim.AdamW(reference.module.parameters(), lr=0.1, fused=True)
    reference._policy.states(ITEMS).sum().backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    with pytest.raises(ReferenceChanged):
        reference.states(ITEMS)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float64])
def test_a_write_behind_autograds_back_is_found_out(kind: torch.dtype) -> None:
    reference = FrozenCopy(GPTPolicy(gpt().to(kind)))
    weight = reference.module.get_parameter("final_norm.weight").data
    weight[3] = torch.nextafter(weight[3], torch.tensor(9.0, dtype=kind))
    with pytest.raises(ReferenceChanged):
        reference.states(ITEMS)


def test_an_adapter_that_is_off_is_the_model_as_it_was() -> None:
    bare = token_log_probs(TransformersPolicy(llama()), ITEMS).log_probs.detach()
    policy = adapted()
    reference = AdapterOff(policy)
    learn(policy)
    torch.testing.assert_close(token_log_probs(reference, ITEMS).log_probs, bare, rtol=0, atol=0)
    assert total(policy, reference) > 0.1, "and on again in the policy"
    assert total(policy, policy) == 0.0, "what an adapter that is left on in the reference hides"
    assert [name for name, p in policy.module.named_parameters() if p.requires_grad], "it learns on"


def test_an_adapters_base_that_changes_is_found_out() -> None:
    policy = adapted()
    reference = AdapterOff(policy)
    policy.causal.model.norm.weight.data[0] += 1e-6
    with pytest.raises(ReferenceChanged):
        reference.states(ITEMS)


def test_an_adapter_beside_which_the_base_learns_is_no_reference() -> None:
    policy = adapted()
    policy.causal.model.norm.weight.requires_grad_(True)
    with pytest.raises(ValueError, match=r"norm\.weight learns and is no part of the adapter"):
        AdapterOff(policy)


def test_a_model_without_an_adapter_has_none_to_switch_off() -> None:
    with pytest.raises(ValueError, match="no adapter to switch off: take FrozenCopy"):
        AdapterOff(TransformersPolicy(llama()))


def test_a_base_that_is_set_free_later_is_found_out() -> None:
    policy = adapted()
    reference = AdapterOff(policy)
    policy.causal.model.norm.weight.requires_grad_(True)
    with pytest.raises(ReferenceChanged):
        reference.states(ITEMS)


def test_a_buffer_is_a_part_of_a_reference() -> None:
    policy = GPTPolicy(gpt())
    policy.module.register_buffer("scale", torch.ones(2))
    reference = FrozenCopy(policy)
    reference.states(ITEMS)
    reference.module.get_buffer("scale").add_(1e-6)
    with pytest.raises(ReferenceChanged):
        reference.states(ITEMS)


def test_a_copy_of_a_policy_that_trains_has_no_dropout() -> None:
    policy = GPTPolicy(gpt(dropout=0.5))
    policy.module.train()
    assert not FrozenCopy(policy).module.training
    assert policy.module.training


def test_an_adapter_has_the_scale_and_seed_of_its_settings_and_leaves_random_numbers_alone() -> None:
    torch.manual_seed(3)
    wanted = torch.rand(())
    torch.manual_seed(3)
    first, again, other = (add_lora(llama(), LoRA(rank=4, alpha=20, seed=seed)) for seed in (0, 0, 1))
    assert torch.equal(torch.rand(()), wanted)
    name = next(name for name, _ in first.named_parameters() if "lora_A" in name)
    assert torch.equal(first.get_parameter(name), again.get_parameter(name))
    assert not torch.equal(first.get_parameter(name), other.get_parameter(name))
    layer: Any = first.get_submodule(name.partition(".lora_A")[0])
    assert layer.scaling["default"] == 5.0
