"""Arguments of a wrong kind: one sentence that names the argument, before anything is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import harness
from harness.api.argument_kinds import kinds_checked
from harness.shorthand.in_options import in_keywords

wrong: Any = harness
"""The same functions, called as nobody should."""
CASES: list[tuple[Callable[[], Any], str]] = [
    (lambda: wrong.perplexity("m", text="t", settings="a=b"), "settings: should be a mapping, such as {'revision'"),
    (lambda: wrong.perplexity("m", text="t", out=3), "out: should be a path, not 3"),
    (lambda: wrong.perplexity("m", text="t", save_suite=["a", "b"]), "save_suite: should be a path, not ['a', 'b']"),
    (lambda: wrong.perplexity("m", text="t", on_event="print"), "on_event: should be a function, such as print, not"),
    (lambda: wrong.eval("m", tasks="t", limit="10"), "limit: should be a number, not the text '10'"),
    (lambda: wrong.eval("m", tasks="t", limit=True), "limit: should be a number, not True"),
    (lambda: wrong.eval("m", tasks="t", generation="max_tokens=4"), "generation: should be a mapping, such as {'max_"),
    (lambda: wrong.bench("m", prompt="x"), "prompt: should be a whole number, not the text 'x'"),
    (lambda: wrong.bench("m", new=1.5), "new: should be a whole number, not 1.5"),
    (lambda: wrong.run({}, on_event=3), "on_event: should be a function"),
    (lambda: wrong.train("t", save_suite=3), "save_suite: should be a path, not 3"),
    (lambda: wrong.generate("m", 3), "prompt: should be a text, or a list of texts, not 3"),
    (lambda: wrong.generate("m", None), "prompt: should be a text, or a list of texts, not None"),
    (lambda: wrong.generate("m", ["a", 3]), "prompt: should be a text, or a list of texts; 3 is none"),
    (lambda: wrong.generate(["m", "n"], "a"), "model: name one model"),
    (lambda: wrong.stream("m", 3), "prompt: should be a text"),
    (
        lambda: wrong.fit([1, 2]),
        "data: should be a table (a DataFrame, or the path of a CSV or Parquet file), not [1, 2]",
    ),
    (lambda: wrong.list(3), "list: there is no kind '3'; there are "),
]


@pytest.mark.parametrize(("call", "said"), CASES, ids=[one[1] for one in CASES])
def test_the_argument_is_named(call: Callable[[], Any], said: str) -> None:
    with pytest.raises(harness.UserError) as told:
        call()
    assert str(told.value).startswith(said)


def test_what_is_right_goes_through() -> None:
    """Known bad: a check that refuses a path, no value, or what it does not know."""

    @kinds_checked
    def function(*, out: Any = None, limit: Any = None, other: Any = None) -> Any:
        return out, limit, other

    assert function(out=Path("a"), limit=0.5, other=True) == (Path("a"), 0.5, True)
    assert function(out="a", limit=None) == ("a", None, None)


def test_sentences_of_python_name_no_options() -> None:
    for call, said in (
        (lambda: harness.perplexity("m"), "models: "),
        (lambda: harness.perplexity([], text="t"), "models: no model was named"),
        (lambda: harness.load_model("no-such-model"), "model: "),
        (lambda: harness.fit(pd.DataFrame()), "the data: a scaling law needs "),
    ):
        with pytest.raises(harness.UserError) as told:
            call()
        assert str(told.value).startswith(said) and "--" not in str(told.value)


def test_options_become_keywords() -> None:
    told = "--text: say `--text FILE`, or `--tasks a,b` (`harness list --search x`, `pip install --upgrade y`)"
    assert in_keywords(f"{told}; --tasks-path") == (
        "text: say `text=FILE`, or `tasks='a,b'` (`harness list --search x`, `pip install --upgrade y`); tasks_path"
    )
    assert in_keywords("MODEL: a\nMODEL: b") == "models: a\nmodels: b"
