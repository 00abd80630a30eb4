"""What makes two cells the same: everything that determines a result is in the key."""

import importlib.metadata
import json
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.execution.allowed import NOTHING_MORE, Allowed
from harness.execution.expected_time import expected_seconds
from harness.execution.plan import PlannedCell, make_plan
from harness.suite.load import load_suite
from harness.suite.schema import Suite


def test_the_same_weights_opened_by_another_engine_are_other_cells(llama_folder: Path, tmp_path: Path) -> None:
    """Their digest is the same; their speed and memory are not."""
    suite = tmp_path / "suite.yaml"
    suite.write_text(
        "name: two\nmodels:\n"
        f"  ours: {{reference: {llama_folder}}}\n"
        f"  theirs: {{transformers: {llama_folder}}}\n"
        "matrix: {precision: fp32}\n"
        "measures:\n  - inference: {prompt: 4, generate: 2}\n"
    )
    ours, theirs = make_plan(load_suite(str(suite))).cells
    assert ours.source.digest == theirs.source.digest and ours.key != theirs.key


def tasks_folder(folder: Path) -> Path:
    tasks = folder / "tasks"
    tasks.mkdir(exist_ok=True)
    base = "dataset_path: rows.jsonl\ntest_split: test\noutput_type: multiple_choice\ndoc_to_choice: [a, b]\n"
    base += "doc_to_target: 0\nmetric_list: [{metric: acc}]\n"
    (tasks / "plain.yaml").write_text(f"task: plain\n{base}doc_to_text: q\n")
    (tasks / "coded.yaml").write_text(f"task: coded\n{base}doc_to_text: !function u.text\n")
    (tasks / "translated.yaml").write_text(
        "task: translated\ndataset_path: rows.jsonl\ntest_split: test\ndoc_to_text: q\ndoc_to_target: q\n"
        "metric_list: [{metric: bleu}]\n"
    )
    (tasks / "lacking.yaml").write_text(f"task: lacking\n{base}doc_to_text: !function lacks.text\n")
    (tasks / "u.py").write_text("import regex\ndef text(doc): return regex.sub('a', 'b', doc['q'])\n")
    (tasks / "lacks.py").write_text("import package_that_is_absent as p\ndef text(doc): return p.f(doc['q'])\n")
    (tasks / "rows.jsonl").write_text('{"q": "x"}\n')
    return tasks


def planned(folder: Path, model: Path, measure: str, allowed: Allowed = NOTHING_MORE) -> list[PlannedCell]:
    suite = folder / "tasks.yaml"
    suite.write_text(
        f"name: t\nmodels: {{m: {{transformers: {model}}}}}\ntasks: {{paths: [{tasks_folder(folder)}]}}\n"
        f"measures:\n  - {measure}\n"
    )
    return make_plan(load_suite(str(suite)), allowed).cells


def keys(folder: Path, model: Path, measure: str, allowed: Allowed = NOTHING_MORE) -> list[str]:
    return [cell.key for cell in planned(folder, model, measure, allowed)]


@pytest.mark.parametrize(
    ("task", "package", "matters"),
    [
        ("plain", "jinja2", True),
        ("plain", "sacrebleu", False),
        ("translated", "sacrebleu", True),
        ("coded", "regex", True),
        ("plain", "regex", False),
    ],
)
def test_the_packages_that_make_prompts_and_scores_are_in_the_key(
    llama_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str, package: str, matters: bool
) -> None:
    measure = f"task: {{task: {task}}}"
    before, version = keys(tmp_path, llama_folder, measure), importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "99" if name == package else version(name))
    assert (keys(tmp_path, llama_folder, measure) != before) is matters


def test_what_code_may_do_is_in_the_key_of_tasks_that_have_some(llama_folder: Path, tmp_path: Path) -> None:
    """Behind the fence other statements are run."""
    for task, matters in (("coded", True), ("plain", False)):
        measure = f"task: {{task: {task}}}"
        allowed = keys(tmp_path, llama_folder, measure, Allowed(task_code=True))
        assert (allowed != keys(tmp_path, llama_folder, measure)) is matters
    perplexity = "perplexity: {text: microworld/test}"
    allowed = keys(tmp_path, llama_folder, perplexity, Allowed(task_code=True, code_execution=True))
    assert allowed == keys(tmp_path, llama_folder, perplexity)


@pytest.mark.parametrize(
    "setting",
    [
        "document_ids: '0'",
        "documents: 0.5",
        "metadata: {a: 1}",
        "metadata: {a: 2}",
    ],
)
def test_what_a_suite_says_of_a_task_is_in_the_key(llama_folder: Path, tmp_path: Path, setting: str) -> None:
    plain = keys(tmp_path, llama_folder, "task: {task: plain}")
    assert keys(tmp_path, llama_folder, f"task: {{task: plain, {setting}}}") != plain


def test_a_mapping_is_one_setting_and_a_list_of_them_an_axis(llama_folder: Path, tmp_path: Path) -> None:
    one = "task: {task: translated, generation: {max_tokens: 3, until: [a, b]}}"
    turned = "task: {task: translated, generation: {until: [a, b], max_tokens: 3}}"
    assert len(keys(tmp_path, llama_folder, one)) == 1
    assert keys(tmp_path, llama_folder, one) == keys(tmp_path, llama_folder, turned)
    several = "task: {task: translated, generation: [{max_tokens: 3}, {max_tokens: 4}], documents: [0.5, 1]}"
    assert len(set(keys(tmp_path, llama_folder, several))) == 4


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("task: plain, document_ids: '1', documents: 2", "both choose documents"),
        ("task: plain, document_ids: 'a'", "is not a list of documents"),
        ("task: plain, documents: 1.5", "documents"),
        ("task: plain, documents: 0", "documents"),
        ("task: translated, generation: {max_token: 5}", "did you mean 'max_tokens'"),
        ("task: translated, generation: 5", "is a mapping"),
        ("task: translated, generation: {temperature: 1}, temperature: 1", "given twice"),
        ("task: translated, generation: {temperature: hot}", "must be a number"),
        ("task: plain, generation: {max_tokens: 5}", "writes no answers: leave out `generation`"),
    ],
)
def test_a_wrong_setting_is_told_before_anything_runs(
    llama_folder: Path, tmp_path: Path, settings: str, told: str
) -> None:
    with pytest.raises(UserError) as caught:
        planned(tmp_path, llama_folder, f"task: {{{settings}}}")
    assert told in str(caught.value)


def test_the_plan_says_which_packages_are_missing(llama_folder: Path, tmp_path: Path) -> None:
    cells = planned(tmp_path, llama_folder, "task: {task: [lacking, plain]}")
    assert [cell.missing is not None for cell in cells] == [True, False]
    assert "needs package_that_is_absent, which is not installed: pip install 'package-that-is-absent'" in str(
        cells[0].missing
    )


def test_mode_lm_eval_says_that_it_asks_our_own_file(llama_folder: Path, tmp_path: Path) -> None:
    def notes(task: str, mode: str) -> tuple[str, ...]:
        return planned(tmp_path, llama_folder, f"task: {{task: {task}, mode: {mode}}}")[0].notes

    [told] = notes("gsm8k", "lm-eval")
    assert "asks our own task file of gsm8k" in told and "tasks: {paths: [...]}" in told
    assert notes("gsm8k", "right") == notes("plain", "lm-eval") == notes("microworld_capitals", "lm-eval") == ()


def test_the_schema_knows_the_settings() -> None:
    task = Suite.model_json_schema()["$defs"]["TaskSettingsInSuite"]["properties"]
    shown = json.dumps(task)
    assert {"generation", "metadata", "document_ids", "documents"} <= set(task)
    assert (
        '{"type": "object"}' in shown
        and '"max_tokens": {}' in shown
        and '["string", "integer"]' in shown
        and '"exclusiveMaximum": 1' in shown
    )


def test_two_cells_of_one_key_take_the_time_of_one(llama_folder: Path, tmp_path: Path) -> None:
    """Two names for one model: what is measured under one is known under the other."""
    suite = tmp_path / "suite.yaml"
    models = "".join(f"  {name}: {{reference: {llama_folder}}}\n" for name in ("a", "b"))
    suite.write_text(f"name: two\nmodels:\n{models}measures:\n  - inference: {{prompt: 4, generate: 2}}\n")
    plan = make_plan(load_suite(str(suite)))
    a, b = plan.cells
    assert a.key == b.key and a.cell != b.cell
    seconds = expected_seconds(plan.cells, False, plan.fingerprint)
    first, second = seconds[a.cell], seconds[b.cell]
    assert first is not None and first > 0 and second == 0
    alone = expected_seconds([b], False, plan.fingerprint)
    assert alone[b.cell] == first
