"""Every mistake in a suite is one sentence with file, line, key, what is allowed and the nearest spelling."""

from pathlib import Path

import pytest

from harness.errors import UserError
from harness.measures.registry import MEASURES
from harness.suite.load import find_suite, load_suite, parse_suite, suite_text
from harness.suite.shipped import shipped_suites

GOOD = """
name: good
models:
  tiny: {reference: nano, train: {tokens: 1000}}
  real: {transformers: some/model}
measures:
  - perplexity: {text: microworld/test}
"""


def problem(text: str) -> str:
    with pytest.raises(UserError) as caught:
        parse_suite(text, "bad.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("? [a, b]\n: 1", "a key must be a word, and this one is a list"),
        ("{{a: b}: 1}", "a key must be a word, and this one is a mapping"),
        ("about: {[a]: 1}", "a key must be a word, and this one is a list"),
        ("~: 1", "a key must be a word"),
        ("<<: {about: merged}", "YAML merge keys (<<) are not read; use `include`"),
        ("tasks: {<<: {paths: []}}", "YAML merge keys (<<) are not read; use `include`"),
        (
            "about: 2026-13-45",
            "YAML reads `2026-13-45` as a date, which fails (month must be in 1..12); put it in quotes",
        ),
        ("2026-02-30: x", "YAML reads `2026-02-30` as a date, which fails"),
        ("about: [1, 2026-01-01T25:00:00]", "YAML reads `2026-01-01T25:00:00` as a date, which fails"),
        ("about: 0b_", "YAML reads `0b_` as a whole number, which fails"),
        ("about: !!bool maybe", "YAML reads `maybe` as true or false, which fails (it is not one)"),
        ("about: =", "`=` has a meaning of its own in YAML; put it in quotes"),
        ("about: !mine x", "values with the tag `!mine` are not read here"),
    ],
)
def test_what_yaml_cannot_read_is_named_with_file_and_line(line: str, why: str) -> None:
    text = f"\n{line}" if line.startswith("{") else f"{GOOD}\n{line}"
    place = 2 if line.startswith("{") else GOOD.count("\n") + 2
    told = problem(text)
    assert told.startswith(f"bad.yaml:{place}: {why}") and "\n" not in told


def test_lists_without_end_are_refused_in_one_sentence() -> None:
    assert problem("x: &x [*x]") == "bad.yaml:1: an anchor refers to itself; write out what is meant"
    for depth in (60, 3000, 100_000):
        told = problem(f"x: {'[' * depth}{']' * depth}")
        assert told == "bad.yaml:1: lists or mappings are nested too deeply; write it flatter"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            ("reference: nano", "refrence: nano"),
            "bad.yaml:4: models.tiny.refrence: unknown key 'refrence'; did you mean",
        ),
        (
            ("tokens: 1000", "tokens: many"),
            "bad.yaml:4: models.tiny.train.tokens: should be a whole number, not the text 'many'",
        ),
        (("tokens: 1000", "tokens: -5"), "bad.yaml:4: models.tiny.train.tokens: should be greater than 0 (it is -5)"),
        (("tokens: 1000", "vocabulary: 512"), "models.tiny.train: a training needs a budget: `tokens`, or `steps`, or"),
        (("perplexity:", "perplexitty:"), "bad.yaml:7: measures.0.perplexitty: unknown key"),
        (
            ("microworld/test}", "x, window: [3, a]}"),
            "measures.0.perplexity.window.1: should be a whole number, not the text 'a'",
        ),
        (("microworld/test}", "x, window: []}"), "measures.0.perplexity.window: this list is empty"),
        (
            ("microworld/test}", "x}\n    models: [tinny]"),
            "measures.0.models.0: the suite has no model 'tinny'; did you mean 'tiny'",
        ),
        (("name: good", "name: not good"), "bad.yaml:2: name: 'not good' may have only letters"),
        (
            ("name: good", "name: good\nmatrix: {precision: [fp32, fp23]}"),
            "'fp23' is not allowed; did you mean 'fp32'?",
        ),
        (
            ("name: good", "name: good\nmatrix: {precision: fp32, batch: 2}"),
            "matrix.batch: unknown key 'batch'; allowed: precision",
        ),
        (("name: good", "name: good\nmatrix: {precision: [int8, int8]}"), "a value stands here twice"),
        (("name: good", "name: good\nmatrix: {precision: []}"), "an axis needs at least one value"),
        (("name: good", "name: good\nexpect: [{metric: loss, atmost: 1}]"), "did you mean 'at_most'?"),
        (("name: good", "name: good\nexpect: [{metric: perplexty, at_most: 1}]"), "did you mean 'perplexity'?"),
        (("name: good", "name: good\nexpect: [{metric: loss}]"), "an expectation needs `at_most` or `at_least`"),
        (("name: good", "name: good\nanalyse: [{scaling_law: {ovr: parameters}}]"), "did you mean 'over'?"),
        (("name: good", "name: good\nname: twice"), "bad.yaml:3: the key 'name' is written twice"),
        (("name: good", "name: good\ntrust_remote_code: true"), "harness run --trust-remote-code"),
        (
            ("{transformers: some/model}", "{transformers: m, train: {tokens: 1}}"),
            "only a preset is trained from nothing",
        ),
        (
            ("{transformers: some/model}", "{}"),
            "a model is `reference: ...`, `transformers: ...`, `from: ...` or `best_of: ...`",
        ),
        (("name: good", "name: [good"), "bad.yaml:3: not valid YAML"),
    ],
)
def test_a_mistake_is_located_and_explained(change: tuple[str, str], expected: str) -> None:
    assert expected in problem(GOOD.replace(*change))


def test_every_mistake_is_told_at_once_in_the_order_of_the_file() -> None:
    lines = problem(GOOD.replace("nano", "nano, trian: 1").replace("text:", "txt:")).splitlines()
    assert [line.split(": ")[0] for line in lines] == ["bad.yaml:4", "bad.yaml:7"]


@pytest.mark.parametrize(
    "text", ["", "- 1", "&a [*a]", "x", "{: 3", "? [a, b]\n: 1", "a: !!python/object:os.system {}"]
)
def test_what_is_no_suite_at_all_is_refused_without_a_traceback(text: str) -> None:
    assert problem(text)


def test_a_line_that_is_not_utf8_is_named(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"name: good\nabout: caf\xe9\n")
    with pytest.raises(UserError, match=r"latin\.yaml:2: this line is not UTF-8"):
        load_suite(str(path))


def test_a_suite_survives_being_written_down_in_a_manifest() -> None:
    suite = load_suite("quickstart").suite
    assert parse_suite(suite_text(suite)) == suite


def test_the_quickstart_expects_nothing_of_speed() -> None:
    """On a busy machine it would end as undecided, for reasons that are not the model's."""
    timed = {metric.name for measure in MEASURES.values() if measure.timed for metric in measure.metrics}
    expected = {entry.metric for entry in load_suite("quickstart").suite.expect}
    assert expected and not expected & timed


def test_the_shipped_suites_are_found_by_name_and_are_valid() -> None:
    assert {"quickstart", "ci"} <= set(shipped_suites()) and find_suite("suites/ci.yaml").is_file()
    for name, path in shipped_suites().items():
        assert find_suite(name) == path
        load_suite(name)


def test_an_unknown_suite_gets_the_nearest_name() -> None:
    with pytest.raises(UserError, match="did you mean 'quickstart'"):
        load_suite("quikstart")


def test_included_files_are_merged_and_errors_name_the_right_file(tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "base.yaml").write_text(GOOD)
    main = tmp_path / "main.yaml"
    main.write_text(
        "include: base.yaml\nname: main\nmodels:\n  more: {reference: nano, train: {tokens: 5}}\n"
        "measures:\n  - memory: {}\n"
    )
    suite = load_suite(str(main)).suite
    assert suite.name == "main"
    assert list(suite.models) == ["tiny", "real", "more"]
    assert [entry.measure for entry in suite.measures] == ["perplexity", "memory"]  # type: ignore[attr-defined]
    (tmp_path / "base.yaml").write_text(GOOD.replace("tokens", "tokns"))
    with pytest.raises(UserError, match=r"base\.yaml:4: models\.tiny\.train\.tokns"):
        load_suite(str(main))
    main.write_text("include: base.yaml\nname: main\nmeasures:\n  - memory: {contxt: 4}\n")
    (tmp_path / "base.yaml").write_text(GOOD)
    with pytest.raises(UserError, match=r"main\.yaml:4: measures\.1\.memory\.contxt"):
        load_suite(str(main))


def test_an_include_that_is_missing_or_goes_in_a_circle_is_refused(tmp_path) -> None:  # type: ignore[no-untyped-def]
    main = tmp_path / "main.yaml"
    main.write_text("include: [other.yaml]\nname: main\n")
    with pytest.raises(UserError, match=r"main\.yaml:1: the included file other\.yaml does not exist"):
        load_suite(str(main))
    (tmp_path / "other.yaml").write_text("include: main.yaml\n")
    with pytest.raises(UserError, match="include goes in a circle"):
        load_suite(str(main))


def test_settings_that_exclude_each_other_are_refused_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "both.yaml"
    path.write_text(
        "name: both\nmodels: {m: {transformers: m}}\nmeasures:\n"
        "  - task: {task: gsm8k, documents: 3, document_ids: '1'}\n"
    )
    with pytest.raises(UserError) as caught:
        load_suite(str(path))
    assert str(caught.value).startswith(f"{path}:4: measures.0.task: `documents` and `document_ids` both choose")


@pytest.mark.parametrize(
    "text",
    [
        "name: x\nmodels: {a: {referenc: nano}}\nanalyse: [{emergence: {}}]\n",
        "name: x\nmodels: {a: {referenc: nano}}\n",
        "name: x\nmeasures: [{perplexty: {text: a}}, {inference: {prompt: 8}}]\n",
        "name: x\nmodels: 3\nmeasures: [{inference: {prompts: 8}}, {inference: {prompt: 8}}]\n",
        "name: x\nmodels: {}\nmeasures: {}\n",
    ],
)
def test_a_suite_that_lacks_a_part_besides_is_told_of_as_any(text: str) -> None:
    assert problem(text).startswith("bad.yaml:")
