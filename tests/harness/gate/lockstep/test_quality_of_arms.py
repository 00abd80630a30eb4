"""Quality of model arms, by the comparison's own path: each fault must fail and each sound change must not. The arms'
workers are real and run in this process, so that a test can break the model of one."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from harness.corpora.probe_text import DOCUMENTS
from harness.errors import UserError
from harness.gate.arms import arm_worker, model_work
from harness.gate.arms.arm import Arm
from harness.gate.arms.arm_process import ArmFailed
from harness.gate.arms.model_part import ModelWork
from harness.gate.lockstep.begun import begin
from harness.gate.lockstep.compared import Comparison
from harness.gate.lockstep.lockstep import Limits
from harness.gate.lockstep.quality_of_arms import as_json, compare_probes, read_alike
from harness.gate.lockstep.question import Question
from harness.gate.verdict import Verdict
from harness.models.cache_behavior import CacheBehavior
from harness.models.contract import LanguageModel
from harness.statistics.speed_decision import Decision, Rule
from reference_impl.model.config import GPTConfig
from reference_impl.text.tokenizer import ByteBPE
from reference_impl.training.checkpoint import load_checkpoint, save_checkpoint
from tests.tiny_models import byte_tokenizer, llama, save_folder, trained_gpt

CONFIG = GPTConfig(vocabulary=400, context=160, layers=2, heads=2, width=64)
TEMPLATE = "{% for message in messages %}<|{{ message.role }}|>\n{{ message.content }}\n{% endfor %}<|assistant|>\n"
Change = Callable[[LanguageModel], Any]
"""What is done to b's model when it is opened."""


class Bad:
    """The sound model with one part replaced."""

    def __init__(self, model: LanguageModel, **replaced: Any) -> None:
        self._model = model
        self._replaced = replaced

    def __getattr__(self, name: str) -> Any:
        return self._replaced[name] if name in self._replaced else getattr(self._model, name)


class InThisProcess:
    """A worker's requests, answered here."""

    changes: ClassVar[list[Change]] = []
    """Of b's model."""

    def __init__(self, side: str, arm: Arm, environment: dict[str, str], log: Path) -> None:
        self.side, self.worker = side, arm_worker.Worker()

    def ask(self, do: str, timeout: float, **request: Any) -> Any:
        known: dict[str, Any] = {
            "code": {"harness": {"file": "h", "files": 1, "sha256": "same"}},
            "states": {},
            "pin": 0,
        }
        if do in known:
            return known[do]
        opened, changes = model_work._model, self.changes if self.side == "b" else []

        def model(source: Any) -> Any:
            found = opened(source)
            for change in changes:
                found = change(found)
            return found

        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(model_work, "_model", model)
                answer = getattr(self.worker, do)(json.loads(json.dumps(request)))
        except SystemExit as ended:
            raise ArmFailed(str(ended), place=f"arm {self.side}") from None
        return json.loads(json.dumps(answer, allow_nan=False))

    def hang_up(self) -> None: ...

    def close(self) -> None: ...


OPENED: dict[str, Any] = {}
"""Models that are open, by their sources: an arm opens its own several times."""


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    opens = model_work._model

    def opened(source: Any) -> Any:
        key = json.dumps(source, sort_keys=True)
        if key not in OPENED:
            OPENED[key] = opens(source)
        return OPENED[key]

    monkeypatch.setattr(model_work, "_model", opened)
    monkeypatch.setattr("harness.gate.lockstep.begun.ArmProcess", InThisProcess)
    monkeypatch.setattr("harness.gate.lockstep.launch.LAUNCH_NS", 1_000_000)
    monkeypatch.setattr("harness.gate.lockstep.launch.WARM_SECONDS", 0.0)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr("gc.freeze", lambda: None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has learned the beginnings of the texts that it is probed with."""
    tokenizer = ByteBPE.train(DOCUMENTS, CONFIG.vocabulary)
    path = tmp_path_factory.mktemp("sound") / "m"
    save_checkpoint(path, trained_gpt(CONFIG, tokenizer, DOCUMENTS, 60, steps=50), tokenizer)
    return path


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str | None], Path]:
    """A folder of transformers by a chat template."""
    made = tmp_path_factory.mktemp("chat")
    byte_tokenizer(("<|endoftext|>",)).save(str(made / "made.json"))

    def chat(name: str, template: str | None) -> Path:
        return save_folder(made / name, llama(max_position_embeddings=256), made / "made.json", template)

    return chat


def compared(a: str, b: str, change: Change | None = None, **more: Any) -> Comparison:
    """After the first look. change: of b's model."""
    question = Question(
        a=a, b=b, limits=Limits(launches=1), threads=1, work=ModelWork("decode", prompt=4, generate=2), seed=1, **more
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(InThisProcess, "changes", [] if change is None else [change])
        begun = begin(question)
        begun.first_look()
    return begun.judged()


def changed(folder: Path, change: Change, precision: str = "fp32") -> Comparison:
    """The model against itself, with a change that the arm's code makes."""
    return compared(f"reference={folder},precision={precision}", "env=KERNEL=new", change)


def failed(found: Comparison) -> str:
    """The sentence of a comparison whose quality is a FAIL, and therefore the whole."""
    assert found.quality is not None and found.quality.decision is Decision.FAIL, found.quality
    assert found.outcome.verdict is Verdict.FAIL and found.outcome.reasons[0].startswith("quality: ")
    assert json.dumps(found.as_json()["quality"]["sentence"])
    return found.quality.sentence


# --- what is sound ---------------------------------------------------------------------------------------------------


def test_a_model_against_itself(folder: Path) -> None:
    found = compared(f"reference={folder}", "", same_arms=True)
    assert found.quality is not None and found.quality.decision is Decision.PASS
    assert "all outputs are the same, bit for bit (16 documents)" in found.quality.sentence
    assert found.outcome.verdict is Verdict.INCONCLUSIVE, "one launch says nothing of speed"


def test_a_refactoring_that_changes_nothing(folder: Path) -> None:
    found = changed(folder, lambda model: Bad(model))
    assert found.quality is not None and found.quality.decision is Decision.PASS
    assert "bit for bit" in found.quality.sentence
    assert found.as_json()["quality"]["change"]["value"] == 0.0


@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_two_precisions(folder: Path, precision: str) -> None:
    found = compared(f"reference={folder}", f"precision={precision}").quality
    assert found is not None and found.decision in (Decision.PASS, Decision.MINOR), found
    assert found.change.low is not None and abs(found.change.value) < 0.01
    assert "KL(base || head) is at least" in found.sentence and "the likeliest token is the same at" in found.sentence
    told = as_json(found)
    assert 0 < told["kl_mean"] < 0.01 and 0.8 < told["top1"] <= 1 and told["documents"] == 16


def test_another_model_with_another_tokenizer(folder: Path, tmp_path: Path) -> None:
    """No divergence then; bits per byte are paired all the same."""
    tokenizer = ByteBPE.train(DOCUMENTS, 300)
    config = GPTConfig(vocabulary=300, context=160, layers=1, heads=2, width=16)
    save_checkpoint(tmp_path / "other", trained_gpt(config, tokenizer, DOCUMENTS, 60, steps=5), tokenizer)
    found = compared(f"reference={folder}", f"reference={tmp_path / 'other'}")
    sentence = failed(found)
    assert "no divergence" in sentence and found.quality is not None and found.quality.worse_by > 0.1
    assert "kl_mean" not in as_json(found.quality)
    back = compared(f"reference={tmp_path / 'other'}", f"reference={folder}").quality
    assert back is not None and back.decision is Decision.PASS


def test_without_a_cache_a_model_is_probed_all_the_same(folder: Path) -> None:
    def uncached(model: LanguageModel) -> Any:
        return Bad(
            model, identity=model.identity.model_copy(update={"cache": CacheBehavior(kind="none", reason="of a test")})
        )

    found = changed(folder, uncached).quality
    assert found is not None and found.decision is Decision.PASS


def test_no_chat_template_on_either_side(chat: Callable[[str, str | None], Path]) -> None:
    base = chat("base", None)
    found = compared(f"transformers={base}", "env=KERNEL=new").quality
    assert found is not None and found.decision is Decision.PASS


# --- what is not -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_kernel_that_is_wrong_at_every_precision(folder: Path, precision: str) -> None:
    """Each precision of b agrees with b's fp32, so that only the other arm tells."""

    def wrong(model: LanguageModel) -> Any:
        def forward(*given: Any, **named: Any) -> Tensor:
            logits: Tensor = model.forward(*given, **named).clone()
            logits[..., 40:60] += 3.0
            return logits

        return Bad(model, forward=forward, head_is_apart=False)

    sentence = failed(changed(folder, wrong, precision))
    assert "worse by the margin of 1 % or more" in sentence and "KL(base || head)" in sentence


def test_weights_off_by_one_group(folder: Path, tmp_path: Path) -> None:
    sound = load_checkpoint(folder)
    with torch.no_grad():
        for name, value in sound.model.state_dict().items():
            if "ffn" in name and value.dim() == 2:
                value.copy_(value.roll(1, 0))
    save_checkpoint(tmp_path / "off", sound.model, sound.tokenizer)
    assert "worse by the margin" in failed(compared(f"reference={folder}", f"reference={tmp_path / 'off'}"))


def test_a_lost_stop_token(folder: Path) -> None:
    def other_end(model: LanguageModel) -> Any:
        return Bad(model, identity=model.identity.model_copy(update={"end_ids": (7,)}))

    assert "an answer no longer ends at token 0 (it ends at 7)" in failed(changed(folder, other_end))


def test_a_cache_that_forgets(folder: Path) -> None:
    """Reading is sound to the bit; a step of decoding sees its own token at the wrong place."""

    def forgets(model: LanguageModel) -> Any:
        def forward(tokens: Tensor, cache: Any = None, *given: Any, **named: Any) -> Tensor:
            logits: Tensor = model.forward(tokens, cache, *given, **named)
            return logits.roll(5, -1) if cache is not None and tokens.shape[1] == 1 else logits

        return Bad(model, forward=forward)

    assert "the KV cache or the decode step is wrong" in failed(changed(folder, forgets))


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (TEMPLATE.replace("|>\n{{", "|>{{"), "with other white space"),
        (TEMPLATE.replace("|assistant|", "|bot|"), "shows the same conversation otherwise"),
        (None, "its chat template is gone"),
    ],
)
def test_a_chat_template(chat: Callable[[str, str | None], Path], template: str | None, said: str) -> None:
    base, head = chat("sound", TEMPLATE), chat(said.split()[-1], template)
    assert said in failed(compared(f"transformers={base}", f"transformers={head}"))


def test_a_stop_token_of_a_folder(chat: Callable[[str, str | None], Path]) -> None:
    folders = [chat(f"ends at {end}", TEMPLATE) for end in (7, 9)]
    for folder, end in zip(folders, (7, 9), strict=True):
        (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [end]}))
    sentence = failed(compared(*(f"transformers={folder}" for folder in folders)))
    assert "an answer no longer ends at token 7" in sentence


def broken(then: Callable[[Tensor], Tensor]) -> Change:
    """A kernel that is wrong on longer texts than those that are timed."""

    def change(model: LanguageModel) -> Any:
        def forward(tokens: Tensor, *given: Any, **named: Any) -> Tensor:
            logits: Tensor = model.forward(tokens, *given, **named)
            return logits if tokens.shape[1] < 8 else then(logits)

        return Bad(model, forward=forward, head_is_apart=False)

    return change


def test_logits_that_are_no_numbers_fail(folder: Path) -> None:
    sentence = failed(changed(folder, broken(lambda logits: logits * float("nan"))))
    assert "b fails at it: the model's logits are not numbers (NaN) in document 0" in sentence


def test_a_kernel_that_ends_with_an_error_fails(folder: Path) -> None:
    def ends(logits: Tensor) -> Tensor:
        raise RuntimeError("illegal shape")

    sentence = failed(changed(folder, broken(ends)))
    assert "a reads the text by which arms are compared, and b fails at it: illegal shape (RuntimeError)" in sentence


def test_what_a_can_not_read_is_no_fault_of_b(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        opened = model_work._model
        patch.setattr(model_work, "_model", lambda source: broken(lambda x: x * float("nan"))(opened(source)))
        found = compared(f"reference={folder}", "env=KERNEL=new").quality
    assert found is not None and found.decision is Decision.INCONCLUSIVE and "a can't read the text" in found.sentence


def test_a_loss_that_has_no_bound_comes_through(folder: Path) -> None:
    """What a token of no probability costs is infinite, which plain JSON has no word for."""

    def never(logits: Tensor) -> Tensor:
        logits = logits.clone()
        logits[..., 1:200] = float("-inf")
        return logits

    assert "gave no finite number in the head" in failed(changed(folder, broken(never)))


# --- rows ------------------------------------------------------------------------------------------------------------


def rows(ends: dict[str, str]) -> list[dict[str, Any]]:
    """Documents by the digests of what was read of them."""
    found: list[dict[str, Any]] = [
        {"document": name, "text_digest": digest, "ids_digest": digest, "nll": 20.0, "tokens": 2, "bytes": 9}
        | {"token_nll": [10.0, 10.0], "top_ids": [1, 1], "top_log_probs": [-0.1, -0.1], "rest_log_prob": [-3.0, -3.0]}
        for name, digest in ends.items()
    ]
    found[0]["end_ids"] = [0]
    return found


def test_documents_that_are_read_to_another_place_are_left_out() -> None:
    base = rows({"0": "x", "1": "y 40", "2": "z 40"})
    head = rows({"0": "x 30", "1": "y 40", "2": "z 50"})
    ours, theirs = read_alike(base, head)
    assert [row["document"] for row in ours] == [row["document"] for row in theirs] == ["1"]
    assert ours[0]["end_ids"] == [0], "which tokens end an answer is told by whatever row is the first"
    none = compare_probes(rows({"0": "x 30"}), rows({"0": "x 40"}), 0.01, Rule())
    assert none.decision is Decision.INCONCLUSIVE and "their contexts are shorter" in none.sentence


def test_a_text_that_is_another_one_is_not_left_out() -> None:
    found = compare_probes(rows({"0": "x", "1": "y"}), rows({"0": "x", "1": "other"}), 0.01, Rule())
    assert found.decision is Decision.INCONCLUSIVE and "that is another test" in found.sentence


def test_a_document_that_b_does_not_read_fails() -> None:
    base = rows({str(n): f"t{n}" for n in range(12)})
    found = compare_probes(base, base[:9], 0.01, Rule())
    assert found.decision is Decision.FAIL and "3 of 12 documents" in found.sentence


def test_rows_of_another_version_are_a_sentence() -> None:
    base = rows({"0": "x", "1": "y"})
    other = [{name: value for name, value in row.items() if name != "bytes"} for row in copy.deepcopy(base)]
    with pytest.raises(UserError, match="arm b: the harness of one arm keeps something else of a probe"):
        compare_probes(base, other, 0.01, Rule())
