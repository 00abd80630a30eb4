"""A text while it is written: each piece as soon as nothing that comes can change it.

What the pieces join to is the answer that `complete_texts` gives for the same request: a piece is shown once it can't
be cut any more. Held back until then are bytes that are no whole character yet, and what may be the beginning of a stop
string or of a tag of a thought.

A thought comes in pieces of its own. Where it stands is what `thought_first` says, which a request that is streamed
has as its `parting`: by `parted` a closing tag that comes late makes a thought of what was shown.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.errors import UserError
from harness.models.contract import LanguageModel
from harness.scoring.document_encoder import DocumentEncoder
from harness.scoring.generation import Completed, Refused, TextRequest, complete_texts, prepare_request, written_answer
from harness.scoring.special_text import SpecialText
from harness.scoring.stops import cut_at_stops
from harness.scoring.thinking import may_open_thought

if TYPE_CHECKING:
    from harness.models.decoding import TokenRequest

UNFINISHED = "\ufffd"
"""What bytes that are no character (yet) decode to."""
SHARE = 20
"""Looking at the text may take one part in so many of the time."""


@dataclass(frozen=True)
class Piece:
    """What one more token brought."""

    text: str
    """What can be shown of the answer now: often a word, sometimes nothing."""
    tokens: int
    """Drawn so far."""
    in_thought: bool = False
    """Whether the model still thinks, as far as can be told."""
    thought: str = ""
    """What can be shown of its thoughts now."""


def stream_text(model: LanguageModel, request: TextRequest, sample: int = 0) -> Iterator[Piece | Completed]:
    """The answer to a request in pieces, one for each token, then the whole of it.

    sample: which of the request's answers, of which each is drawn for itself. Beam search knows its text at its end
    alone, and brings it as one piece. Raises UserError for a request that can't be served, and where the model's logits
    are not numbers.
    """
    if request.beams > 1:
        yield from _at_once(model, request)
        return
    from harness.models.decoding import complete_step_by_step

    try:
        prepared = prepare_request(
            model, DocumentEncoder(model), replace(request, samples=sample + 1), model.identity.context
        )
    except ValueError as error:
        raise UserError(str(error)) from error
    asked, shown, thought, whole = prepared.asked[-1], "", "", None
    settled = SettledText(model, request, asked, prepared.in_thought)
    for whole in complete_step_by_step(model, asked, model.tokenizer.decode):
        if whole.finish is not None:
            break
        new = _more(settled.after(whole.tokens), shown)
        thinks = _more(settled.thought, thought)
        shown, thought = shown + new, thought + thinks
        yield Piece(new, len(whole.tokens), settled.in_thought, thinks)
    if whole is None:
        raise UserError("0 new tokens were asked for: ask for at least 1")
    answer = written_answer(whole.completion(), asked, request, prepared.in_thought, model, "right")
    yield Piece(_more(answer.text, shown), len(whole.tokens), thought=_more(answer.thought or "", thought))
    yield Completed((answer,), tuple(asked.prompt), prepared.cut)


def _more(begins: str, shown: str) -> str:
    """What was not shown of how a text begins."""
    return begins[len(shown) :] if begins.startswith(shown) else ""


def _at_once(model: LanguageModel, request: TextRequest) -> Iterator[Piece | Completed]:
    [found] = complete_texts(model, [replace(request, samples=1)])
    if isinstance(found, Refused):
        raise UserError(found.reason)
    [answer] = found.answers
    yield Piece(answer.text, len(answer.tokens), thought=answer.thought or "")
    yield found


class SettledText:
    """How an answer begins, whatever is written next."""

    def __init__(self, model: LanguageModel, request: TextRequest, asked: TokenRequest, opened: bool) -> None:
        """opened: whether the prompt ends within a thought."""
        self.in_thought = opened
        self.thought = ""
        """How its thoughts begin, whatever is written next."""
        self._tags, self._opened, self._stops = request.thinking, opened, asked.stop_strings
        self._parting = request.parting
        self._texts = SpecialText(model.tokenizer, request.thinking)
        self._bytes: frozenset[int] = getattr(model.tokenizer, "byte_fallback_ids", frozenset())
        self._known = ""
        self._took = self._at = 0.0

    def after(self, tokens: Sequence[int]) -> str:
        """The text after so many tokens, or a beginning of it: what was known before, where looking again would take
        too large a part of the time. A long text is not decoded anew for each of its tokens."""
        now = time.perf_counter()
        if now - self._at >= SHARE * self._took:
            self._known = self.text_of(tokens)
            self._at = time.perf_counter()
            self._took = self._at - now
        return self._known

    def text_of(self, tokens: Sequence[int]) -> str:
        """How the answer begins that these tokens begin."""
        end = len(tokens)
        while end and tokens[end - 1] in self._bytes:
            end -= 1
        marked = self._texts.marked(list(tokens[:end]))
        marked = marked.rstrip(UNFINISHED + "".join(sorted({mark for mark in marked if "\ud800" <= mark <= "\udfff"})))
        if not self._tags:
            return self._uncut(marked)
        parts = self._parting(marked, self._tags, self._opened)
        self.in_thought, thought = parts.answer is None, self._texts.without_marks(parts.thought or "")
        held = [close for _, close in self._tags] if self.in_thought else []
        self.thought = thought[: open_at(thought, held)].strip()
        if parts.answer is None or may_open_thought(parts.answer, self._tags):
            return ""
        settled = self._uncut(parts.answer)
        return settled if parts.thought is None else settled.lstrip()

    def _uncut(self, marked: str) -> str:
        """What of a marked text no stop string can cut off, without marks."""
        spelled = self._texts.spelled(marked)
        upto = min(open_at(spelled, self._stops), len(cut_at_stops(spelled, self._stops)))
        shown, whole = self._texts.without_marks(marked[:upto]), self._texts.without_marks(marked)
        return shown[: min(open_at(whole, self._stops), len(cut_at_stops(shown, self._stops)))]


def open_at(text: str, strings: Sequence[str]) -> int:
    """Where the first of the strings may have begun that isn't finished; the text's length where none has."""
    longest = max(map(len, strings), default=0)
    for at in range(max(0, len(text) - longest + 1), len(text)):
        rest = text[at:]
        if any(len(rest) < len(string) and string.startswith(rest) for string in strings):
            return at
    return len(text)
