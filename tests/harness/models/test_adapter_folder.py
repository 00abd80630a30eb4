"""A folder of `peft` as a model of a suite: merged into its base once, and measured like any other."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.errors import UserError
from harness.execution.resolve import resolve
from harness.models.adapter_merging import make
from harness.models.adapter_stage import AdapterMerge
from harness.models.open import open_model
from harness.models.resolved import Resolved
from harness.models.stage import Making
from harness.shorthand.model_name import named_model
from harness.suite.load import parse_suite
from tests.tiny_models import llama, save_folder

pytestmark = pytest.mark.skipif(find_spec("peft") is None, reason="needs peft, whose import takes seconds")

SUITE = """name: s
models:
  m: {transformers: ADAPTER}
  sft: {from: m, train: {sft: {data: DATA}}}
measures:
  - perplexity: {text: microworld/test}
"""


@pytest.fixture
def adapter(tmp_path: Path, tiny_tokenizer_file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    base = save_folder(tmp_path / "llama", llama(max_position_embeddings=160), tiny_tokenizer_file)
    whole: Any = AutoModelForCausalLM.from_pretrained(base)
    model = get_peft_model(whole, LoraConfig(task_type="CAUSAL_LM", r=2, init_lora_weights=False))
    model.save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


def made(adapter: Path, name: str = "m", data: str = "microworld/sums") -> Resolved:
    suite = parse_suite(SUITE.replace("ADAPTER", str(adapter)).replace("DATA", data), "s.yaml")
    return resolve(name, suite.models[name], None, False, models=suite.models)


def test_it_is_merged_and_gives_what_peft_gives(adapter: Path) -> None:
    from peft import AutoPeftModelForCausalLM

    found = made(adapter)
    assert isinstance(found.training, AdapterMerge) and found.before is not None and not found.ready
    assert found.before.source.path == str(adapter.parent / "llama")
    make(found.training, Making(found.source, found.before.source, {}, None, lambda done, text: None, None))
    tokens = torch.tensor([[5, 17, 301, 44, 8, 99]])
    own = open_model(found.source).forward(tokens)
    theirs = AutoPeftModelForCausalLM.from_pretrained(adapter).eval()(tokens).logits
    before = open_model(found.before.source).forward(tokens)
    assert torch.allclose(own, theirs, atol=1e-4) and float((own - before).abs().max()) > 1e-3
    assert named_model(str(adapter), adapter.parent).entry == {"transformers": str(adapter)}


def test_another_adapter_and_another_base_are_other_models(adapter: Path) -> None:
    first = made(adapter).source.digest
    file = adapter / "adapter_config.json"
    file.write_text(file.read_text() + "\n")
    second = made(adapter).source.digest
    config = adapter.parent / "llama" / "config.json"
    config.write_text(config.read_text() + "\n")
    assert len({first, second, made(adapter).source.digest}) == 3


def test_a_base_that_is_gone_has_a_place(adapter: Path) -> None:
    file = adapter / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"base_model_name_or_path": "/none/such"}))
    with pytest.raises(UserError, match=r"models.m.transformers: .*an adapter of /none/such. there is no folder"):
        made(adapter)
    (adapter / "adapter_model.safetensors").unlink()
    with pytest.raises(UserError, match="has no adapter_model"):
        made(adapter)


def test_dialogs_for_a_tokenizer_without_a_template_are_told_when_it_is_planned(adapter: Path) -> None:
    with pytest.raises(UserError, match=r"models.sft.train.sft.data: `microworld` holds dialogs, and the tokenizer of"):
        made(adapter, "sft", "microworld")
    assert made(adapter, "sft").training is not None
    (adapter.parent / "llama" / "chat_template.jinja").write_text("{{ messages[0].content }}")
    assert made(adapter, "sft", "microworld").training is not None
