"""A suite's `gate:`: what may be judged, and what is refused with its line when the suite is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UserError
from harness.suite.load import load_suite, suite_text

HEAD = """name: gated
models:
  a: {transformers: some/a}
  b: {transformers: some/b}
matrix: {precision: [fp32, int8]}
measures:
  - perplexity: {text: microworld/test, window: [16, 32, 64]}
  - inference: {prompt: 8, generate: 4}
  - activations: {text: microworld/test}
    models: [b]
"""


def load(folder: Path, *entries: str, head: str = HEAD) -> None:
    path = folder / "gated.yaml"
    path.write_text(head + "gate:\n" + "".join(f"  - {entry}\n" for entry in entries))
    load_suite(str(path))


@pytest.mark.parametrize(
    "entry",
    [
        "{metric: bits_per_byte, where: {precision: int8}, margin: 0.01}",
        "{metric: bits_per_byte@2, where: {precision: int8, window: [16, 32]}, bitwise: true}",
        "{metric: decode_rate, guarded_by: [bits_per_byte]}",
        "{metric: decode_rate, guarded_by: [{metric: bits_per_byte, where: {window: 16}, margin: 0.02}]}",
        "{metric: loss, measure: perplexity, where: {model: a}, margin: 0}",
    ],
)
def test_what_can_be_judged_is_taken(tmp_path: Path, entry: str) -> None:
    load(tmp_path, entry)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("{metric: bits_per_bite}", "no measure emits the metric 'bits_per_bite'; did you mean 'bits_per_byte'?"),
        ("{metric: ttft, guarded_by: [los]}", "gate.0.guarded_by.0: no measure emits the metric 'los'"),
        ("{metric: acc}", "no measure of this suite gives acc; these do: task"),
        ("{metric: loss, where: {model: c}}", "where: no cell has model = c; there are: a, b"),
        ("{metric: loss, margn: 1}", "unknown key 'margn'; did you mean 'margin'?"),
        ("{metric: loss, margin: -1}", "at least 0 (it is -1)"),
        ("{metric: loss, margin: true}", "should be a number"),
        ("{metric: loss, where: {model: []}}", "`where` has no value for model"),
        ("{metric: largest_activation}", "nothing decides whether largest_activation became worse"),
        ("{metric: loss, where: {model: a}, guarded_by: [loss]}", "only a speed is guarded by quality, and loss is"),
        ("{metric: loss, kl_margin: 0.1}", "only a probe keeps what a model expects, and loss is of another measure"),
        ("{metric: loss, kl_margin: 0}", "greater than 0"),
        ("{metric: loss, bitwise: true, margin: 0.1}", "`bitwise` allows no change, so leave out `margin`"),
        ("{metric: ttft, bitwise: true}", "ttft is a time, and no two are the same"),
        ("{metric: ttft, guarded_by: [tpot]}", "tpot is no quality that can be judged"),
        ("{metric: ttft, guarded_by: [{metric: loss, were: {}}]}", "unknown key 'were'; did you mean 'where'?"),
        ("{metric: ttft, guarded_by: [{metric: loss, where: {model: b}}]}", "has the model and the axes of what it"),
        ("{metric: bits_per_byte}", "gate: its entries match 12 metrics of cells, and 10 is the most"),
    ],
)
def test_what_can_not_is_refused_with_its_line(tmp_path: Path, entry: str, told: str) -> None:
    with pytest.raises(UserError) as error:
        load(tmp_path, entry)
    assert told in str(error.value) and f"gated.yaml:{11 if 'most' in told else 12}: gate" in str(error.value)


def test_entries_count_together_and_those_of_included_files_are_joined(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="match 12 metrics"):
        load(tmp_path, "{metric: loss, where: {model: a}}", "{metric: loss, where: {model: b}}")
    load(tmp_path, "{metric: loss, where: {model: a}}")
    over = tmp_path / "over.yaml"
    over.write_text("include: gated.yaml\nname: over\ngate: [{metric: ttft, where: {model: a}}]\n")
    suite = load_suite(str(over)).suite
    assert [entry.metric for entry in suite.gate] == ["loss", "ttft"]
    assert "gate" in suite_text(suite)
