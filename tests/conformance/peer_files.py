"""lm-evaluation-harness' own files of a few tasks, as its command line writes them: `peer_files.py JOB.json`.

The job: `model` (a folder), `task_files` (a folder of task files), `tasks`, `documents` (how many), `out` (a folder).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ.update(
    DISABLE_MULTIPROC="1", HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false", LOGLEVEL="ERROR"
)


def main() -> None:
    """Evaluate and save, results and samples."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    from lm_eval import simple_evaluate
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    os.chdir(job["task_files"])
    tracker = EvaluationTracker(output_path=job["out"])
    found = simple_evaluate(
        model="hf",
        model_args={"pretrained": job["model"], "dtype": "float32"},
        device="cpu",
        batch_size=1,
        tasks=job["tasks"],
        num_fewshot=0,
        limit=job["documents"],
        evaluation_tracker=tracker,
        task_manager=TaskManager(include_path=job["task_files"], include_defaults=False),
    )
    samples = found.pop("samples")
    tracker.save_results_aggregated(results=found, samples=samples)
    for task in found["configs"]:
        tracker.save_results_samples(task_name=task, samples=samples[task])


if __name__ == "__main__":
    main()
