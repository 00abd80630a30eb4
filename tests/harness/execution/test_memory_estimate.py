"""What `plan` says a cell will hold, beside what a process that measures it holds at most."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.execution.memory_estimate import LOGITS_AT_ONCE, WITHIN, memory_of
from harness.measures.perplexity import PERPLEXITY
from harness.models.registry import opening_of
from harness.models.shape import ModelShape, folder_shape
from harness.models.size import folder_size
from harness.models.transformers_adapter import attention_of
from harness.scoring import head_slices
from tests.tiny_models import byte_tokenizer

CONTEXT = 8192
GIB = 2**30

MEASURED = """
import sys
import harness.models.transformers_opening
from harness import corpora
from harness.models.contract import ModelSource
from harness.models.open import open_model
from harness.measures import perplexity
model = open_model(ModelSource("m", "transformers", sys.argv[1], "d"))
corpora.documents = lambda name: ["abcdefgh" * 1024]
perplexity.collect(lambda: model, perplexity.PerplexitySettings(text="t"))
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def saved(folder: Path, vocabulary: int, width: int, **more: Any) -> Path:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        **more,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=byte_tokenizer()).save_pretrained(folder)
    return folder


@pytest.mark.skipif(sys.platform != "linux", reason="the high-water mark is read from /proc")
@pytest.mark.parametrize(("vocabulary", "width"), [(49_152, 160), (150_000, 64)])
def test_a_long_window_over_a_large_vocabulary(tmp_path: Path, vocabulary: int, width: int) -> None:
    """About 10 million parameters: at most 1 GiB, and about what was said before."""
    folder = saved(tmp_path, vocabulary, width)
    shape, size = folder_shape(str(folder), attention_of), folder_size(str(folder))
    assert shape is not None and size is not None and 8e6 < size.parameters < 11e6
    passes = PERPLEXITY.passes(PERPLEXITY.settings(text="t"), shape)  # type: ignore[call-arg]
    estimate = memory_of(passes, opening_of("transformers").libraries, "fp32", size.parameters, shape)
    run = subprocess.run(
        [sys.executable, "-c", MEASURED, str(folder)], capture_output=True, text=True, check=True, timeout=300
    )
    peak = int(run.stdout.split()[-1]) * 1024
    assert peak < GIB
    assert peak / WITHIN < estimate < peak * WITHIN, f"{estimate / 2**20:.0f} MiB said, {peak / 2**20:.0f} MiB held"


def shape(**changed: Any) -> ModelShape:
    given: dict[str, Any] = {"vocabulary": 49_152, "context": CONTEXT, "layers": 8, "width": 160, "ffn_width": 432}
    given |= {"heads": 4, "kv_heads": 2, "head_width": 40, "attention": "fused", "plain_head": True}
    return ModelShape(**(given | changed))


def said(settings: dict[str, Any] | None = None, **changed: Any) -> float:
    model = shape(**changed)
    passes = PERPLEXITY.passes(PERPLEXITY.settings.model_validate({"text": "t"} | (settings or {})), model)
    return memory_of(passes, opening_of("transformers").libraries, "fp32", 10_000_000, model)


def test_logits_are_counted_and_bounded() -> None:
    few, many = said(vocabulary=100), said(vocabulary=49_152)
    assert 20e6 < many - few < 60e6
    assert said(vocabulary=150_000) - many < 10e6, "a larger vocabulary is made in smaller slices"
    assert LOGITS_AT_ONCE[True] == head_slices.LOGITS_AT_ONCE
    assert LOGITS_AT_ONCE[False] == 3 * head_slices.LOGITS_PER_STEP


def test_scores_of_eager_attention_are_counted() -> None:
    pairs = 4.0 * CONTEXT**2
    assert said(attention="eager") - said() > 4 * pairs
    assert pairs < said(attention="masked") - said() < 2 * pairs
    assert said(attention="eager", settings={"window": 512}) - said(settings={"window": 512}) < 0.1 * GIB


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (
            {"model_type": "gpt2", "vocab_size": 9, "n_embd": 8, "n_layer": 2, "n_head": 4, "n_positions": 64},
            {"width": 8, "ffn_width": 32, "kv_heads": 4, "head_width": 2, "context": 64, "attention": "fused"},
        ),
        (
            {
                **{"model_type": "mistral", "vocab_size": 9, "hidden_size": 8, "intermediate_size": 20},
                **{"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 1, "sliding_window": 16},
            },
            {"ffn_width": 20, "kv_heads": 1, "attention": "masked", "context": 2048, "plain_head": True},
        ),
        (
            {
                "model_type": "gemma3",
                "text_config": {
                    **{"vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 4},
                    **{"head_dim": 16, "final_logit_softcapping": 30.0, "max_position_embeddings": 32},
                },
            },
            {"head_width": 16, "plain_head": False, "context": 32},
        ),
    ],
)
def test_shapes_are_read_from_every_family(tmp_path: Path, config: dict[str, Any], expected: dict[str, Any]) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    found = folder_shape(str(tmp_path), attention_of)
    assert found is not None and {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"vocab_size": "many"}'])
def test_a_folder_that_tells_nothing_has_no_shape(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    assert folder_shape(str(tmp_path), attention_of) is None
