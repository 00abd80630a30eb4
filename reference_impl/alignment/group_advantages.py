"""One advantage for each response, from the scores of other responses: REINFORCE, RLOO, GRPO and their relatives.

    baseline none           A_i = s_i                                    REINFORCE (Williams 1992)
    baseline batch          A_i = s_i - mean of all scores               REINFORCE with a baseline
    baseline leave_one_out  A_i = s_i - mean of the others of its group  RLOO (Kool et al. 2019; Ahmadian et al. 2024)
    baseline group          A_i = s_i - mean of its group                GRPO (Shao et al. 2024), Dr. GRPO, DAPO

The group's mean holds s_i itself, which shrinks the expected gradient to (G-1)/G of RLOO's and does nothing else. Scale
`group` divides by the group's standard deviation (GRPO), which does: it weighs prompts by how uncertain their
outcome is (Liu et al. 2025, "Understanding R1-Zero-Like Training", section 3.1).
"""

from __future__ import annotations

import torch
from torch import Tensor

from reference_impl.alignment.settings.policy_gradient import Baseline, Scale


def group_advantages(scores: Tensor, group: int, baseline: Baseline, scale: Scale, epsilon: float = 1e-4) -> Tensor:
    """The advantage of every response, (items,), constant over its tokens.

    scores: (items,), the `group` responses to one prompt side by side. scale: what the difference is divided by, plus
    `epsilon`: the standard deviation (unbiased, as in TRL and DeepSeekMath's description) of its group, of the batch.
    Raises ValueError where a baseline or scale needs two responses to each prompt.
    """
    if len(scores) % group:
        raise ValueError(f"{len(scores)} responses are no whole groups of {group}.")
    if group < 2 and (baseline in ("leave_one_out", "group") or scale == "group"):
        raise ValueError(
            f"baseline {baseline} with scale {scale} compares responses to one prompt: draw 2 or more, not {group}."
        )
    grouped = scores.view(-1, group)
    if baseline == "none":
        centered = grouped
    elif baseline == "batch":
        centered = grouped - scores.mean()
    else:
        centered = grouped - grouped.mean(1, keepdim=True)
        if baseline == "leave_one_out":
            centered = centered * (group / (group - 1))  # s_i - (sum - s_i)/(G-1) = (s_i - mean) G/(G-1)
    if scale == "group":
        centered = centered / (grouped.std(1, keepdim=True) + epsilon)
    elif scale == "batch":
        centered = centered / (scores.std() + epsilon)
    if baseline in ("leave_one_out", "group"):
        # Rounding of the mean over a standard deviation of 0 would be a gradient.
        centered = centered.masked_fill(dead_groups(scores, group)[:, None], 0.0)
    return centered.flatten()


def dead_groups(scores: Tensor, group: int) -> Tensor:
    """Which groups have equal scores, so that nothing is learned from them: (groups,) bool. Alone, none is."""
    grouped = scores.view(-1, group)
    if group < 2:
        return torch.zeros(len(grouped), dtype=torch.bool, device=scores.device)
    return (grouped == grouped[:, :1]).all(1)
