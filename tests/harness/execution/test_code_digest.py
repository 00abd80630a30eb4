"""What is listed as code that determines results is there, and everything that a worker loads is listed."""

from __future__ import annotations

import importlib
import json
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import harness
import reference_impl
from harness.errors import UserError
from harness.execution.code_digest import (
    ALIGNING,
    MEASURING,
    SOURCE,
    TRAINING,
    code_digest,
    package_digest,
    source_files,
)
from harness.execution.plan import Plan, make_plan
from harness.execution.requests import Collect, Request, TrainModel
from harness.measures.registry import MEASURES
from harness.models.contract import ModelSource
from harness.results.run import Run
from harness.suite.load import load_suite

ROOTS = {Path(str(package.__file__)).parent for package in (harness, reference_impl)}

PACKAGES = (
    *("harness", "harness.execution", "harness.results", "reference_impl"),
    *("reference_impl.alignment", "reference_impl.alignment.stages"),
)
"""Their `__init__.py` holds a docstring, or names that are looked up when they are used."""
EITHER = {
    "harness.assets": "fetches files; what they hold is in the key",
    "harness.cache": "where files lie",
    "harness.file_digest": "what files hold, which is in the key",
    **dict.fromkeys(("harness.input_file", "harness.kept_file", "harness.whole_file"), "a file's bytes, or an error"),
    **dict.fromkeys(("harness.errors", "harness.notice", "harness.number", "harness.spelling"), "sentences"),
    "harness.reader": "whose words sentences have",
    **dict.fromkeys(("harness.limits", "harness.strict_entry"), "settings as they are given, or an error"),
    **dict.fromkeys(
        (
            "reference_impl.alignment.settings",
            "reference_impl.alignment.stages.data_settings",
            "reference_impl.alignment.stages.method",
        ),
        "settings as they are given, or an error",
    ),
    "reference_impl.alignment.stages.start_folder": "where files lie",
    "harness.mode": "the names of two ways to ask tasks",
    "harness.plugins": "finds other packages, whose code is in the key of their cells",
    "harness.promises": "looks at what those declare",
    **dict.fromkeys(("harness.strict_json", "harness.strict_models"), "the same values, or an error"),
    **dict.fromkeys(
        ("harness.execution.opened_model", "harness.execution.requests", "harness.execution.serve"),
        "hand on what others measure",
    ),
    "harness.execution.imported": "what is recorded beside the numbers",
    **dict.fromkeys(
        ("harness.results.conditions", "harness.results.provenance"), "what is recorded beside the numbers"
    ),
    "harness.results.folder_lock": "who may write",
    "harness.results.fingerprint": "what is recorded beside the numbers; the class of a machine is in the key",
    "harness.results.record": "the shape of a record, which has a version of its own",
    "harness.threads": "how many threads, which is in the key where it is more than rounding",
}
"""Modules and packages that are not listed, and why that is right."""
NOT_MEASURING = EITHER
NOT_TRAINING = EITHER | {
    "harness.common_prefix": "what prompts share; training asks for none",
    "harness.fences": "what the code of tasks may do",
    "harness.measures": "said of a request's measure; training asks for none",
    "harness.models": "opens models; training makes its own",
    "harness.results": "peaks and bytes of measurements",
    "harness.tasks": "said of a request's tasks; training asks for none",
    "harness.yaml_files": "the files of tasks",
}

ALIGNED = """
  aligned:
    from: tiny
    train:
      ppo: {data: microworld/sums, most: 8, response: 4, reward: answers, rollouts: 1, prompts: 2}
  scorer:
    from: tiny
    train:
      reward: {data: FOLDER/pairs.jsonl, epochs: 1, held_out: 0}
"""
SUITE = """
measures:
  - perplexity: {{text: {story}, documents: 4}}
    models: [tiny]
    matrix: {{precision: [fp32, int8, nf4]}}
  - perplexity: {{text: {story}, documents: 4}}
    models: [llama]
  - task: {{task: [{tasks}/choice.yaml, {tasks}/text.yaml], documents: 2}}
    models: [tiny, llama]
  - fidelity: {{text: {story}, documents: 2, prompt: 4, generate: 2}}
    models: [tiny, llama]
  - probe: {{text: {story}, documents: 4, continued: 1, generate: 4}}
    models: [tiny]
    matrix: {{precision: int8}}
  - inference: {{prompt: 4, generate: 2, iterations: 1, warmup: 0}}
    models: [tiny, llama]
  - memory: {{context: 32}}
    models: [tiny]
  - diversity: {{text: {story}, documents: 2, prompt: 4, generate: 2}}
    models: [tiny]
  - kv_cache: {{generate: 2, iterations: 1}}
    models: [tiny]
  - training: {{}}
    models: [tiny]
  - training_speed: {{}}
    models: [tiny]
  - alignment: {{}}
    models: [aligned]
  - alignment_speed: {{}}
    models: [aligned]
  - preference: {{pairs: {tasks}/pairs.jsonl}}
    models: [aligned, llama]
  - reward_model: {{pairs: {tasks}/pairs.jsonl}}
    models: [scorer]
  - responses: {{prompts: {tasks}/pairs.jsonl, max_new: 4, judge: scorer, reference: tiny}}
    models: [aligned]
  - win_rate: {{prompts: {tasks}/pairs.jsonl, max_new: 4, judge: scorer, against: tiny}}
    models: [aligned]
  - activations: {{text: {story}, documents: 2}}
    models: [tiny]
  - in_context: {{text: {story}, documents: 2, tokens: 32, sequences: 2}}
    models: [tiny]
  - in_context_regression: {{steps: 1, batch: 1, sequences: 2}}
    models: [tiny]
"""
"""Every measure, both kinds of model, and weights of every family."""

WORKER = """
import pickle, sys
from pathlib import Path
import harness.execution.serve as serve
serve.pin_threads(1, 0)
opened = serve.OpenedModel()
for request in map(pickle.loads, pickle.loads(Path(sys.argv[1]).read_bytes())):
    answer = serve.answer(request, opened, 1, lambda step: None)
    if isinstance(answer, serve.Refused):
        sys.exit(f"{request}: {answer.reason} {answer.trace}")
    if isinstance(answer, serve.Collected):
        import pandas
        from harness.measures.measure import Facts
        from harness.measures.registry import MEASURES
        measure = MEASURES[request.measure]
        assert measure.summarize(pandas.DataFrame(answer.samples), request.settings, Facts(answer.identity))
print(*(f"{name}={module.__file__}" for name, module in sorted(sys.modules.items())
        if name.partition(".")[0] in ("harness", "reference_impl")), sep="\\n")
"""
"""A worker's process as far as imports go: it starts with `serve` alone, and requests come as pickles. What the parent
does with the samples is done here too."""


def loaded_for(requests: Iterable[Request], folder: Path) -> dict[str, Path]:
    """The project's modules in a worker that has answered the requests, and their files."""
    (folder / "requests").write_bytes(pickle.dumps([pickle.dumps(request) for request in requests]))
    done = subprocess.run(
        [sys.executable, "-c", WORKER, str(folder / "requests")],
        capture_output=True, text=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {name: Path(file) for name, _, file in (line.partition("=") for line in done.stdout.splitlines())}


def not_listed(loaded: dict[str, Path], listed: tuple[str, ...], excepted: dict[str, str]) -> list[str]:
    """The loaded modules that are neither listed nor excepted."""
    files = {path for package in listed for _, path in source_files(package)}

    def is_excepted(name: str) -> bool:
        return name in PACKAGES or any(f"{name}.".startswith(f"{prefix}.") for prefix in excepted)

    return [name for name, file in loaded.items() if file not in files and not is_excepted(name)]


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory, tiny_suite: str, story: Path, llama_folder: Path) -> Path:
    folder = tmp_path_factory.mktemp("every")
    rows = '{"q": "the river", "c": [" runs", " stands"], "a": 0}\n{"q": "a stone", "c": [" runs", " lies"], "a": 1}\n'
    (folder / "rows.jsonl").write_text(rows)
    pairs = [{"prompt": one, "chosen": " river", "rejected": " stone"} for one in ("the", "a")]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    head = f"dataset_path: {folder}/rows.jsonl\ntest_split: test\ndoc_to_text: '{{{{q}}}}'\n"
    choices = "output_type: multiple_choice\ndoc_to_choice: c\ndoc_to_target: a\nmetric_list: [{metric: acc}]\n"
    text = "output_type: generate_until\ndoc_to_target: '{{c[a]}}'\nmetric_list: [{metric: exact_match}]\n"
    (folder / "choice.yaml").write_text(f"task: choice\n{head}{choices}")
    (folder / "text.yaml").write_text(f"task: text\n{head}{text}generation_kwargs: {{max_gen_toks: 2}}\n")
    model = next(line for line in tiny_suite.splitlines() if line.startswith("  tiny:"))
    aligned = ALIGNED.replace("FOLDER", str(folder))
    models = (
        f"models:\n{model}\n{aligned}\n  llama: {{transformers: {llama_folder}}}\nmatrix: {{device: cpu, threads: 1}}"
    )
    path = folder / "every.yaml"
    path.write_text(f"name: every\nabout: Every measure.\n{models}\n" + SUITE.format(story=story, tasks=folder))
    return path


@pytest.mark.parametrize("listed", [MEASURING, TRAINING])
def test_a_path_that_is_not_there_is_refused(listed: tuple[str, ...]) -> None:
    code_digest(listed)
    for wrong in ("harness/models_that_moved", "reference_impl/inference/engine_that_moved.py"):
        with pytest.raises(FileNotFoundError, match=f"{wrong.rpartition('/')[2]}: no source files here"):
            code_digest((*listed, wrong))


def test_a_folder_without_source_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inference" / "__pycache__").mkdir(parents=True)  # what a move leaves behind
    (tmp_path / "inference" / "__pycache__" / "engine.pyc").write_bytes(b"")
    monkeypatch.setattr("harness.execution.code_digest.files", lambda package: tmp_path)
    with pytest.raises(FileNotFoundError, match="inference: no source files here"):
        source_files("reference_impl/inference")


def test_every_source_of_a_compiled_kernel_is_listed() -> None:
    compiled = {path for root in ROOTS for path in root.rglob("*") if path.suffix in SOURCE and path.suffix != ".py"}
    assert compiled, "the kernel's sources are gone"
    assert compiled <= {path for package in MEASURING for _, path in source_files(package)}
    assert not {path for root in ROOTS for path in root.rglob("*.[ch]*") if path.suffix in (".c", ".cc", ".h", ".cxx")}


def test_what_a_worker_loads_to_measure_is_listed(finished_run: Run, suite: Path, tmp_path: Path) -> None:
    plan = make_plan(load_suite(str(suite)))
    assert {item.cell.measure for item in plan.cells} == set(MEASURES), "a measure without a cell here is not looked at"
    loaded_for(aligning(plan), tmp_path)
    loaded = loaded_for(
        [
            Collect(
                *(item.cell.measure, item.cell.typed, item.source, plan.library),
                read=item.read,
                asked=item.asked_sources,
            )
            for item in plan.cells
        ],
        tmp_path,
    )
    assert not_listed(loaded, MEASURING, NOT_MEASURING) == []
    without = tuple(listed for listed in MEASURING if listed != "reference_impl/inference")
    assert not_listed(loaded, without, NOT_MEASURING), "what isn't listed is seen"


def test_what_a_worker_loads_to_train_is_listed(suite: Path, tmp_path: Path) -> None:
    training = make_plan(load_suite(str(suite))).cells[0].resolved.training
    assert training is not None
    loaded = loaded_for([TrainModel(training, ModelSource("m", "reference", str(tmp_path / "model"), "d"))], tmp_path)
    assert not_listed(loaded, TRAINING, NOT_TRAINING) == []
    without = tuple(listed for listed in TRAINING if listed != "reference_impl/training")
    assert not_listed(loaded, without, NOT_TRAINING), "what isn't listed is seen"


def test_what_a_worker_loads_to_align_is_listed(finished_run: Run, suite: Path, tmp_path: Path) -> None:
    # Into folders of its own: what is there already is not trained.
    requests = [
        replace(request, source=replace(request.source, path=str(tmp_path / request.source.name)))
        for request in aligning(make_plan(load_suite(str(suite))))
    ]
    loaded = loaded_for(requests, tmp_path)
    assert not_listed(loaded, ALIGNING, NOT_TRAINING) == []
    without = tuple(listed for listed in ALIGNING if listed != "reference_impl/alignment")
    assert not_listed(loaded, without, NOT_TRAINING), "what isn't listed is seen"


def aligning(plan: Plan) -> list[TrainModel]:
    """What makes the aligned models of the suite."""
    found = []
    for name in ("aligned", "scorer"):
        resolved = next(item.resolved for item in plan.cells if item.cell.model == name)
        assert resolved.training is not None and resolved.before is not None
        found.append(TrainModel(resolved.training, resolved.source, resolved.before.source))
    return found


@pytest.mark.parametrize("excepted", [NOT_MEASURING, NOT_TRAINING])
def test_what_is_excepted_is_there(excepted: dict[str, str]) -> None:
    for name in (*PACKAGES, *excepted):
        top, *rest = name.split(".")
        place = next(root for root in ROOTS if root.name == top).joinpath(*rest)
        assert place.is_dir() or place.with_suffix(".py").is_file(), f"{name} moved: rename it here"


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """The digest of the package of a module below `tmp_path`, imported afresh."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def digest(module: str) -> str:
        for name in [name for name in sys.modules if name.startswith("words_")]:
            del sys.modules[name]
        importlib.invalidate_caches()
        importlib.import_module(module)
        return package_digest.__wrapped__(module)

    return digest


def written(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("module", "changed", "is_seen"),
    [
        ("words_alone", "words_alone.py", True),
        ("words_alone", "words_beside.py", False),
        ("words_whole.measure", "words_whole/measure.py", True),
        ("words_whole.measure", "words_whole/helper.py", True),
        ("words_whole.measure", "words_whole/data/list.txt", True),
        ("words_whole.deep.measure", "words_whole/helper.py", True),
        ("words_whole.measure", "words_whole/__pycache__/helper.cpython-311.pyc", False),
        ("words_shared.part.measure", "words_shared/part/measure.py", True),
        ("words_shared.part.measure", "words_shared/other/measure.py", False),
    ],
)
def test_the_package_of_a_plugin_is_hashed(
    tmp_path: Path, imported: Callable[[str], str], module: str, changed: str, is_seen: bool
) -> None:
    """`words_shared` has no `__init__.py`: several packages may put theirs into it."""
    modules = ("words_alone.py", "words_beside.py", "words_whole/helper.py", "words_whole/measure.py")
    inner = ("words_whole/deep/measure.py", "words_shared/part/measure.py", "words_shared/other/measure.py")
    starts = ("words_whole/__init__.py", "words_whole/deep/__init__.py", "words_shared/part/__init__.py")
    others = ("words_whole/data/list.txt", "words_whole/__pycache__/helper.cpython-311.pyc")
    written(tmp_path, dict.fromkeys((*modules, *inner, *starts, *others), ""))
    before = imported(module)
    assert imported(module) == before
    written(tmp_path, {changed: "# edited\n"})
    assert (imported(module) != before) == is_seen
    written(tmp_path, {changed: ""})
    assert imported(module) == before


def test_a_plugin_without_files_is_refused(tmp_path: Path, imported: Callable[[str], str], monkeypatch: Any) -> None:
    with zipfile.ZipFile(tmp_path / "words.zip", "w") as archive:
        archive.writestr("words_zipped/__init__.py", "")
    monkeypatch.syspath_prepend(tmp_path / "words.zip")
    with pytest.raises(UserError, match="the package of words_zipped has no files on the disk"):
        imported("words_zipped")
