"""A training budget in FLOPs: C = 6 N D, with N said and D in whole steps."""

from __future__ import annotations

from dataclasses import replace

from harness.errors import UserError
from harness.models.training import Training
from reference_impl.model.counting import count_parameters, six_nd


def with_compute(training: Training, compute: float, *, place: str) -> Training:
    """`training` with the tokens that `compute` FLOPs pay for: compute / (6 N), to the nearest whole step.

    N is all parameters, a tied head's once, which is what records carry as `parameters`: Hoffmann et al. 2022 count so,
    so their constants compare. In models this small it is also nearest to the truth: the tied head is a matrix product
    at every token (Kaplan et al.'s N, without embeddings, leaves it out: most of the smallest models), and the few rows
    that are only looked up stand in for attention, which 6 N D leaves out. The exact count is `training_flops` of the
    measure `training`. Raises UserError for less than half a step, and where N is not known before the corpus has been
    read.
    """
    if training.tokenizer == "characters":
        raise UserError(
            "the size of a character tokenizer is not known before its corpus has been read, so neither are the tokens "
            "that `compute` pays for; give `tokens` or `steps`, or `tokenizer: bpe`",
            place=place,
        )
    settings = training.settings()
    per_step = settings.batch * (settings.sequence or training.context)
    parameters = count_parameters(training.config()).total
    steps = round(compute / six_nd(parameters, per_step))
    if steps < 1:
        raise UserError(
            f"compute of {compute:g} FLOPs is less than one step of {per_step:,} tokens with {parameters:,} parameters "
            f"(6 N D = {six_nd(parameters, per_step):.3g}); raise it, or make batches smaller",
            place=place,
        )
    return replace(training, recipe={**training.recipe, "tokens": steps * per_step})
