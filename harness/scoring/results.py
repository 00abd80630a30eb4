"""Which token of which request each row of logits scores, and the scores as they come in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.errors import UserError
from harness.scoring.plan import Pass
from harness.scoring.request import Scored, TokenScores

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Wanted:
    """Scored tokens of one pass, in the order of the positions that predict them; arrays of one length."""

    positions: NDArray[np.int64]
    """In the pass."""
    requests: NDArray[np.int64]
    places: NDArray[np.int64]
    """Among the scored tokens of the request."""

    @classmethod
    def by(cls, step: Pass) -> Wanted:
        """What a pass is wanted for."""
        rows: list[tuple[int, int, int]] = []
        at = 0
        for ids, _, spans in step.segments:
            for request, place, offset, count in spans:
                rows.extend((at + offset + i, request, place + i) for i in range(count))
            at += len(ids)
        rows.sort()
        return cls(*np.array(rows, dtype=np.int64).reshape(-1, 3).T)

    def of(self, request: int) -> Wanted:
        """The same, wanted by this request instead."""
        return replace(self, requests=np.full_like(self.requests, request))


class Results:
    """The scores of a call's requests. `model` is its name, for messages."""

    def __init__(self, model: str, requests: Sequence[Scored]) -> None:
        self._model = model
        self._requests = requests
        self._missing = [len(request.ids) - request.start for request in requests]
        self._scores = [TokenScores(np.full(n, np.nan), np.zeros(n, dtype=np.bool_)) for n in self._missing]

    def of(self, request: int) -> TokenScores:
        """The scores of a request: whole once `take` has named it."""
        return self._scores[request]

    def tokens(self, wanted: Wanted) -> NDArray[np.int64]:
        """The token that is scored at each place of `wanted`."""
        asked = zip(wanted.requests.tolist(), wanted.places.tolist(), strict=True)
        ids = [self._requests[request].ids[self._requests[request].start + place] for request, place in asked]
        return np.array(ids, dtype=np.int64)

    def take(self, wanted: Wanted, log_probs: Tensor, greedy: Tensor) -> list[int]:
        """Keep the scores of `wanted`; give the requests that are now done. Raises UserError where they are NaN."""
        done = []
        found = zip(wanted.requests.tolist(), wanted.places.tolist(), log_probs.tolist(), greedy.tolist(), strict=True)
        for request, place, log_prob, is_greedy in found:
            if log_prob != log_prob:
                raise UserError(
                    f"the model's logits are not numbers (NaN) in request {request}: run it in fp32, or train or fetch "
                    "it again",
                    place=self._model,
                )
            scores = self._scores[request]
            scores.log_probs[place], scores.greedy[place] = log_prob, is_greedy
            self._missing[request] -= 1
            if self._missing[request] == 0:
                done.append(request)
        return done
