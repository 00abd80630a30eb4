"""The reference adapter: the same model as in reference_impl, counted the same by both ways of counting."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch

from harness.errors import UserError
from harness.models.contract import PRECISIONS, ModelSource, Precision
from harness.models.open import is_prepared, open_model, prepare, rehearse
from harness.models.reference import as_language_model
from harness.models.registry import adapter_of, kinds
from reference_impl.model.config import GPTConfig
from reference_impl.model.counting import count_parameters
from reference_impl.model.gpt import GPT
from reference_impl.native.build import native_library
from reference_impl.text.tokenizer import ByteBPE
from reference_impl.training.checkpoint import save_checkpoint

CONFIG = GPTConfig(vocabulary=330, context=40, layers=2, heads=4, width=32)
TOKENS = torch.tensor([[5, 17, 301, 44, 8, 99, 23, 150], [7, 7, 12, 250, 3, 60, 61, 62]])


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer_file: Path) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("checkpoints") / "tiny"
    model = GPT(CONFIG)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    save_checkpoint(folder, model, ByteBPE.load(tiny_tokenizer_file))
    return folder


def source(folder: Path, precision: Precision = "fp32") -> ModelSource:
    return ModelSource("m", "reference", str(folder), "digest", precision=precision)


@pytest.mark.parametrize("tie_head", [True, False])
def test_counted_from_modules_and_from_the_config(tie_head: bool, tiny_tokenizer_file: Path) -> None:
    config = GPTConfig(vocabulary=330, context=40, layers=2, heads=4, width=32, tie_head=tie_head)
    identity = as_language_model(GPT(config), ByteBPE.load(tiny_tokenizer_file), source(Path("x"))).identity
    expected = count_parameters(config)
    assert identity.parameters == expected.total
    assert identity.parameters_non_embedding == expected.non_embedding
    assert identity.parameters_matmul == expected.matmul
    assert identity.parameters_head == expected.head
    assert identity.weight_bytes == 4 * expected.total
    looked_up = 40 * 32 + (0 if tie_head else 330 * 32)
    assert identity.weight_bytes_read == 4 * (expected.total - looked_up)
    assert identity.kv_bytes_per_token == 2 * 2 * 32 * 4


@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_precision(checkpoint: Path, precision: Precision) -> None:
    full, model = open_model(source(checkpoint)), open_model(source(checkpoint, precision))
    logits, expected = model.forward(TOKENS).float(), full.forward(TOKENS)
    error = (logits - expected).std() / expected.std()
    assert error <= {"fp32": 0, "bf16": 0.03, "fp16": 0.01}.get(precision, 0.06 if "int8" in precision else 0.4)
    cache = model.new_cache(2, 8)
    model.forward(TOKENS[:, :6], cache=cache)
    last = model.forward(TOKENS[:, 6:], cache=cache, logits_at=torch.tensor([1]))[:, 0].float()
    tolerance = 1e-5 if precision == "fp32" else 0.05
    torch.testing.assert_close(last, logits[:, -1], atol=tolerance, rtol=tolerance)
    assert cache.bytes == model.identity.kv_bytes_per_token * 8 * 2


def test_damage_is_a_user_error(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        open_model(source(tmp_path / "nothing"))
    import shutil

    folder = Path(shutil.copytree(checkpoint, tmp_path / "copy"))
    (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match=r"model\.safetensors.*should have"):
        open_model(source(folder))


@pytest.mark.parametrize("kind", [kind for kind in kinds() if not adapter_of(kind).in_process])
def test_a_throwaway_model_opens(kind: str) -> None:
    prepare(kind)  # type: ignore[arg-type]
    assert is_prepared(kind)  # type: ignore[arg-type]
    state = torch.get_rng_state()
    model = rehearse(kind)  # type: ignore[arg-type]
    if model is None:
        assert "logits" not in adapter_of(kind).capabilities, "its memory is measured, so the first opening counts"
        return
    assert model.identity.vocabulary == model.tokenizer.size == 257
    assert torch.equal(torch.get_rng_state(), state), "it draws nothing from the caller's generator"


@pytest.mark.skipif(native_library().library is None, reason=native_library().reason)
def test_the_compiled_kernel_reads_whatever_is_asked(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted: torch would give the same logits, several times as slowly."""
    model, library = open_model(source(checkpoint)), native_library().library
    calls: Counter[str] = Counter()
    for name in ("attend_rows", "decode_step"):
        honest = getattr(library, name)
        monkeypatch.setattr(
            library, name, lambda *given, name=name, honest=honest: (calls.update([name]), honest(*given))
        )
    model.forward(TOKENS)
    assert calls == {"attend_rows": CONFIG.layers}
    cache = model.new_cache(2, 9)
    model.forward(TOKENS, cache=cache)  # 16 tokens: one step
    model.forward(TOKENS[:, :1], cache=cache)
    assert calls == {"attend_rows": CONFIG.layers, "decode_step": 2}
    model.features(TOKENS)
    assert calls == {"attend_rows": 2 * CONFIG.layers, "decode_step": 2}
    model.forward(TOKENS[:1], attention_mask=torch.ones(1, 8, 8).tril().bool())
    assert calls == {"attend_rows": 3 * CONFIG.layers, "decode_step": 2}
