"""Every function and class of `harness`, given nonsense: one sentence of `harness.errors`, or it takes it."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

import harness
from harness.shorthand.in_keywords import OPTION

NONSENSE: list[Any] = [
    *(None, math.nan, math.inf, -1, 0, 10**30, True, "", " ", "nonsense", "a\0b", "\udc80", "--out", b"x"),
    *([], [None], ["nonsense"], [math.nan], {}, {1: 2}, {"a": None}, (), object(), int, lambda: None),
    *(Path("nowhere/at/all"), Path(), pd.DataFrame()),
]
FOREIGN = "pydantic|Traceback|unexpected error|validation error|Input should"
RIGHT: dict[str, Any] = {
    **{"models": [], "model": "nowhere", "name": "nowhere", "prompt": "Once", "prompts": ["Once"]},
    **{"tasks": "arc_easy", "suite": {"name": "x"}, "kind": "suites", "what": "suite", "why": "a reason"},
    **{"run": "nowhere", "base": "nowhere", "head": "nowhere", "task": None, "document": 0, "metric": "ppl"},
    **{"to": "tensorboard:board", "sql": "select 1", "path": "x.png", "folder": Path("nowhere"), "data": "nowhere.csv"},
    **{"out": Path("runs"), "text": "nowhere.txt", "search": "arc", "samples": 1},
}
"""What the other arguments of a call are, so that nothing long begins: no such model, no such run."""
WRITES = ("generate", "stream", "write_all", "converse")
TABLE = pd.DataFrame(
    [{"parameters": n, "tokens": d, "loss": 1.7 + 400 / n**0.34} for n in (1e7, 1e8, 1e9) for d in (1e9, 1e10)]
)
SLOW = ("query", "diff", "wrong_answers", "ab")
"""Each call starts a process, or reads many samples."""
LEFT_OUT = {
    "doctor": "it measures the machine for seconds",
    "ci": "looks at the revisions of a project (tests/harness/gate/change)",
}


def _functions() -> list[str]:
    return [name for name in sorted(harness.HOME) if inspect.isfunction(getattr(harness, name))]


def _classes() -> list[str]:
    errors = (harness.UserError, harness.ExitCode)
    found = [name for name in sorted(harness.HOME) if inspect.isclass(getattr(harness, name))]
    return [name for name in found if not issubclass(getattr(harness, name), errors)]


@pytest.fixture(autouse=True)
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def _right(name: str, objects: dict[str, Any]) -> Any:
    return objects[name] if name in objects else RIGHT.get(name, "nowhere")


def _calls(name: str, objects: dict[str, Any]) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """(argument, nonsense, all arguments)."""
    parameters = inspect.signature(getattr(harness, name)).parameters
    needed = {
        one.name: _right(one.name, objects)
        for one in parameters.values()
        if one.default is one.empty and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
    }
    takes_more = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    needed |= {
        key: value for key, value in objects.items() if key in parameters or (takes_more and key == "max_tokens")
    }
    for one in parameters.values():
        few = 4 if name in SLOW else 1
        for value in NONSENSE[::few]:
            if callable(value) and one.name in ("on_event", "tell"):
                continue  # what a function of the caller's raises is the caller's
            key = "nonsense" if one.kind is one.VAR_KEYWORD else one.name
            yield key, value, {**needed, key: value}


def _call(name: str, given: dict[str, Any]) -> None:
    function = getattr(harness, name)
    several = [one.name for one in inspect.signature(function).parameters.values() if one.kind is one.VAR_POSITIONAL]
    rest = {key: value for key, value in given.items() if key not in several}
    function(*(given[one] for one in several if one in given), **rest)


def _is_no_sentence(said: str) -> bool:
    """Nothing, words of a library, a traceback, or options of the shell beside the commands that are advised."""
    plain = re.sub(r"`(?!--)[^`]*`|'--out'", "", said)
    return not said.strip() or OPTION.search(plain) is not None or bool(re.search(FOREIGN, said))


@pytest.mark.parametrize("said", ["", "use --out", "`--out DIR`", "Traceback (most", "1 validation error for Suite"])
def test_what_is_no_sentence_is_seen(said: str) -> None:
    assert _is_no_sentence(said)
    assert not _is_no_sentence("a: `harness run --fresh` makes '--out'")


@pytest.mark.parametrize("name", _functions())
def test_functions_say_what_is_wrong(name: str, capfd: pytest.CaptureFixture[str], objects: dict[str, Any]) -> None:
    """Known bad: an error of pydantic, of Python or of ours without a sentence; and something printed."""
    faults = []
    for argument, value, given in _calls(name, objects):
        if name in LEFT_OUT and (value is None or isinstance(value, bool)):
            continue
        try:
            _call(name, given)
        except harness.UserError as error:
            said = str(error)
            if _is_no_sentence(said.removeprefix("--out: ")):
                faults.append(f"{name}({argument}={value!r}): {said}")
        except TypeError as error:
            if "argument" not in str(error) or error.__traceback__.tb_next.tb_next.tb_frame.f_code.co_name != "bind":
                faults.append(f"{name}({argument}={value!r}): {error!r}")
        except BaseException as error:
            faults.append(f"{name}({argument}={value!r}): {error!r}")
    assert not faults, "\n".join(faults)
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def objects(tmp_path: Path, builders: ModuleType, llama_folder: Path, request: pytest.FixtureRequest) -> dict[str, Any]:
    """What functions take: two runs, a history with one of them, a table, an open model."""
    name = request.node.callspec.params["name"]
    runs = tmp_path / "results/runs"
    for one in ("before", "after"):
        builders.write_run(runs / one, cells=builders.full_cells(tmp_path / one))
    after = harness.open_run("after")
    found: dict[str, Any] = {"run": after, "base": harness.open_run("before"), "head": after, "out": runs}
    found |= {"what": after} if name in ("add_to_history", "entry_of") else {}
    found |= {"name": after} if name in ("show", "explain", "wrong_answers", "open_run", "open_cells") else {}
    found |= {"data": TABLE, "replicates": 0, "profiles": False} if name == "fit" else {}
    found |= {"model": harness.load_model(llama_folder), "max_tokens": 2} if name in WRITES else {}
    if "history" in inspect.signature(getattr(harness, name)).parameters:
        harness.add_to_history(after, "h")
        found["history"] = harness.read_history("h")
    return found


@pytest.mark.parametrize("name", _functions())
def test_python_refuses_keywords(name: str) -> None:
    function = getattr(harness, name)
    if any(one.kind is one.VAR_KEYWORD for one in inspect.signature(function).parameters.values()):
        return
    with pytest.raises(TypeError):
        function(no_such_keyword=1)


@pytest.mark.parametrize("name", _classes())
def test_classes_say_what_is_wrong(name: str) -> None:
    kind = getattr(harness, name)
    for value in NONSENSE:
        for positional, given in (((), {"name": value}), ((), {"nonsense": value}), ((value,), {}), ((), {})):
            try:
                kind(*positional, **given)
            except (harness.UserError, TypeError) as error:
                assert isinstance(error, TypeError) or not _is_no_sentence(str(error)), f"{name}: {error}"
