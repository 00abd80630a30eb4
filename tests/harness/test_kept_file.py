"""What outlives a process has a checksum, which every flipped bit breaks; and there is no other way to read or write
it."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import harness
import reference_impl
from harness import kept_file
from harness.kept_file import Damaged
from harness.reader import at_a_shell
from harness.results.run import Run

NAME = "cells.jsonl"
TEXT = '{"value": 0.1234, "text": "Ünïcödé", "list": [1, 2, {"a": null}]}'


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.none() | st.lists(st.floats()), min_size=1))
def test_a_sealed_object_is_json_and_comes_back(value: dict[str, object]) -> None:
    for text in (json.dumps(value), json.dumps(value, indent=2)):
        sealed = kept_file.seal(text, NAME)
        assert kept_file.unseal(sealed.encode(), NAME).decode() == text
        assert "sha256" in json.loads(sealed)


@pytest.mark.parametrize("text", ["[]", "{}", "1", ""])
def test_only_an_object_can_be_sealed(text: str) -> None:
    with pytest.raises(ValueError, match="only a JSON object"):
        kept_file.seal(text, NAME)


def test_every_flipped_bit_and_every_cut_of_a_sealed_object_is_noticed() -> None:
    sealed = kept_file.seal(TEXT, NAME).encode()
    for damaged in (*flips(sealed), *cuts(sealed), sealed + b" ", b" " + sealed, b"{}", TEXT.encode()):
        with pytest.raises(Damaged):
            kept_file.unseal(damaged, NAME)


def test_every_flipped_bit_and_every_cut_of_kept_bytes_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    kept_file.write_bytes(path, b"\x00\x01\xff bytes\nof any kind")
    whole = path.read_bytes()
    assert kept_file.read_bytes(path) == b"\x00\x01\xff bytes\nof any kind"
    for damaged in (*flips(whole), *cuts(whole), whole + b"\0"):
        path.write_bytes(damaged)
        with pytest.raises(Damaged):
            kept_file.read_bytes(path)


def test_every_flipped_bit_and_every_cut_of_a_named_file_is_noticed(tmp_path: Path) -> None:
    content = b"\x00\x01 rows"
    path, is_new = kept_file.write_named(tmp_path, content, ".parquet")
    assert is_new and kept_file.read_named(path) == content
    assert kept_file.write_named(tmp_path, content, ".parquet") == (path, False)
    for damaged in (*flips(content), *cuts(content), content + b"\0"):
        path.write_bytes(damaged)
        with pytest.raises(Damaged, match="than its name says"):
            kept_file.read_named(path)
    path.write_bytes(content)
    with pytest.raises(Damaged):
        kept_file.read_named(path.rename(tmp_path / "another.parquet"))
    assert kept_file.write_named(tmp_path, content, ".parquet") == (path, True)


def test_a_file_in_the_place_of_another_is_none(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        kept_file.write_json(tmp_path / folder / "cell.json", json.dumps({"of": folder}))
    (tmp_path / "one/cell.json").replace(tmp_path / "two/cell.json")
    with pytest.raises(Damaged, match="sha256 is another"):
        kept_file.read_json(tmp_path / "two/cell.json")
    moved = (tmp_path / "two").rename(tmp_path / "one moved")
    with pytest.raises(Damaged):
        kept_file.read_json(moved / "cell.json")


def test_a_cache_may_lie_anywhere(tmp_path: Path) -> None:
    (tmp_path / "cache/peaks").mkdir(parents=True)
    kept_file.write_json(tmp_path / "cache/peaks/a.json", TEXT)
    (tmp_path / "cache").rename(tmp_path / "moved")
    assert kept_file.read_json(tmp_path / "moved/peaks/a.json").decode() == TEXT


def test_what_is_damaged_is_dropped_and_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "peaks.json"
    assert kept_file.kept_json(path) is None and capsys.readouterr().err == "", "nothing there is no damage"
    for _ in range(2):
        path.write_text(TEXT)
        with at_a_shell():
            assert kept_file.kept_json(path) is None and not path.exists()
    said = capsys.readouterr().err
    assert said.count("peaks.json: it has no checksum") == 1 and said.startswith("warning: ")


def test_a_table_is_compared_with_its_sha256(tmp_path: Path) -> None:
    frame = pd.DataFrame({"document": [0, 1], "nll": [0.5, float("inf")]})
    path = tmp_path / "samples.parquet"
    sha256 = kept_file.write_frame(path, frame)
    pd.testing.assert_frame_equal(kept_file.read_frame(path, sha256), frame)
    assert kept_file.copy(path, tmp_path / "copy.parquet") == sha256 == kept_file.content_sha256(path)
    whole = path.read_bytes()
    for damaged in list(flips(whole))[::97]:
        path.write_bytes(damaged)
        with pytest.raises(Damaged):
            kept_file.read_frame(path, sha256)


def flips(content: bytes) -> list[bytes]:
    """The content with each of its bits flipped."""
    found = []
    for place in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        found.append(bytes(damaged))
    return found


def cuts(content: bytes) -> list[bytes]:
    return [content[:end] for end in range(len(content))]


# --- there is no other way -------------------------------------------------------------------------------------------

READS_AND_WRITES = {
    *(
        "open",
        "read_bytes",
        "read_text",
        "write_bytes",
        "write_text",
        "to_parquet",
        "read_parquet",
        "read_csv",
        "to_csv",
    ),
    *("load_file", "save_file", "save_model", "safe_open", "memmap", "memory_map", "ParquetFile", "CDLL", "copyfile"),
    *("copytree", "copyfileobj", "write_whole", "fdopen", "mkstemp"),
}
"""Names of functions and methods that read or write files."""

OTHER = {
    # the ways themselves
    "harness/kept_file.py": "with checksums",
    "harness/whole_file.py": "whole or not at all",
    "reference_impl/alignment/linear_products.py": "what the system says of the processor",
    "harness/execution/preflight/model_files.py": "the end of a tokenizer.json of others",
    "harness/shorthand/written.py": "a suite that is saved for a person",
    # a checksum of their own format, compared when they are read
    "reference_impl/training/checkpoint.py": "checkpoint.json holds the sha256 of every file",
    "reference_impl/training/checkpoint_folder.py": "checkpoint.json itself",
    "reference_impl/training/checkpoint_weights.py": "a file of a checkpoint that is verified",
    "reference_impl/quantization/quantized_checkpoint.py": "a checkpoint",
    "reference_impl/training/state_file.py": "sha256 in the file's metadata",
    "reference_impl/alignment/on_policy.py": "a second name of a training state",
    "harness/models/checkpoint_making.py": "a file of a checkpoint that is verified",
    "harness/models/checkpoint_stage.py": "a file of a checkpoint that is verified",
    "reference_impl/alignment/stages/checkpoints.py": "copies of checkpoints beside a training state",
    "reference_impl/alignment/stages/drawing.py": "a file of a checkpoint that is verified",
    "reference_impl/alignment/stages/learner.py": "files of a checkpoint that is verified",
    "reference_impl/alignment/stages/reward_folder.py": "a file of a checkpoint that is verified",
    "reference_impl/alignment/stages/start_folder.py": "settings of an adapter, as peft writes them",
    "reference_impl/alignment/stages/result.py": "a file of a checkpoint that is verified",
    "harness/models/alignment.py": "what a person is told of a checkpoint",
    "reference_impl/text/shards.py": "sha256 in the header, which facts.json repeats",
    "reference_impl/text/tokenizer.py": "part of a checkpoint; its digest is in facts.json",
    "reference_impl/text/characters.py": "part of a checkpoint; its digest is in facts.json",
    "reference_impl/text/any_tokenizer.py": "part of a checkpoint; its digest is in facts.json",
    "reference_impl/native/build.py": "sha256 at the end of the library",
    "harness/assets/manifest.py": "a list of an earlier version, whose sha256 are compared file by file",
    "harness/models/digest.py": "reads checkpoint.json, and compares each file with what it says",
    "harness/models/training_evidence.py": "training.json: checkpoint.json has its sha256",
    "harness/models/training.py": "the same training.json, for the summary",
    # the run folder
    "harness/results/made_files.py": "findings and outcomes, each compared before it is parsed",
    "harness/results/run_folder.py": "lines and files, each compared before it is parsed",
    "harness/results/journal.py": "appends sealed lines; findings and outcomes, whose sha256 the manifest has",
    "harness/results/find.py": "manifests of versions without checksums",
    "harness/report/markdown.py": "summary.md: the manifest has its sha256, and nothing reads it",
    "harness/report/html.py": "report.html: the manifest has its sha256, and nothing reads it",
    "harness/measures/task/finished_documents.py": "appends sealed lines under the cell's key",
    "harness/corpora/hub.py": "a text that an earlier version fetched, without a checksum",
    "harness/gate/lockstep/record.py": "appends sealed lines of what is measured",
    "harness/history/entry.py": "verdicts that an earlier version wrote without a checksum",
    "harness/history/series_json.py": "CSV as text",
    "harness/history/folder.py": "Parquet in memory, after kept_file compared the bytes",
    "harness/gate/lockstep/ledger.py": "appends and reads sealed lines",
    "harness/gate/stored/stored_ledger.py": "appends and reads sealed lines",
    "harness/baselines/replacing.py": "a system call",
    "harness/site/folder.py": "names of files of ours, which are believed only where they look so",
    "harness/site/write.py": "the page's own files, out of the package",
    "harness/suite/new_suite.py": "a suite of ours, out of the package, written where none is: a person edits it",
    # logs, which no program reads
    "harness/gate/arms/arm_process.py": "what an arm prints",
    "harness/cli/boundary.py": "a traceback for a person",
    "harness/cli/output.py": "the null device",
    "harness/standard_streams.py": "the null device",
    "harness/execution/worker_log.py": "worker.log",
    "harness/execution/executors/local.py": "/proc",
    "harness/execution/memory_there.py": "/proc and control groups",
    "harness/execution/serve.py": "worker.log",
    "harness/execution/opened_model.py": "opens models",
    "harness/models/known_architectures.py": "files of transformers",
    "harness/execution/executors/here.py": "worker.log",
    # what a person asked to be written elsewhere
    "reference_impl/model/huggingface_export.py": "a model in the layout of others, from one in it",
    "harness/report/fit_files.py": "the folder of `harness fit`",
    "harness/report/lm_eval_files.py": "the folder of `harness report --lm-eval`",
    "harness/report/picture.py": "a picture",
    "harness/cli/ab.py": "the file of --json",
    "harness/gate/written/files.py": "the verdict and its summary, for people and their scripts",
    "harness/cli/interchange.py": "writes what the user asked for, in another tool's format",
    "harness/interchange/inspect_archive.py": "another tool's archive, whose members have a checksum",
    "harness/gate/change/side.py": "the suite for a process of the project's, and what that prints",
    "harness/gate/accepted.py": "the user's harness-accept.yaml",
    "harness/pytest_plugin/quality.py": "the suite of a test, in pytest's own folder for temporary files",
    "harness/analysis/scaling/table_file.py": "the user's table",
    "harness/input_file.py": "a file of the user's, such as a suite",
    "harness/tasks/data/csv_as_lm_eval.py": "the user's data",
    "harness/tasks/judging/rules/refusal_error.py": "labeled answers that ship",
    "harness/tasks/judging/rules/toxic_words.py": "a word list that ships",
    # what is fetched, compared with the sha256 that the table of assets declares before it is kept
    **dict.fromkeys(
        (
            *("harness/assets/archive.py", "harness/assets/https.py"),
            *("harness/assets/pypi.py", "harness/assets/gguf_conversion.py"),
            *("harness/assets/gguf_tokenizer.py",),
            *(f"harness/assets/published/{name}.py" for name in ("bbh_codex", "cot_wei2022", "csv_table")),
            *(f"harness/assets/published/{name}.py" for name in ("datablations_repetition", "gadre_overtraining")),
            "harness/assets/published/pythia_evals.py",
        ),
        "an asset on its way",
    ),
    # files of an asset, whose sha256 are compared when it is got
    "harness/corpora/shakespeare.py": "an asset",
    "harness/published_data/frame.py": "an asset, or the user's table",
    # what belongs to the user: sources, suites, tasks, data, models
    **dict.fromkeys(
        (
            "harness/execution/code_digest.py",
            *("harness/tasks/code/helper_files.py", "harness/tasks/code/registered_filters.py"),
            *("harness/tasks/code/requirements.py", "harness/tasks/task_digest.py"),
            *("harness/measures/task/told.py", "harness/corpora/microworld.py"),
            *("harness/models/bounded_files.py", "harness/models/weight_header.py"),
            *("harness/models/transformers_adapter.py", "harness/models/stage_checks.py"),
            *("harness/models/known_behavior.py", "harness/tasks/code/modules.py", "harness/tasks/code/stateless.py"),
            "harness/tasks/code/helper_state.py",
            *("reference_impl/model/huggingface_folder.py", "reference_impl/files/compression.py"),
            "reference_impl/files/arrow_rows.py",
        ),
        "the user's",
    ),
    "harness/execution/imported.py": "what a worker has imported, and the RECORD of what is installed",
    "harness/gate/arms/arm_worker.py": "what the user's code has loaded, and the system's calls",
    "harness/gate/arms/revision.py": "the user's project at a revision",
    # the system
    **dict.fromkeys(
        (
            *("harness/threads.py", "harness/results/conditions.py", "harness/results/fingerprint.py"),
            "harness/results/peaks.py",
            "harness/execution/memory_there.py",
            "harness/measures/memory_meter.py",
            *("harness/fences/capabilities.py", "harness/fences/landlock.py", "harness/fences/seccomp.py"),
        ),
        "/proc, /sys, the C library",
    ),
    # what lives as long as a process of ours
    "harness/results/held_folder.py": "a lock",
    "harness/results/checkout.py": "a git folder made for one question, and files of the user's",
    "harness/fences/folder.py": "a process's own folder, cleared when it ends",
    "harness/tasks/judging/code_execution.py": "a pipe to the process that starts programs",
    "harness/tasks/programs/server.py": "a pipe, and /dev/null",
}
"""Every source file that reads or writes files other than through `kept_file`, and what it is that it reads."""


def test_nothing_that_is_kept_is_read_or_written_by_another_way() -> None:
    """Who reads or writes a file says here what it is; what is kept between processes goes through `kept_file`."""
    found = {}
    for package in (harness, reference_impl):
        root = Path(package.__path__[0])
        for file in sorted(root.rglob("*.py")):
            name = file.relative_to(root.parent).as_posix()
            calls = file_calls(ast.parse(file.read_bytes()))
            if calls and "/tasks/shipped/" not in name:
                found[name] = calls
    unknown = {name: calls for name, calls in found.items() if name not in OTHER}
    assert not unknown, f"use harness.kept_file for what is kept, or say in OTHER what these files read: {unknown}"
    assert set(OTHER) <= set(found), "said, and not so any more"


def test_who_has_a_folder_of_the_cache_uses_kept_file() -> None:
    """`cache_folder` is asked for only by files that keep things with checksums, or whose format has its own."""
    own = {
        "harness/cache.py": "makes it",
        "harness/cli/boundary.py": "a log",
        "harness/assets/store.py": "assets/manifest.py",
        "harness/models/training_stages.py": "names the folder of a checkpoint",
        "harness/models/adapter_stage.py": "names the folder of a model",
        "harness/results/folder_lock.py": "a lock",
        "harness/execution/serve.py": "a lock",
    }
    asking = set()
    for file in Path(harness.__path__[0]).rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        if "cache_folder(" in text and "kept_file" not in text:
            asking.add(f"harness/{file.relative_to(harness.__path__[0]).as_posix()}")
    assert asking == set(own)


def file_calls(tree: ast.AST) -> list[str]:
    """What a source calls that reads or writes files."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
        before = called.value if isinstance(called, ast.Attribute) else None
        of = before.id if isinstance(before, ast.Name) else before.attr if isinstance(before, ast.Attribute) else ""
        if isinstance(called, ast.Name) and name in METHODS:
            continue
        if name in READS_AND_WRITES and of not in NO_FILES:
            found.append(f"line {node.lineno}: {of}.{name}" if of else f"line {node.lineno}: {name}")
    return found


METHODS = {"read_bytes", "read_text", "write_bytes", "write_text", "to_parquet"}
"""What reads or writes a file as a method alone: a function of that name is another thing."""
NO_FILES = {"kept_file", "library", "self", "counting", "tarfile", "zipfile", "zipped", "tarred"}
"""What stands before `.open` and the like and is no file: a task library opens tasks."""


def test_known_bad_a_new_way_is_noticed() -> None:
    assert file_calls(ast.parse("Path(x).write_text('1')\nlibrary.open('t')\nnp.memmap(f)")) == [
        "line 1: write_text",
        "line 3: np.memmap",
    ]


SEEN_BY = (
    *("kept_file.py", "checkpoint.py", "checkpoint_folder.py", "checkpoint_weights.py", "shards.py"),
    *("any_tokenizer.py", "tokenizer.py", "training.py", "digest.py"),
)
"""Who opens what is kept in the cache while a run is made: `kept_file`, and those whose format has a checksum."""
RUN_FOLDER = ("made_files.py", "run_folder.py", "find.py", "journal.py", "kept_file.py")


def test_a_run_opens_what_is_kept_through_these_files_alone(
    finished_run: Run, tiny_suite: str, test_cache: Path, tmp_path: Path
) -> None:
    """The same seen from below: who opens the files while a known suite runs again, is shown and reported."""
    (tmp_path / "tiny.yaml").write_text(tiny_suite)
    program = f"""
import json, os, sys, traceback
from pathlib import Path
import harness
from harness.cli import show, report
cache, out, seen = {str(test_cache)!r}, {str(tmp_path / "runs")!r}, set()
def hook(event, arguments):
    if event == "open" and isinstance(arguments[0], str) and arguments[0].startswith((cache, out)):
        if "r" in (arguments[1] or "r") and not arguments[0].endswith((".lock", "worker.log")):
            frame = sys._getframe(1)
            while frame and not frame.f_code.co_filename.startswith({str(Path(harness.__path__[0]).parent)!r} + os.sep):
                frame = frame.f_back
            if frame and "/.venv/" not in frame.f_code.co_filename:
                seen.add((arguments[0].startswith(cache), Path(frame.f_code.co_filename).name))
sys.addaudithook(hook)
run = harness.run({str(tmp_path / "tiny.yaml")!r}, out=out)
harness.make_report(str(run.folder))
[run.samples_of(cell) for cell in run.cells]
print(json.dumps(sorted(seen)))
"""
    environment = os.environ | {"HARNESS_CACHE": str(test_cache), "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    seen = [(in_cache, name) for in_cache, name in json.loads(ended.stdout.splitlines()[-1])]
    assert (True, "kept_file.py") in seen and (False, "kept_file.py") in seen
    assert [name for in_cache, name in seen if name not in (SEEN_BY if in_cache else RUN_FOLDER)] == []
