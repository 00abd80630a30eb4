"""Tasks that are a Python class: what is read of one, what it asks, how it is judged, what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.tasks.ask import Asked, Choice, ChoiceAnswer, Generation, GenerationAnswer
from harness.tasks.files.library import TaskLibrary
from harness.tasks.judging import metric_check, metrics
from harness.tasks.prompts.generation_settings import with_generation
from harness.tasks.prompts.prompt import ask
from harness.tasks.prompts.prompt_settings import PromptSettings
from harness.tasks.task import Task

HEAD = """
import numpy as np
from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask
"""
PLAIN = """
class T(ConfigurableTask):
    VERSION = 2
    DATASET_PATH = "x/y"
    DATASET_NAME = "default"
    def __init__(self, **kwargs): super().__init__(config={"metadata": {"version": self.VERSION}})
    def has_training_docs(self): return False
    def has_validation_docs(self): return True
    def has_test_docs(self): return False
    def validation_docs(self): return self.dataset["validation"]
    def doc_to_text(self, doc): return doc["text"].strip()
    def doc_to_target(self, doc): return doc["value"].strip()
    def construct_requests(self, doc, ctx, chat_template=None, apply_chat_template=False, **kwargs):
        how = {"until": ["\\n"], "max_gen_toks": 48}
        return [Instance(request_type="generate_until", doc=doc, arguments=(ctx, how), idx=0, **kwargs)]
    def process_results(self, doc, results): return {"contains": int(self.doc_to_target(doc) in results[0])}
    def aggregation(self): return {"contains": np.mean}
    def higher_is_better(self): return {"contains": True}
"""
TWO_REQUESTS = """
class T(T):
    def construct_requests(self, doc, ctx, **kwargs):
        kwargs = {"metadata": kwargs["metadata"]}
        return [Instance("generate_until", doc, (ctx, {"until": ["\\n"]}), 0, **kwargs),
                Instance("loglikelihood", doc, (ctx, " none"), 0, **kwargs)]
    def process_results(self, doc, results):
        text, (log_prob, greedy) = results
        return {"contains": [text, log_prob, greedy]}
    def aggregation(self): return {"contains": lambda items: sum(item[1] for item in items)}
"""
CHOICES = """
class T(T):
    def construct_requests(self, doc, ctx, **kwargs):
        return [Instance("loglikelihood", doc, (ctx, choice), place) for place, choice in enumerate([" a", " b"])]
    def process_results(self, doc, results):
        return {"contains": int(np.argmax([log_prob for log_prob, _ in results]))}
"""


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


def library(folder: Path, code: str, allow: bool = True) -> TaskLibrary:
    tasks = folder / "tasks"
    tasks.mkdir(exist_ok=True)
    (tasks / "t.yaml").write_text("task: t\ntag: mine\nclass: !function task.T\n")
    (tasks / "task.py").write_text(HEAD + code)
    rows = [{"text": f" Q{number} ", "value": f" {number} "} for number in range(3)]
    (folder / "v.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return TaskLibrary((str(tasks),), {"x/y": {"validation": str(folder / "v.jsonl")}}, allow_task_code=allow)


def opened(folder: Path, code: str) -> Task:
    return library(folder, code).open("t").tasks[0]


def asked(task: Task, number: int = 0, shots: tuple[int, ...] = ()) -> Asked:
    rows = task.evaluation_rows()
    return ask(
        task.config, rows[number], number, [(n, rows[n]) for n in shots], PromptSettings(mode="lm-eval"), task.function
    )


def test_a_prompt_and_a_metric(tmp_path: Path) -> None:
    task = opened(tmp_path, PLAIN)
    config = task.config
    assert (config.task, config.dataset_path, config.dataset_name) == ("t", "x/y", "default")
    assert (config.training_split, config.validation_split, config.test_split) == (None, "validation", None)
    assert config.metadata["version"] == 2 and config.tag == ("mine",) and config.output_type == "generate_until"
    document = asked(task, 1)
    assert document.requests == (Generation("Q1", ("\n",), 48),) and document.target == "1"
    assert asked(task, 1, (0, 2)).requests[0].context == "Q0 0\n\nQ2 2\n\nQ1"  # type: ignore[union-attr]
    scores = metrics.score(config, document, GenerationAnswer(("it is 1",)), mode="lm-eval", function=task.function)
    assert scores.items == {"contains": 1}
    mean = task.function(config.metric_list[0].aggregation, "aggregation")  # type: ignore[index,arg-type]
    assert mean([1, 0, 1, 1]) == 0.75
    metric_check.check(config, mode="lm-eval")


def test_a_likelihood_beside_the_written_answer(tmp_path: Path) -> None:
    task = opened(tmp_path, PLAIN + TWO_REQUESTS)
    document = asked(task)
    assert document.requests == (Generation("Q0", ("\n",), 256),) and document.right == Choice("Q0", " none")
    answer = GenerationAnswer(("so",), ChoiceAnswer(math.log(0.25), 1, 1))
    scores = metrics.score(task.config, document, answer, mode="lm-eval", function=task.function)
    assert scores.items == {"contains": ["so", math.log(0.25), True]}


def test_likelihoods_alone(tmp_path: Path) -> None:
    task = opened(tmp_path, PLAIN + CHOICES)
    document = asked(task)
    assert document.requests == (Choice("Q0", " a"), Choice("Q0", " b")) and task.config.output_type == "loglikelihood"
    answers = (ChoiceAnswer(-3.0, 0, 1), ChoiceAnswer(-1.0, 1, 1))
    assert metrics.score(task.config, document, answers, mode="right", function=task.function).items == {"contains": 1}


def test_rows_that_a_class_prepares(tmp_path: Path) -> None:
    code = PLAIN + "    def validation_docs(self): return [{**r, 'text': 'new'} for r in self.dataset['validation']]\n"
    assert [row["text"] for row in opened(tmp_path, code).evaluation_rows()] == ["new"] * 3


def test_the_suite_says_how_it_writes(tmp_path: Path) -> None:
    task = opened(tmp_path, PLAIN)
    changed = with_generation(task.config, {"max_tokens": 5, "temperature": 0.5})
    request = ask(changed, task.evaluation_rows()[0], 0, [], PromptSettings(), task.function).requests[0]
    assert request == Generation("Q0", ("\n",), 5, temperature=0.5)


def test_it_is_listed_and_digested_and_found_by_its_tag(tmp_path: Path) -> None:
    tasks = library(tmp_path, PLAIN)
    assert ("t", "task") in {(named.name, named.kind) for named in tasks.names()}
    assert [task.name for task in tasks.open("mine").tasks] == ["t"]
    before = tasks.digest("t")
    assert library(tmp_path, PLAIN.replace("48", "49")).digest("t") != before


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (PLAIN.replace("(ConfigurableTask)", ""), "does not derive from lm-eval's ConfigurableTask"),
        (PLAIN.replace("def aggregation", "def other"), "has no `aggregation`"),
        (PLAIN.replace('self.dataset["validation"]', "[]"), "asks for no split"),
        (PLAIN.replace("super().__init__(", "raise OSError('no network') or super().__init__("), "OSError: no network"),
        (PLAIN.replace('"generate_until"', "KIND"), "names no kind of request"),
        (PLAIN.replace("import x", "") + "\nimport package_that_is_not_here\n", "needs a package that isn't here"),
    ],
)
def test_what_is_refused_when_it_is_opened(tmp_path: Path, code: str, told: str) -> None:
    with pytest.raises(UserError) as caught:
        library(tmp_path, code).open("t")
    assert told in str(caught.value) and "task.py" in str(caught.value) + str(caught.value.place)


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        ("['generate_until', 'generate_until']", "it asks generate_until, generate_until"),
        ("['loglikelihood', 'generate_until']", "it asks loglikelihood, generate_until"),
        ("[]", "gives no requests"),
    ],
)
def test_requests_that_cannot_be_asked(tmp_path: Path, kinds: str, told: str) -> None:
    code = f"""
class T(T):
    def construct_requests(self, doc, ctx, **kwargs):
        return [Instance(kind, doc, (ctx, {{}}), place) for place, kind in enumerate({kinds} or "generate_until"[:0])]
"""
    task = opened(tmp_path, PLAIN + code)
    with pytest.raises(UserError, match=told):
        asked(task)


def test_it_must_be_allowed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Python class.*--allow-task-code") as caught:
        library(tmp_path, PLAIN, allow=False).open("t")
    assert str(caught.value.place).endswith("task.py")
