"""lm-eval's command lines, read: each gives a line of `harness eval`, or one sentence."""

from __future__ import annotations

import itertools
import json
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from harness.cli.app import app
from harness.errors import UserError
from harness.shorthand import lm_eval_model
from harness.shorthand.lm_eval_flags import BY_NAME, FLAGS, KINDS, MODEL_ARGS, OTHER_KINDS
from harness.shorthand.lm_eval_line import translated
from harness.shorthand.lm_eval_model import Translated, stored_type

PAGE = (Path(__file__).parents[3] / "docs/from-lm-eval.md").read_text(encoding="utf-8")
LM_EVAL = {
    "config": "C", "tasks": "t", "model": "M", "model_args": "a", "apply_chat_template": "", "limit": "L",
    "use_cache": "c", "num_fewshot": "f", "batch_size": "b", "max_batch_size": "", "device": "", "gen_kwargs": "",
    "output_path": "o",
    "log_samples": "s", "samples": "E", "cache_requests": "", "check_integrity": "", "system_instruction": "",
    "fewshot_as_multiturn": "", "include_path": "", "verbosity": "v", "write_out": "w", "show_config": "",
    "wandb_args": "", "wandb_config_args": "", "trackio_args": "", "hf_hub_log_args": "", "predict_only": "x",
    "seed": "",
    "trust_remote_code": "", "confirm_run_unsafe_code": "", "metadata": "",
}  # fmt: skip
"""Every flag of `lm_eval run` 0.4.13 (its `_cli/run.py`), with its letter."""
HFLM = [
    "pretrained",
    "backend",
    "revision",
    "subfolder",
    "tokenizer",
    "truncation",
    "logits_cache",
    "max_length",
    "device",
    "dtype",
    "softmax_dtype",
    "mixed_precision_dtype",
    "batch_size",
    "max_batch_size",
    "trust_remote_code",
    "use_fast_tokenizer",
    "add_bos_token",
    "prefix_token_id",
    "parallelize",
    "max_memory_per_gpu",
    "max_cpu_memory",
    "offload_folder",
    "tp_plan",
    "peft",
    "delta",
    "autogptq",
    "gptqmodel",
    "gguf_file",
    "think_end_token",
    "enable_thinking",
    "chat_template_args",
]
"""Every argument of its `HFLM`."""


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(lm_eval_model, "_on_hub", lambda *given: None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m").mkdir()
    (tmp_path / "m/config.json").write_text('{"dtype": "float32"}')


def line(text: str) -> Translated:
    command = get_command(app).commands["eval"]  # type: ignore[attr-defined]
    own = {name: not getattr(option, "is_flag", False) for option in command.params for name in option.opts}
    return translated(shlex.split(text), own)


def words(text: str) -> str:
    return shlex.join(line(text).words)


def test_no_flag_of_lm_eval_is_missing() -> None:
    assert {flag.name for flag in FLAGS} == set(LM_EVAL)
    for name, letter in LM_EVAL.items():
        assert letter in BY_NAME[name].letters
    assert set(HFLM) <= set(MODEL_ARGS)
    for flag in FLAGS:
        assert flag.translated or bool(flag.own) + bool(flag.note) + bool(flag.instead) == 1, flag.name


def test_every_option_that_a_flag_becomes_is_one_of_eval() -> None:
    command = get_command(app).commands["eval"]  # type: ignore[attr-defined]
    options = {name for option in command.params for name in option.opts}
    assert {flag.own for flag in FLAGS if flag.own} <= options
    assert not set(KINDS) & set(OTHER_KINDS)


def test_the_page_maps_every_flag_and_every_argument() -> None:
    flags = PAGE.partition("## Every flag")[2].partition("\n## ")[0]
    arguments = PAGE.partition("## Every argument")[2].partition("\n## ")[0]
    for flag in FLAGS:
        letters = "".join(f", `-{letter}`" for letter in flag.letters)
        (row,) = [row for row in flags.splitlines() if row.startswith(f"| `--{flag.name}`{letters} |")]
        assert (flag.note or flag.instead) in row, "the page says what the command says"
    for name, argument in MODEL_ARGS.items():
        (row,) = [row for row in arguments.splitlines() if row.startswith(f"| `{name}` |")]
        assert (argument.note or argument.instead) in row
    assert len([row for row in flags.splitlines() if row.startswith("| `--")]) == len(FLAGS), (
        "and none that is not there"
    )


LINES = (Path(__file__).parent / "lm_eval_lines.txt").read_text(encoding="utf-8").splitlines()
PUBLIC = {
    typed.removeprefix("lm_eval "): ours.removeprefix("harness eval ")
    for typed, ours in itertools.pairwise(LINES)
    if typed.startswith("lm_eval ")
}
"""Of public READMEs and scripts, and what each is read as."""


@pytest.mark.parametrize("typed", PUBLIC)
def test_public_command_lines_are_read(typed: str) -> None:
    assert shlex.split(words(typed)) == shlex.split(PUBLIC[typed])


SENTENCES = {
    "--model hf --model_args pretrained=m,load_in_8bit=True --tasks piqa": "write `--precision int8` in its place",
    "--model hf --model_args pretrained=m,peft=adapter --tasks summary": "merge the adapter into its model first",
    "--model hf --model_args pretrained=m,parallelize=True --tasks lambada_openai": "one device here: leave it out",
    "--model vllm --model_args pretrained=m,tensor_parallel_size=2 --tasks mmlu": "write `harness eval m --tasks …`",
    "--model openai-completions --model_args engine=davinci --tasks french_bench": "another engine, or a service",
    "--model hf --model_args pretrained=m,add_bos_token=true --tasks x": "as the model's own tokenizer says",
    "--model hf --model_args pretrained=m --tasks x --device mps": "on `cpu` and `cuda`, not on 'mps'",
    "--model hf --model_args pretrained=m --tasks x --device cuda:1": "CUDA_VISIBLE_DEVICES=1 before the command",
    "--model hf --model_args pretrained=m --tasks x --wandb_args project=p": "--log-to wandb:PROJECT",
    "--model hf --model_args pretrained=m --tasks x --predict_only": "answers are always kept",
    "--model gpt2 --tasks x": "a model itself is named without it, `harness eval gpt2 --tasks …`",
    "--model hf --tasks x": "`pretrained=…` is missing",
    "m --model hf --model_args pretrained=other --tasks x": "two models are named",
    "--model hf --model_args pretrained=m,dtpye=float16 --tasks x": "unknown argument 'dtpye'; did you mean 'dtype'",
    "--model hf --model_args pretrained=m,dtype=flaot16 --tasks x": "no such type; did you mean 'float16'",
    "--model hf --model_args m --tasks x": "'m' is no `key=value`",
    "--model hf --model_args pretrained=m,subfolder=x --tasks x --tasks": "--tasks: needs a value",
    "--model hf --model_args pretrained=none/there,subfolder=x --tasks x": "download it, and name the folder",
    "ls tasks": "`harness list tasks`",
    "validate --tasks x": "`harness plan SUITE`",
    "m --tasks list": "`harness list tasks`",
    "m --tasks x --seed 1,2": "one number, or 4 with commas",
    "m --tasks x --seed one": "no number",
    "m --tasks x --seed 0,1,2,None": "always have a seed here",
    "m --tasks x --samples 1,2": "no JSON object",
    "m --tasks x --samples '{\"x\": 1}'": "a list of places",
    "m --tasks x --samples '{\"x\": [1]}' --limit 3": "both choose documents",
    "--model hf --model_args pretrained=m --apply_chat_template llama3 --tasks x": "leave out 'llama3'",
    "m --tasks x --fewshot_as_multiturn": "add `--apply_chat_template`",
    "m --tasks x --log_samples=yes": "takes no value",
    "--config nowhere.yaml": "nowhere.yaml",
}  # fmt: skip


@pytest.mark.parametrize("typed", SENTENCES)
def test_what_has_no_place_here_is_one_sentence(typed: str) -> None:
    with pytest.raises(UserError) as refused:
        line(typed)
    assert SENTENCES[typed] in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_every_other_kind_of_model_is_one_sentence(kind: str) -> None:
    with pytest.raises(UserError, match=rf"^--model: '{kind}' is another engine"):
        line(f"--model {kind} --model_args model=x --tasks arc_easy")


def test_words_behind_tasks_are_models_where_no_other_is_named() -> None:
    assert words("--tasks arc_easy m") == "m --tasks arc_easy"
    assert words("m --tasks arc_easy piqa --limit 3") == "m --limit 3 --tasks arc_easy,piqa"
    assert words("--tasks arc_easy --precision fp32 m") == "m --precision fp32 --tasks arc_easy"
    assert words("--apply_chat_template m --tasks arc_easy") == "m --chat --tasks arc_easy"
    assert words("--tasks a --tasks b -- m") == "m --tasks a,b"


def test_a_line_of_ours_stays_in_mode_right_and_any_mode_that_is_said_counts() -> None:
    assert "lm-eval" not in words("m --tasks arc_easy --num_fewshot 5")
    assert words("--model hf --model_args pretrained=m --tasks a --mode right").endswith("--mode right --tasks a")
    assert (
        "--precision" in words("--model hf --model_args pretrained=m,dtype=float16 --tasks a --precision int8").split()
    )
    assert "fp16" not in words("--model hf --model_args pretrained=m,dtype=float16 --tasks a --precision int8")


def test_what_changes_nothing_is_told() -> None:
    told = line("m --tasks a --write_out --verbosity DEBUG --show_config --use_cache c --cache_requests refresh -s")
    assert told.words == ["m", "--tasks", "a"] and len(told.notes) == 6
    assert not line("m --tasks a -s -o out").notes, "which writes what is asked for"
    (note,) = line("m --tasks a --seed 1,2,3,4").notes
    assert "Python and numpy" in note


def test_a_file_of_flags(tmp_path: Path) -> None:
    (tmp_path / "flags.yaml").write_text(
        "model: hf\nmodel_args: {pretrained: m, dtype: float32}\ntasks: [arc_easy, piqa]\nnum_fewshot: 5\nlimit: 10\n"
        "apply_chat_template: true\nlog_samples: false\nseed: [0, 1234, 1234, 7]\nwandb_args: {}\nsamples: null\n"
    )
    assert words("--config flags.yaml --limit 3") == (
        "m --precision fp32 --shots 5 --limit 3 --tasks arc_easy,piqa --chat --shot-seed 7 --sample-seed 1234 "
        "--mode lm-eval"
    )
    (tmp_path / "flags.yaml").write_text("model: hf\nnum_fewshots: 5\n")
    with pytest.raises(UserError, match=r"yaml:2: lm-eval has no flag 'num_fewshots'; did you mean 'num_fewshot'"):
        line("--config flags.yaml")


def test_the_type_of_a_checkpoint(tmp_path: Path) -> None:
    def written(config: dict[str, object]) -> str | None:
        (tmp_path / "m/config.json").write_text(json.dumps(config))
        return stored_type("m")

    assert written({"torch_dtype": "bfloat16"}) == "bfloat16"
    assert words("--model hf --model_args pretrained=m --tasks a") == "m --precision bf16 --tasks a --mode lm-eval"
    assert written({"dtype": "torch.float16"}) == "float16"
    assert written({"text_config": {"dtype": "bfloat16"}}) == "bfloat16"
    assert written({}) is None
    (note,) = line("--model hf --model_args pretrained=m --tasks a").notes
    assert "so it is fp32" in note
    import numpy
    from safetensors.numpy import save_file

    save_file({"w": numpy.zeros(2, numpy.float16)}, tmp_path / "m/model.safetensors")
    assert stored_type("m") == "float16", "as the weights are"
