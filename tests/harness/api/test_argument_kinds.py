"""Arguments of a wrong kind: one sentence that names the argument, before anything is done."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import harness
from harness.api.public import public
from harness.shorthand.in_keywords import in_keywords

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
    (lambda: wrong.generate("m", ["a", 3]), "prompt: should be a text, or a list of texts, not ['a', 3]"),
    (lambda: wrong.generate(["m", "n"], "a"), "model: name one model"),
    (lambda: wrong.stream("m", 3), "prompt: should be a text"),
    (
        lambda: wrong.fit([1, 2]),
        "data: should be a table (a DataFrame, or the path of a CSV or Parquet file), not [1, 2]",
    ),
    (lambda: wrong.list(3), "kind: should be a text, not 3"),
]


@pytest.mark.parametrize(("call", "said"), CASES, ids=[one[1] for one in CASES])
def test_the_argument_is_named(call: Callable[[], Any], said: str) -> None:
    with pytest.raises(harness.UserError) as told:
        call()
    assert str(told.value).startswith(said)


def test_what_is_right_goes_through() -> None:
    """Known bad: a check that refuses a path, no value, an array, or what it does not know."""

    def function(
        *more: str,
        out: str | Path | None = None,
        limit: float | None = None,
        budgets: Sequence[float] = (),
        pairs: Mapping[str, Any] | None = None,
        told: Callable[[str], None] = print,
        other: pd.DataFrame | Unheard = None,  # type: ignore[name-defined]  # noqa: F821
        fresh: bool = False,
        **settings: Any,
    ) -> Any:
        return locals()

    call: Any = public(function)
    right = {"out": Path("a"), "limit": 0.5, "budgets": np.array([1.0, 2]), "pairs": {"a": [1]}, "told": len}
    assert call("x", **right, other=3, top_k=None)["settings"] == {"top_k": None}
    assert call(out="a", limit=np.float32(2), budgets=pd.Series([1, 2]), fresh=np.True_)["limit"] == 2
    for wrong_one, said in (
        ({"out": 3}, "out: should be a path, not 3"),
        ({"out": "a\0b"}, "out: can't be a path: a name of a file has no null character in it"),
        ({"limit": float("nan")}, "limit: should be a number, not nan"),
        ({"limit": True}, "limit: should be a number, not True"),
        ({"budgets": "12"}, "budgets: should be a list of numbers, not the text '12'"),
        ({"budgets": [1, None]}, "budgets: should be a list of numbers, not [1, None]"),
        ({"pairs": {1: 2}}, "pairs: should be a mapping, not {1: 2}"),
        ({"fresh": 1}, "fresh: should be True or False, not 1"),
        ({"told": "print"}, "told: should be a function, such as print, not the text 'print'"),
    ):
        with pytest.raises(harness.WrongArgument, match=f"^{re.escape(said)}"):
            call(**wrong_one)
    with pytest.raises(harness.WrongArgument, match="more: should be a list of texts"):
        call(3)
    with pytest.raises(TypeError, match="missing a required argument"):
        public(lambda a: a)()  # type: ignore[call-arg,unused-ignore]


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
        "text: say `text=FILE`, or `tasks='a,b'` (`harness list --search x`, `pip install --upgrade y`); `tasks_path`"
    )
    assert in_keywords("--prompt, --new: a") == "prompt, new: a" and in_keywords("--text") == "text"
    kinds = {"fresh": "bool", "cached": "bool", "allowed": "Allowed", "of_base": "Sequence[str]"}
    assert in_keywords("say --fresh or --no-cache", kinds) == "say `fresh=True` or `cached=False`"
    assert in_keywords("with --allow-task-code", kinds) == "with `allowed=harness.Allowed(task_code=True)`"
    assert in_keywords("`--trust-remote-code`", {"trust_remote_code": "bool"}) == "`trust_remote_code=True`"
    assert in_keywords("say --base precision=fp32", kinds) == "say `of_base` precision=fp32"
    assert in_keywords("MODEL: a\nMODEL: b") == "models: a\nmodels: b"
