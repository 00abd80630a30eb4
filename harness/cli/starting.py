"""What `harness` alone prints: the five commands to start with."""

from __future__ import annotations

from collections.abc import Collection

FIRST = 5
START = {
    "eval": ("accuracy of a model on tasks", "harness eval asset:smollm2-135m-instruct --tasks arc_easy --limit 100"),
    "bench": ("its speed and memory", "harness bench asset:smollm2-135m-instruct --precision fp32,int8"),
    "perplexity": (
        "how well it predicts a text",
        "harness perplexity asset:smollm2-135m-instruct --corpus shakespeare/test",
    ),
    "run": ("all that a suite asks for, with a report", "harness run quickstart"),
    "init": ("a suite to begin with, to be edited", "harness init eval"),
    "plan": ("what a suite would run, and how long it would take", "harness plan quickstart"),
    "show": ("the runs that are here, or the tables of one", "harness show latest"),
    "list": ("all measures, models, tasks and suites, by kind", "harness list"),
    "doctor": ("what this machine is and what is missing", "harness doctor"),
}
"""What each is for, and how it is called; the first five that there are are shown."""


def start(commands: Collection[str]) -> str:
    """The text, of the commands that there are."""
    shown = [(name, *said) for name, said in START.items() if name in commands][:FIRST]
    lines = ["Measure GPT language models: quality, speed and memory,", "each number with its interval.", ""]
    for _, what, example in shown:
        lines += [f"  {example}", f"      {what}"]
    return "\n".join([*lines, "", "All commands: harness --help; one: harness COMMAND --help."])
