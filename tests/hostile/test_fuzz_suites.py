"""Suites of anyone's: each is loaded, or refused in one sentence with its place, soon and with little memory."""

from __future__ import annotations

import os
import random
import typing
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from harness.analysis.registry import ANALYSES
from harness.errors import UserError
from harness.measures.registry import MEASURES
from harness.models.training_entry import ShapeChanges, Train
from harness.suite.load import load_suite, parse_suite
from harness.suite.schema import Matrix
from harness.suite.shipped import shipped_suites

SMALL = """name: small
models:
  nano: {reference: nano, train: {tokens: 1000}}
measures:
  - perplexity: {text: microworld/test}
"""


def refusal(path: Path) -> str:
    """The sentence that a suite is refused with."""
    with pytest.raises(UserError) as refused:
        load_suite(str(path))
    return str(refused.value)


def with_line(tmp_path: Path, line: str) -> Path:
    """A suite with one more measure, or another key."""
    path = tmp_path / "s.yaml"
    path.write_text(SMALL + line + "\n", encoding="utf-8")
    return path


def laughs(levels: int = 12, merged: bool = False) -> str:
    """Ten aliases at each level: a trillion values in half a kilobyte."""
    lines = ["x0: &x0 {a: 1}" if merged else "x0: &x0 [lol]"]
    for level in range(1, levels):
        inner = ", ".join([f"*x{level - 1}"] * 10)
        lines.append(f"x{level}: &x{level} " + (f"{{<<: [{inner}], b{level}: 1}}" if merged else f"[{inner}]"))
    return "\n".join(lines)


REFUSED = {
    "laughs": (laughs(), r"s\.yaml:\d+: this stands for .* values, its aliases written out, and 200,000 is the most"),
    "merged laughs": (laughs(merged=True), r"this stands for .* values"),
    "in itself": ("x: &x [*x]", r"s\.yaml:6: an anchor refers to itself"),
    "deep": (f"x: {'[' * 10_000}{']' * 10_000}", r"s\.yaml:6: lists or mappings are nested too deeply"),
    "deep in lines": ("x:\n  " + "- " * 100_000 + "a", r"nested too deeply"),
    "many digits": (f"x: {'9' * 10_000}", r"s\.yaml:6: a number of 10,000 digits"),
    "hexadecimal": (f"x: 0x{'f' * 10_000}", r"s\.yaml:6: a number of 10,002 digits"),
    "nothing given": ("  - task:", r"s\.yaml:6: measures\.1\.task: task needs settings: task"),
    "cells": (
        "  - perplexity: {text: microworld/test, documents: [" + ", ".join(map(str, range(1, 2001))) + "],"
        " window: [" + ", ".join(map(str, range(2, 2002))) + "], stride: [1, 2, 3, 4, 5]}",
        r"s\.yaml:6: measures\.1: the axes and settings make 20,000,001 cells up to here, and 5,000 is the most",
    ),
    "launches": (
        "  - inference: {launches: 1000000000000000000}",
        r"s\.yaml:6: measures\.1\.inference\.launches: .*10000",
    ),
    "all at once": (
        "  - inference: {batch: 1000000, prompt: 100000000}",
        r"s\.yaml:6: measures\.1\.inference: batch 1,000,000 · tokens 100,000,064 is .* tokens at once",
    ),
    "no number": ("  - inference: {launches: .inf}", r"s\.yaml:6: measures\.1\.inference\.launches: "),
    "a path": ("tasks: {paths: ['" + "a" * 5000 + "']}", r"s\.yaml:6: tasks\.paths.*too long for a name of a file"),
    "half a character in a text": ('about: "\\ud800"', r"s\.yaml:6: half a character \(\\ud800\) is in it"),
    "half a character": ('tasks: {paths: ["\\ud800"]}', r"half a character"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_too_much_is_refused_with_its_line(tmp_path: Path, name: str) -> None:
    import re

    text, sentence = REFUSED[name]
    told = refusal(with_line(tmp_path, text))
    assert re.search(sentence, told), told[:500]
    assert len(told) < 5000


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("a b/c-é", True),
        ("..", True),
        ("a\nb", False),
        ("\x1b[31m", False),
        (" ", False),
        ("", False),
        ("a" * 101, False),
    ],
)
def test_names_of_models_are_one_printable_line(name: str, allowed: bool) -> None:
    suite = yaml.safe_load(SMALL)
    suite["models"] = {name: suite["models"]["nano"]}
    text = yaml.safe_dump(suite)
    if allowed:
        assert list(parse_suite(text).models) == [name]
    else:
        with pytest.raises(UserError, match="a model's name is one line of 1 to 100 printable characters"):
            parse_suite(text)


@pytest.mark.parametrize(
    "shape", ["layers: 10000, width: 100000, heads: 10", "ffn_width: 1000000, layers: 10000, width: 9984"]
)
def test_a_model_that_nobody_trains_is_refused(shape: str) -> None:
    suite = SMALL.replace("train:", f"shape: {{{shape}}}, train:")
    with pytest.raises(
        UserError, match=r"suite:3: models\.nano: this model has [\d,]+ parameters, and 1,000,000,000,000"
    ):
        parse_suite(suite)


def test_a_budget_that_nobody_has_is_refused() -> None:
    suite = SMALL.replace("{tokens: 1000}", "{}") + "matrix:\n  compute: [1e12, 1e29]\n"
    with pytest.raises(UserError, match=r"suite:7: matrix\.compute: a budget of 1e\+29 FLOPs pays for"):
        parse_suite(suite)


def test_files_that_never_end_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    assert "this is a pipe, and a suite is a regular file" in refusal(tmp_path / "pipe.yaml")
    assert "this is a device, and a suite is a regular file" in refusal(Path("/dev/zero"))
    with (tmp_path / "long.yaml").open("wb") as file:
        file.truncate(1 << 40)
    assert "a suite has 4 MiB at most" in refusal(tmp_path / "long.yaml")


def test_includes_that_double_at_each_step_are_refused(tmp_path: Path) -> None:
    for step in range(40):
        (tmp_path / f"{step}.yaml").write_text(f"include: [{step + 1}.yaml, {step + 1}.yaml]\n")
    (tmp_path / "40.yaml").write_text(SMALL)
    assert "more than 200 files are included in all" in refusal(tmp_path / "0.yaml")


def test_a_suite_of_the_most_cells_is_read_soon(tmp_path: Path) -> None:
    values = ", ".join(map(str, range(1, 5_000)))
    expect = "expect:\n  - {metric: perplexity, where: {documents: 7}, against: {documents: 9}, at_most: 2}\n"
    path = with_line(tmp_path, f"  - perplexity: {{text: microworld/test, documents: [{values}]}}\n{expect}")
    assert len(load_suite(str(path)).cells) == 5_000


# ---- every number of the suite language has a limit

SEEDS_AND_SIZES = {"temperature", "noise", "learning_rate", "target_loss", "repetition_penalty", "weight_decay"} | {
    *("gradient_clip", "blow_up", "compute", "losses", "fit_below")
}
"""Numbers that say neither how much nor how often: their limit is 1e30, and that of seeds what torch takes."""


def kinds(annotation: Any) -> set[type]:
    """The plain types in an annotation, those of lists too."""
    inner = typing.get_args(annotation) if typing.get_origin(annotation) is not typing.Literal else ()
    return {one for part in inner for one in kinds(part)} | ({annotation} if isinstance(annotation, type) else set())


def numbers(where: str, model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel], str]]:
    """Every field that holds a number, of a model and of those within it."""
    for name, info in model.model_fields.items():
        found = kinds(info.annotation)
        if found & {int, float}:
            yield f"{where}.{name}", model, name
        for inner in found:
            if issubclass(inner, BaseModel):
                yield from numbers(f"{where}.{name}", inner)


EVERY_NUMBER = {
    where: (model, name)
    for part, holder in (
        *((name, measure.settings) for name, measure in MEASURES.items()),
        *((name, analysis.settings) for name, analysis in ANALYSES.items()),
        *(("train", Train), ("shape", ShapeChanges), ("matrix", Matrix)),
    )
    for where, model, name in numbers(part, holder)
    if not name.endswith("where") and name not in ("against",)
}


@pytest.mark.parametrize("where", EVERY_NUMBER)
def test_every_number_of_a_suite_has_a_limit(where: str) -> None:
    model, name = EVERY_NUMBER[where]
    quantity = "seed" in name or name in SEEDS_AND_SIZES or where.startswith(("training_budget", "compute_optimal"))
    for value in (10**30 * 10, 1e308) if quantity else (10**18, 1e308):
        for given in (value, [value]):
            with pytest.raises(ValidationError):
                model.__pydantic_validator__.validate_assignment(model.model_construct(), name, given)


# ---- made wrong by chance


def mutants(mutation: ModuleType, seed: int, count: int) -> Iterator[bytes]:
    """Shipped suites, made wrong."""
    chance, paths = random.Random(seed), list(shipped_suites().values())
    for _ in range(count):
        content = chance.choice(paths).read_bytes()
        if chance.random() < 0.35:
            yield mutation.changed_bytes(content, chance)
        else:
            made = yaml.safe_dump(mutation.changed_value(yaml.safe_load(content), chance), sort_keys=False)
            yield made.encode("utf-8", "surrogatepass")


def check(bounded: ModuleType, mutation: ModuleType, folder: Path, seed: int, count: int) -> None:
    for number, content in enumerate(mutants(mutation, seed, count)):
        path = folder / f"{number}.yaml"
        path.write_bytes(content)
        end = bounded.end_of(lambda path=path: load_suite(str(path)))
        assert end.is_allowed, (seed, number, end.kind, end.text[:1000])


def test_suites_made_wrong(bounded: ModuleType, mutation: ModuleType, tmp_path: Path) -> None:
    check(bounded, mutation, tmp_path, 0, 60)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(1, 5))
def test_many_suites_made_wrong(bounded: ModuleType, mutation: ModuleType, tmp_path: Path, seed: int) -> None:
    check(bounded, mutation, tmp_path, seed, 400)
