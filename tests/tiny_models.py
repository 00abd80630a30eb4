"""Tiny random models and tokenizers that tests measure. What matters to a test, its sizes above all, it says itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.text.tokenizer import ByteBPE

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import GPT2LMHeadModel, LlamaForCausalLM

END = "<|endoftext|>"
LLAMA: dict[str, Any] = {"positions": "rotary", "norm": "rms", "ffn": "swiglu", "bias": False}
"""What makes a GPT of ours a Llama, but for the sharing of heads."""
_Module = TypeVar("_Module", bound=torch.nn.Module)


def sharp_gpt(config: GPTConfig, sharpness: float = 8.0, seed: int = 0) -> GPT:
    """A GPT whose matrices are larger than it begins with: it has preferences, attention is far from uniform, and
    mistakes show."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        gpt = GPT(config).eval()
    with torch.no_grad():
        for parameter in gpt.parameters():
            if parameter.dim() == 2:
                parameter.mul_(sharpness)
    return gpt


def trained_gpt(config: GPTConfig, tokenizer: ByteBPE, texts: Iterable[str], tokens: int, steps: int = 60) -> GPT:
    """A GPT that has learned the beginnings of a few texts, `tokens` of each with the first end."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        gpt = GPT(config)
    optimizer = torch.optim.AdamW(gpt.parameters(), lr=3e-3)
    stream = torch.tensor([[0, *tokenizer.encode(text)][:tokens] for text in texts])
    for _ in range(steps):
        logits = gpt(stream[:, :-1])
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), stream[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return gpt.eval()


def scrambled(model: _Module, seed: int = 0) -> _Module:
    """Every parameter random, biases and norms too: a freshly made model would hide a mistake in those."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return model.eval()


def llama(seed: int = 0, **changes: Any) -> LlamaForCausalLM:
    """transformers' Llama: 2 layers of width 32, grouped-query attention (4 heads over 2), a tied head, 320 tokens,
    context 64. changes: of its config."""
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {
        "vocab_size": 320,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 64,
        "tie_word_embeddings": True,
        "initializer_range": 0.3,
    }
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return LlamaForCausalLM(LlamaConfig(**{**sizes, **changes}))


def gpt2(seed: int = 1, **changes: Any) -> GPT2LMHeadModel:
    """transformers' GPT-2: 2 layers of width 32, 4 heads, 320 tokens, context 48. changes: of its config."""
    from transformers import GPT2Config, GPT2LMHeadModel

    sizes = {"vocab_size": 320, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 48, "initializer_range": 0.3}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return GPT2LMHeadModel(GPT2Config(**{**sizes, **changes}))


def save_byte_pairs(file: Path, texts: Sequence[str], vocabulary: int) -> Path:
    """A byte-level BPE trained on a few texts, in the file of that name."""
    ByteBPE.train(texts, vocabulary).save(file)
    return file


def save_folder(folder: Path, model: Any, tokenizer_file: Path, template: str | None = None, **options: Any) -> Path:
    """A model of transformers and a tokenizer whose texts begin and end with `END`, as a folder. template: of chats.
    options: of `save_pretrained`."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(tokenizer_file), bos_token=END, eos_token=END)
    tokenizer.chat_template = template
    model.save_pretrained(folder, **options)
    tokenizer.save_pretrained(folder)
    return folder


def byte_tokenizer(special: Sequence[str] = (), *, prefix_space: bool = False) -> Tokenizer:
    """A token for each byte, after the special ones. prefix_space: whether a space is put before a text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({piece: number for number, piece in enumerate([*special, *letters])}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(special))
    return tokenizer
