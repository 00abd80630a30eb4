"""Our GPT as a policy: all items of a batch in one packed pass."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from reference_impl.alignment.answered import Answered
from reference_impl.alignment.linear_products import faster_linear
from reference_impl.alignment.merged_weights import merged_gpt
from reference_impl.alignment.packed import check_items, pack
from reference_impl.alignment.policy import Head
from reference_impl.decoding.request import check_vocabulary
from reference_impl.inference.engine import Engine
from reference_impl.model.forward_pass import ForwardPass
from reference_impl.model.gpt import GPT, rotation


class GPTPolicy:
    """A GPT that responses are scored by and that learns. It stays in evaluation mode: without dropout.

    A ratio of probabilities compares two passes over the same tokens; with dropout those would be two different
    networks. Evaluation mode changes nothing else, gradients least of all.
    """

    def __init__(self, model: GPT, vocabulary: int | None = None) -> None:
        """vocabulary: ids from here on are padding, which is never scored or drawn; None: all ids are real.

        Raises ValueError where the model has fewer ids, and where its head is no plain matrix (quantized, or with an
        adapter).
        """
        if type(model.head) is not nn.Linear or type(model.token_embedding) is not nn.Embedding:
            raise ValueError(
                f"the model's head is {type(model.head).__name__} and its embedding "
                f"{type(model.token_embedding).__name__}: a policy needs plain ones, neither quantized nor adapted."
            )
        self.model = model
        self.vocabulary = check_vocabulary(model.config, vocabulary)

    @property
    def module(self) -> nn.Module:
        """What holds its parameters; those that learn have `requires_grad`."""
        return self.model

    @property
    def head(self) -> Head:
        """Makes logits of states; of real ids alone."""
        weight = self.model.head.weight
        return Head(weight if self.vocabulary == len(weight) else weight[: self.vocabulary])

    @property
    def context(self) -> int:
        """Longest item, in tokens."""
        return self.model.config.context

    def states(self, answered: Sequence[Answered]) -> Tensor:
        """(sum of len(response) + 1, width): see `Policy.states`.

        Raises ValueError for an item that is longer than the context or has an unknown token id.
        """
        model = self.model.eval()
        check_items(answered, model.config.context, self.vocabulary)
        packed = pack(answered, model.device)
        turn = None
        if model.config.positions == "rotary":
            turn = rotation(packed.positions, model.config.head_width, model.config.rotary_base)
        # Not GPT.begin: it takes the tokens of a pass for one sequence, and refuses more than the context.
        given = ForwardPass(packed.attend, packed.positions, turn)
        with faster_linear(model.device):
            return model.features(packed.tokens, given, packed.rows)[0]

    def decoder(self) -> Engine:
        """A decoder with the present weights, adapters included. Ask for a new one after every change of them.

        The compiled decoder keeps addresses of some weights and copies of others (norms in bf16), so one that was made
        before a step of the optimizer may mix old weights with new. It can't find out: a fused optimizer on a CPU
        leaves torch's version counters as they are.
        """
        return Engine(merged_gpt(self.model))
