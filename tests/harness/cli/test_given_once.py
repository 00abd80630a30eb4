"""An option of one value that stands twice: it is refused, as the first would be lost without a word."""

from __future__ import annotations

import shlex

import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from harness.errors import UserError

TWICE = {
    "perplexity m --text t --save-suite a.yaml --save-suite b.yaml": "--save-suite: is given twice; give it once",
    "perplexity m --text t --precision fp32 --precision int8": (
        "--precision: is given twice; give it once: write its values with commas between them"
    ),
    "eval m --tasks t --num_fewshot 1 --shots 2": "--shots: is given twice",
    "run quickstart --out a --out=b": "--out: is given twice",
    "baseline set latest --why a --why b": "--why: is given twice",
    "show latest --format csv --format json": "--format: is given twice",
}


@pytest.mark.parametrize("words", TWICE)
def test_an_option_twice(words: str) -> None:
    error = CliRunner().invoke(app, shlex.split(words)).exception
    assert isinstance(error, UserError) and str(error).startswith(TWICE[words]) and error.exit_code == 2


@pytest.mark.parametrize(
    "words",
    [
        "perplexity no-such-model --text a --text b --set a=1 --set b=2",
        "eval no-such-model --tasks a --tasks b --precision fp32 --precision int8",
        "run no-such-suite --fresh --fresh",
    ],
)
def test_lists_and_switches_may_stand_twice(words: str) -> None:
    error = CliRunner().invoke(app, shlex.split(words)).exception
    assert isinstance(error, UserError) and "twice" not in str(error)
