"""An arm that runs a model: how it is written, what it comes to, and what is timed of it."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.errors import UserError
from harness.gate.arms import model_work
from harness.gate.arms.arm import Arm, ArmChoice, parse_arm, parse_both
from harness.gate.arms.arm_process import ArmFailed, ArmProcess, environment_of
from harness.gate.arms.model_arm import lacks_harness, source_as_data, with_model
from harness.gate.arms.model_choice import ModelChoice
from harness.gate.arms.model_part import ModelWork, part_of
from harness.gate.lockstep.launch import asked
from harness.gate.lockstep.quality_of_arms import probe_of
from harness.models.contract import ModelSource
from harness.models.reference import save_throwaway

NANO = {"reference": "nano", "train": {"corpus": "microworld", "tokens": 1000}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A checkpoint of a few thousand parameters, context 64."""
    path = str(tmp_path_factory.mktemp("model") / "tiny")
    save_throwaway(path)
    return path


def source_of(folder: str, **more: Any) -> dict[str, Any]:
    return source_as_data(ModelSource("m", "reference", folder, "d", **more))


def made(text: str, work: ModelWork | None = None, suite: str = "") -> Arm:
    arm = Arm(parse_arm(text, "--a"), sys.executable)
    return with_model(arm, work or ModelWork(), "a", suite, False, 1, lambda said: None)


# --- how it is written -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("reference=runs/x", ModelChoice(entry={"reference": "runs/x"})),
        ("precision=int8", ModelChoice(precision="int8")),
        ("model=micro,precision=bf16,device=cuda:1", ModelChoice("micro", precision="bf16", device="cuda:1")),
        ("reference=nano,train={corpus: microworld, tokens: 1000}", ModelChoice(entry=NANO)),
        (
            "transformers=asset:smollm2-135m-instruct",
            ModelChoice(entry={"transformers": "asset:smollm2-135m-instruct"}),
        ),
    ],
)
def test_a_model_as_it_is_written(text: str, choice: ModelChoice) -> None:
    assert parse_arm(text, "--a") == ArmChoice(model=choice)
    assert parse_arm(f"{text},revision=main", "--a") == ArmChoice(model=choice, revision="main")


def test_both_arms_model() -> None:
    assert parse_both("micro", "--model") == ModelChoice("micro")
    assert parse_both("micro,precision=int8", "--model") == ModelChoice("micro", precision="int8")
    assert parse_both("reference=x", "--model").entry == {"reference": "x"}
    with pytest.raises(UserError, match=r"--model: 'referense=x' is no model.*did you mean 'reference'"):
        parse_both("referense=x", "--model")
    with pytest.raises(UserError, match="`revision` is said of an arm"):
        parse_both("reference=x,revision=main", "--model")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("reference=x,call=m:f", "an arm runs a model .* or a call or command, not both"),
        ("reference=x,arguments=[1]", "are for a call, not for a model"),
        ("model=micro,reference=x", "names a model of a suite; leave out `reference`"),
        ("reference=nano,train={corpus: [", "`train` is written as in a suite"),
        ("reference=", "`reference` has no value: a model"),
        ("precison=int8", "did you mean 'precision'"),
    ],
)
def test_what_is_written_wrong(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        parse_arm(text, "--a")


def test_the_head_takes_the_base_s_opening_and_never_the_base_the_head_s() -> None:
    from harness.gate.lockstep.question import Question, chosen

    sides = chosen(Question(a="reference=x,device=cuda", b="precision=int8"))
    assert sides["a"].model == ModelChoice(entry={"reference": "x"}, device="cuda")
    assert sides["b"].model == ModelChoice(entry={"reference": "x"}, precision="int8", device="cuda")
    sides = chosen(Question(a="here", b="reference=x,precision=int8"))
    assert sides["a"].model == ModelChoice(entry={"reference": "x"})
    shared = ArmChoice(model=parse_both("reference=x,precision=bf16", "--model"))
    sides = chosen(Question(a="here", b="revision=main", shared=shared))
    assert sides["a"].model == sides["b"].model == shared.model and sides["b"].revision == "main"


# --- what it comes to ------------------------------------------------------------------------------------------------


def test_two_precisions_are_two_settings_of_one_model(folder: str) -> None:
    a, b = made(f"reference={folder}"), made(f"reference={folder},precision=int8")
    assert (
        a.choice.call == "harness.gate.arms.model_work:decode"
        and a.choice.setup == "harness.gate.arms.model_work:opened"
    )
    assert json.loads(json.dumps(b.choice.arguments))["source"]["precision"] == "int8"
    assert "precision" not in a.choice.arguments["source"], "what says nothing is left to the arm's own harness"
    assert [name for name in a.settings if a.settings[name] != b.settings[name]] == ["precision"]
    assert "decode of 32 tokens after 128" in str(a) and " at int8" in str(b)
    assert a.settings == made(f"reference={folder},precision=fp32").settings, "the default is no other setting"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("reference=nothing", "arm a: no model folder 'nothing'"),
        ("reference=x,precision=int3", "there is no precision 'int3'; did you mean"),
        ("model=micro", "arm a: the model 'micro' is looked for in a suite: name it with --suite"),
        ("reference=nano,train={tokns: 5}", "unknown key 'tokns'; did you mean 'tokens'"),
        ("transformers=x,train={tokens: 5}", "only a preset is trained from nothing"),
    ],
)
def test_a_model_that_is_none(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        made(text)


def test_a_suite_s_model(folder: str, tmp_path: Path) -> None:
    suite = tmp_path / "s.yaml"
    suite.write_text(f"name: s\nmodels:\n  tiny: {{reference: {folder}}}\nmeasures:\n  - memory: {{context: 8}}\n")
    assert made("model=tiny", suite=str(suite)).settings == made(f"reference={folder}").settings
    with pytest.raises(UserError, match="has no model 'tinny'; did you mean 'tiny'"):
        made("model=tinny", suite=str(suite))


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"prompt": 0}, "prompt: "), ({"generate": 1}, "generate: is a number from 2"), ({"steps": 0}, "steps: ")],
)
def test_work_that_is_none(settings: dict[str, int], said: str) -> None:
    with pytest.raises(UserError, match=said):
        ModelWork(**settings)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="time: is one of prefill, decode"):
        part_of("decoding")


def test_training_is_timed_of_what_is_trained(folder: str) -> None:
    training = ModelWork("training", steps=2)
    with pytest.raises(UserError, match="only a model that is trained has a training to time"):
        made(f"reference={folder}", training)
    text = "reference=nano,train={corpus: microworld, tokens: 1000}"
    with pytest.raises(UserError, match="the same at every precision"):
        made(f"{text},precision=int8", training)
    arm = made(text, training)
    assert arm.choice.call.endswith(":training") and arm.choice.arguments["steps"] == 2
    assert json.loads(json.dumps(arm.choice.arguments))["training"]["preset"] == "nano"


def test_an_environment_without_harness_is_told_what_to_do() -> None:
    said = lacks_harness("loading failed: there is no module harness in this arm's Python (/x)")
    assert "install this one there (`install=" in said
    assert lacks_harness("loading failed: there is no module harness.gate.arms.model_work in this arm's Python (/x)")
    assert lacks_harness("loading failed: ModuleNotFoundError: No module named 'pydantic' (in /x/harness/limits.py:9)")
    assert not lacks_harness("loading failed: there is no module kernels in this arm's Python (/x)")


# --- what is timed ---------------------------------------------------------------------------------------------------


def opened(folder: str, **more: Any) -> dict[str, Any]:
    return model_work.opened(source_of(folder), **{"prompt": 12, "generate": 6, "batch": 2, "seed": 3, **more})


def test_every_part_does_the_same_work_as_whole_passes(folder: str) -> None:
    given = opened(folder)
    ids, tokens = given["prompt"], given["prompt"]
    with torch.inference_mode():
        for _ in range(6):  # the oracle: everything is read again for each token
            logits = given["model"].forward(tokens)[:, -1]
            tokens = torch.cat([tokens, logits.argmax(-1, keepdim=True)], dim=1)
        first = given["model"].forward(ids)[:, -1]
    for part in ("decode", "generation"):
        found = model_work.UNITS[part](**given)  # type: ignore[index]
        assert found.value[1] == str(tokens[:, 12:].tolist())
        torch.testing.assert_close(found.value[0], first)
    torch.testing.assert_close(model_work.prefill(**given).value, first)


def test_decode_leaves_the_prefill_out(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that counts tokens that were read: 12 in the prefill, one in each step."""
    given = opened(folder, batch=1)
    read, model = [0], given["model"]

    class Counting:
        identity, new_cache = model.identity, model.new_cache

        def forward(self, tokens: Any, **more: Any) -> Any:
            read[0] += tokens.shape[1]
            return model.forward(tokens, **more)

    monkeypatch.setattr(model_work.time, "perf_counter_ns", lambda: 1000 * read[0])
    monkeypatch.setattr(model_work.time, "process_time_ns", lambda: 10 * read[0])
    took = {part: model_work.UNITS[part](**{**given, "model": Counting()})[1:] for part in ("prefill", "decode")}
    assert took == {"prefill": (12_000, 120), "decode": (5_000, 50)}
    assert model_work.generation(**{**given, "model": Counting()})[1:] == (17_000, 170)


def test_what_does_not_fit_is_a_sentence(folder: str) -> None:
    with pytest.raises(SystemExit, match=r"prompt . generate = 70 tokens do not fit in this model's context of 64"):
        opened(folder, prompt=64)


def test_training_steps_are_the_same_every_time(monkeypatch: pytest.MonkeyPatch, test_cache: Path) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(test_cache))
    text = (
        "reference=nano,train={corpus: microworld, tokens: 1000, context: 32, sequence: 16, batch: 2, vocabulary: 300}"
    )
    arguments = made(text, ModelWork("training", steps=3)).choice.arguments
    steps = model_work.training_begun(**arguments)
    first, again = (model_work.training(*steps) for _ in range(2))
    assert first.value == again.value and len(first.value) == 3 and first.wall_ns > 0


# --- in a process of its own ------------------------------------------------------------------------------------------


def test_the_arm_s_own_process_reads_and_times(folder: str, tmp_path: Path) -> None:
    """From end to end: in a process of its own, without a test's help."""
    arm = made(f"reference={folder},precision=int8", ModelWork(prompt=8, generate=4))

    def start(side: str, of: Arm) -> ArmProcess:
        environment = environment_of(of, 1, {"PYTHONHASHSEED": "1"})
        return ArmProcess(side, of, environment, tmp_path / "log")

    found = probe_of(arm, "a", start, str(tmp_path), 120)
    assert len(found) == 16 and all(row["nll"] > 0 and row["bytes"] > 0 for row in found)  # type: ignore[index]
    process = start("a", arm)
    try:
        process.ask("open", 120, search=[], **asked(arm))
        warmed = process.ask("warm", 120, seconds=0.0)
        assert warmed["output"]["count"] == 257 and warmed["output"]["why_not"] == ""
        assert process.ask("turn", 60, repeats=2)["wall_ns"] > 0
        assert {"harness", "torch"} <= process.ask("code", 60).keys()
        with pytest.raises(ArmFailed, match="do not fit in this model's context") as caught:
            process.ask("open", 60, search=[], **{**asked(arm), "arguments": {**arm.choice.arguments, "prompt": 99}})
        assert "SystemExit" not in str(caught.value)
    finally:
        process.close()


def test_the_harness_that_opens_the_model(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout opens the models of this environment, behind what an arm puts first; an environment has its own."""
    from harness.gate.arms.model_arm import _harness_of

    choice = parse_arm(f"reference={folder},revision=main", "--a")
    built = Arm(choice, sys.executable, paths=("/built",), built="abc")
    root = str(Path(model_work.__file__).resolve().parents[3])
    assert _harness_of(Arm(ArmChoice(), sys.executable)) == _harness_of(built) == (root,)
    monkeypatch.setenv("PYTHONPATH", "/mine")
    found = environment_of(replace(built, after=_harness_of(built)), 1, {})
    assert found["PYTHONPATH"].split(":") == ["/built", "/mine", root]
    state = Arm(ArmChoice(), sys.executable, ahead=("/state",), built="abc")
    found = environment_of(replace(state, after=_harness_of(state)), 1, {})
    assert found["PYTHONPATH"].split(":") == ["/state", "/mine", root]
    assert _harness_of(Arm(ArmChoice(install=("x",)), "/env/bin/python", built="x")) == ()
    assert _harness_of(Arm(ArmChoice(python="/other"), "/other/bin/python")) == ()
