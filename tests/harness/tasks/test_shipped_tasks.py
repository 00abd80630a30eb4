"""The tasks that ship: every file is read, every document renders, gold and choices fit, no example is a test question.

Prompts are rendered here by jinja alone, in twenty lines of this file, so that what a task asks is checked apart from
the code that asks it. The evaluation sets are those of seed 0, put beside as files: eight seeds would take too long.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

from harness.errors import UserError
from harness.tasks.config import FewshotConfig, FilterPipeline, TaskConfig
from harness.tasks.files.library import TaskLibrary
from harness.tasks.task import Task
from reference_impl.text import microworld

Row = dict[str, Any]
SHIPPED = Path(microworld.__file__).parents[3] / "harness" / "tasks" / "shipped"
FILES = sorted(
    path
    for path in SHIPPED.rglob("*")
    if path.suffix == ".yaml" or (path.name.startswith("_") and path.name.endswith("_yaml"))
)
CHOICES = ("capitals", "facts", "analogies", "pronouns", "agreement", "kinship", "colours", "stories", "instructions")
MAPPINGS = ("mappings_world", "mappings_rule", "mappings_invented")
NUMBERS = ("addition_1", "addition_2", "addition_3", "addition_4", "word_problems")
ALL = (*CHOICES, *MAPPINGS, *NUMBERS, "code", "addition_likelihood")

_ENVIRONMENT = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
_ENVIRONMENT.filters["regex_replace"] = lambda text, pattern, new, count=0: re.sub(pattern, new, text, count=count)


def rendered(template: Any, row: Row) -> Any:
    """A column's value, a rendered template, or the fixed value that it is."""
    if not isinstance(template, str):
        return [rendered(entry, row) for entry in template] if isinstance(template, list) else template
    return row[template] if template in row else _ENVIRONMENT.from_string(template).render(**row)


@dataclass(frozen=True)
class Document:
    """One row as it is asked, or shown as an example."""

    text: Any
    choices: list[str]
    target: Any

    @property
    def shown(self) -> str:
        """As an example: question, space, answer."""
        return f"{self.text} {self.choices[self.target] if self.choices else self.target}"


def document(config: TaskConfig, row: Row, *, example: bool = False) -> Document:
    fewshot = (config.fewshot_config or FewshotConfig()) if example else FewshotConfig()
    choices = rendered(config.doc_to_choice, row)
    choices = ast.literal_eval(choices) if isinstance(choices, str) else choices or []
    values = []
    for key in ("doc_to_text", "doc_to_target"):
        own = getattr(fewshot, key)
        value = rendered(getattr(config, key) if own is None else own, row)
        values.append(int(value) if choices and isinstance(value, str) and value.isdigit() else value)
    return Document(values[0], choices, values[1])


def reasoned(config: TaskConfig, way: str) -> TaskConfig:
    """The task with the keys that differ under a way of reasoning."""
    return config.model_copy(update=config.reasoning[way])


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache folder of these tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where the evaluation sets of seed 0 lie, as a location with {name} and {split}."""
    folder = tmp_path_factory.mktemp("microworld")
    for split in ("train", "test"):
        for theme, asked in microworld.evaluation_sets(split).items():
            rows = [
                {
                    **{
                        key: getattr(one, key)
                        for key in ("prompt", "target", "answer", "level", "reasoning", "joint", "until")
                    },
                    "choices": list(one.choices),
                    "gold": one.gold if one.choices else None,
                }
                for one in asked
            ]
            (folder / f"{theme}-{split}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return f"{folder}/{{name}}-{{split}}.jsonl"


@pytest.fixture(scope="module")
def library(sets: str) -> TaskLibrary:
    return TaskLibrary(data={"microworld": sets})


@pytest.fixture(scope="module")
def tasks(library: TaskLibrary) -> dict[str, Task]:
    return {name: library.open(f"microworld_{name}").tasks[0] for name in ALL}


def ways(task: Task) -> list[TaskConfig]:
    return [task.config.model_copy(update=keys) for keys in task.config.reasoning.values()] or [task.config]


def found_by(pipeline: FilterPipeline, text: str) -> list[str]:
    """What the regex of a pipeline finds in a text; the whole text where it has none."""
    step = next((step for step in pipeline.steps if step.function == "regex"), None)
    if step is None:
        return [text]
    found = re.findall(step.options["regex_pattern"], text)
    return found[step.options.get("group_select", 0) :][:1]


# the files


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(SHIPPED).as_posix())
def test_every_file_is_yaml_that_names_functions_beside_it(file: Path) -> None:
    named: list[str] = []

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!function", lambda loader, node: named.append(node.value))
    keys = yaml.load(file.read_text(encoding="utf-8"), Loader=Loader)
    assert isinstance(keys, dict)
    assert ("task" in keys) == (file.suffix == ".yaml"), "what others include is called _NAME_yaml and declares no task"
    for function in named:
        module, name = function.split(".")
        assert re.search(rf"^def {name}\(", (file.parent / f"{module}.py").read_text(encoding="utf-8"), re.MULTILINE)


def test_every_task_and_group_opens(library: TaskLibrary) -> None:
    shipped = [named for named in library.names() if Path(named.file).is_relative_to(SHIPPED)]
    assert len([named for named in shipped if named.kind == "task"]) > 150
    for named in shipped:
        opened = library.open(named.name)
        assert opened.tasks, named
        assert not opened.notes, named


def test_a_file_is_called_like_its_task(library: TaskLibrary) -> None:
    for named in library.names():
        file = Path(named.file)
        if named.kind == "task" and file.is_relative_to(SHIPPED):
            assert named.name.removeprefix(f"{file.parent.name}_") == file.stem


def test_the_group_holds_every_ability(library: TaskLibrary) -> None:
    members = {task.name for task in library.open("microworld").tasks}
    assert members == {f"microworld_{name}" for name in ALL} - {"microworld_addition_likelihood"}
    assert len(library.open("mmlu").tasks) == 57
    assert len(library.open("blimp").tasks) == 67


def test_only_code_and_wikitext_need_permission(library: TaskLibrary) -> None:
    from harness.tasks.code.functions import DOCUMENT_KEYS, functions_of

    def needs_permission(name: str) -> bool:
        return any(key not in DOCUMENT_KEYS for key, _ in functions_of(library.config(name)))

    shipped = [named.name for named in library.names() if named.kind == "task" and str(SHIPPED) in named.file]
    assert [name for name in shipped if needs_permission(name)] == ["wikitext"]
    assert [name for name in shipped if library.config(name).unsafe_code] == ["humaneval"]


# microworld: every document


@pytest.mark.parametrize("name", [*CHOICES, *MAPPINGS])
def test_every_choice_is_askable(tasks: dict[str, Task], name: str) -> None:
    task = tasks[name]
    rows = task.evaluation_rows()
    assert len(rows) > 30
    for row in rows:
        asked = document(task.config, row)
        assert asked.text == asked.text.rstrip() != ""
        assert (
            len(set(asked.choices))
            == len(asked.choices)
            == (2 if name in ("pronouns", "agreement", "instructions") else 4)
        )
        assert all(choice == choice.strip() != "" for choice in asked.choices)
        assert 0 <= asked.target < len(asked.choices)
        assert asked.choices[asked.target] == row["target"]


@pytest.mark.parametrize("name", [*NUMBERS, "code"])
def test_every_worked_example_is_understood_by_the_filters(tasks: dict[str, Task], name: str) -> None:
    task = tasks[name]
    for config in ways(task):
        for row in task.shot_rows().rows:
            example = document(config, row, example=True)
            written = f" {example.target}" if name != "code" else example.target
            assert config.generation_kwargs is not None and config.filter_list is not None
            assert not any(stop in written for stop in config.generation_kwargs["until"])
            for pipeline in config.filter_list:
                assert found_by(pipeline, written) == [document(config, row).target], (pipeline.name, written)


@pytest.mark.parametrize("name", NUMBERS)
def test_an_answer_without_its_form_fails_strictly_only(tasks: dict[str, Task], name: str) -> None:
    for config in ways(tasks[name]):
        strict, flexible = (config.filter_list or ())[:2]
        assert (strict.name, flexible.name) == ("strict-match", "flexible-extract")
        assert found_by(strict, " I think 12 or 13 it is") == []
        assert found_by(flexible, " I think 12 or 13 it is") == ["13"]
        assert found_by(flexible, " I don't know") == []


@pytest.mark.parametrize("name", ["addition_1", "addition_4", "word_problems"])
def test_both_ways_ask_the_same_problem(tasks: dict[str, Task], name: str) -> None:
    direct, cot = (reasoned(tasks[name].config, way) for way in ("direct", "cot"))
    for row in tasks[name].evaluation_rows():
        plain, stepwise = document(direct, row), document(cot, row)
        assert plain.target == stepwise.target and plain.target.isdigit()
        hint = " Step by step.\nA:" if name == "word_problems" else ", step by step?\nA:"
        assert (
            stepwise.text == plain.text.removesuffix("\nA:").removesuffix("" if name == "word_problems" else "?") + hint
        )


@pytest.mark.parametrize("name", ALL)
def test_no_example_is_a_test_question(tasks: dict[str, Task], name: str) -> None:
    if name in MAPPINGS:
        return  # a list's examples are its own beginning: see below
    task = tasks[name]
    for config in ways(task):
        asked = {_question(document(config, row)) for row in task.evaluation_rows()}
        shown = {_question(document(config, row, example=True)) for row in task.shot_rows().rows}
        assert shown and not asked & shown


def _question(asked: Document) -> str:
    """The sentence that belongs to one split: with its end where that is chosen ("the box" | "was sold")."""
    return asked.shown if asked.choices else str(asked.text)


@pytest.mark.parametrize("name", ["addition_2", "word_problems", "code", "pronouns"])
def test_examples_stand_as_in_the_text_that_models_are_trained_on(tasks: dict[str, Task], name: str) -> None:
    """Two questions of `train` with their answers, joined by the task's delimiters, are what a paragraph looks like."""
    between = {
        "addition_2": r"A: \d+\.\nQ:",
        "word_problems": r"A: \d+\.\nQ:",
        "code": r"\n\S+\n\n>>> def",
        "pronouns": r"\.\n[A-Z]",
    }
    config = tasks[name].config
    rows = tasks[name].shot_rows().rows[:2]
    examples = [document(config, row, example=True) for row in rows]
    answers = [example.choices[example.target] if example.choices else example.target for example in examples]
    shown = config.fewshot_delimiter.join(
        f"{example.text}{config.target_delimiter}{answer}" for example, answer in zip(examples, answers, strict=True)
    )
    assert re.search(between[name], shown), shown
    assert any(re.search(between[name], text) for text in islice(microworld.stream("validation"), 80))


@pytest.mark.parametrize("name", MAPPINGS)
def test_a_list_and_its_pairs_make_the_whole_list_again(tasks: dict[str, Task], sets: str, name: str) -> None:
    task = tasks[name]
    same = task.config.fewshot_config.same if task.config.fewshot_config else None
    assert same is not None
    whole = {
        f"{row['prompt']} {row['target']}"
        for row in map(json.loads, Path(sets.format(name="mappings", split="test")).read_text("utf-8").split("\n"))
    }
    pool = task.shot_rows().rows
    for row in task.evaluation_rows():
        own = [document(task.config, shown, example=True).shown for shown in pool if shown[same] == row[same]]
        asked = document(task.config, row)
        assert len(own) >= 6
        assert task.config.fewshot_delimiter.join([*own, asked.shown]) in whole


def test_invented_words_are_answerable_from_four_pairs(tasks: dict[str, Task]) -> None:
    task = tasks["mappings_invented"]
    for row in task.evaluation_rows():
        first = [shown for shown in task.shot_rows().rows if shown["list"] == row["list"]][:4]
        assert any(shown["prompt"] == row["prompt"] and shown["choices"] == [row["target"]] for shown in first)


@pytest.mark.parametrize(
    ("name", "fewest", "most"), [("capitals", 15, 40), ("facts", 100, 400), ("pronouns", 60, 140), ("colours", 60, 60)]
)
def test_questions_about_the_same_thing_are_a_cluster(
    tasks: dict[str, Task], name: str, fewest: int, most: int
) -> None:
    config = tasks[name].config
    values = [rendered(config.cluster, row) for row in tasks[name].evaluation_rows()]
    assert all(values) and not any("\n" in value or len(value) > 40 for value in values)
    assert fewest <= len(set(values)) <= most


def test_pronouns_are_clustered_by_their_reason(tasks: dict[str, Task]) -> None:
    row = {"prompt": 'The animal did not cross the street because it was too tired. Here "it" means the'}
    assert rendered(tasks["pronouns"].config.cluster, row) == "tired"


def test_capitals_ask_for_capitals_alone(tasks: dict[str, Task]) -> None:
    from reference_impl.text.microworld.world import world

    cities = {country.facts["capital"] for country in world().entities["country"]}
    countries = {country.name for country in world().entities["country"]}
    for row in tasks["capitals"].evaluation_rows():
        assert {choice.removesuffix(".") for choice in row["choices"]} <= cities
        assert any(country in row["prompt"] for country in countries)


def test_likelihood_of_an_addition_is_that_of_its_answer(tasks: dict[str, Task]) -> None:
    task = tasks["addition_likelihood"]
    assert len(task.evaluation_rows()) == 198
    for config in ways(task):
        for row in task.evaluation_rows():
            target = document(config, row).target
            assert target.startswith(" ") and target.endswith(f"{row['answer']}.")  # the prompt ends with "A:"


# public sets: rows as they are published

PUBLIC: dict[str, tuple[Row, Document]] = {
    "arc_easy": (
        {"question": "What is hot?", "choices": {"text": ["ice", "fire"], "label": ["1", "2"]}, "answerKey": "2"},
        Document("Question: What is hot?\nAnswer:", ["ice", "fire"], 1),
    ),
    "piqa": (
        {"goal": "Open a jar", "sol1": "Turn the lid.", "sol2": "Turn the 'jar'.", "label": 0},
        Document("Question: Open a jar\nAnswer:", ["Turn the lid.", "Turn the 'jar'."], 0),
    ),
    "winogrande": (
        {"sentence": "Ann met Eve, but _ was late_r.", "option1": "Ann", "option2": "Eve", "answer": "2"},
        Document(1, ["Ann met Eve, but Ann", "Ann met Eve, but Eve"], "was late_r."),
    ),
    "openbookqa": (
        {"question_stem": "Fire is", "choices": {"text": ["hot", "cold"], "label": ["A", "B"]}, "answerKey": "A"},
        Document("Fire is", ["hot", "cold"], 0),
    ),
    "social_iqa": (
        {"context": "He fell.", "question": "Why?", "label": "2"}
        | {"answerA": "sad", "answerB": "ill", "answerC": "glad"},
        Document("Q: He fell. Why?\nA:", ["sad", "ill", "glad"], 1),
    ),
    "commonsense_qa": (
        {"question": "Where?", "choices": {"text": list("abcde"), "label": list("ABCDE")}, "answerKey": "E"},
        Document("Question: Where?\nA. a\nB. b\nC. c\nD. d\nE. e\nAnswer:", ["A", "B", "C", "D", "E"], "E"),
    ),
    "boolq": (
        {"passage": "Fire is hot.", "question": "is fire cold", "answer": False},
        Document("Fire is hot.\nQuestion: is fire cold?\nAnswer:", ["no", "yes"], 0),
    ),
    "sciq": (
        {"support": " Fire burns.", "question": "What?", "correct_answer": "d"}
        | {"distractor1": "a", "distractor2": "b", "distractor3": "c"},
        Document("Fire burns.\nQuestion: What?\nAnswer:", ["a", "b", "c", "d"], 3),
    ),
    "mmlu_world_religions": (
        {"question": "Which? ", "subject": "world_religions", "choices": ["w", "x", "y", "z"], "answer": 2},
        Document("Which?\nA. w\nB. x\nC. y\nD. z\nAnswer:", ["A", "B", "C", "D"], 2),
    ),
    "gsm8k": (
        {"question": "1 + 1?", "answer": "It is 2.\n#### 2"},
        Document("Question: 1 + 1?\nAnswer:", [], "It is 2.\n#### 2"),
    ),
    "svamp": (
        {"Body": "Ann has 2 pears", "Question": "How many?", "Answer": "2.0"},
        Document("Q: Ann has 2 pears. How many?\nA:", [], "2"),
    ),
    "lambada_openai": ({"text": "He lit the fire"}, Document("He lit the", [], " fire")),
    "blimp_causative": (
        {"sentence_good": "Ann breaks it.", "sentence_bad": "Ann appears it."},
        Document("", ["Ann breaks it.", "Ann appears it."], 0),
    ),
    "humaneval": (
        {"prompt": "def f():\n", "test": "def check(g):\n    assert g() == 1\n", "entry_point": "f"},
        Document("def f():\n", [], "def check(g):\n    assert g() == 1\n\ncheck(f)"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_row_is_asked_by_the_published_convention(library: TaskLibrary, name: str) -> None:
    row, wanted = PUBLIC[name]
    assert document(library.config(name), row) == wanted


def test_mmlu_is_introduced_by_its_subject(library: TaskLibrary) -> None:
    config = library.config("mmlu_high_school_us_history")
    assert rendered(config.description, {"subject": "high_school_us_history"}) == (
        "The following are multiple choice questions (with answers) about high school us history.\n\n"
    )


def test_hellaswag_loses_its_marks(library: TaskLibrary, tmp_path: Path) -> None:
    row = {
        "activity_label": "Cooking",
        "ctx_a": "Boil water [header] slowly",
        "ctx_b": "then",
        "endings": [" Stir [title] Serve. [step] Wait", "x", "y", "z"],
        "label": "3",
        "source_id": "s",
    }
    (tmp_path / "validation.jsonl").write_text(json.dumps(row), encoding="utf-8")
    path = library.config("hellaswag").dataset_path
    assert path is not None
    task = TaskLibrary(data={path: str(tmp_path)}).open("hellaswag").tasks[0]
    asked = document(task.config, task.evaluation_rows()[0])
    assert asked == Document("Cooking: Boil water slowly Then", ["Stir. Serve. Wait", "x", "y", "z"], 3)


@pytest.mark.parametrize("way", ["direct", "cot"])
def test_svamps_examples_end_with_their_answer(library: TaskLibrary, way: str) -> None:
    config = reasoned(library.config("svamp"), way)
    assert config.fewshot_config is not None and isinstance(config.fewshot_config.samples, list)
    assert len(config.fewshot_config.samples) == 8
    for row in config.fewshot_config.samples:
        example = document(config, row, example=True)
        for pipeline in config.filter_list or ():
            found = found_by(pipeline, example.target)[0]
            assert "".join(found).strip(".") == str(row["Answer"])
        equations = re.findall(r"([\d+*/ -]+) = (\d+)", row["Steps"])
        assert equations and all(eval(left) == int(right) for left, right in equations)


def test_wikitext_counts_the_published_words(library: TaskLibrary, tmp_path: Path) -> None:
    page = " = Fire = \n Fire , it is said , is 1 @.@ 5 times ( or so ) hot . \n"
    (tmp_path / "test.jsonl").write_text(json.dumps({"page": page}), encoding="utf-8")
    table = {"EleutherAI/wikitext_document_level": str(tmp_path)}
    task = TaskLibrary(data=table, allow_task_code=True).open("wikitext").tasks[0]
    row = task.evaluation_rows()[0]
    assert document(task.config, row).target == " = Fire =\nFire, it is said, is 1.5 times (or so) hot.\n"
    assert task.config.process_results is not None
    items = task.function(task.config.process_results, "process_results")(row, (-8.0,))
    assert items["word_perplexity"] == (-8.0, len(re.split(r"\s+", page)))
    assert items["bits_per_byte"] == (-8.0, len(page.encode()))


# several evaluation sets of the embedded corpus


def test_several_seeds_add_questions_and_repeat_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.corpora import microworld as corpus

    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    one, two = corpus.questions("facts", "train"), corpus.questions("facts", "train", 2)
    assert two[: len(one)] == one
    prompts = [row["prompt"] for row in two]
    assert len(set(prompts)) == len(prompts) > 1.5 * len(one)


@pytest.mark.parametrize("options", ["{seed: 2}", "{seeds: 0}", "{seeds: many}"])
def test_other_options_of_the_embedded_corpus_are_refused(tmp_path: Path, options: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        f"task: mine\ndataset_path: microworld\ndataset_name: facts\ntest_split: test\ndataset_kwargs: {options}\n",
        encoding="utf-8",
    )
    task = TaskLibrary(paths=(str(tmp_path),)).open("mine").tasks[0]
    with pytest.raises(UserError, match="seeds") as told:
        task.evaluation_rows()
    assert "mine.yaml" in str(told.value)
