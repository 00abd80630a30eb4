"""A GPT that reads numbers: the reference's own blocks between a linear way in and a linear way out."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from reference_impl.model.config import GPTConfig
from reference_impl.model.forward_pass import ForwardPass
from reference_impl.model.gpt import GPT, fused_attention, rotation


class GPTReader(nn.Module):
    """The sequence (x_1, 0), (x_1, y_1), (x_2, 0), (x_2, y_2), …; what stands at (x_i, 0) predicts y_i.

    Alternating as in Garg et al. 2022, section 3, with pairs as tokens as in von Oswald et al. 2023, section 2. Garg's
    bare y, whose x is the token before, has to be joined with it first: a part of what a layer does, and many times
    as many steps of training.

    Blocks, norms, positions and their initialization are those of `GPT(config)`; only the token embedding and the head
    are replaced. The config's vocabulary and context mean nothing here.
    """

    def __init__(self, config: GPTConfig, dimensions: int, points: int) -> None:
        super().__init__()
        self.config = replace(config, vocabulary=1, context=2 * points)
        gpt = GPT(self.config)
        self.position_embedding, self.blocks, self.final_norm = gpt.position_embedding, gpt.blocks, gpt.final_norm
        self.read_in = nn.Linear(dimensions + 1, config.width)
        self.read_out = nn.Linear(config.width, 1)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """See `Reader`. Raises ValueError for more points than it was made for."""
        sequences, points, dimensions = x.shape
        if 2 * points > self.config.context:
            raise ValueError(f"{points} points don't fit a reader of {self.config.context // 2}.")
        tokens = x.new_zeros(sequences, points, 2, dimensions + 1)
        tokens[:, :, :, :-1] = x[:, :, None]
        tokens[:, :, 1, -1] = y
        stream = self.read_in(tokens.flatten(1, 2))
        positions = torch.arange(2 * points)[None]
        turn = None
        if self.position_embedding is None:
            turn = rotation(positions, self.config.head_width, self.config.rotary_base)
        else:
            stream = stream + self.position_embedding(positions)
        given = ForwardPass(fused_attention, positions, turn)
        for block in self.blocks:
            stream = block(stream, given)
        return self.read_out(self.final_norm(stream)[:, ::2])[..., 0]  # type: ignore[no-any-return]
