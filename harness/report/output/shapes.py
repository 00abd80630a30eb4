"""The columns of every command's rows, declared once: CSV, JSON, `harness schema` and docs/output.md are of these."""

from __future__ import annotations

from harness.report.output.rows import Field, Shape

_SETTINGS = "axes of the matrix and settings of the measure, one column each, in the words of the suite"

RECORDS = Shape(
    "record",
    "One number of one cell with its interval; or why a cell has none (`status` and `reason`).",
    (
        Field("model", "text", "The model's name in the suite."),
        Field("measure", "text", "What was measured: perplexity, task, inference …"),
        Field("part", "text", "Of a cell with several values of one metric, which: a task of a group."),
        Field("metric", "text", "Name of the metric; null in the one row of a cell without numbers."),
        Field("value", "number", "In `unit`, with every digit."),
        Field("low", "number", "Lower end of the interval; null where there is none."),
        Field("high", "number", "Upper end."),
        Field("unit", "text", "Such as s, bytes, share."),
        Field("direction", "text", "lower, higher or none: which way is better."),
        Field("n", "integer", "Of how many documents, launches … the value is."),
        Field("n_unit", "text", "What `n` counts."),
        Field("interval", "text", "How the interval was made; `exact`; or `none:` with the reason."),
        Field("status", "text", "ok, failed, oom or skipped."),
        Field("reason", "text", "Why there is no number, or why a number is null."),
        Field("metric_id", "text", "Name with version: other versions are not comparable.", wide=True),
        Field("confidence", "number", "Of the interval.", wide=True),
        Field("parameters", "integer", "Of the model, embeddings included.", wide=True),
        Field("parameters_non_embedding", "integer", "Of the model without embeddings.", wide=True),
        Field("model_digest", "text", "Hash of the weights.", wide=True),
        Field("fingerprint_class", "text", "Hardware and software: same class, comparable speeds.", wide=True),
        Field("key", "text", "Hash of all that determines the cell's result.", wide=True),
        Field("schema_version", "integer", "Of the records.", wide=True),
        Field("run", "text", "The run's name.", wide=True),
        Field("suite", "text", "The suite's name.", wide=True),
        Field("time", "text", "When the cell was measured, UTC.", wide=True),
        Field("commit", "text", "Of the checkout in which it was measured.", wide=True),
    ),
    _SETTINGS,
)

RUNS = Shape(
    "run",
    "One run below the folder of runs, the newest last.",
    (
        Field("run", "text", "Its name."),
        Field("suite", "text", "The suite's name; null where the run can't be read."),
        Field("state", "text", "finished, interrupted, running, stopped (its process is gone), corrupted …"),
        Field("cells", "integer", "Cells that ended."),
        Field("planned", "integer", "Cells of the plan."),
        Field("failed", "integer", "Cells that failed or ran out of memory."),
        Field("seconds", "number", "How long it took."),
        Field("started", "text", "When it began, UTC."),
        Field("commit", "text", "Of the checkout."),
        Field("folder", "text", "Where it lies.", wide=True),
        Field("reason", "text", "What is wrong with it.", wide=True),
    ),
)

COMPARISON = Shape(
    "comparison",
    "One metric of one cell in two runs, with the ratio head / base.",
    (
        Field("model", "text", "The model's name in the suite."),
        Field("measure", "text", "What was measured."),
        Field("part", "text", "Of a cell with several values of one metric, which."),
        Field("metric", "text", "Name of the metric; null where a cell has no numbers."),
        Field("unit", "text", "Of `base` and `head`."),
        Field("direction", "text", "lower, higher or none: which way is better."),
        Field("base", "number", "The base's value."),
        Field("base_low", "number", "Lower end of its interval."),
        Field("base_high", "number", "Upper end."),
        Field("head", "number", "The head's value."),
        Field("head_low", "number", "Lower end of its interval."),
        Field("head_high", "number", "Upper end."),
        Field("ratio", "number", "head / base."),
        Field("ratio_low", "number", "Lower end of its interval, paired by document where it can be."),
        Field("ratio_high", "number", "Upper end."),
        Field("interval", "text", "How the ratio's interval was made."),
        Field("change", "text", "better, worse, same, `same?`, undecided, or null (docs/reports.md)."),
        Field("comparable", "boolean", "Whether the two may be compared."),
        Field("reason", "text", "Why not, or why a number is null."),
        Field("damaged", "boolean", "Whether that is because samples can't be read.", wide=True),
        Field("metric_id", "text", "Name with version.", wide=True),
    ),
    _SETTINGS,
)

PLAN = Shape(
    "step",
    "One cell that would run, or a model that has to be fetched or trained first.",
    (
        Field("model", "text", "The model's name in the suite."),
        Field("measure", "text", "What would be measured; train or fetch."),
        Field("cell", "text", "The cell in words."),
        Field("cached", "boolean", "Whether the result is known from an earlier run."),
        Field("seconds", "number", "Estimate of the time; null where it is not known."),
        Field("memory_bytes", "number", "Estimate of the memory; null where it is not known."),
        Field(
            "estimate",
            "text",
            "measured before, estimated, by earlier ones (trainings of its method) or unknown.",
        ),
        Field("missing", "text", "What it needs and is not here."),
        Field("skipped", "text", "Why it would be skipped."),
        Field("notes", "text", "What a reader must know."),
    ),
    "axes of the matrix, one column each",
)

FLIPS = Shape(
    "flip",
    "One document that is right in one run and wrong in the other.",
    (
        Field("task", "text", "The task."),
        Field("document", "integer", "Its place in the task's split, from 0."),
        Field("metric", "text", "What says right or wrong."),
        Field("asked", "text", "same, or otherwise: in other words, or after other examples."),
        Field("base_right", "boolean", "Whether the base has it right."),
        Field("head_right", "boolean", "Whether the head has it right."),
        Field("cause", "text", "What differs first: prompt, tokens, log-probabilities … (docs/explain.md)."),
        Field("detail", "text", "How it differs."),
        Field("base_margin", "number", "How far the right choice is above the best other, by the metric's rule."),
        Field("head_margin", "number", "The same of the head."),
    ),
    "what tells the pair of cells from others: axes and settings",
)

FLIP_COUNTS = Shape(
    "count",
    "One task in two cells: how many documents are right in both, in one, in none.",
    (
        Field("task", "text", "The task; `all N` of a group's N tasks together."),
        Field("metric", "text", "What says right or wrong."),
        Field("asked", "text", "same, or otherwise."),
        Field("paired", "integer", "Documents that both judged."),
        Field("both", "integer", "Right in both."),
        Field("only_base", "integer", "Right in the base alone."),
        Field("only_head", "integer", "Right in the head alone."),
        Field("neither", "integer", "Right in neither."),
        Field("difference", "number", "Share of the head less that of the base."),
        Field("low", "number", "Lower end of its interval."),
        Field("high", "number", "Upper end."),
        Field("p_value", "number", "Exact test of whether flips go either way by chance."),
    ),
    "what tells the pair of cells from others: axes and settings",
)

WRONG = Shape(
    "wrong answer",
    "One document that a cell answered wrong.",
    (
        Field("model", "text", "The model's name in the suite."),
        Field("task", "text", "The task."),
        Field("document", "integer", "Its place in the task's split, from 0."),
        Field("metric", "text", "What says right or wrong."),
        Field("question", "text", "What was asked, without the few-shot examples."),
        Field("answer", "text", "What the model chose or wrote."),
        Field("right", "text", "What was right; `|` between several."),
        Field("score", "number", "What the metric says: 0, or of several programs the share that pass."),
        Field(
            "margin",
            "number",
            "How far the right choice is above the best other, by the metric's rule, in nats: here below 0.",
        ),
        Field("reason", "text", "Of a program: how it ended."),
        Field("prompt", "text", "All that was asked.", wide=True),
    ),
    "axes and settings that tell the cell from others",
)

WORDS = Shape(
    "word",
    "One word that a suite may use, as `harness list` shows it.",
    (Field("table", "text", "The table in which it stands."),),
    "the columns of the tables",
)

SHAPES: dict[str, tuple[Shape, ...]] = {
    **dict.fromkeys(("run", "eval", "perplexity", "bench"), (RECORDS,)),
    "show": (RECORDS, RUNS),
    "report": (RECORDS,),
    "compare": (COMPARISON,),
    "diff": (FLIPS, FLIP_COUNTS),
    "explain": (WRONG,),
    "plan": (PLAN,),
    "list": (WORDS,),
}
"""By command what its rows may be."""
