"""What several functions take, or several commands, has one name, one place among the others and one default."""

from __future__ import annotations

import inspect
from itertools import combinations
from pathlib import Path
from typing import Any

import click
import pytest
import typer
import yaml

import harness
from harness.cli.app import app

ONE_LINERS = ("eval", "perplexity", "bench", "train")
OF_A_RUN = ("out", "save_suite", "command", "resume", "fresh", "cached", "allowed", "on_event")
OPTIONS = ("--out", "--save-suite", "--fresh", "--no-cache", "--history", "--log-to")


def _settings(name: str) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(getattr(harness, name), eval_str=False).parameters)


@pytest.mark.parametrize(("one", "other"), [*combinations(("run", *ONE_LINERS), 2)])
def test_functions_agree(one: str, other: str) -> None:
    first, second = _settings(one), _settings(other)
    shared = [name for name in OF_A_RUN if name in first and name in second]
    assert {"out", "fresh", "cached", "on_event"} <= set(shared)
    for name in (*shared, "precision", "device", "models"):
        if name == "resume" and "train" in (one, other):
            continue  # a training that was cut off goes on by itself
        if name in first and name in second:
            assert first[name].default == second[name].default, name
            assert first[name].annotation == second[name].annotation, name
    for found in (first, second):
        assert [name for name in found if name in OF_A_RUN] == [name for name in OF_A_RUN if name in found]


@pytest.mark.parametrize("command", ONE_LINERS)
def test_commands_agree(command: str) -> None:
    group: Any = typer.main.get_command(app)
    own: list[click.Parameter] = group.get_command(click.Context(group), command).params
    assert set(OPTIONS) <= {name for option in own for name in option.opts}


@pytest.mark.parametrize(
    "asked",
    [
        lambda path: harness.perplexity("nano", corpus="microworld/test", save_suite=path, command="first line"),
        lambda path: harness.eval("nano", "microworld_facts", save_suite=path, command="first line"),
        lambda path: harness.bench("nano", save_suite=path, command="first line"),
        lambda path: harness.train(corpus="microworld", save_suite=path, command="first line"),
    ],
)
def test_each_saves_its_suite(asked: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("api.perplexity.run", "api.evaluating.run", "api.training.run", "benchmarking.bench.run_and_compare"):
        monkeypatch.setattr(f"harness.{place}", _not_run)
    path = tmp_path / "saved.yaml"
    with pytest.raises(KeyboardInterrupt):
        asked(path)
    assert path.read_text().startswith("# first line\n") and "nano" in yaml.safe_load(path.read_text())["models"]


def test_a_suite_that_can_not_be_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(harness.UserError, match="precision"):
        harness.perplexity("nano", corpus="microworld/test", precision="fp33", save_suite=tmp_path / "saved.yaml")
    assert not (tmp_path / "saved.yaml").exists()


def test_a_model_in_memory_is_in_no_file(llama_folder: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    held = AutoModelForCausalLM.from_pretrained(llama_folder), AutoTokenizer.from_pretrained(llama_folder)
    with pytest.raises(harness.UserError, match="is in memory, where no file finds it"):
        harness.perplexity(held, corpus="microworld/test", save_suite=tmp_path / "saved.yaml")


@pytest.mark.parametrize("length", ["steps", "tokens"])
@pytest.mark.parametrize("one_liner", ["perplexity", "eval", "bench"])
def test_a_budget_that_is_given_takes_the_place_of_the_usual_one(
    one_liner: str, length: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Known bad: `train.steps` beside a preset's own tokens, or in place of its corpus, too."""
    found: list[dict[str, Any]] = []

    def kept(suite: dict[str, Any], **_: Any) -> None:
        found.append(suite)
        raise KeyboardInterrupt

    for place in ("api.perplexity.run", "api.evaluating.run", "benchmarking.bench.run_and_compare"):
        monkeypatch.setattr(f"harness.{place}", kept)
    others: dict[str, Any] = {"perplexity": {"corpus": "microworld/test"}, "eval": {"tasks": "microworld_facts"}}
    with pytest.raises(KeyboardInterrupt):
        getattr(harness, one_liner)("nano", settings={"train": {length: 7}}, **others.get(one_liner, {}))
    assert found[0]["models"]["nano"]["train"] == {"corpus": "microworld", length: 7}


def _not_run(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt
