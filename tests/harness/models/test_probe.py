"""How a cache behaves: sound models pass, and each defect that a model's code can have is seen."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import LlamaForCausalLM, MistralForCausalLM
from transformers.cache_utils import DynamicSlidingWindowLayer

from harness.errors import UserError
from harness.models import known_behavior
from harness.models.cache_behavior import CacheBehavior
from harness.models.known_behavior import behavior_of
from harness.models.transformers import TransformersPasses
from harness.notice import remarks_to
from tests.harness.models.architectures import ARCHITECTURES, LLAMA

ROTARY = {"rope_theta": 10000.0}


def wrapped(module: Any) -> TransformersPasses:
    """The module as a model that is about to be compared."""
    return TransformersPasses(module, "model", module.config.vocab_size, module.config.max_position_embeddings, "cpu")


def compared(module: Any, digest: str = "none", parameters: int = 36_000) -> CacheBehavior:
    return behavior_of(wrapped(module), "model", digest, parameters)


def built(kind: type[Any], scale: float = 0.3, **settings: Any) -> Any:
    torch.manual_seed(0)
    return kind(kind.config_class(**(LLAMA | {"initializer_range": scale} | settings))).eval()


def found(module: Any) -> CacheBehavior:
    return compared(module)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("scale", [0.02, 0.3, 1.0])
def test_a_sound_model_may_do_everything(scale: float, dtype: torch.dtype) -> None:
    behavior = found(built(LlamaForCausalLM, scale).to(dtype))
    assert behavior.kind == "whole" and behavior.limit is None and behavior.notes == ()
    assert behavior.rows and behavior.divisible and behavior.tree
    assert behavior.compared == LLAMA["max_position_embeddings"], "to the end of the context"


@pytest.mark.parametrize("scale", [0.02, 0.3, 1.0])
def test_a_sliding_window_may_do_all_but_share_rows(scale: float) -> None:
    behavior = found(built(MistralForCausalLM, scale, sliding_window=8))
    assert behavior.kind == "window" and behavior.rows and behavior.divisible and not behavior.tree


class Deaf(LlamaForCausalLM):
    """Takes a cache and doesn't look at it, nor fill it."""

    @wraps(LlamaForCausalLM.forward)
    def forward(self, *args: Any, past_key_values: Any = None, **given: Any) -> Any:
        return super().forward(*args, **given)


class Forgetful(LlamaForCausalLM):
    """Fills its cache and numbers each step's tokens from 0."""

    @wraps(LlamaForCausalLM.forward)
    def forward(self, input_ids: Tensor, position_ids: Any = None, **given: Any) -> Any:
        return super().forward(input_ids, position_ids=torch.arange(input_ids.shape[1])[None], **given)


class Leaking(LlamaForCausalLM):
    """Logits have a share of the other rows'."""

    @wraps(LlamaForCausalLM.forward)
    def forward(self, *args: Any, **given: Any) -> Any:
        output = super().forward(*args, **given)
        output.logits = output.logits + 1e-3 * output.logits.mean(0, keepdim=True)
        return output


class SeesPadding(LlamaForCausalLM):
    """Looks at padding as at tokens."""

    @wraps(LlamaForCausalLM.forward)
    def forward(self, *args: Any, attention_mask: Any = None, **given: Any) -> Any:
        seen = attention_mask if attention_mask is not None and attention_mask.dim() == 4 else None
        return super().forward(*args, attention_mask=seen, **given)


class SeesSiblings(LlamaForCausalLM):
    """Obeys no mask of one's own."""

    @wraps(LlamaForCausalLM.forward)
    def forward(self, *args: Any, attention_mask: Any = None, **given: Any) -> Any:
        seen = attention_mask if attention_mask is not None and attention_mask.dim() == 2 else None
        return super().forward(*args, attention_mask=seen, **given)


class WrongFrom(LlamaForCausalLM):
    """Its cache loses the first token beyond a length that no setting names."""

    @wraps(LlamaForCausalLM.forward)
    def forward(self, *args: Any, past_key_values: Any = None, **given: Any) -> Any:
        if past_key_values is not None and past_key_values.get_seq_length() > 40:
            for layer in past_key_values.layers:
                layer.values[:, :, 0] = 0
        return super().forward(*args, past_key_values=past_key_values, **given)


@pytest.mark.parametrize("scale", [0.02, 1.0])
@pytest.mark.parametrize(
    ("defect", "kind", "right"),
    [
        (Deaf, "none", {"rows"}),
        (Forgetful, "none", {"rows"}),
        (WrongFrom, "none", {"rows"}),
        (Leaking, "whole", {"tree"}),
        (SeesPadding, "whole", {"rows", "tree"}),
        (SeesSiblings, "whole", {"rows", "divisible"}),
    ],
)
def test_a_defect_is_seen(defect: type[Any], kind: str, right: set[str], scale: float) -> None:
    """The weights are the same as those of the sound model."""
    behavior = found(built(defect, scale))
    assert behavior.kind == kind
    assert {name for name in ("rows", "divisible", "tree") if getattr(behavior, name)} == right
    if kind == "none":
        [note] = behavior.notes
        assert "reading the whole text" in note


def test_an_empty_cache_is_said() -> None:
    assert found(built(Deaf)).reason == "it stays empty"


@pytest.fixture
def short_window(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A cache that drops one token too many."""
    update = DynamicSlidingWindowLayer.update

    def dropping(self: Any, *args: Any, **given: Any) -> Any:
        seen = update(self, *args, **given)
        self.keys, self.values = self.keys.clone(), self.values.clone()
        if self.cumulative_length > self.sliding_window:
            self.values[:, :, 0] = 0
        return seen

    monkeypatch.setattr(DynamicSlidingWindowLayer, "update", dropping)
    yield


@pytest.mark.parametrize("window", [8, 33])
def test_a_window_that_is_wrong_once_it_is_full_is_seen(window: int, short_window: None) -> None:
    assert found(built(MistralForCausalLM, sliding_window=window)).kind == "none"


@pytest.mark.parametrize(
    "rope",
    [
        {"rope_type": "longrope", "short_factor": [1.0] * 4, "long_factor": [2.0, 3.0, 4.0, 5.0], "factor": 4.0},
        {"rope_type": "dynamic", "factor": 4.0},
    ],
)
def test_the_length_from_which_positions_are_scaled_is_a_limit(rope: dict[str, Any]) -> None:
    length = 24
    context = length if rope["rope_type"] == "dynamic" else 96
    rope = rope | ROTARY | ({} if rope["rope_type"] == "dynamic" else {"original_max_position_embeddings": length})
    behavior = found(built(LlamaForCausalLM, max_position_embeddings=context, rope_parameters=rope))
    assert (behavior.kind, behavior.limit) == ("whole", length)
    assert behavior.divisible and behavior.tree, "below it"
    assert behavior.serves(length) and not behavior.serves(length + 1)
    assert behavior.notes_on(length) == () and str(length) in behavior.notes_on(length + 1)[0]


def test_logits_that_are_not_numbers_decide_nothing() -> None:
    module = built(LlamaForCausalLM)
    with torch.no_grad():
        module.lm_head.weight[3] = float("nan")
    assert found(module).reason == "its logits are not numbers"


def test_a_model_that_can_not_read_is_refused_in_one_sentence() -> None:
    module = built(LlamaForCausalLM)
    module.model.layers[1].self_attn.q_proj.weight = torch.nn.Parameter(torch.zeros(16, 32))
    with pytest.raises(UserError, match=r"^model: the model can't read a text .*of one model\?$") as caught:
        found(module)
    assert "\n" not in str(caught.value)


def test_equal_logits_are_no_difference() -> None:
    module = built(LlamaForCausalLM)
    with torch.no_grad():
        module.model.norm.weight.zero_()
    assert found(module).kind == "whole"


def test_what_a_comparison_costs_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    """To a log, once one is kept, and not to whoever opens a model."""
    module, log = built(LlamaForCausalLM), io.StringIO()
    found(module)
    with remarks_to(log):
        found(module)
    assert capfd.readouterr() == ("", "")
    (line,) = log.getvalue().splitlines()
    assert "compared its KV cache with whole passes of up to 96 tokens" in line


def test_an_answer_is_kept_by_the_digest_of_the_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    module = built(LlamaForCausalLM)
    first = compared(module, "a" * 64)

    def refuse(*args: Any) -> CacheBehavior:
        raise UserError("compared again")

    with monkeypatch.context() as patch:
        patch.setattr(known_behavior, "probe", refuse)
        assert compared(module, "a" * 64) == first
        for other in ("b" * 64, "not a digest"):
            with pytest.raises(UserError, match="compared again"):
                compared(module, other)
    [kept] = (tmp_path / "cache-behavior").iterdir()
    kept.write_text("{")
    assert compared(module, "a" * 64) == first, "what is damaged is compared again"


def test_a_large_model_is_compared_on_short_texts_only() -> None:
    behavior = compared(built(MistralForCausalLM, sliding_window=70), parameters=10**12)
    assert behavior.kind == "window" and behavior.compared == 40


def test_architectures_have_names_of_their_own() -> None:
    assert len({one.name for one in ARCHITECTURES}) == len(ARCHITECTURES)


@pytest.mark.parametrize(("taken", "left"), [(0.9, 1), (0.0, 2), (None, 2)])
def test_a_model_is_compared_with_the_threads_that_others_leave(
    taken: float | None, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With as many threads as cores on a busy machine most of the time goes into threads that wait for each other."""
    with_threads: list[int] = []

    def refused(*given: Any) -> None:
        with_threads.append(torch.get_num_threads())
        raise UserError("it looks at later tokens")

    monkeypatch.setattr(known_behavior, "taken_now", lambda seconds: taken)
    monkeypatch.setattr("harness.threads.os.cpu_count", lambda: 2)
    monkeypatch.setattr(known_behavior, "probe", refused)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(UserError, match="later tokens"):
            found(built(LlamaForCausalLM))
        assert (with_threads, torch.get_num_threads()) == ([left], 2), "and then as it was, whatever came of it"
    finally:
        torch.set_num_threads(before)
