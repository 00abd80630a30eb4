"""The command line as a user meets it: exit codes, one sentence per mistake, and quick help."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli import main
from harness.results.run import Run

HEAVY = ("torch", "transformers", "pandas", "pyarrow", "altair", "scipy", "pydantic", "numpy")


def harness(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """(exit code, standard output, standard error) of a command."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setattr(sys, "argv", ["harness", *arguments])
        patch.setenv("COLUMNS", "200")
        main()
    output = capsys.readouterr()
    return int(ended.value.code or 0), output.out, output.err


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['harness', '--help']\n"
        "from harness.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip().endswith("[]")
    for command in ("run", "plan", "list", "show", "report", "compare", "schema", "doctor", "assets", "data"):
        assert command in output


@pytest.fixture
def run_folder(finished_run: Run) -> Path:
    return finished_run.folder


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("run", "nowhere.yaml"), "no such suite file"),
        (("run", "quickstat"), "did you mean 'quickstart'?"),
        (("plan", "nowhere.yaml"), "no such suite file"),
        (("show", "nothing"), "no run 'nothing'"),
        (("show", "latest", "--out", "nowhere"), "there is no run here yet"),
        (("report", "latest", "--out", "nowhere"), "there is no run here yet"),
        (("compare", "a", "b"), "no run 'a'"),
        (("run", "quickstart", "--resume", "--out", "nowhere"), "no unfinished run"),
        (("assets", "get", "smollm"), "smollm2-135m-instruct"),
        (("run",), "suite: is missing: a suite file"),
        (("list", "modles"), "models"),
        (("no-such-command",), "there is no command 'no-such-command'"),
        (("run", "quickstart", "--no-such-option"), "there is no option --no-such-option (harness run --help)"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], sentence: str
) -> None:
    code, _, errors = harness(capsys, *arguments)
    assert code == 2
    assert sentence in errors
    assert "Traceback" not in errors


def test_the_schema_of_suites_describes_every_measure(capsys: pytest.CaptureFixture[str]) -> None:
    code, output, _ = harness(capsys, "schema", "suite")
    schema = json.loads(output)
    assert code == 0
    assert {"perplexity", "inference", "memory"} <= set(schema["$defs"]["MeasureEntry"]["properties"])
    settings = schema["$defs"]["InferenceSettingsInSuite"]["properties"]["batch"]
    assert [option["type"] for option in settings["anyOf"]] == ["integer", "array"]


def test_list_explains_the_words_of_a_suite(capsys: pytest.CaptureFixture[str]) -> None:
    code, output, _ = harness(capsys, "list", "suites", "measures", "models", "corpora")
    assert code == 0
    for word in (
        "quickstart",
        "perplexity",
        "bits_per_byte",
        "mbu",
        "nano",
        "smollm2-135m-instruct",
        "microworld/test",
    ):
        assert word in output


def test_plan_prints_cells_and_runs_nothing(
    capsys: pytest.CaptureFixture[str], tiny_suite: str, tmp_path: Path
) -> None:
    path = tmp_path / "other.yaml"
    path.write_text(tiny_suite.replace("tokens: 4000", "tokens: 4001"))
    code, output, _ = harness(capsys, "plan", str(path))
    assert code == 0
    assert "6 cells, 0 known" in output
    assert "train nano" in output


def test_plan_knows_what_is_cached(capsys: pytest.CaptureFixture[str], run_folder: Path) -> None:
    _, output, _ = harness(capsys, "plan", str(run_folder.parent.parent / "tiny.yaml"))
    assert "6 cells, 6 known" in output


def test_show_report_and_compare_a_run(capsys: pytest.CaptureFixture[str], run_folder: Path) -> None:
    out = str(run_folder.parent)
    code, output, _ = harness(capsys, "show", "--out", out)
    assert (code, run_folder.name in output) == (0, True)
    code, output, _ = harness(capsys, "show", "latest", "--out", out)
    assert (code, "perplexity" in output, "met" in output) == (0, True, True)
    code, output, _ = harness(capsys, "report", "latest", "--out", out)
    assert (code, "report.html" in output.replace("\n", "")) == (0, True)
    code, output, _ = harness(capsys, "compare", "latest", "latest", "--out", out)
    assert (code, "bits_per_byte" in output.replace(" ", "_")) == (0, True)


def test_a_corrupted_run_folder_is_one_sentence(
    capsys: pytest.CaptureFixture[str], run_folder: Path, tmp_path: Path
) -> None:
    import shutil

    copy = tmp_path / "broken"
    shutil.copytree(run_folder, copy)
    (copy / "manifest.json").write_text("{")
    code, _, errors = harness(capsys, "show", str(copy))
    assert (code, "the manifest is corrupted" in errors, "Traceback" in errors) == (2, True, False)
    assert Run(run_folder).manifest.status == "finished"


@pytest.mark.parametrize("name", ["manifest.json", "cells.jsonl", "findings.json"])
def test_a_folder_in_place_of_a_runs_file_is_one_sentence(
    capsys: pytest.CaptureFixture[str], run_folder: Path, tmp_path: Path, name: str
) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(run_folder, copy)
    (copy / name).unlink()
    (copy / name).mkdir()
    report = (copy / "report.html").read_bytes()
    commands = [("show", str(copy)), ("report", str(copy))]
    if name != "findings.json":  # which `compare` doesn't read
        commands.append(("compare", str(run_folder), str(copy)))
    for command in commands:
        code, _, errors = harness(capsys, *command)
        assert code == 2 and len(errors.strip().splitlines()) == 1
        assert errors.startswith(f"error: {copy / name}: a folder stands where this file belongs; remove the folder")
    assert (copy / "report.html").read_bytes() == report


def test_samples_that_cannot_be_read_cost_their_own_rows_of_a_comparison(
    capsys: pytest.CaptureFixture[str], run_folder: Path, tmp_path: Path
) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(run_folder, copy)
    path = copy / next(cell.samples for cell in Run(copy).cells if cell.samples and cell.measure == "perplexity")
    path.unlink()
    path.mkdir()
    code, output, errors = harness(capsys, "compare", str(run_folder), str(copy))
    assert code == 2 and errors == (
        f"warning: {path}: a folder stands where this file belongs; remove the folder, then run the suite again\n"
    )
    assert "perplexity" in output and "weight bytes" in output


def test_a_plan_of_analyses_alone_has_no_cells(capsys: pytest.CaptureFixture[str]) -> None:
    code, output, errors = harness(capsys, "plan", "guide/03-scale-of-training")
    assert (code, "0 cells, 0 known" in output, errors) == (0, True, "")


def test_what_nobody_foresaw_is_one_sentence_and_its_traceback_is_kept(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, run_folder: Path
) -> None:
    def fails(*given: object) -> None:
        raise KeyError("half \ud800")

    monkeypatch.setattr("harness.report.terminal.print_run", fails)
    code, _, errors = harness(capsys, "show", str(run_folder))
    assert code == 2 and "Traceback" not in errors and len(errors.strip().splitlines()) == 1
    assert errors.startswith("error: unexpected error while running this command: ")
    kept = Path(errors.rpartition("the traceback is in ")[2].strip())
    assert "KeyError" in kept.read_text()


def test_run_prints_the_report_that_it_wrote(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, run_folder: Path, tmp_path: Path
) -> None:
    """It is made once, and is what `show` makes of the folder."""
    from harness import conclusion
    from harness.report import making

    made = []
    monkeypatch.setattr(conclusion, "of_run", lambda *given: made.append(making.of_run(*given)) or made[-1])
    suite = str(run_folder.parent.parent / "tiny.yaml")
    code, output, _ = harness(capsys, "run", suite, "--out", str(tmp_path / "runs"))
    assert code == 0 and len(made) == 1
    (folder,) = [path for path in (tmp_path / "runs").iterdir() if path.is_dir()]
    shown = harness(capsys, "show", str(folder))[1]
    assert shown.startswith("tiny  A suite for tests.") and output.partition("    next  ")[0].endswith(shown)


def test_run_tells_of_a_report_that_can_t_be_made(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, run_folder: Path, tmp_path: Path
) -> None:
    def fails(*given: object) -> None:
        raise RuntimeError("no words")

    monkeypatch.setattr("harness.conclusion.of_run", fails)
    suite = str(run_folder.parent.parent / "tiny.yaml")
    code, output, errors = harness(capsys, "run", suite, "--out", str(tmp_path / "runs"))
    assert code == 2 and "Traceback" not in errors
    assert "while making the report: no words (RuntimeError)" in output and "records.parquet" in output


def test_what_nobody_foresaw_is_told_whatever_bytes_the_command_line_has(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*given: object) -> None:
        raise KeyError("name")

    monkeypatch.setattr("harness.api.runs.find_run", fails)
    code, _, errors = harness(capsys, "show", "caf\udce9")
    assert code == 2 and len(errors.strip().splitlines()) == 1
    kept = Path(errors.rpartition("the traceback is in ")[2].strip())
    assert kept.read_text().startswith("harness show 'caf\\udce9'\n")


def test_a_run_folder_that_parquet_cannot_name_is_refused_before_anything_runs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    suite = tmp_path / "s.yaml"
    suite.write_text(
        "name: s\nmodels: {m: {reference: nano, train: {corpus: microworld, tokens: 1000}}}\n"
        "measures: [{memory: {context: 16}}]\n"
    )
    code, output, errors = harness(capsys, "run", str(suite), "--out", "caf\udce9")
    assert (code, output) == (2, "") and errors.startswith("error: ")
    assert errors.endswith(
        "caf\\udce9: the folder's name is not UTF-8, as Parquet files need it; choose another --out\n"
    )


@pytest.mark.parametrize("cache", ["/dev/null/x", "a_file", "a_file/below", "~nobody-of-this-name/x"])
def test_the_doctor_says_in_its_row_that_the_cache_cannot_be_used(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, cache: str
) -> None:
    Path("a_file").touch()
    monkeypatch.setenv("HARNESS_CACHE", cache)
    code, output, errors = harness(capsys, "doctor")
    assert (code, errors) == (2, "")
    row = next(line for line in output.splitlines() if line.strip().startswith("cache "))
    assert f"{cache}: " in row and "set HARNESS_CACHE to a folder that can be written to" in row
    assert "not measured: there is no cache to keep them in" in output and "machine class" in output


def test_the_doctor_tells_a_cache_that_may_only_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.cache import cache_problem

    def refuses(**given: object) -> None:
        raise PermissionError(13, "Permission denied")

    assert cache_problem() is None
    monkeypatch.setattr("harness.cache.tempfile.TemporaryFile", refuses)
    assert "the cache folder can't be written to (Permission denied); set HARNESS_CACHE" in str(cache_problem())


def test_a_report_with_a_failed_analysis_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, run_folder: Path, tmp_path: Path
) -> None:
    import shutil
    from dataclasses import replace

    from harness.analysis.registry import ANALYSES

    def fails(*given: object) -> None:
        raise ZeroDivisionError

    copy = tmp_path / "copy"
    shutil.copytree(run_folder, copy)
    monkeypatch.setitem(ANALYSES, "quantization_cost", replace(ANALYSES["quantization_cost"], run=fails))
    code, output, _ = harness(capsys, "report", str(copy))
    assert code == 2 and "running the analysis quantization_cost" in output and "report.html" in output
