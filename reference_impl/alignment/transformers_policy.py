"""A causal language model of `transformers` as a policy, whole or with an adapter of `peft`.

    policy = TransformersPolicy(AutoModelForCausalLM.from_pretrained(folder))
    policy = TransformersPolicy(add_lora(model, LoRA(rank=16)))

Items are read in one packed pass where the model takes our attention through `transformers`' attention interface and
gives the same states with it; elsewhere in one batch that is padded on the right. A model is tried before it is
believed: both are compared with plain passes on a few tokens when the policy is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from reference_impl.alignment.answered import Answered
from reference_impl.alignment.linear_products import faster_linear
from reference_impl.alignment.lora import is_adapted
from reference_impl.alignment.merged_weights import CannotMerge, merged_weight
from reference_impl.alignment.packed import Packed, check_items, pack
from reference_impl.alignment.policy import Head
from reference_impl.alignment.transformers_decoder import TransformersDecoder
from reference_impl.decoding.causal_model import CausalModel
from reference_impl.inference.engine import Engine
from reference_impl.quantization.loading import assemble

ATTENTION = "packed_items"
"""Our attention's name in `transformers`."""
TRIED = (Answered((5, 2, 7), (1, 3), True), Answered((5, 2, 7), (4, 6, 2), True), Answered((3, 1), (2, 2, 6, 1), True))
"""What a model is tried with."""
CHANGES_WITH_LENGTH = ("dynamic", "longrope")
"""Kinds of rotary positions that depend on how long the whole row is: their items are read one by one."""


class TransformersPolicy:
    """A `transformers` model that responses are scored by and that learns. It stays in evaluation mode."""

    def __init__(self, model: nn.Module, vocabulary: int | None = None) -> None:
        """model: a causal language model, or `peft`'s model of one.

        vocabulary: ids from here on are padding, which is never scored or drawn; None: all ids are real.
        Raises ValueError for a model whose logits are more than a linear layer of its last states.
        """
        self.model = model.eval()
        self.causal: Any = model
        if is_adapted(model):
            adapted: Any = model
            if adapted.active_peft_config.is_prompt_learning:
                raise ValueError("an adapter that learns a prompt is no LoRA: give a model with LoRA, or without one.")
            self.causal = adapted.get_base_model()
        self.body: Any = getattr(self.causal, "base_model", self.causal)
        if self.body is self.causal or not callable(getattr(self.causal, "get_output_embeddings", None)):
            raise ValueError(f"{type(self.causal).__name__} has no head of its own: give a causal LM of transformers.")
        self._check_head()
        rows = len(self.causal.get_output_embeddings().weight)
        if vocabulary is not None and not 1 <= vocabulary <= rows:
            raise ValueError(f"a vocabulary of {vocabulary} tokens doesn't fit a head of {rows}.")
        self.vocabulary = vocabulary or rows
        rope = str(getattr(self.causal.config, "rope_parameters", None))
        self._alone = any(kind in rope for kind in CHANGES_WITH_LENGTH)
        self.packs = not self._alone and self._can_pack()

    @property
    def module(self) -> nn.Module:
        """What holds its parameters; those that learn have `requires_grad`."""
        return self.model

    @property
    def head(self) -> Head:
        """Makes logits of states; of real ids alone."""
        head = self.causal.get_output_embeddings()
        if self.vocabulary == len(head.weight):
            return Head(head.weight, head.bias)
        return Head(head.weight[: self.vocabulary], None if head.bias is None else head.bias[: self.vocabulary])

    @property
    def context(self) -> int | None:
        """Longest item, in tokens; None where the config names none."""
        return getattr(self.causal.config, "max_position_embeddings", None)

    def states(self, answered: Sequence[Answered]) -> Tensor:
        """(sum of len(response) + 1, width): see `Policy.states`.

        Raises ValueError for an item that is longer than the context or has an unknown token id.
        """
        self.model.eval()
        check_items(answered, self.context, self.vocabulary)
        window = _window(self.causal.config)
        with faster_linear(self.causal.device):
            if self._alone:
                return torch.cat([self._padded_states([item]) for item in answered])
            if self.packs and (window is None or max(len(item.tokens) for item in answered) <= window):
                return self._packed_states(answered)
            return self._padded_states(answered)

    def decoder(self) -> CausalModel:
        """A decoder with the present weights, adapters included. Ask for a new one after every change of them.

        A Llama or GPT-2 goes through our own compiled decoder, which shares its weights where the layouts agree and
        copies them where they don't or an adapter is merged; any other model through its own forward with its cache.
        """
        kind = type(self.causal).__name__
        try:
            config, tensors = _as_ours(kind, self.causal.config)
            embedding, head = self.causal.get_input_embeddings(), self.causal.get_output_embeddings()
            if config.tie_head and (type(embedding) is not nn.Embedding or embedding.weight is not head.weight):
                raise _NotOurs  # an adapter on one of the two
            named = tensors(lambda name: merged_weight(self.causal, name), config)
            return Engine(assemble(config, named, self.causal.dtype))
        except (_NotOurs, CannotMerge):
            return TransformersDecoder(self.causal, self.context)

    def _packed_states(self, answered: Sequence[Answered]) -> Tensor:
        packed = pack(answered, self.causal.device)
        with _our_attention(self.causal.config):
            found = self.body(
                input_ids=packed.tokens,
                position_ids=packed.positions,
                attention_mask=None,
                use_cache=False,
                packed_items=packed,
            )
        states: Tensor = found.last_hidden_state[0, packed.rows]
        return states

    def _padded_states(self, answered: Sequence[Answered]) -> Tensor:
        """The same in one batch padded on the right, which a causal model never looks at."""
        longest = max(len(item.tokens) for item in answered)
        device = self.causal.device
        tokens = torch.tensor([[*i.tokens, *[0] * (longest - len(i.tokens))] for i in answered], device=device)
        lengths = torch.tensor([len(item.tokens) for item in answered], device=device)
        mask = (torch.arange(longest, device=device) < lengths[:, None]).long()
        found = self.body(input_ids=tokens, attention_mask=mask, use_cache=False).last_hidden_state
        return torch.cat(
            [found[row, len(i.prompt) - 1 : len(i.tokens)] for row, i in enumerate(answered)],
        )

    @torch.no_grad()
    def _check_head(self) -> None:
        head = self.causal.get_output_embeddings()
        if type(head) is not nn.Linear:
            raise ValueError(
                f"the model's head is {type(head).__module__}.{type(head).__name__}: a policy needs a plain one, "
                "neither quantized nor adapted."
            )
        tokens = torch.tensor([TRIED[0].tokens], device=self.causal.device)
        logits = self.causal(input_ids=tokens, use_cache=False).logits
        states = self.body(input_ids=tokens, use_cache=False).last_hidden_state
        if not _same(head(states), logits):
            raise ValueError(
                f"the logits of {type(self.causal).__name__} are more than a linear layer of its last states (scaled "
                "or capped, as in Gemma 2 and Cohere): such a model can't be trained here."
            )

    @torch.no_grad()
    def _can_pack(self) -> bool:
        """Whether a packed pass gives what passes over single items give."""
        wanted = torch.cat([self._padded_states([item]) for item in TRIED])
        try:
            return _same(self._packed_states(TRIED), wanted)
        except Exception:  # whatever a model raises that doesn't take another attention: it is read without
            return False


class _NotOurs(Exception):
    """Our GPT can't compute what this model computes."""


def _as_ours(kind: str, config: Any) -> tuple[Any, Callable[..., Any]]:
    """Our config of a model of `transformers`, and what makes our tensors of its tensors."""
    from reference_impl.model.huggingface import config_from_huggingface, tensors_from_huggingface
    from reference_impl.model.huggingface_llama import config_from_llama, tensors_from_llama

    try:
        if kind == "LlamaForCausalLM":
            return config_from_llama(config), tensors_from_llama
        if kind == "GPT2LMHeadModel":
            return config_from_huggingface(config), tensors_from_huggingface
    except ValueError as error:
        raise _NotOurs from error
    raise _NotOurs


def _window(config: Any) -> int | None:
    """So many tokens back the model's attention may end; None where it never does."""
    names = ("sliding_window", "attention_chunk_size", "window_size", "attention_window_size", "local_attention")
    named = (getattr(config, name, None) for name in names)
    return min((size for size in named if isinstance(size, int)), default=None)


def _same(found: Tensor, wanted: Tensor) -> bool:
    """Equal but for rounding in the tensors' type."""
    allowed = 1e-4 if found.dtype in (torch.float32, torch.float64) else 5e-2
    return found.shape == wanted.shape and bool((found - wanted).norm() <= allowed * wanted.norm())


class _our_attention:  # noqa: N801 (a context manager)
    """The model uses our attention inside, and its own again afterwards."""

    def __init__(self, config: Any) -> None:
        from transformers import AttentionInterface

        AttentionInterface.register(ATTENTION, _packed_attention)
        self._config = config
        self._own = config._attn_implementation

    def __enter__(self) -> None:
        self._config._attn_implementation = ATTENTION

    def __exit__(self, *error: object) -> None:
        self._config._attn_implementation = self._own


def _packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    packed_items: Packed | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """As `transformers` calls attentions: (batch, heads, time, head width) -> (batch, time, heads, head width)."""
    strange = [name for name in ("softcap", "s_aux", "position_bias") if others.get(name) is not None]
    window = others.get("sliding_window")
    if packed_items is not None and isinstance(window, int) and int(packed_items.positions.max()) >= window:
        strange.append("sliding_window")
    if packed_items is None or attention_mask is not None or strange:
        raise NotImplementedError(f"packed attention with a mask, without items, or with {strange}")
    return packed_items.attend_scaled(query, key, value, scaling).transpose(1, 2).contiguous(), None
