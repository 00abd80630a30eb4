"""lm-evaluation-harness' side: run by an interpreter that has it, with nothing of ours.

    python peer.py JOB.json OUT.jsonl

The job: `model` (a folder), `data_sets` (names on the hub -> split -> file, for tasks that are Python classes, whose
data set no task file can change), `context` (or null), `exact` (whether log-likelihoods are also computed in fp64),
`task_files` (a folder of task files) and `cells`, each with `task`, `shots` (or null), `documents` (how many) and
`bootstrap`. One line per cell comes out: the `cell`, its `documents` with requests, answers and scores, and lm-eval's
`results` as it returns them.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.update(
    DISABLE_MULTIPROC="1", HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false", LOGLEVEL="ERROR"
)


def main() -> None:
    """Run a job's cells, one model for all of them."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    import datasets
    import evaluate
    import torch
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    torch.set_num_threads(1)
    out_file = Path(sys.argv[2]).absolute()
    os.chdir(job["task_files"])  # where files beside a task file are looked for
    datasets.disable_progress_bars()
    read, here = datasets.load_dataset, job["data_sets"]
    datasets.load_dataset = lambda path, name=None, **options: (
        read("json", data_files=here[path]) if path in here else read(path, name, **options)
    )
    options = {"pretrained": job["model"], "device": "cpu", "batch_size": 1, "max_length": job["context"]}
    fetch = evaluate.load
    evaluate.load = lambda name, *more, **how: (
        SimpleNamespace(compute=lambda **answers: {}) if name == "squad_v2" else fetch(name, *more, **how)
    )  # its script isn't on this machine: only documents are compared
    model = HFLM(dtype="float32", **options)
    exact = HFLM(dtype="float64", **options) if job["exact"] else None
    manager = TaskManager(include_path=job["task_files"], include_defaults=False)
    with out_file.open("w", encoding="utf-8") as out:
        for cell in job["cells"]:
            found = {"cell": cell} | evaluated(model, manager, cell)
            if exact is not None:
                add_exact(found["documents"], exact)
            out.write(json.dumps(found, default=plain) + "\n")
            out.flush()


def evaluated(model: Any, manager: Any, cell: Mapping[str, Any]) -> dict[str, Any]:
    """`documents` by task, and `results` by task or group, of one cell."""
    from lm_eval import simple_evaluate

    found = simple_evaluate(
        model=model,
        tasks=[cell["task"]],
        num_fewshot=cell["shots"],
        limit=cell["documents"],
        bootstrap_iters=cell["bootstrap"],
        task_manager=manager,
    )
    documents = {task: by_document(samples) for task, samples in found["samples"].items()}
    return {"documents": documents, "results": found["results"] | found.get("groups", {})}


def add_exact(by_task: Mapping[str, list[dict[str, Any]]], model: Any) -> None:
    """`exact`: the answers of a model in fp64, where they are log-likelihoods."""
    from lm_eval.api.instance import Instance

    for document in [document for documents in by_task.values() for document in documents]:
        requests = document["requests"]
        if isinstance(requests[0][-1], dict):
            continue
        kind = "loglikelihood" if len(requests[0]) == 2 else "loglikelihood_rolling"
        asked = [Instance(kind, {}, tuple(request), place) for place, request in enumerate(requests)]
        document["exact"] = [[answer] for answer in getattr(model, kind)(asked, disable_tqdm=True)]


def plain(value: Any) -> Any:
    """numpy's numbers and arrays as JSON has them."""
    return value.tolist()


def by_document(samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The documents of a task in order; what a filter pipeline made of the answers and how it was judged by its name.

    `requests`: [context, continuation], [text] or [context, generation arguments]. `answers`: [log-likelihood,
    greedy], log-likelihoods, or lists of texts.
    """
    documents: dict[int, dict[str, Any]] = {}
    for sample in samples:
        document = documents.setdefault(
            sample["doc_id"],
            {
                "document": sample["doc_id"],
                "requests": [list(arguments) for arguments in sample["arguments"]],
                "answers": sample["resps"],
                "target": sample["target"],
                "filtered": {},
                "metrics": {},
            },
        )
        document["filtered"][sample["filter"]] = sample["filtered_resps"]
        document["metrics"][sample["filter"]] = {name: sample[name] for name in sample["metrics"]}
    return [documents[place] for place in sorted(documents)]


if __name__ == "__main__":
    main()
