"""A decoder-only transformer, whole: embeddings, blocks, head, initialization and loss.

By default a GPT-2: learned positions, LayerNorm before each sub-layer, multi-head causal attention, a GELU feed-forward
layer and a head that shares the token embedding (Radford et al. 2019, "Language Models are Unsupervised
Multitask Learners"). With rotary positions, RMSNorm, SwiGLU and grouped keys and values it is a Llama (Touvron et al.
2023). `transformers` computes the same as either: see `huggingface.py` and `huggingface_llama.py`.

    model = GPT(GPTConfig(vocabulary=1024, context=256, layers=4, heads=4, width=128))
    logits = model(tokens)                                # (batch, time) -> (batch, time, vocabulary)
    next_token_loss(logits[:, :-1], tokens[:, 1:]).backward()

The model knows nothing of devices, parallel layouts, training or sampling: those are applied from outside. To split,
watch or edit a forward pass, write it out. A layer is given the residual stream and one `ForwardPass`, which says how
to attend and holds the cache:

    given = model.begin(tokens, cache)
    x = model.embed(tokens, given)
    for layer, block in enumerate(model.blocks):
        x = block(x, given.at(layer))
    cache.advance(tokens.size(1))
    logits = model.unembed(model.final_norm(x))           # what model(tokens, cache) returns
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own name for it)

from reference_impl.model.config import GPTConfig
from reference_impl.model.dropout import Dropout
from reference_impl.model.dropout import dropout as drop
from reference_impl.model.forward_pass import (
    Attention,
    ForwardPass,
    LayerCache,
    Rotation,
    default_positions,
    visible_keys,
)


def explicit_attention(queries: Tensor, keys: Tensor, values: Tensor, visible: Tensor | None, dropout: float) -> Tensor:
    """softmax(Q K^T / sqrt(head width)) V, written out (Vaswani et al. 2017, equation 1). The oracle."""
    if visible is None:
        time, total = queries.size(-2), keys.size(-2)
        visible = torch.ones(time, total, dtype=torch.bool, device=queries.device).tril(total - time)
    group = queries.size(1) // keys.size(1)
    keys, values = keys.repeat_interleave(group, dim=1), values.repeat_interleave(group, dim=1)
    scores = queries @ keys.transpose(-2, -1) / math.sqrt(queries.size(-1))
    pattern = scores.float().masked_fill(~visible, -math.inf).softmax(-1).to(values.dtype)
    return drop(pattern, dropout) @ values


def fused_attention(queries: Tensor, keys: Tensor, values: Tensor, visible: Tensor | None, dropout: float) -> Tensor:
    """The same through PyTorch's fused kernels, which never store the whole pattern.

    torch's `is_causal` puts the queries at the start of the keys, so it's right only without a cache. Its CPU kernels
    have no dropout: torch would store the whole pattern and draw its slow masks, so then the explicit way is taken.
    """
    if dropout > 0.0 and queries.device.type == "cpu" and queries.size(1) == keys.size(1):
        return explicit_attention(queries, keys, values, visible, dropout)
    time, total = queries.size(-2), keys.size(-2)
    if visible is None and 1 < time < total:
        visible = torch.ones(time, total, dtype=torch.bool, device=queries.device).tril(total - time)
    return F.scaled_dot_product_attention(
        queries,
        keys,
        values,
        attn_mask=visible,
        dropout_p=dropout,
        is_causal=visible is None and time == total,
        enable_gqa=queries.size(1) != keys.size(1),
    )


def rotation(positions: Tensor, head_width: int, base: float) -> Rotation:
    """By how much rotary positions turn each pair of elements. positions: (batch or 1, time).

    Element i turns together with element i + head width / 2, by position * base^(-2 i / head width): Su et al. 2021,
    equation 15, with the pairing that Llama's weights in `transformers`' order expect.
    """
    exponents = torch.arange(0, head_width, 2, device=positions.device, dtype=torch.float32) / head_width
    angles = positions[:, None, :, None].float() * base**-exponents
    return torch.cat((angles, angles), -1).cos(), torch.cat((angles, angles), -1).sin()


def rotate(x: Tensor, turn: Rotation) -> Tensor:
    """x: (batch, heads, time, head width), turned by `turn`, in its own type."""
    cos, sin = turn
    low, high = x.float().chunk(2, dim=-1)
    return (x * cos + torch.cat((-high, low), -1) * sin).to(x.dtype)


class SelfAttention(nn.Module):
    """Causal self-attention with several heads, which may share keys and values."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.head_width = config.head_width
        self.sharing = config.heads // config.kv_heads
        self.dropout = config.dropout
        # Rows of qkv go group by group: the queries that share a key, that key, its value. A contiguous share
        # of the rows is then whole groups: column-parallel layouts can cut it without knowing what it is.
        self.qkv = nn.Linear(config.width, config.width + 2 * config.kv_width, bias=config.bias)
        self.out = nn.Linear(config.width, config.width, bias=config.bias)

    def forward(self, x: Tensor, given: ForwardPass) -> Tensor:
        """x: (batch, time, width) -> (batch, time, width)."""
        batch, time, _ = x.shape
        groups = self.qkv(x).view(batch, time, -1, self.sharing + 2, self.head_width)
        queries, keys, values = groups.split((self.sharing, 1, 1), dim=3)
        queries, keys, values = (part.flatten(2, 3).transpose(1, 2) for part in (queries, keys, values))
        if given.rotation is not None:
            queries, keys = rotate(queries, given.rotation), rotate(keys, given.rotation)
        keys, values = given.remember(keys, values)
        mixed = given.attention(queries, keys, values, given.visible, self.dropout if self.training else 0.0)
        return self.out(mixed.transpose(1, 2).reshape(batch, time, -1))  # type: ignore[no-any-return]


class FeedForward(nn.Module):
    """Two linear layers with a GELU between, exact or in the tanh approximation (Hendrycks & Gimpel 2016)."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.approximate = "none" if config.ffn == "gelu_exact" else "tanh"
        self.up = nn.Linear(config.width, config.ffn_width, bias=config.bias)
        self.down = nn.Linear(config.ffn_width, config.width, bias=config.bias)

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, time, width) -> (batch, time, width)."""
        return self.down(F.gelu(self.up(x), approximate=self.approximate))  # type: ignore[no-any-return]


class GatedFeedForward(nn.Module):
    """SwiGLU (Shazeer 2020, equation 6): a SiLU of one projection gates another."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.gate = nn.Linear(config.width, config.ffn_width, bias=config.bias)
        self.up = nn.Linear(config.width, config.ffn_width, bias=config.bias)
        self.down = nn.Linear(config.ffn_width, config.width, bias=config.bias)

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, time, width) -> (batch, time, width)."""
        return self.down(F.silu(self.gate(x)) * self.up(x))  # type: ignore[no-any-return]


def make_norm(config: GPTConfig) -> nn.Module:
    """The norm that `config` names, over the residual stream."""
    match config.norm:
        case "layer":
            return nn.LayerNorm(config.width, eps=config.norm_epsilon, bias=config.bias)
        case "rms":
            return nn.RMSNorm(config.width, eps=config.norm_epsilon)
        case "none":
            return nn.Identity()


class Block(nn.Module):
    """One layer: attention and feed-forward, each on a normalized copy of the residual stream."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.attention_norm = make_norm(config)
        self.attention = SelfAttention(config)
        self.ffn_norm = make_norm(config)
        self.ffn = GatedFeedForward(config) if config.ffn == "swiglu" else FeedForward(config)
        self.dropout = Dropout(config.dropout)

    def forward(self, x: Tensor, given: ForwardPass) -> Tensor:
        """x: (batch, time, width) -> (batch, time, width)."""
        x = x + self.dropout(self.attention(self.attention_norm(x), given))
        return x + self.dropout(self.ffn(self.ffn_norm(x)))  # type: ignore[no-any-return]


def _embedding(rows: int, width: int) -> nn.Embedding:
    """An embedding; where nothing is stored yet (on `meta`) without drawing it, for which torch imports its compiler: a
    second for every process that opens a checkpoint."""
    if torch.get_default_device().type == "meta":
        return nn.Embedding(rows, width, _weight=torch.empty(rows, width))
    return nn.Embedding(rows, width)


class GPT(nn.Module):
    """Token ids in, logits of the next token out."""

    def __init__(self, config: GPTConfig, attention: Attention | None = None) -> None:
        """attention: for this model's passes; left out, `fused_attention`, or what an `Engine` takes instead."""
        super().__init__()
        self.config = config
        self.attend = attention
        self.token_embedding = _embedding(config.vocabulary, config.width)
        learned = config.positions == "learned"
        self.position_embedding = _embedding(config.context, config.width) if learned else None
        self.dropout = Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.final_norm = make_norm(config)
        self.head = nn.Linear(config.width, config.vocabulary, bias=False)
        if config.tie_head:
            self.head.weight = self.token_embedding.weight
        if not self.token_embedding.weight.is_meta:
            self.initialize()

    @torch.no_grad()
    def initialize(self) -> None:
        """Draw every parameter again from torch's global generator.

        Weights N(0, 0.02), biases 0, norms the identity; projections into the residual stream are
        scaled by 1/sqrt(2 layers), so that its variance doesn't grow with depth (Radford et al. 2019, 2.3).
        """
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
            if isinstance(module, nn.LayerNorm | nn.RMSNorm):
                module.reset_parameters()
        if not self.config.residual_scaling:
            return
        residual_std = 0.02 / math.sqrt(2 * self.config.layers)
        for module in self.modules():
            if isinstance(module, Block):
                nn.init.normal_(module.attention.out.weight, std=residual_std)
                nn.init.normal_(module.ffn.down.weight, std=residual_std)

    @property
    def dtype(self) -> torch.dtype:
        """Type of the activations. Norms keep it when the weights between them are stored as something else."""
        return next((parameter.dtype for parameter in self.blocks.parameters()), torch.float32)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(itertools.chain(self.parameters(), self.buffers())).device

    def forward(
        self,
        tokens: Tensor,
        cache: LayerCache | None = None,
        positions: Tensor | None = None,
        attention_mask: Tensor | None = None,
        logits_at: Tensor | None = None,
    ) -> Tensor:
        """Logits of the next token.

        tokens: (batch, time) int64. cache: extended in place; the tokens follow what it holds.
        attention_mask: (batch, cached + time), 1 where a token is real; rows are padded on the left.
        positions: (batch, time); by default they follow the cache, or count the real tokens of the mask.
        logits_at: (k,) indexes into time at which the head is applied; None means every position.
        Returns logits: (batch, k or time, vocabulary) in the weights' type. At padding they mean nothing.
        Raises ValueError when the sequence is longer than the context.
        """
        given = self.begin(tokens, cache, positions, attention_mask)
        return self.unembed(self.features(tokens, given, logits_at))

    def begin(
        self,
        tokens: Tensor,
        cache: LayerCache | None = None,
        positions: Tensor | None = None,
        attention_mask: Tensor | None = None,
        attention: Attention | None = None,
    ) -> ForwardPass:
        """What the layers are given in a pass over these tokens: see `forward`, whose arguments and errors these are.

        attention: for this pass alone; left out, the model's.
        """
        time, cached = tokens.size(1), 0 if cache is None else cache.length
        if cached + time > self.config.context:
            held = f" after {cached} cached ones" if cached else ""
            raise ValueError(
                f"{time} tokens{held} don't fit the model's context of {self.config.context}: "
                "shorten the sequence or slide a window over it."
            )
        if positions is None:
            positions = default_positions(cached, time, attention_mask, tokens.device)
        rotary = self.config.positions == "rotary"
        return ForwardPass(
            attention or self.attend or fused_attention,
            positions,
            rotation(positions, self.config.head_width, self.config.rotary_base) if rotary else None,
            None if attention_mask is None else visible_keys(attention_mask, time),
            cache,
        )

    def embed(self, tokens: Tensor, given: ForwardPass) -> Tensor:
        """The residual stream before the first block: (batch, time) -> (batch, time, width)."""
        x = self.token_embedding(tokens)
        if self.position_embedding is not None:
            x = x + self.position_embedding(given.positions)
        return self.dropout(x)  # type: ignore[no-any-return]

    def features(self, tokens: Tensor, given: ForwardPass, at: Tensor | None = None) -> Tensor:
        """What the head multiplies: (batch, k or time, width). at: as `logits_at` of `forward`. Extends the cache."""
        x = self.embed(tokens, given)
        for layer, block in enumerate(self.blocks):
            x = block(x, given.at(layer))
        if given.cache is not None:
            given.cache.advance(tokens.size(1))
        return self.final_norm(x if at is None else x[:, at])  # type: ignore[no-any-return]

    def unembed(self, features: Tensor) -> Tensor:
        """Logits, each position by itself: (batch, k, width) -> (batch, k, vocabulary)."""
        return self.head(features)  # type: ignore[no-any-return]


def next_token_loss(logits: Tensor, targets: Tensor, ignore_index: int = -100) -> Tensor:
    """Mean cross-entropy in nats over the targets that aren't `ignore_index`, computed in fp32.

    logits: (..., vocabulary). targets: (...) int64, the token that each position should predict.
    The mean over no target at all is NaN.
    """
    return F.cross_entropy(logits.float().flatten(0, -2), targets.flatten(), ignore_index=ignore_index)
