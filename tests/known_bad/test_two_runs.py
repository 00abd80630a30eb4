"""Faults that one run can't show because nothing in it is sound, and that two runs must. Each pair of probes must fail,
and the sound change beside it must not."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from harness.comparison.paired_quality import PairedQuality, judge_probes
from harness.corpora.probe_text import DOCUMENTS
from harness.measures.probe import CHAT, ProbeSettings, collect
from harness.models.contract import LanguageModel, ModelSource, Precision
from harness.models.open import open_model
from harness.models.reference import as_language_model
from harness.statistics.speed_decision import Decision
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.quantization.int4 import Int4Weight
from reference_impl.text.tokenizer import ByteBPE
from tests.harness.loaded_model import Loaded
from tests.tiny_models import byte_tokenizer, llama, save_folder, trained_gpt

CONFIG = GPTConfig(vocabulary=400, context=160, layers=2, heads=2, width=64)


class Bad:
    """The sound model with one part replaced."""

    def __init__(self, model: LanguageModel, **replaced: Any) -> None:
        self._model = model
        self._replaced = replaced

    def __getattr__(self, name: str) -> Any:
        return self._replaced[name] if name in self._replaced else getattr(self._model, name)


@pytest.fixture(scope="module")
def tokenizer() -> ByteBPE:
    return ByteBPE.train(DOCUMENTS, CONFIG.vocabulary)


@pytest.fixture(scope="module")
def trained(tokenizer: ByteBPE) -> GPT:
    return trained_gpt(CONFIG, tokenizer, DOCUMENTS, 60, steps=50)


@pytest.fixture
def opened(trained: GPT, tokenizer: ByteBPE) -> Callable[..., LanguageModel]:
    def opened(precision: Precision = "fp32", spoil: Callable[[nn.Module], None] = lambda model: None) -> LanguageModel:
        gpt = copy.deepcopy(trained)
        model = as_language_model(gpt, tokenizer, ModelSource("m", "reference", "-", "d", precision))
        spoil(gpt)
        for weight in int4_weights(gpt):
            weight._packed = None  # what torch's own kernel read when the model was tried at opening
        return model

    return opened


def int4_weights(model: nn.Module) -> list[Int4Weight]:
    return [module for module in model.modules() if isinstance(module, Int4Weight)]


def probed(model: Any, **settings: Any) -> pd.DataFrame:
    return pd.DataFrame(collect(Loaded(model, Path()), ProbeSettings(**settings)))


def judged(base: Any, head: Any, **options: Any) -> PairedQuality:
    return judge_probes(probed(base), probed(head), 0.01, **options)


def test_a_refactoring_passes_and_so_does_another_order_of_sums(opened: Callable[..., LanguageModel]) -> None:
    assert judged(opened(), opened(), bitwise=True).decision is Decision.PASS

    def rounded(model: nn.Module) -> None:
        for parameter in model.parameters():
            parameter.data.mul_(1 + 1e-6 * torch.randn_like(parameter))

    torch.manual_seed(0)
    found = judged(opened(), opened(spoil=rounded))
    assert found.decision in (Decision.PASS, Decision.MINOR) and 0 < found.details["kl_mean"] < 1e-6


def test_int4_scales_shifted_by_a_group(opened: Callable[..., LanguageModel]) -> None:
    def shift(model: nn.Module) -> None:
        for weight in int4_weights(model):
            weight.scale.copy_(weight.scale.roll(1, dims=1))
            weight.zero.copy_(weight.zero.roll(1, dims=1))

    sound, found = judged(opened(), opened("int4")), judged(opened("int4"), opened("int4", shift))
    assert found.decision is Decision.FAIL and found.worse_by > 0.01
    assert found.details["kl_mean"] > 4 * sound.details["kl_mean"]


def test_a_logit_that_is_shifted_at_every_precision(opened: Callable[..., LanguageModel]) -> None:
    """Each precision agrees with itself in fp32, so that only another run tells."""
    for precision in ("fp32", "int8"):
        sound = opened(precision)

        def forward(*given: Any, sound: LanguageModel = sound, **named: Any) -> Tensor:
            logits: Tensor = sound.forward(*given, **named)
            logits[..., 40:60] += 3.0
            return logits

        found = judged(sound, Bad(sound, forward=forward, head_is_apart=False))
        assert found.decision is Decision.FAIL and found.details["kl_mean"] > 0.01


def test_a_permuted_distribution_with_the_same_loss(opened: Callable[..., LanguageModel]) -> None:
    """The token that comes keeps its probability, all others change places: the loss is the same to the bit."""
    base = probed(opened())
    head = base.copy()
    for place, row in base[base["tokens"] > 0].iterrows():
        swapped = np.where(row["top_ids"] == row["top_ids"][0], 399, row["top_ids"])
        head.at[place, "top_ids"] = np.roll(swapped, 7).astype(np.int32)  # type: ignore[index]
    assert judge_probes(base, head, 0.01).decision is Decision.PASS
    found = judge_probes(base, head, 0.01, kl_margin=0.05)
    assert found.decision is Decision.FAIL and "mean divergence" in found.sentence


def test_a_lost_stop_token(opened: Callable[..., LanguageModel]) -> None:
    sound = opened()
    written = probed(sound)["continuation"].dropna().iloc[0]
    both = sound.identity.model_copy(update={"end_ids": (0, int(written[2]))})
    base = Bad(sound, identity=both)
    found = judged(base, sound)
    assert found.decision is Decision.FAIL and found.p == 0
    assert f"an answer no longer ends at token {int(written[2])} (it ends at 0)" in found.sentence
    assert "has the same tokens and ends elsewhere" in found.sentence
    early = judged(sound, base)
    assert early.decision is Decision.FAIL and "ends at token" in early.sentence


def test_a_cache_that_forgets(opened: Callable[..., LanguageModel]) -> None:
    """Reading is sound and the loss is the same to the bit; each step of decoding sees its own token alone."""
    from harness.models import decoding

    sound = opened()
    base, head = probed(sound), probed(sound)
    original = decoding.complete_as_they_end

    def forgets(model: Any, asked: Any, *rest: Any) -> Any:
        for number, whole in original(model, asked, *rest):
            yield number, type(whole)(**{**vars(whole), "tokens": tuple(t + 1 for t in whole.tokens)})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "complete_as_they_end", forgets)
        head = probed(sound)
    found = judge_probes(base, head, 0.01)
    assert found.decision is Decision.FAIL
    assert "decoding differs" in found.sentence and "the KV cache or the decode step is wrong" in found.sentence


TEMPLATE = "{% for message in messages %}<|{{ message.role }}|>\n{{ message.content }}\n{% endfor %}<|assistant|>\n"


def test_a_template_that_lost_a_space(tmp_path: Path) -> None:
    byte_tokenizer(("<|endoftext|>",)).save(str(tmp_path / "made.json"))
    folder = save_folder(tmp_path / "m", llama(max_position_embeddings=256), tmp_path / "made.json", TEMPLATE)
    sound = open_model(ModelSource("m", "transformers", str(folder), "d"))
    base = probed(sound, documents=4)
    assert CHAT in set(base["document"])

    def by(template: str | None) -> PairedQuality:
        tokenizer: Any = copy.deepcopy(sound.tokenizer)
        tokenizer._tokenizer.chat_template = template
        return judge_probes(base, probed(Bad(sound, tokenizer=tokenizer), documents=4), 0.01)

    assert by(TEMPLATE).decision is Decision.PASS
    lost, gone, other = by(TEMPLATE.replace("|>\n{{", "|>{{")), by(None), by(TEMPLATE.replace("|assistant|", "|bot|"))
    assert lost.decision is Decision.FAIL and "with other white space" in lost.sentence
    assert gone.decision is Decision.FAIL and "its chat template is gone" in gone.sentence
    assert other.decision is Decision.FAIL and "shows the same conversation otherwise" in other.sentence


def test_a_tokenizer_that_lost_a_space(opened: Callable[..., LanguageModel], tokenizer: ByteBPE) -> None:
    """No divergence then; bits per byte are paired all the same."""
    sound = opened()

    class LosesSpaces:
        def __getattr__(self, name: str) -> Any:
            return getattr(tokenizer, name)

        def encode(self, text: str) -> list[int]:
            return tokenizer.encode(text.replace(" ", ""))

    found = judged(sound, Bad(sound, tokenizer=LosesSpaces()))
    assert found.decision is Decision.FAIL or found.incomparable is not None
    assert "15 documents were read as other tokens" in found.sentence
