"""Models of `transformers` as policies, packed or padded, whole or adapted, against their passes over single items."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from reference_impl.alignment.answered import Answered
from reference_impl.alignment.gpt_policy import GPTPolicy
from reference_impl.alignment.lora import add_lora
from reference_impl.alignment.merged_weights import merged_weight
from reference_impl.alignment.mismatch import mismatch
from reference_impl.alignment.packed import Packed
from reference_impl.alignment.reference_policy import AdapterOff
from reference_impl.alignment.rollout import draw
from reference_impl.alignment.settings.lora import LoRA
from reference_impl.alignment.token_log_probs import token_log_probs
from reference_impl.alignment.transformers_decoder import TransformersDecoder
from reference_impl.alignment.transformers_policy import TransformersPolicy
from reference_impl.inference.engine import Engine
from tests.reference_impl.alignment.items import assert_same, gpt, gradients, items
from tests.tiny_models import gpt2, llama

TINY: dict[str, Any] = {
    "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64, "initializer_range": 0.3, "pad_token_id": 0,
}  # fmt: skip
ITEMS = [*items([(4, 3), (4, 6), (4, 1)], shared=True), *items([(7, 2), (1, 5)], seed=1)]


def made(name: str, **changes: Any) -> Any:
    """A tiny random model of `transformers`."""
    import transformers

    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**(TINY | changes))
    return getattr(transformers, f"{name}ForCausalLM")(config).eval()


MODELS: dict[str, Callable[[], Any]] = {
    "llama": llama,
    "gpt2": gpt2,
    "qwen2": lambda: made("Qwen2"),
    "mistral": lambda: made("Mistral", sliding_window=6),
    "gpt_neox": lambda: made("GPTNeoX"),
    "phi": lambda: made("Phi"),
    "bloom": lambda: made("Bloom", n_head=4, n_layer=2),
    "mamba": lambda: made("Mamba", state_size=4),
}
NOT_PACKED = {"bloom", "mamba"}
"""An attention of its own, and none."""


def own_states(causal: Any, answered: list[Answered]) -> Tensor:
    rows = []
    for item in answered:
        found = causal.base_model(torch.tensor([item.tokens]), use_cache=False).last_hidden_state
        rows.append(found[0, len(item.prompt) - 1 :])
    return torch.cat(rows)


def adapted(model: Any, rank: int = 4, scale: float = 0.3) -> Any:
    """With an adapter that changes something: `peft` begins it at zero."""
    found = add_lora(model, LoRA(rank=rank, alpha=2 * rank))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in found.named_parameters():
            if "lora_B" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * scale)
    return found


@pytest.mark.parametrize("name", MODELS)
def test_states_are_those_of_its_own_passes_over_single_items(name: str) -> None:
    model = MODELS[name]()
    policy = TransformersPolicy(model)
    assert policy.packs == (name not in NOT_PACKED)
    wanted, found = own_states(model, ITEMS), policy.states(ITEMS)
    assert (found - wanted).norm() <= 1e-5 * wanted.norm()
    weights = torch.randn(wanted.shape, generator=torch.Generator().manual_seed(0))
    assert_same(gradients(model, (found * weights).sum()), gradients(model, (wanted * weights).sum()), 2e-5)
    wanted = own_states(model, ITEMS)  # the model uses its own attention again
    torch.testing.assert_close(own_states(model, ITEMS), wanted)


def test_items_beyond_a_sliding_window_are_read_with_it() -> None:
    model = made("Mistral", sliding_window=6)
    policy = TransformersPolicy(model)
    short, long = items([(3, 3), (2, 4)]), items([(6, 6), (2, 4)])
    for answered in (short, long):
        wanted = own_states(model, answered)
        assert (policy.states(answered) - wanted).norm() <= 1e-5 * wanted.norm()
    with pytest.raises(NotImplementedError, match="sliding_window"):  # a packed pass would not know the window
        policy._packed_states(long)


def test_positions_that_depend_on_the_longest_item_are_those_of_each_alone() -> None:
    rope = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}
    model = made("Llama", max_position_embeddings=32, rope_parameters=rope)
    policy = TransformersPolicy(model)
    wanted = own_states(model, ITEMS)
    assert not policy.packs and (policy.states(ITEMS) - wanted).norm() <= 1e-5 * wanted.norm()


def test_a_leak_between_items_means_that_nothing_is_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    def leaking(self: Packed, queries: Tensor, keys: Tensor, values: Tensor, scale: float | None = None) -> Tensor:
        group = queries.size(1) // keys.size(1)
        keys, values = keys.repeat_interleave(group, 1), values.repeat_interleave(group, 1)
        return torch.nn.functional.scaled_dot_product_attention(queries, keys, values, is_causal=True, scale=scale)

    monkeypatch.setattr(Packed, "attend_scaled", leaking)
    policy = TransformersPolicy(llama())
    assert not policy.packs
    wanted = own_states(policy.causal, ITEMS)
    assert (policy.states(ITEMS) - wanted).norm() <= 1e-5 * wanted.norm()


@pytest.mark.parametrize("name", ["Gemma2", "Cohere"])
def test_logits_that_are_more_than_a_linear_layer_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"more than a linear layer of its last states"):
        TransformersPolicy(made(name))


def test_an_adapter_on_the_head_is_refused() -> None:
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(llama(tie_word_embeddings=False), LoraConfig(target_modules=["lm_head"]))
    with pytest.raises(ValueError, match=r"head is peft.*Linear: a policy needs a plain one"):
        TransformersPolicy(model)


@pytest.mark.parametrize("kind", ["dora", "ia3", "two adapters", "norm"])
def test_adapters_of_every_kind_count_in_rollouts(kind: str) -> None:
    """Merged into copies where peft can merge them; where a module is replaced, by the model's own forward."""
    import peft

    loras = {"dora": {"use_dora": True}, "norm": {"modules_to_save": ["norm"]}, "two adapters": {}}
    settings: Any = (
        peft.IA3Config(target_modules=["k_proj", "v_proj"], feedforward_modules=[], init_ia3_weights=False)
        if kind == "ia3"
        else peft.LoraConfig(target_modules=["q_proj"], init_lora_weights=False, **loras[kind])
    )
    model = peft.get_peft_model(llama(), settings)
    if kind == "two adapters":
        model.add_adapter("other", peft.LoraConfig(target_modules=["v_proj"], init_lora_weights=False))
        model.base_model.set_adapter(["default", "other"])
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "modules_to_save" in name:
                parameter.mul_(-2)
    policy = TransformersPolicy(model)
    rolled = draw(policy, [(1, 2, 3)], 3, max_new=6, eos=0)
    answered = [one.answered for one in rolled]
    assert mismatch(rolled, token_log_probs(policy, answered).log_probs).largest < 1e-4
    reference = AdapterOff(policy)
    assert (
        token_log_probs(reference, answered).log_probs - token_log_probs(policy, answered).log_probs
    ).abs().max() > 0.1
    bare = TransformersPolicy(llama())
    torch.testing.assert_close(
        token_log_probs(reference, answered).log_probs, token_log_probs(bare, answered).log_probs
    )


def test_a_model_without_a_head_is_refused() -> None:
    with pytest.raises(ValueError, match="LlamaModel has no head of its own"):
        TransformersPolicy(llama().model)


def test_a_head_with_a_bias_is_scored_with_it() -> None:
    policy = TransformersPolicy(made("Phi"))
    assert policy.head.bias is not None
    with torch.no_grad():
        policy.head.bias.normal_(generator=torch.Generator().manual_seed(0))
    item = items([(3, 4)])
    logits = policy.causal(torch.tensor([item[0].tokens])).logits[0, 2:-1].log_softmax(-1)
    wanted = logits.gather(-1, torch.tensor(item[0].response)[:, None])[:, 0]
    torch.testing.assert_close(token_log_probs(policy, item).log_probs, wanted, rtol=1e-4, atol=1e-4)


# --- adapters --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["llama", "gpt2", "qwen2"])
def test_only_the_adapter_learns_and_it_counts(name: str) -> None:
    model = MODELS[name]()
    before = own_states(model, ITEMS).detach()
    policy = TransformersPolicy(adapted(model))
    found = policy.states(ITEMS)
    wanted = own_states(policy.causal, ITEMS)
    assert (found - wanted).norm() <= 1e-5 * wanted.norm() and (found - before).norm() > 1e-2 * before.norm()
    assert all("lora_" in n for n in gradients(policy.module, found.sum()))


@pytest.mark.parametrize(("name", "kind"), [("llama", Engine), ("gpt2", Engine), ("qwen2", TransformersDecoder)])
@pytest.mark.parametrize("with_adapter", [False, True])
def test_rollouts_are_drawn_from_what_is_scored(name: str, kind: type, with_adapter: bool) -> None:
    model = MODELS[name]()
    if with_adapter:
        model = adapted(model)
    policy = TransformersPolicy(model)
    before = {n: p.clone() for n, p in policy.module.named_parameters()}
    assert isinstance(policy.decoder(), kind)
    rolled = draw(policy, [(1, 2, 3), (4,)], 3, max_new=6, eos=0, temperature=0.8)
    assert len({one.answered for one in rolled}) > 2
    scored = token_log_probs(policy, [one.answered for one in rolled], 0.8)
    assert mismatch(rolled, scored.log_probs).largest < 1e-4
    assert all(torch.equal(before[n], p) for n, p in policy.module.named_parameters()), "bit for bit"
    with torch.no_grad():
        for parameter in policy.module.parameters():
            if parameter.requires_grad:
                parameter.mul_(1.5)
    again = draw(policy, [(1, 2, 3), (4,)], 3, max_new=6, eos=0, temperature=0.8)
    scored = token_log_probs(policy, [one.answered for one in again], 0.8)
    assert mismatch(again, scored.log_probs).largest < 1e-4
    assert again != rolled


@pytest.mark.parametrize("name", sorted(MODELS.keys() - {"llama", "gpt2", "qwen2"}))
def test_every_other_model_draws_what_it_scores(name: str) -> None:
    policy = TransformersPolicy(MODELS[name]())
    rolled = draw(policy, [(1, 2, 3), (4,)], 2, max_new=9, eos=0)
    scored = token_log_probs(policy, [one.answered for one in rolled])
    assert mismatch(rolled, scored.log_probs).largest < 1e-4


def test_an_adapter_that_is_skipped_is_seen() -> None:
    """The check above fails on a decoder of the base weights."""

    class Skipping(TransformersPolicy):
        def decoder(self) -> Any:
            with self.model.disable_adapter():  # type: ignore[operator]
                return super().decoder()

    policy = Skipping(adapted(llama()))
    rolled = draw(policy, [(1, 2, 3)], 3, max_new=6, eos=0)
    assert mismatch(rolled, token_log_probs(policy, [one.answered for one in rolled]).log_probs).largest > 1e-2


def test_an_adapter_on_the_tied_embedding_is_not_given_to_the_head() -> None:
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(llama(), LoraConfig(target_modules=["embed_tokens"], r=4))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_embedding_A" in name:  # peft begins this one at zero
                parameter.normal_(generator=torch.Generator().manual_seed(0))
    policy = TransformersPolicy(model)
    rolled = draw(policy, [(1, 2, 3)], 3, max_new=6, eos=0)
    assert mismatch(rolled, token_log_probs(policy, [one.answered for one in rolled]).log_probs).largest < 1e-4


def test_an_adapter_in_our_gpt_is_not_skipped() -> None:
    from peft import LoraConfig, inject_adapter_in_model

    model = gpt()
    inject_adapter_in_model(LoraConfig(target_modules=["qkv", "up"], r=4, init_lora_weights=False), model)
    assert Engine(model).native is None, "an engine that is given the layers as they are leaves them to torch"
    policy = GPTPolicy(model)
    merged = policy.decoder()
    assert type(merged.model.blocks[0].attention.qkv) is torch.nn.Linear  # type: ignore[union-attr]
    assert merged.model.head.weight.data_ptr() == model.head.weight.data_ptr()
    rolled = draw(policy, [(1, 2, 3)], 3, max_new=6, eos=0)
    assert mismatch(rolled, token_log_probs(policy, [one.answered for one in rolled]).log_probs).largest < 1e-4

    class Unknown(torch.nn.Linear):
        pass

    model.blocks[1].ffn.down.__class__ = Unknown
    assert GPTPolicy(model).decoder().model is model, "what can't be merged is computed as it is"


def test_merging_leaves_the_layer_as_it_was() -> None:
    model = adapted(llama())
    base = model.get_base_model()
    layer = base.model.layers[0].self_attn.q_proj
    kept = copy.deepcopy(layer.state_dict())
    merged = merged_weight(base, "model.layers.0.self_attn.q_proj.weight")
    wanted = layer.base_layer.weight + layer.get_delta_weight("default")
    torch.testing.assert_close(merged, wanted)
    assert all(torch.equal(kept[n], t) for n, t in layer.state_dict().items()) and not layer.merged
    assert (merged - layer.base_layer.weight).abs().max() > 0.1


def test_without_peft_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ValueError, match=r"pip install 'gpt-harness\[peft\]'"):
        add_lora(llama(), LoRA())


def test_an_adapter_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="rank of 1 or more"):
        LoRA(rank=0)
    with pytest.raises(ValueError, match="nowhere"):
        add_lora(llama(), LoRA(targets=("nowhere",)))


def test_bad_items_and_sizes_are_named() -> None:
    policy = TransformersPolicy(llama(), vocabulary=61)
    with pytest.raises(ValueError, match="item 1: token id 61 is outside of the policy's vocabulary of 61"):
        policy.states([*items([(2, 2)]), Answered((61,), (1,), True)])
    with pytest.raises(ValueError, match="item 0: 60 prompt tokens and 5 response tokens don't fit"):
        policy.states(items([(60, 5)]))
    with pytest.raises(ValueError, match="321 tokens doesn't fit a head of 320"):
        TransformersPolicy(llama(), vocabulary=321)
