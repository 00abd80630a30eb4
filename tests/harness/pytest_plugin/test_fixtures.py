"""The fixtures in a foreign project: real models, real arms, real suites, all of them tiny."""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.harness.pytest_plugin.conftest import Project

QUICK = """
import harness.gate.lockstep.launch as launch

launch.LAUNCH_NS, launch.WARM_SECONDS = 40_000_000, 0.01
"""
KERNELS = """
from math import tanh

def base():
    return [tanh(i / 1000) for i in range(1000)]

def same():
    return [tanh(i / 1000) for i in range(1000)]

def slow():
    return [tanh(i / 1000) for i in range(3000)][:1000]

def scaled(n):
    return [tanh(i / 1000) for i in range(n)]

def size():
    return 1000
"""
SPEED = """
import kernels
import pytest

def local():
    return 1

def test_slow(harness_ab):
    harness_ab(kernels.base, kernels.slow)

def test_same(harness_ab):
    found = harness_ab(kernels.base, "kernels:same", margin=0.5, on_inconclusive="pass")
    assert not found.outcome.reasons[0].startswith("slower")

@pytest.mark.parametrize("policy", ["skip", "pass", "fail"])
def test_undecided(harness_ab, policy):
    harness_ab(kernels.scaled, "kernels:scaled,env=A=1", setup=kernels.size, launches=1, on_inconclusive=policy)

def test_in_this_file(harness_ab):
    harness_ab(local, kernels.base, launches=1, tolerance=0.1)

def test_lambda(harness_ab):
    harness_ab(kernels.base, lambda: 1)

def test_within(harness_ab):
    def inner():
        return 1

    harness_ab(kernels.base, inner)

def test_itself(harness_ab):
    harness_ab(kernels.base, kernels.base)

@pytest.mark.parametrize("more", [{"margin": -1}, {"on_inconclusive": "perhaps"}, {"launches": 0}, {"threads": 0}])
def test_words(harness_ab, more):
    harness_ab(kernels.base, kernels.same, **more)

@pytest.mark.parametrize("b", ["nowhere:f", "kernels:gone", 3, "reference"])
def test_no_arm(harness_ab, b):
    harness_ab("kernels:base", b)
"""


def cases(project: Project, *words: str) -> dict[str, ElementTree.Element]:
    """Run pytest; its test cases by name."""
    project.process(*words, "--junitxml=junit.xml", "-p", "no:cacheprovider")
    return {str(one.get("name")): one for one in ElementTree.parse(project.folder / "junit.xml").iter("testcase")}


def told(case: ElementTree.Element) -> str:
    """`passed`, or what a failure or a skip says."""
    return next(
        (f"{one.tag}: {one.get('message')}" for one in case if one.tag in ("failure", "skipped", "error")), "passed"
    )


def properties(case: ElementTree.Element) -> dict[str | None, str | None]:
    return {one.get("name"): one.get("value") for one in case.iter("property")}


def test_speed(project: Project) -> None:
    project.write("tests/conftest.py", QUICK)
    project.write("tests/kernels.py", KERNELS)
    project.write("tests/test_speed.py", SPEED)
    found = cases(project, "tests/test_speed.py")
    slow = told(found["test_slow"])
    assert (
        slow.startswith("failure: Failed: FAIL: slower by ") and "CPU time: b takes" in slow and "(margin 5 %)" in slow
    )
    assert "During handling" not in str(found["test_slow"][-1].text) and "Traceback" not in slow
    numbers = properties(found["test_slow"])
    assert numbers["verdict"] == "fail" and numbers["bound"] == "below 1.05"
    assert 1.5 < float(str(numbers["low"])) <= float(str(numbers["value"])) <= float(str(numbers["high"]))
    assert Path(project.folder, str(numbers["harness_ab"]), "verdict.json").is_file()
    assert told(found["test_same"]) == "passed"
    undecided = "INCONCLUSIVE: undecided after 1 launch"
    assert told(found["test_undecided[skip]"]).startswith(f"skipped: {undecided}")
    assert told(found["test_undecided[pass]"]) == "passed"
    assert told(found["test_undecided[fail]"]).startswith(f"failure: Failed: {undecided}")
    assert "outputs: " in told(found["test_in_this_file"]), "both ran"
    for name in ("test_lambda", "test_within"):
        assert "can't be imported by another process: put it into a module" in told(found[name])
    assert "both arms run the same code" in told(found["test_itself"])
    for name, why in (
        ("more0", "margin: is a share"),
        ("more1", "is skip, pass or fail"),
        ("more2", "at least one launch"),
    ):
        assert told(found[f"test_words[{name}]"]).startswith("failure: Failed: harness_ab: ")
        assert why in told(found[f"test_words[{name}]"])
    for name, why in (
        ("nowhere:f", "no module nowhere"),
        ("kernels:gone", "gone"),
        ("3", "not 3"),
        ("reference", "no arm"),
    ):
        assert told(found[f"test_no_arm[{name}]"]).startswith("failure: Failed: harness_ab: arm b: ")
        assert why in told(found[f"test_no_arm[{name}]"])


MODELS = """
import pytest

TRAINED = {{"corpus": "{story}", "tokens": 4000, "vocabulary": 300, "context": 64, "batch": 4}}
TINY = {{"reference": "nano", "train": TRAINED}}
ASKED = {{"measure": "perplexity", "text": "{story}", "documents": 20}}

def test_once(harness_model):
    model = harness_model(TINY)
    assert model is harness_model(dict(TINY)) is not harness_model(TINY, precision="int8")
    assert model.identity.precision == "fp32" and model.tokenizer.encode("the cat")

@pytest.mark.parametrize("harness_model", [TINY, {{"model": "tiny", "suite": "suites/ci.yaml"}}], indirect=True)
def test_parameter(harness_model):
    assert harness_model.identity.parameters > 0

def test_met(harness_model, harness_eval):
    found = harness_eval(harness_model(TINY), **ASKED)
    assert found.perplexity <= 1000
    found.bits_per_byte.at_most(100)
    assert found.tokens_scored >= 1 and not found.tokens_scored < 1
    assert list(found.records["metric"]) and found.perplexity.low < float(found.perplexity) < found.perplexity.high

def test_unmet(harness_eval):
    harness_eval(TINY, **ASKED).perplexity.at_most(2)

def test_asserted(harness_eval):
    assert harness_eval(TINY, **ASKED).perplexity < 2

@pytest.mark.parametrize("policy", ["skip", "pass", "fail"])
def test_straddles(harness_eval, policy):
    found = harness_eval(TINY, on_inconclusive=policy, **ASKED).perplexity
    assert found > found.value

def test_two_values(harness_eval):
    with pytest.raises(TypeError, match="`against`"):
        harness_eval(TINY, **ASKED).perplexity < harness_eval(TINY, **ASKED).perplexity

def test_no_metric(harness_eval):
    with pytest.raises(AttributeError, match="did you mean 'perplexity'"):
        harness_eval(TINY, **ASKED).perplexty

@pytest.mark.parametrize("words", [
    {{"measure": "perplexty"}}, {{"measure": "perplexity", "text": "{story}", "limit": 3}},
    {{"measure": "perplexity", "text": "gone.txt"}}, {{"task": "no_such_task"}},
    {{"measure": "perplexity", "text": "{story}", "documents": [3, 4]}}, {{"on_inconclusive": "perhaps", "task": "x"}},
], ids=["measure", "setting", "text", "task", "two", "policy"])
def test_words(harness_eval, words):
    harness_eval(TINY, **words)

@pytest.mark.parametrize("words", [
    {{"model": "asset:nope"}}, {{"model": TINY, "precision": "int3"}}, {{"model": "x", "suite": "suites/ci.yaml"}},
    {{"model": {{"refrence": "nano"}}}}, {{"model": "gone/folder"}},
], ids=["asset", "precision", "name", "entry", "folder"])
def test_no_model(harness_model, words):
    harness_model(**words)

def test_another_model(harness_eval):
    harness_eval(object(), task="x")
"""


def test_models(project: Project, story: Path, tiny_suite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    project.write("suites/ci.yaml", tiny_suite)
    project.write("tests/test_models.py", MODELS.format(story=story))
    found = cases(project, "tests/test_models.py")
    for name in ("test_once", "test_parameter[harness_model0]", "test_parameter[harness_model1]", "test_met"):
        assert told(found[name]) == "passed"
    assert told(found["test_two_values"]) == told(found["test_no_metric"]) == "passed"
    assert "per token, and at most 2 is expected" in told(found["test_unmet"])
    numbers = properties(found["test_unmet"])
    assert numbers["verdict (perplexity)"] == "unmet" and numbers["bound (perplexity)"] == "at most 2"
    assert told(found["test_asserted"]).startswith("failure: AssertionError: assert perplexity ")
    assert "the interval straddles the bound; measure more" in told(found["test_straddles[skip]"])
    assert told(found["test_straddles[skip]"]).startswith("skipped") and told(found["test_straddles[pass]"]) == "passed"
    assert told(found["test_straddles[fail]"]).startswith("failure")
    wrong = {
        **{
            "words[measure]": "harness_eval: perplexty: unknown key",
            "words[setting]": "unknown key 'limit'",
        },
        **{"words[text]": "gone.txt", "words[task]": "no_such_task", "words[two]": "this makes 2 cells"},
        **{"words[policy]": "is skip, pass or fail", "no_model[asset]": "there is no asset 'nope'"},
        **{"no_model[precision]": "did you mean 'int8'", "no_model[name]": "has no model 'x'"},
        **{"no_model[entry]": "refrence", "no_model[folder]": "gone/folder"},
        "another_model": "a model is named as `harness_model` takes it",
    }
    for name, why in wrong.items():
        assert told(found[f"test_{name}"]).startswith("failure: Failed: ") and why in told(found[f"test_{name}"]), name


REAL = """name: real
models:
  tiny: {{reference: nano, train: {{corpus: {story}, tokens: 4000, vocabulary: 300, context: 64, batch: 4}}}}
matrix: {{precision: [fp32, int8], device: cpu, threads: 1}}
measures:
  - perplexity: {{text: {story}, documents: 20}}
expect:
  - {{metric: perplexity, where: {{precision: int8}}, against: {{precision: fp32}}, at_most: 1.2}}
  - {{metric: perplexity, at_most: 2}}
"""


@pytest.mark.skipif(os.name != "posix", reason="workers are forked")
def test_a_real_suite(project: Project, story: Path) -> None:
    project.write("suites/ci.yaml", REAL.format(story=story))
    found = cases(project, "--harness-suite", "suites/ci.yaml", "suites/ci.yaml")
    ratio = found["expect[perplexity (int8) / perplexity (fp32) at most 1.2]"]
    assert told(ratio) == "passed" and 0.9 < float(str(properties(ratio)["value"])) < 1.2
    assert "perplexity at most 2: 2 of 2 cells" in told(found["expect[perplexity at most 2]"])
    (folder,) = (project.folder / "results/runs").glob("*-real")
    assert properties(ratio)["harness_run"] == f"results/runs/{folder.name}" and (folder / "report.html").is_file()
