"""`harness eval` as a person types it: every command of docs/eval.md and docs/from-lm-eval.md, and what is wrong."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import harness
from harness.cli.app import app
from harness.errors import ExitCode, UserError
from harness.suite.load import load_suite

DOCS = Path(__file__).parents[3] / "docs"
COMMANDS = [
    shlex.split(line)[1:]
    for page in ("eval.md", "from-lm-eval.md")
    for block in re.findall(r"```bash\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.S)
    for line in block.splitlines()
]
RIVERS = """
task: {name}
dataset_path: world/rivers
test_split: test
output_type: {kind}
doc_to_text: "{{{{country}}}}:"
fewshot_split: test
"""
CHOICE = 'doc_to_choice: "{{[river] + wrong}}"\ndoc_to_target: 0\nmetric_list: [{metric: acc}]\n'
WRITTEN = (
    'doc_to_target: river\ngeneration_kwargs: {until: ["\\n"], max_gen_toks: 4}\nmetric_list: [{metric: exact_match}]\n'
)


@pytest.fixture
def project(tmp_path: Path, llama_folder: Path, gpt2_folder: Path) -> Path:
    """A working folder with two models, a task that writes, a folder with one that chooses, and their data."""
    for name, folder in (("llama", llama_folder), ("gpt2", gpt2_folder)):
        (tmp_path / name).symlink_to(folder)
    (tmp_path / "data").mkdir()
    (tmp_path / "tasks").mkdir()
    rows = [{"country": f"Land {number}", "river": f"R{number}", "wrong": ["Po", "Rhine"]} for number in range(6)]
    (tmp_path / "data/rivers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    own = RIVERS.format(name="rivers", kind="multiple_choice").replace("world/rivers", "../data/rivers.jsonl")
    (tmp_path / "tasks/rivers.yaml").write_text(own + CHOICE)
    for name, changed in {
        "column": own.replace("{{country}}", "{{county}}"),
        "gone": own.replace("rivers.j", "none.j"),
    }.items():
        (tmp_path / f"tasks/{name}.yaml").write_text(changed.replace("task: rivers", f"task: {name}") + CHOICE)
    for name in ("cut", "encoder"):
        copytree(llama_folder, tmp_path / name)
    (tmp_path / "cut/tokenizer.json").write_text('{"version": "1.0", ')
    config = json.loads((tmp_path / "encoder/config.json").read_text())
    (tmp_path / "encoder/config.json").write_text(json.dumps(config | {"architectures": ["BertForMaskedLM"]}))
    (tmp_path / "rivers.yaml").write_text(RIVERS.format(name="rivers_written", kind="generate_until") + WRITTEN)
    return tmp_path


def typed(*words: str) -> Result:
    return CliRunner().invoke(app, words, env={"COLUMNS": "200"})


def opened(folder: Path) -> Any:
    """A model of transformers in memory, with its tokenizer."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)


def asked(monkeypatch: pytest.MonkeyPatch, *words: str) -> dict[str, Any]:
    """The suite that a line stands for, which is not run."""
    found: list[dict[str, Any]] = []

    def not_run(suite: dict[str, Any], **_: object) -> None:
        found.append(suite)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("harness.api.evaluating.run", not_run)
        done = typed(*words)
    assert found, f"{words}: {done.output} {done.exception}"
    return found[0]


def test_the_pages_have_commands() -> None:
    assert len(COMMANDS) == 5 and all(words[0] == "eval" for words in COMMANDS)


@pytest.mark.parametrize("words", [words for words in COMMANDS if "rivers" not in " ".join(words)])
def test_commands_of_the_pages_that_ask_public_sets_are_suites(
    monkeypatch: pytest.MonkeyPatch, project: Path, words: list[str]
) -> None:
    assert load_suite(asked(monkeypatch, *words)).cells


def test_commands_of_the_pages_run_and_a_saved_suite_gives_the_same_numbers_from_the_cache(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, saved, as_lm_eval = (words for words in COMMANDS if "rivers" in " ".join(words))
    done = typed(*saved, "--device", "cpu")
    assert done.exit_code == ExitCode.PASS, f"{done.output} {done.exception}"
    assert "rivers-suite.yaml" in done.output and "acc" in done.output
    first = harness.show()
    again = typed("run", "rivers-suite.yaml")
    assert again.exit_code == ExitCode.PASS and "1 known from earlier runs" in again.output
    of_file = harness.show()
    assert of_file.name != first.name and of_file.records["value"].equals(first.records["value"])
    assert Path("rivers-suite.yaml").read_text().startswith("# harness")

    python = harness.eval("llama", "rivers", tasks_path="tasks", device="cpu")
    assert python.records["value"].equals(first.records["value"])
    assert {cell.source for cell in python.cells} == {"cache"}
    assert len(python.table()) == 1 and len(python.samples) == 6

    in_memory = harness.eval(opened(project / "llama"), "rivers", tasks_path="tasks", device="cpu")
    ours, named = (run.records.set_index("metric")["value"] for run in (in_memory, python))
    assert ours["acc"] == named["acc"]

    done = typed(*as_lm_eval)
    assert done.exit_code == ExitCode.PASS, f"{done.output} {done.exception}"
    assert "asked as: harness eval llama --precision fp32" in done.output and "--batch" in done.output
    (results,) = Path("lm-eval-files").glob("*/results_*.json")
    (samples,) = Path("lm-eval-files").glob("*/samples_rivers_*.jsonl")
    assert json.loads(results.read_text())["n-shot"] == {"rivers": 2} and len(samples.read_text().splitlines()) == 6
    assert {cell.settings["mode"] for cell in harness.show().cells} == {"lm-eval"}

    done = typed(*written)
    assert done.exit_code == ExitCode.PASS, f"{done.output} {done.exception}"
    (cell,) = harness.show().cells
    assert json.loads(str(cell.settings["generation"])) == {"max_tokens": 8}


WRONG = {
    "eval": "name a model and tasks: harness eval ",
    "eval --tasks rivers": "no model was named",
    "eval llama": "--tasks: name the tasks",
    "eval llama --tasks riverz --tasks-path tasks": "no task, group or tag 'riverz'; did you mean 'rivers'",
    "eval lama --tasks rivers": "MODEL: no model folder 'lama'; did you mean 'llama'?",
    "eval Llama --tasks rivers": "MODEL: no model folder 'Llama'; did you mean 'llama'?",
    "eval qwerty --tasks rivers": "'qwerty' is no folder, asset, preset or run here",
    "eval llama --tasks rivers --data river=data/rivers.jsonl": "--data: no task that is asked reads 'river'; they",
    "eval llama --tasks rivers --shots 20": "--tasks: ",
    "eval llama --tasks rivers --document-ids 99": "the task has 6 (0 to 5); lower `--document-ids`",
    "eval llama --tasks column": "column.yaml:doc_to_text: document 0: the template failed",
    "eval llama --tasks gone": "--tasks: ",
    "eval llama --tasks rivers --gen temperature=-1": "--tasks: rivers writes no answers: leave out `--gen`",
    "eval cut --tasks rivers": "MODEL: cut/tokenizer.json: this file is empty or cut off: copy it again",
    "eval encoder --tasks rivers": "MODEL: encoder: this is an encoder (BertForMaskedLM)",
    "eval llama llama --tasks rivers": "named twice",
    "eval llama --tasks rivers --shots five": "--shots: 'five' is no number",
    "eval llama --tasks rivers --shots -1": "--shots: '-1' is no number",
    "eval llama --tasks rivers --limit 0": "--limit: ",
    "eval llama --tasks rivers --seed -5": "--seed: should be at least 0 (it is -5)",
    "eval llama --tasks rivers --limit 3 --document-ids 1": "`--limit` and `--document-ids` both choose documents",
    "eval llama --tasks rivers --one-turn": "--one-turn: turns are the chat template's: add `--chat`",
    "eval llama --tasks rivers --device gpu": "on `cpu` and `cuda`, not on 'gpu'",
    "eval llama --tasks rivers --precision fp31": "--precision: 'fp31' is not allowed; did you mean",
    "eval llama --tasks rivers --mode wrong": "--mode: 'wrong' is neither",
    "eval llama --tasks rivers --batch many": "--batch: 'many' is neither",
    "eval llama --tasks rivers --gen tokens=3": "unknown key 'tokens'",
    "eval llama --tasks rivers --set revision": "--set: 'revision' is no",
    "eval llama --tasks rivers --set revison=v2": "unknown key 'revison'; did you mean 'revision'",
    "eval llama --tasks rivers --data x": "--data: 'x' is no DATASET=PATH",
    "eval llama --tasks rivers --document-ids other=3": "documents of 'other' are chosen",
    "eval llama --tasks rivers --document-ids x": "x",
    "eval llama --tasks rivers --lm-eval rivers.yaml": "rivers.yaml is a file; name a folder",
    "eval llama --tasks rivers --save-suite rivers.yaml": "something is there already",
    "eval llama --tasks rivers --save-suite none/suite.yaml": "there is no folder none",
    "eval llama --tasks rivers --chat-args a=1": "--chat-args` are for the chat template: set `--chat`",
    "eval llama --task-file none.yaml": "no task, group or tag 'none.yaml'",
    "eval ls tasks": "harness list tasks",
    "eval --model hf --model_args pretrained=llama --tasks rivers --confidence_level 0.9": "--confidence-level: ",
    "eval llama --tasks rivers --precison fp32": "--precison: there is no such option; did you mean '--precision'?",
    "eval llama --tasks rivers --lm-eval /proc/none": "--lm-eval: /proc/none can't be written to",
}


@pytest.mark.parametrize("line", WRONG)
def test_what_is_wrong_is_one_sentence_before_anything_is_loaded(
    line: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.shorthand.model_name.why_not_on_hub", lambda *given: "the hub is not asked here")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    words = [
        *shlex.split(line),
        *(["--tasks-path", "tasks"] if "--tasks " in line and "--tasks-path" not in line else []),
    ]
    done = typed(*words)
    assert isinstance(done.exception, UserError), f"{done.output} {done.exception!r}"
    assert WRONG[line] in str(done.exception) and "\n" not in str(done.exception)
    assert not Path("results/runs").exists()


def test_data_that_is_not_there_is_one_sentence(project: Path) -> None:
    done = typed("eval", "llama", "--task-file", "rivers.yaml", "--device", "cpu")
    assert done.exit_code == ExitCode.USAGE and "`data: {world/rivers: FILE or FOLDER}`" in done.output


def test_help_names_the_options_with_an_example() -> None:
    done = typed("eval", "--help")
    assert done.exit_code == 0 and "harness eval asset:smollm2-135m-instruct" in done.output
    assert "--num_fewshot" not in done.output


def test_all_that_is_wrong_is_told_at_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.shorthand.model_name.why_not_on_hub", lambda *given: "the hub is not asked here")
    done = typed("eval", "cut", *["--tasks", "column", "--tasks-path", "tasks", "--precision", "fp31", "--limit", "0"])
    lines = str(done.exception).splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["--precision", "--limit"], "the task is not asked so"
    done = typed("eval", "cut", *["--tasks", "column,rivers", "--tasks-path", "tasks", "--precision", "fp31"])
    assert [line.partition(": ")[0] for line in str(done.exception).splitlines()] == ["--precision", "MODEL", "--tasks"]
    done = typed("eval", "lama", "cat", "llama", "llama", "--tasks", "rivers")
    assert len(str(done.exception).splitlines()) == 3


def test_a_pattern_finds_groups_and_tags_as_in_lm_eval(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rivers = (project / "tasks/rivers.yaml").read_text()
    for name, tag in {"w_one": "w_tag", "w_two": "other", "w_three": ""}.items():
        (project / f"tasks/{name}.yaml").write_text(rivers.replace("task: rivers", f"task: {name}\ntag: [{tag}]"))
    (project / "tasks/w_inner.yaml").write_text("group: w_inner\ntask: [w_two]\n")
    (project / "tasks/w_group.yaml").write_text("group: w_group\ntask: [w_inner]\n")

    def tasks(pattern: str) -> Any:
        return asked(monkeypatch, "eval", "llama", "--tasks", pattern, "--tasks-path", "tasks")["measures"][0]["task"][
            "task"
        ]

    assert tasks("w_*") == ["w_group", "w_tag", "w_three"]
    assert tasks("w_t*") == ["w_tag", "w_three", "w_two"]
    assert tasks("w_th*") == "w_th*", "of tasks alone it is one cell"


def test_files_that_a_task_names_are_found_from_the_working_folder_too(project: Path) -> None:
    own = (project / "tasks/rivers.yaml").read_text()
    named = "dataset_path: json\ndataset_kwargs: {data_files: {test: data/rivers.jsonl}}"
    (project / "tasks/here.yaml").write_text(
        own.replace("dataset_path: ../data/rivers.jsonl", named).replace("task: rivers", "task: here")
    )
    assert len(harness.plan({
        "name": "here", "models": {"llama": {"transformers": "llama"}}, "measures": [{"task": {"task": "here"}}],
        "tasks": {"paths": ["tasks"]},
    })) == 1  # fmt: skip
