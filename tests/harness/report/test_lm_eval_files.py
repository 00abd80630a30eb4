"""A run written as lm-eval writes its own, from a suite's file to the JSON that other tools read."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UserError
from harness.execution.allowed import Allowed
from harness.report.lm_eval_files import _file_name, write_lm_eval
from harness.results.record import Status
from harness.results.run import Run
from harness.workflow import run

BASE = "dataset_path: json\ndataset_kwargs: {data_files: {test: rows.jsonl}}\ntest_split: test\n"
TASKS = {
    "choice": f"""
task: choice
task_alias: Choice
output_type: multiple_choice
{BASE}doc_to_text: "Q: {{{{q}}}}"
doc_to_choice: choices
doc_to_target: "{{{{gold}}}}"
process_results: null
metric_list: [{{metric: acc}}]
metadata: {{version: 1.5}}
""",
    "letters": f"""
task: letters
output_type: multiple_choice
{BASE}process_docs: !function u.prepare
doc_to_text: "{{{{q}}}}"
doc_to_choice: [A, B]
doc_to_target: "{{{{'AB'[gold]}}}}"
metric_list: [{{metric: acc}}]
""",
    "written": f"""
task: written
output_type: generate_until
{BASE}doc_to_text: "{{{{q}}}}"
doc_to_target: "{{{{choices[gold]}}}}"
generation_kwargs: {{until: ["zzz"], max_gen_toks: 4}}
metric_list: [{{metric: exact_match}}]
filter_list:
  - {{name: strict, filter: [{{function: regex, regex_pattern: "(x+)"}}, {{function: take_first}}]}}
  - {{name: loose, filter: [{{function: take_first}}]}}
""",
    "whole": f"""
task: whole
output_type: loglikelihood_rolling
{BASE}doc_to_text: ""
doc_to_target: q
metric_list: [{{metric: bits_per_byte}}]
""",
    "lacking": f"""
task: lacking
{BASE}doc_to_text: q
doc_to_target: q
process_results: !function lacks.judge
metric_list: [{{metric: acc, aggregation: mean}}]
""",
    "both": "group: both\ntask: [choice, letters]\naggregate_metric_list: [{metric: acc}]\nmetadata: {version: 2}\n",
}
SUITE = """
name: files
models: {{m: {{transformers: {model}}}}}
tasks: {{paths: [{tasks}]}}
measures:
  - task: {{task: [both, whole], documents: 0.5, mode: lm-eval}}
  - task: {{task: written, document_ids: "1, 3", mode: lm-eval, generation: {{max_tokens: 3}}}}
  - task: {{task: choice, shots: [0, 1]}}
  - task: {{task: lacking}}
"""


@pytest.fixture(scope="module")
def files(llama_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    folder = tmp_path_factory.mktemp("lm_eval_files")
    tasks = folder / "tasks"
    tasks.mkdir()
    for name, text in TASKS.items():
        (tasks / f"{name}.yaml").write_text(text)
    (tasks / "u.py").write_text("def prepare(rows): return rows.map(lambda row: {'seen': row['q'] + '!'})\n")
    (tasks / "lacks.py").write_text("import package_that_is_absent\ndef judge(doc, results): return {'acc': 1}\n")
    rows = [{"q": f"what is {n}?", "choices": ["one", "two é"], "gold": n % 2} for n in range(6)]
    (tasks / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    suite = folder / "suite.yaml"
    suite.write_text(SUITE.format(model=llama_folder, tasks=tasks))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(folder / "cache"))
        patch.chdir(tasks)
        made = run(str(suite), out=folder / "runs", allowed=Allowed(task_code=True))
    write_lm_eval(made, folder / "out")
    return made, folder / "out"


def results(files: tuple[Run, Path]) -> list[dict[str, Any]]:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    paths = sorted(files[1].glob("*/results_*.json"))
    return [json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse) for path in paths]


def lines(files: tuple[Run, Path], task: str) -> list[dict[str, Any]]:
    paths = sorted(files[1].glob(f"*/samples_{task}_*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_file_for_each_way_of_asking_in_the_models_folder(files: tuple[Run, Path], llama_folder: Path) -> None:
    folders = {path.parent.name for path in files[1].glob("*/*")}
    assert folders == {str(llama_folder).replace("/", "__")}
    asked = [sorted(one["n-samples"]) for one in results(files)]
    assert sorted(asked) == [["choice"], ["choice"], ["choice", "letters", "whole"], ["written"]]
    times = {path.name.removeprefix("results_") for path in files[1].glob("*/results_*")}
    assert len(times) == 4


def test_the_numbers_of_tasks_and_groups(files: tuple[Run, Path]) -> None:
    [found] = [one for one in results(files) if "both" in one["results"]]
    choice, both = found["results"]["choice"], found["results"]["both"]
    assert set(choice) == {"name", "alias", "sample_len", "acc,none", "acc_stderr,none"}
    assert (choice["alias"], choice["sample_len"], found["n-samples"]["choice"]) == (
        "Choice",
        3,
        {"original": 6, "effective": 3},
    )
    p = choice["acc,none"]
    assert choice["acc_stderr,none"] == pytest.approx(math.sqrt(p * (1 - p) / 2))
    assert both["sample_len"] == 6 and both["sample_count"] == {"acc,none": 6}
    assert both["acc,none"] == pytest.approx((p + found["results"]["letters"]["acc,none"]) / 2)
    assert found["groups"] == {"both": both} and found["group_subtasks"] == {"both": ["choice", "letters"]}
    assert found["versions"] == {"both": "2", "choice": 1.5, "letters": "Yaml", "whole": "Yaml"}
    assert found["n-shot"] == dict.fromkeys(("both", "choice", "letters", "whole"), 0)
    assert found["higher_is_better"]["both"] == {"acc": True}
    assert found["higher_is_better"]["whole"] == {"bits_per_byte": False}
    assert found["results"]["whole"]["bits_per_byte_stderr,none"] == "N/A"
    assert found["config"]["limit"] == 0.5 and found["config"]["fewshot_seed"] == 1234


def test_the_configuration_of_a_task(files: tuple[Run, Path]) -> None:
    [found] = [one for one in results(files) if "written" in one["results"]]
    written = found["configs"]["written"]
    assert written["generation_kwargs"] == {"until": ["zzz"], "max_tokens": 3}
    assert written["filter_list"][0] == {
        "name": "strict",
        "filter": [{"function": "regex", "regex_pattern": "(x+)"}, {"function": "take_first"}],
    }
    assert written["metric_list"] == [{"metric": "exact_match"}] and written["num_fewshot"] == 0
    assert found["config"]["gen_kwargs"] == {"max_tokens": 3}
    [other] = [one for one in results(files) if "both" in one["results"]]
    assert other["configs"]["letters"]["process_docs"].startswith("def prepare(rows):")
    assert not {"file", "cluster", "reasoning", "prepared_by"} & set(other["configs"]["choice"])


def test_a_line_of_choices(files: tuple[Run, Path]) -> None:
    line = next(one for one in lines(files, "letters") if one["doc_id"] == 1)
    assert line["doc"] == {"q": "what is 1?", "choices": ["one", "two é"], "gold": 1, "seen": "what is 1?!"}
    assert line["arguments"] == {
        "gen_args_0": {"arg_0": "what is 1?", "arg_1": " A"},
        "gen_args_1": {"arg_0": "what is 1?", "arg_1": " B"},
    }
    assert line["target"] == "B" and line["filter"] == "none" and line["metrics"] == ["acc"]
    assert line["resps"] == [[one] for one in line["filtered_resps"]]
    assert all(float(log_prob) < 0 and greedy in ("True", "False") for log_prob, greedy in line["filtered_resps"])
    whole = json.dumps(line["doc"], indent=2, ensure_ascii=False)
    for name, text in (("doc_hash", whole), ("prompt_hash", "what is 1?"), ("target_hash", "B")):
        assert line[name] == hashlib.sha256(text.encode()).hexdigest()
    right = [float(log_prob) for log_prob, _ in line["filtered_resps"]]
    assert line["acc"] == float(right[1] > right[0])


def test_lines_of_written_answers_stand_filter_after_filter(files: tuple[Run, Path]) -> None:
    found = lines(files, "written")
    assert [(one["filter"], one["doc_id"]) for one in found] == [
        ("strict", 1),
        ("strict", 3),
        ("loose", 1),
        ("loose", 3),
    ]
    assert found[0]["arguments"]["gen_args_0"]["arg_1"] == {"until": ["zzz"], "max_tokens": 3}
    assert found[0]["filtered_resps"] == ["[invalid]"] and found[2]["filtered_resps"] == found[2]["resps"][0]
    assert found[0]["metrics"] == ["exact_match"] and found[0]["target"] == "two é"


def test_lines_of_whole_texts(files: tuple[Run, Path]) -> None:
    first = lines(files, "whole")[0]
    assert first["arguments"] == {"gen_args_0": {"arg_0": "what is 0?"}}
    assert first["resps"] == [[first["filtered_resps"][0]]] and first["bits_per_byte"][1] == 10


def test_task_hashes_are_of_the_lines(files: tuple[Run, Path]) -> None:
    [found] = [one for one in results(files) if "written" in one["results"]]
    told = "".join(one["doc_hash"] + one["prompt_hash"] + one["target_hash"] for one in lines(files, "written"))
    assert found["task_hashes"] == {"written": hashlib.sha256(told.encode()).hexdigest()}


def test_a_cell_whose_packages_are_missing_is_refused_before_the_model_runs(files: tuple[Run, Path]) -> None:
    [lacking] = [cell for cell in files[0].cells if cell.settings["task"] == "lacking"]
    assert lacking.status is Status.FAILED and lacking.seconds == 0
    assert lacking.reason is not None and "pip install 'package-that-is-absent'" in lacking.reason


def test_groups_within_groups_and_directions_are_as_lm_eval_writes_them(llama_folder: Path, tmp_path: Path) -> None:
    groups = {"outer": "[z_within, only, measured, a_within]", "z_within": "[one, two]", "only": "[a_within]"}
    metrics = {
        "one": "[{metric: acc}, {metric: acc_norm, higher_is_better: false}]",
        "two": "[{metric: acc_norm}, {metric: acc, higher_is_better: null}]",
        "three": "[{metric: bypass}]",
    }
    for name, members in groups.items():
        (tmp_path / f"{name}.yaml").write_text(f"group: {name}\ntask: {members}\n")
    (tmp_path / "a_within.yaml").write_text("group: a_within\ntask: [three]\naggregate_metric_list: [{metric: acc}]\n")
    for name, listed in metrics.items():
        (tmp_path / f"{name}.yaml").write_text(
            f"task: {name}\noutput_type: multiple_choice\n{BASE}doc_to_text: q\ndoc_to_choice: [a, b]\n"
            f"doc_to_target: gold\nmetric_list: {listed}\n"
        )
    (tmp_path / "rows.jsonl").write_text(
        "".join(json.dumps({"q": f"what {n}?", "gold": n % 2}) + "\n" for n in range(3))
    )
    (tmp_path / "measured.yaml").write_text(
        f"task: measured\noutput_type: generate_until\n{BASE}doc_to_text: q\ndoc_to_target: q\n"
        "generation_kwargs: {until: [zzz], max_gen_toks: 2}\nmetric_list:\n"
        "  - {metric: !function measured.lengths, aggregation: mean, higher_is_better: false}\n"
        "  - {metric: exact_match}\n"
    )
    (tmp_path / "measured.py").write_text(
        "def lengths(references, predictions): return {'words': 1, 'characters': len(predictions[0])}\n"
    )
    (tmp_path / "suite.yaml").write_text(
        f"name: nested\nmodels: {{m: {{transformers: {llama_folder}}}}}\ntasks: {{paths: [{tmp_path}]}}\n"
        "measures:\n  - task: {task: outer, mode: lm-eval}\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        made = run(str(tmp_path / "suite.yaml"), out=tmp_path / "runs", allowed=Allowed(task_code=True))
        [path] = write_lm_eval(made, tmp_path / "out")
    found = json.loads(path.read_text())
    assert list(found["results"]) == ["one", "two", "three", "measured", "z_within", "a_within", "only", "outer"]
    assert list(found["group_subtasks"]) == ["outer", "z_within", "only", "a_within"]
    assert list(found["groups"]) == ["a_within"] and found["groups"]["a_within"]["sample_len"] == 3
    assert found["higher_is_better"] == {
        "one": {"acc": True, "acc_norm": False},
        "measured": {"lengths": False, "exact_match": True, "words": False, "characters": False},
        "outer": {"lengths": False, "exact_match": True, "words": False, "characters": False},
        "three": {"bypass": True},
        "two": {"acc_norm": True, "acc": None},
        "z_within": {"acc": None, "acc_norm": None},
        "a_within": {"bypass": True},
    }, "a group has nothing of the groups within it that stand after it"
    assert set(found["n-shot"]) == {"one", "two", "three", "measured", "z_within", "a_within", "outer"}


def test_a_run_without_tasks_has_nothing_to_write(files: tuple[Run, Path], tmp_path: Path) -> None:
    empty = tmp_path / "run"
    empty.mkdir()
    (empty / "manifest.json").write_bytes((files[0].folder / "manifest.json").read_bytes())
    with pytest.raises(UserError, match="nothing to write"):
        write_lm_eval(Run(empty), tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        *[("gpt2", "gpt2"), ("org/model-1.0", "org__model-1.0"), ("..", "__.."), ("", "__"), (" ", "__ ")],
        *[("a\x00b\n", "a_b_"), ("\ud800", "_"), ("x" * 9999, "x" * 200), ("é" * 9999, "é" * 100)],
    ],
)
def test_every_name_becomes_a_name_of_a_file(name: str, file: str) -> None:
    assert _file_name(name) == file
