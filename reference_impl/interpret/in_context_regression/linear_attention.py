"""One layer of attention without softmax: what it can do best in one layer is one gradient step."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LinearAttention(nn.Module):
    """von Oswald et al. 2023, equation 3 and proposition 1, with one head and the mean over the pairs in place of their
    sum.

    A pair is the token (x, y), a query (x, 0). A query reads all pairs before it and its last entry becomes minus its
    prediction. After training on sequences of one length, the best that such a layer can do is one gradient step
    from w = 0 with the best step size (Ahn et al. 2023, theorem 1; Mahankali et al. 2023, arXiv 2307.03576): for
    x ~ N(0, I) the preconditioner is a multiple of I.
    """

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.keys, self.queries, self.values, self.out = (
            nn.Linear(dimensions + 1, dimensions + 1, bias=False) for _ in range(4)
        )

    @classmethod
    @torch.no_grad()
    def of_one_gradient_step(cls, dimensions: int, step_size: float) -> LinearAttention:
        """The weights that proposition 1 constructs, with W_0 = 0."""
        layer = cls(dimensions)
        only_x = torch.eye(dimensions + 1)
        only_x[-1, -1] = 0.0
        layer.keys.weight.copy_(only_x)
        layer.queries.weight.copy_(only_x)
        layer.values.weight.copy_(only_x - torch.eye(dimensions + 1))
        layer.out.weight.copy_(step_size * torch.eye(dimensions + 1))
        return layer

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """See `Reader`. A point without pairs before it is predicted as 0."""
        points = x.size(1)
        pairs = torch.cat((x, y[..., None]), -1)
        queries = torch.cat((x, torch.zeros_like(y)[..., None]), -1)
        scores = (self.queries(queries) @ self.keys(pairs).transpose(1, 2)).tril(-1)
        before = torch.arange(points, dtype=x.dtype).clamp(min=1)
        read = self.out(scores @ self.values(pairs) / before[:, None])
        return -(queries + read)[..., -1]  # type: ignore[no-any-return]
