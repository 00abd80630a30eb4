"""Expectations that could never be judged are refused when a suite is loaded, with their line."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UserError
from harness.suite.load import load_suite, parse_suite

HEAD = """name: bounds
models:
  a: {transformers: some/a}
  b: {transformers: some/b}
matrix: {precision: [fp32, int8]}
measures:
  - perplexity: {text: microworld/test, window: [16, 32]}
  - memory: {context: 64}
    models: [a]
"""


def load(folder: Path, expectation: str, head: str = HEAD) -> None:
    path = folder / "bounds.yaml"
    path.write_text(f"{head}expect:\n  - {expectation}\n")
    load_suite(str(path))


@pytest.mark.parametrize(
    "expectation",
    [
        "{metric: perplexity, at_most: 9}",
        "{metric: perplexity@2, where: {model: a, precision: [int8, fp32]}, at_most: 9}",
        "{metric: perplexity, where: {window: 16}, against: {precision: fp32}, at_most: 1.1}",
        "{metric: perplexity, where: {precision: int8}, against: {precision: fp32}, at_most: 1.1}",
        "{metric: perplexity, against: {model: a}, at_most: 1.1}",
        "{metric: weight_bytes, where: {model: a}, at_most: 9}",
        "{metric: perplexity, where: {device: cuda}, at_most: 9}",
        "{metric: perplexity, where: {part: x}, against: {part: y}, at_most: 9}",
        "{metric: perplexity, measure: perplexity, at_least: 1, at_most: '1e3'}",
    ],
)
def test_what_may_be_judged_is_accepted(tmp_path: Path, expectation: str) -> None:
    load(tmp_path, expectation)


@pytest.mark.parametrize(
    ("expectation", "told"),
    [
        ("{metric: perplexity, where: {model: c}, at_most: 9}", "where: no cell has model = c; there are: a, b"),
        ("{metric: perplexity, where: {modle: a}, at_most: 9}", "no cell has 'modle' (did you mean 'model'?)"),
        ("{metric: perplexity, where: {precision: int4}, at_most: 9}", "no cell has precision = int4 (did you mean"),
        ("{metric: perplexity, where: {precision: [int4, nf4]}, at_most: 9}", "no cell has precision = int4"),
        ("{metric: perplexity, where: {window: 64}, at_most: 9}", "no cell has window = 64"),
        ("{metric: weight_bytes, where: {model: b}, at_most: 9}", "no cell has model = b; there are: a"),
        ("{metric: perplexity, where: {precision: []}, at_most: 9}", "`where` has no value for precision"),
        ("{metric: perplexity, at_most: true}", "should be a number"),
        ("{metric: perplexity@1, at_most: 9}", "there is no perplexity@1 any more: it is now perplexity@2"),
        ("{metric: ttft, at_most: 9}", "metric: no measure of this suite gives ttft; these do: inference"),
        ("{metric: perplexity, measure: memory, at_most: 9}", "measure: no cell has measure = memory"),
        (
            "{metric: perplexity, where: {precision: fp32}, against: {precision: fp32}, at_most: 1}",
            "against: it would compare a cell with itself (fp32)",
        ),
        (
            "{metric: perplexity, against: {precision: bf16}, at_most: 1}",
            "no cell to compare with: no cell has precision",
        ),
        ("{metric: perplexity, against: {model: c}, at_most: 1}", "no cell to compare with: no cell has model = c"),
        (
            "{metric: weight_bytes, where: {precision: int8}, against: {model: b}, at_most: 1}",
            "no cell to compare with: no cell has model = b; there are: a",
        ),
        ("{finding: alpha, at_most: 1}", "finding: the suite has no analysis"),
        ("{metric: perplexity, at_most: .nan}", "at_most: should be a finite number, not"),
        ("{metric: perplexity, at_least: -.inf}", "at_least: should be a finite number, not"),
        ("{metric: perplexity, at_most: much}", "at_most: should be a number, not the text 'much'"),
    ],
)
def test_what_could_never_be_judged_is_refused_with_its_line(tmp_path: Path, expectation: str, told: str) -> None:
    with pytest.raises(UserError) as caught:
        load(tmp_path, expectation)
    assert f"bounds.yaml:{HEAD.count(chr(10)) + 2}: expect.0." in str(caught.value)
    assert told in str(caught.value)


def test_what_a_run_kept_is_judged_as_it_is(tmp_path: Path) -> None:
    """A run of an earlier version may hold such an expectation: its report can still be made again."""
    parse_suite(HEAD + "expect: [{metric: perplexity, where: {model: c}, at_most: 9}]\n")


@pytest.mark.parametrize("name", ["no", "yes", "on", "7", "1.5", "null", "~", "2024-01-01", "0x1F", "true"])
def test_a_models_name_that_yaml_reads_otherwise_is_put_in_quotes(tmp_path: Path, name: str) -> None:
    text = "name: x\nmodels:\n  {}: {{transformers: some/a}}\nmeasures:\n  - perplexity: {{text: microworld/test}}\n"
    path = tmp_path / "s.yaml"
    path.write_text(text.format(name))
    with pytest.raises(UserError, match=rf"s.yaml:3: .*put it in quotes: '{name}'"):
        load_suite(str(path))
    path.write_text(text.format(f"'{name}'"))
    assert list(load_suite(str(path)).suite.models) == [name]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("{text: microworld/test, window: [16, 16]}", "a value stands here twice, 16"),
        ("{text: [microworld/test, microworld/test]}", "a value stands here twice, microworld/test"),
        ("{text: microworld/test, stride: 0}", "should be at least 1 (it is 0)"),
        ("{text: microworld/test, documents: 0}", "should be at least 1 (it is 0)"),
        ("{text: microworld/test, documents: 1.5}", "should be a whole number, not 1.5"),
        ("{text: ''}", "text: should not be empty"),
    ],
)
def test_settings_that_can_t_be_are_refused_with_their_line(tmp_path: Path, settings: str, told: str) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(f"name: x\nmodels: {{a: {{transformers: some/a}}}}\nmeasures:\n  - perplexity: {settings}\n")
    with pytest.raises(UserError) as caught:
        load_suite(str(path))
    assert f"{path}:4: " in str(caught.value) and told in str(caught.value)


@pytest.mark.parametrize("prefix", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_byte_order_mark_and_other_line_ends_are_read(tmp_path: Path, prefix: str, end: str) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes((prefix + HEAD.replace("\n", end)).encode())
    assert load_suite(str(path)).suite.name == "bounds"


def test_a_tab_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("name: x\nmodels:\n\tm: {transformers: some/a}\n")
    with pytest.raises(UserError, match=r"s.yaml:3: not valid YAML: a tab is used to indent here"):
        load_suite(str(path))
