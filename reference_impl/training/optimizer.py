"""AdamW as a GPT wants it: decay on matrices only, the fused kernel, and no step on a gradient that isn't finite.

`adam_oracle.py` has the algorithm written out. Either of its two ideas can be left out to see what it buys: momentum by
a first beta of 0, adaptive rates by `optimizer="sgd"`.

The fused kernel is torch's for CPU and GPU alike; on a CPU it was measured 6.5 times as fast as the loop
over parameters (28M parameters: 18 ms against 118 ms).
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from reference_impl.training.settings import TrainingSettings


def default_learning_rate(parameters: int) -> float:
    """A good peak learning rate for a GPT with this many parameters, embeddings included.

    6e-4 at 125M parameters. Above, it falls with the cube root of size: within 45 % of each of GPT-3's eight
    sizes (Brown et al. 2020, table 2.1). Below, it rises with the fifth root, at most to 4e-3: through the best
    of the rates tried at 0.34M and 0.96M parameters on microworld (2e-3 and 1.5e-3, in factors of two, 0.2M to
    0.25M tokens, batch 4 of 256); those budgets are short, with one seed each.
    """
    exponent = 1 / 3 if parameters > 125e6 else 1 / 5
    return min(4e-3, 6e-4 * math.pow(125e6 / parameters, exponent))


def make_optimizer(model: nn.Module, settings: TrainingSettings, learning_rate: float) -> torch.optim.Optimizer:
    """The optimizer that `settings` names, over the model's parameters in two groups: with decay and without.

    Parameters of 2 or more dimensions decay (GPT-3's choice: Brown et al. 2020, appendix B); a tied one is in it once.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    if settings.optimizer == "sgd":
        return _gradient_descent(groups, learning_rate, settings.betas[0])
    return torch.optim.AdamW(groups, lr=learning_rate, betas=settings.betas, eps=settings.epsilon, fused=True)


def _gradient_descent(groups: list[dict[str, Any]], learning_rate: float, momentum: float) -> torch.optim.SGD:
    """Adam without the division: a step along the running mean of the gradient, which starts at zero.

    The mean is Adam's own (dampening = momentum), so that a rate means the same with and without momentum. Decay is
    added to the gradient, which with momentum is not quite the decoupled one.
    """
    optimizer = torch.optim.SGD(groups, lr=learning_rate, momentum=momentum, dampening=momentum, fused=True)
    if momentum:
        # Made here: torch makes them on the first step, and leaves garbage in them if that one is skipped.
        for group in groups:
            for parameter in group["params"]:
                optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return optimizer


def guarded_step(optimizer: torch.optim.Optimizer, learning_rate: float, gradient_clip: float) -> Tensor:
    """Clips the gradient's norm to `gradient_clip`, makes one step and clears the gradients.

    If the norm isn't finite, nothing changes: neither weights nor moments nor the step count. The device decides
    that for itself, through the `found_inf` that torch's gradient scaler hands to fused optimizers, so
    a GPU is never waited for. Returns 1.0 where the step was skipped and else 0.0, on the device.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    norm = nn.utils.clip_grad_norm_(parameters, gradient_clip)
    skipped = (~norm.isfinite()).float()
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    optimizer.found_inf = skipped  # type: ignore[attr-defined]
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return skipped
