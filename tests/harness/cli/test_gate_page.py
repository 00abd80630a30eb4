"""`harness gate` as a person types it: every command and every sketch of docs/gate.md, and the exit codes."""

from __future__ import annotations

import importlib
import json
import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner, Result

import harness
from harness.cli.app import app
from harness.comparison import metric_kind
from harness.comparison.gate_entry import GateEntry, Guard
from harness.errors import ExitCode, UserError
from harness.gate.accepted import read_accepted
from harness.gate.verdict import Verdict
from harness.results.cell_lines import Lines, read_lines
from harness.results.manifest import Manifest
from harness.suite.load import load_suite
from tests.harness.gate.gate_runs import GATE, Makes, stand_in

PAGE = Path(__file__).parents[3] / "docs/gate.md"
TEXT = PAGE.read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```bash\n(.*?)```", TEXT, re.S) for line in block.splitlines()]
SUITE, ACCEPTED = re.findall(r"```yaml\n(.*?)```", TEXT, re.S)
LOSS = "{metric: bits_per_byte, where: {precision: int8}}"


@pytest.fixture
def make(builders: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Makes:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(metric_kind, "is_counted", lambda metric: metric.name == "weight_bytes")
    stand_in(monkeypatch)
    return Makes(builders, tmp_path / "results/runs")


def gate(*words: str) -> Result:
    done = CliRunner().invoke(app, ["gate", *words], env={"COLUMNS": "200"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_every_command_of_the_page(make: Makes) -> None:
    make.run("main-run", sequence=1)
    make.run("head", LOSS, shift=0.02, sequence=2)
    codes = [gate(*shlex.split(line)[2:]).exit_code for line in COMMANDS]
    assert codes == [ExitCode.UNMET, ExitCode.UNMET, ExitCode.PASS]
    told = json.loads(Path("gate.json").read_text())
    assert told["verdict"] == "fail" and told["exit_code"] == 1 and told["judged"][0]["worse_by"]["value"] > 0.01
    text = Path("gate.md").read_text()
    assert text.startswith("## Gate: FAIL\n\nbits\\_per\\_byte (nano, int8") and "### Head against main-run" in text
    assert gate(*shlex.split(COMMANDS[0])[2:]).output.splitlines()[-1].startswith("ACCEPTED: bits_per_byte (nano, int8")


def test_the_sketches_of_the_page_are_right(make: Makes, tmp_path: Path) -> None:
    (tmp_path / "gated.yaml").write_text(SUITE)
    entries = load_suite(str(tmp_path / "gated.yaml")).suite.gate
    assert len(entries) == 5 and entries[-1].guards == [Guard(metric="bits_per_byte")]
    (tmp_path / "harness-accept.yaml").write_text(ACCEPTED)
    assert len(read_accepted(tmp_path / "harness-accept.yaml").entries) == 1


def test_the_page_names_every_key_verdict_margin_and_option() -> None:
    assert all(f"| `{name}` |" in TEXT for name in GateEntry.model_fields)
    for verdict in Verdict:
        assert f"| {verdict.word} | {int(verdict.exit_code)} |" in TEXT
    for kind, margin in metric_kind.DEFAULT_MARGINS.items():
        assert re.search(rf"^\| {kind.value} \|.*\| {margin:g}\D", TEXT, re.M), kind
    shown = gate("--help").output
    for option in re.findall(r"(?<![-\w])--[a-z][a-z-]+", TEXT):
        assert option in shown or option == "--fresh", option


def test_a_pass_and_its_last_line(make: Makes) -> None:
    make.run("base", sequence=1)
    make.run("head", LOSS, sequence=2)
    done = gate("head", "-b", "base")
    assert done.exit_code == ExitCode.PASS
    assert done.output.splitlines()[-1] == "PASS: 1 metric of 1 cell"
    assert "commit: base00000000 and head00000000" in done.output


def test_with_a_history_each_run_is_read_once(make: Makes, monkeypatch: pytest.MonkeyPatch) -> None:
    make.run("base", sequence=1)
    make.run("head", LOSS, sequence=2)
    read: list[str] = []

    def counting(folder: Path, manifest: Manifest | None) -> Lines:
        read.append(folder.name)
        return read_lines(folder, manifest)

    monkeypatch.setattr("harness.results.run.read_lines", counting)
    done = gate("head", "-b", "base", "--history", "history")
    assert "the verdict on head was kept" in done.output
    assert sorted(read) == ["base", "head"]


def test_there_may_be_no_baseline(make: Makes) -> None:
    make.run("head", LOSS)
    for name in ("main", "results/baselines/main", ""):
        with pytest.raises(UserError, match=r"`harness run suites/quickstart.yaml` at the code to compare") as error:
            gate("head", "--baseline", name)
        assert error.value.exit_code is ExitCode.BASELINE_MISSING
    make.run("damaged")
    (make.folder / "damaged/manifest.json").write_text("{")
    with pytest.raises(UserError, match="the manifest is corrupted") as error:
        gate("head", "--baseline", str(make.folder / "damaged"))
    assert error.value.exit_code is ExitCode.USAGE, "a damaged one is there"
    make.run("main-1"), make.run("main-2")
    with pytest.raises(UserError, match="'main' fits 2 runs") as error:
        gate("head", "--baseline", "main")
    assert error.value.exit_code is ExitCode.USAGE


def test_there_may_be_no_run(make: Makes) -> None:
    make.run("base")
    with pytest.raises(UserError, match="no run 'head'") as error:
        gate("head", "--baseline", "base")
    assert error.value.exit_code is ExitCode.USAGE


def test_a_suite_gives_its_gate_to_a_run_that_has_none(make: Makes) -> None:
    make.run("base"), make.run("head", shift=0.02), make.run("own", LOSS, shift=0.02)
    Path("loose.yaml").write_text(
        "name: loose\nmodels: {nano: {reference: nano, train: {corpus: microworld, tokens: 1000}}}\n"
        "matrix: {precision: [int8]}\nmeasures: [{perplexity: {text: microworld/test}}]\n"
        "gate: [{metric: bits_per_byte, where: {precision: int8}, margin: 0.5}]\n"
    )
    assert gate("head", "--baseline", "base", "--suite", "loose.yaml").exit_code == ExitCode.PASS
    assert gate("own", "--baseline", "base", "--suite", "loose.yaml").exit_code == ExitCode.UNMET


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--on-inconclusive", "maybe"], "--on-inconclusive: is pass or fail, not 'maybe'"),
        (["--accept", "x", "--expires", "soon"], "--expires: is a day such as 2027-01-31, not 'soon'"),
        (["--accept", "x", "--expires", "2001-01-01"], "--expires: 2001-01-01 is past"),
        (["--expires", "2099-01-01"], "--expires: says how long `--accept` holds"),
        (["--accept", " "], "--accept: needs a reason"),
        (["--json", "gone/gate.json"], "--json: there is no folder gone; make it, or name another file"),
        (["--markdown", "."], "--markdown: . is a folder; name a file"),
        (["--accept", "because"], "--accept: there is nothing to accept: nothing fails"),
    ],
)
def test_what_is_typed_wrong_is_told(make: Makes, words: list[str], told: str) -> None:
    make.run("base"), make.run("head", LOSS)
    with pytest.raises(UserError) as error:
        gate("head", "--baseline", "base", *words)
    assert str(error.value).startswith(told) and not Path("harness-accept.yaml").exists()


def test_a_gate_that_can_not_be_read_is_told_with_its_place(make: Makes) -> None:
    make.run("base"), make.run("head", suite_text=GATE + "  - {metrik: loss}\n")
    with pytest.raises(UserError, match=r"manifest.json:4: gate.0.*metrik"):
        gate("head", "--baseline", "base")


def test_python_gives_a_verdict_and_a_table(make: Makes) -> None:
    make.run("base"), make.run("head", LOSS, shift=0.02)
    found = harness.judge("head", "base", on_inconclusive="pass")
    assert found.verdict is Verdict.FAIL and found.exit_code == 1
    assert {"metric", "verdict", "model", "precision", "change", "margin", "q"} <= set(found.table.columns)
    assert found.table.iloc[0]["metric"] == "bits_per_byte" and found.table.iloc[0]["change"] > 0.01
    assert importlib.import_module("harness.gate").__doc__, "the package, which a function of that name would hide"
