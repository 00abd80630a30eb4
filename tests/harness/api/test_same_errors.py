"""What is wrong is the same sentence in Python and in the shell: of an argument here, of its option there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

import harness
from harness.cli.app import app

CASES: list[tuple[Callable[[], Any], str, str, str]] = [
    (lambda: harness.ab("m:f", margin=0), "ab --a m:f --margin 0", "margin", "--margin"),
    (lambda: harness.ab("m:f", "m:g", aa=True), "ab --a m:f --b m:g --aa", "aa", "--aa"),
    (lambda: harness.ab("m:f", clock="sun"), "ab --a m:f --clock sun", "clock", "--clock"),
    (lambda: harness.ab("m:f", tolerance=-1), "ab --a m:f --tolerance -1", "tolerance", "--tolerance"),
    (lambda: harness.ab("m:f", seed=-1), "ab --a m:f --seed -1", "seed", "--seed"),
    (lambda: harness.ab("nothing"), "ab --a nothing", "a", "--a"),
    (lambda: harness.ab("m:f", arguments="{"), "ab --a m:f --arguments {", "arguments", "--arguments"),
    (lambda: harness.ab("m:f", time="lunch"), "ab --a m:f --time lunch", "time", "--time"),
    (lambda: harness.ci(minutes=0), "ci --minutes 0", "minutes, timeout", "--minutes, --timeout"),
    (lambda: harness.ci(threads=0), "ci --threads 0", "threads", "--threads"),
    (lambda: harness.ci(on_inconclusive="x"), "ci --on-inconclusive x", "on_inconclusive", "--on-inconclusive"),
    (
        lambda: harness.judge("after", "before", expires="2999-01-01"),
        "gate after --baseline before --expires 2999-01-01",
        "expires",
        "--expires",
    ),
    (
        lambda: harness.judge("after", "before", accept=" "),
        "gate after --baseline before --accept ' '",
        "accept",
        "--accept",
    ),
    (
        lambda: harness.judge("after", "before", accept="it is", expires="tomorrow"),
        "gate after --baseline before --accept 'it is' --expires tomorrow",
        "expires",
        "--expires",
    ),
    (
        lambda: harness.check_runs("before", "after", fail_on="x"),
        "compare before after --fail-on x",
        "fail_on",
        "--fail-on",
    ),
    (
        lambda: harness.check_runs("before", "after", tolerance=0.1),
        "compare before after --tolerance 0.1",
        "tolerance",
        "--tolerance",
    ),
    (lambda: harness.set_baseline("after", why=" "), "baseline set after --why ' '", "why", "--why"),
    (
        lambda: harness.set_baseline("after", why="a", name="a b"),
        "baseline set after --why a --name 'a b'",
        "name",
        "--name",
    ),
    (lambda: harness.check_history("a.file"), "history add after --history a.file", "history", "--history"),
    (lambda: harness.export_results("after", to="comet"), "export after --to comet", "to", "--to"),
    (lambda: harness.find_tracker("comet"), "run quickstart --log-to comet", "log_to", "--log-to"),
    (lambda: harness.telling(json=Path("no/v.json")), "gate after --json no/v.json", "json", "--json"),
    (lambda: harness.telling(webhook="ftp://x"), "gate after --webhook ftp://x", "webhook", "--webhook"),
    (lambda: harness.train("nix.txt"), "train --text nix.txt", "text", "--text"),
    (lambda: harness.train(), "train", "text, corpus", "--text, --corpus"),
    (
        lambda: harness.train(corpus="microworld", device="cuda"),
        "train --corpus microworld --device cuda",
        "device",
        "--device",
    ),
    (lambda: harness.generate("nano", "Once", top_p=2.0), "generate nano Once --top-p 2", "top_p", "--top-p"),
    (
        lambda: harness.generate("nano", "Once", temperature=1, beams=2),
        "generate nano Once --temperature 1 --beams 2",
        "temperature, beams",
        "--temperature, --beams",
    ),
    (lambda: harness.generate("nano", "Once", samples=2), "generate nano Once --samples 2", "samples", "--samples"),
    (
        lambda: harness.generate("nano", "Once", precision="fp3"),
        "generate nano Once --precision fp3",
        "precision",
        "--precision",
    ),
    (lambda: harness.stream("nano", "Once", device="gpu"), "generate nano Once --device gpu", "device", "--device"),
    (lambda: harness.converse("nano", min_p=2.0), "chat nano --min-p 2", "min_p", "--min-p"),
    (lambda: harness.show("after").numbers("tftt"), "show after --metrics tftt", "metrics", "--metrics"),
    (lambda: harness.show("after").numbers(where="a"), "show after --where a", "where", "--where"),
]


@pytest.fixture(autouse=True)
def there(builders: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs, and nothing else."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("harness.api.generating.ready_model", None)  # it is wrong before a model is looked for
    (tmp_path / "a.file").touch()
    for name in ("before", "after"):
        builders.write_run(tmp_path / "results/runs" / name, cells=builders.full_cells(tmp_path / name))


@pytest.mark.parametrize(("call", "words", "argument", "option"), CASES, ids=[one[1] for one in CASES])
def test_the_same_sentence(call: Callable[[], Any], words: str, argument: str, option: str) -> None:
    import shlex

    with pytest.raises(harness.UserError) as told:
        call()
    assert isinstance(told.value, harness.WrongArgument) and told.value.place == argument
    assert "--" not in told.value.message.replace("--device cuda", "")
    typed = CliRunner().invoke(app, shlex.split(words)).exception
    assert isinstance(typed, harness.UserError) and not isinstance(typed, harness.WrongArgument)
    assert str(typed).startswith(f"{option}: ") and typed.exit_code == told.value.exit_code
    plain = typed.message.replace("`--", "`").replace("-", "_")
    assert plain == told.value.message.replace("`--", "`").replace("-", "_")


def test_only_arguments_that_are_named_become_options() -> None:
    """Known bad: every word in backticks that a parameter is called by, as `setup` within an arm."""
    from harness.cli.wrong_argument import in_options

    class Param:
        param_type_name, metavar = "option", None

        def __init__(self, name: str, *opts: str) -> None:
            self.name, self.opts = name, opts

    class Command:
        params = (Param("accept", "--accept"), Param("format_", "--format", "-f"), Param("note", "-n"))

    error = harness.WrongArgument("`accept` and `note`, not `gone`", place="format, accept", beside=("note", "gone"))
    said = in_options(error, Command())
    assert said.place == "--format, --accept" and said.message == "`accept` and `-n`, not `gone`"
