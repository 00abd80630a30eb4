"""Runs the compiled decode step on a GPT whose weights are fp32, bf16, int8 or int4, on the CPU.

    decoder = NativeDecoder.of(model)        # None where it can't be had
    logits = decoder.step(tokens, cache)     # (batch, time) -> (batch, time, vocabulary)

It computes what `GPT.forward` with a cache does, and is tested against it. One token of each sequence is decoding; a
few are a short prompt, or what a draft of speculative decoding is checked with.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn

from reference_impl.inference.kv_cache import KVCache
from reference_impl.model.dropout import Dropout
from reference_impl.model.gpt import GPT, Block, FeedForward, GatedFeedForward, SelfAttention
from reference_impl.native.build import native_library
from reference_impl.native.matrix import Matrix, matrix
from reference_impl.quantization.quantized_modules import QuantizedEmbedding, QuantizedLinear
from reference_impl.quantization.weight_format import NativeFormat

ROWS = 16
"""Up to so many tokens, over all sequences, are one call of the kernel; beyond, dense products win."""

NORMS = {"none": 0, "layer": 1, "rms": 2}
ACTIVATIONS = {"gelu": 0, "swiglu": 1, "gelu_exact": 2}


class _Layer(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("attention_norm", "attention_norm_bias", "ffn_norm", "ffn_norm_bias")),
        *((name, Matrix) for name in ("qkv", "out", "gate", "up", "down")),
    )


class _Model(ctypes.Structure):
    _fields_ = (
        *((n, ctypes.c_int32) for n in ("layers", "heads", "kv_heads", "head_width")),
        *((n, ctypes.c_int32) for n in ("width", "ffn_width", "norm", "activation")),
        ("norm_epsilon", ctypes.c_float),
        ("frequencies", ctypes.c_void_p),
        ("layer", ctypes.POINTER(_Layer)),
        *((name, Matrix) for name in ("embedding", "positions", "head")),
        *((name, ctypes.c_void_p) for name in ("final_norm", "final_norm_bias")),
    )


class _Step(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int32) for name in ("threads", "batch", "time", "cache_is_bf16")),
        *((name, ctypes.c_int64) for name in ("capacity", "length", "layer_stride")),
        *((name, ctypes.c_void_p) for name in ("tokens", "positions", "first", "keys", "values", "logits")),
    )


@dataclass
class _Described:
    """What the kernel is told, and the tensors whose addresses it holds."""

    kept: list[Tensor] = field(default_factory=list)

    def floats(self, tensor: Tensor | None) -> int | None:
        """The address of an fp32 copy (or of the tensor itself where it is fp32)."""
        if tensor is None:
            return None
        self.kept.append(tensor.detach().to(torch.float32).contiguous())
        return self.kept[-1].data_ptr()

    def weight(self, module: nn.Module) -> Matrix:
        """A linear layer or an embedding."""
        bias = self._bias(module.bias) if isinstance(module, nn.Linear | QuantizedLinear) else None
        if isinstance(module, QuantizedLinear | QuantizedEmbedding):
            self.kept.extend(cast(nn.Module, module.weight).buffers())
            return cast(NativeFormat, module.weight).matrix(bias)
        weight = module.weight
        assert isinstance(weight, Tensor) and weight.is_contiguous()
        self.kept.append(weight.detach())
        kind = "fp32" if weight.dtype == torch.float32 else "bf16"
        return matrix(kind, weight.size(0), weight.size(1), self.kept[-1], bias=bias)

    def norm(self, module: nn.Module) -> tuple[int | None, int | None]:
        """Weight and bias."""
        if isinstance(module, nn.LayerNorm):
            return self.floats(module.weight), self.floats(module.bias)
        return (self.floats(module.weight), None) if isinstance(module, nn.RMSNorm) else (None, None)

    def _bias(self, bias: Tensor | None) -> Tensor | None:
        if self.floats(bias) is None:
            return None
        return self.kept[-1]


class NativeDecoder:
    """The kernel and one model. The model's weights must stay where they are while it is used."""

    def __init__(self, model: GPT, library: ctypes.CDLL) -> None:
        config = model.config
        self.config = config
        self._library = library
        self._told = told = _Described()
        self._layers = (_Layer * config.layers)(*(_layer(told, block) for block in model.blocks))  # type: ignore[arg-type]
        frequencies = None
        if config.positions == "rotary":
            exponents = torch.arange(0, config.head_width, 2, dtype=torch.float32) / config.head_width
            frequencies = told.floats(config.rotary_base**-exponents)
        learned = model.position_embedding
        self._model = _Model(
            *(config.layers, config.heads, config.kv_heads, config.head_width),
            *(config.width, config.ffn_width, NORMS[config.norm], ACTIVATIONS[config.ffn]),
            config.norm_epsilon,
            frequencies,
            self._layers,
            told.weight(model.token_embedding),
            Matrix() if learned is None else told.weight(learned),
            told.weight(model.head),
            *told.norm(model.final_norm),
        )

    @classmethod
    def of(cls, model: GPT) -> NativeDecoder | None:
        """A decoder for `model`; None without a compiled kernel, on a GPU, or for weights that it doesn't read."""
        library = native_library().library
        if library is None or not readable(model):
            return None
        return cls(model, library)

    def step(
        self, tokens: Tensor, cache: KVCache, positions: Tensor | None = None, attention_mask: Tensor | None = None
    ) -> Tensor:
        """Read a few more tokens of each sequence. The cache is extended in place.

        tokens: (batch, time) integers, real ones. positions: (batch or 1, time).
        attention_mask: (batch, cached + time), padded on the left. Returns logits: (batch, time, vocabulary) fp32.
        """
        batch, time = tokens.shape
        tokens = tokens.long().contiguous()
        first = torch.zeros(batch, dtype=torch.int64)
        if attention_mask is not None:
            first = attention_mask.size(1) - attention_mask.long().sum(1)
        if positions is None:
            positions = cache.length - first[:, None] + torch.arange(time)
        positions = positions.long().expand(batch, time).contiguous()
        logits = torch.empty(batch, time, self.config.vocabulary)
        step = _Step(
            *(torch.get_num_threads(), batch, time, cache.keys.dtype == torch.bfloat16),
            *(cache.capacity, cache.length, cache.keys.stride(0)),
            *(t.data_ptr() for t in (tokens, positions, first, cache.keys, cache.values, logits)),
        )
        self._library.decode_step(ctypes.byref(self._model), ctypes.byref(step))
        cache.advance(time)
        return logits


def readable(model: GPT) -> bool:
    """Whether the kernel knows every weight of the model and what is done with it, and they are on the CPU."""
    return model.device.type == "cpu" and _known(model)


def _known(module: nn.Module) -> bool:
    """Whether the kernel does what the module does.

    It is known by its very type: an adapter around a layer (`peft`) has that layer's `weight` and does more with it,
    and a parametrization makes a subclass.
    """
    kind = type(module)
    if kind in (QuantizedLinear, QuantizedEmbedding):
        return hasattr(module.weight, "matrix")
    if kind in (nn.Linear, nn.Embedding):
        weight = cast(Tensor, module.weight)
        return weight.dtype in (torch.float32, torch.bfloat16) and weight.is_contiguous()
    return kind in _LAYERS and all(map(_known, module.children()))


_LAYERS = (
    *(GPT, Block, SelfAttention, FeedForward, GatedFeedForward, Dropout, nn.ModuleList),
    *(nn.LayerNorm, nn.RMSNorm, nn.Identity),
)
"""What has weights of the kernel's kinds or norms inside, or none."""


def _layer(told: _Described, block: Block) -> _Layer:
    gated = isinstance(block.ffn, GatedFeedForward)
    return _Layer(
        *told.norm(block.attention_norm),
        *told.norm(block.ffn_norm),
        told.weight(block.attention.qkv),
        told.weight(block.attention.out),
        told.weight(block.ffn.gate) if gated else Matrix(),  # type: ignore[arg-type]
        told.weight(block.ffn.up),
        told.weight(block.ffn.down),
    )
