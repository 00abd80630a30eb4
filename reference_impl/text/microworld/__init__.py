"""The embedded corpus `microworld`: a small closed world told in English by our own code.

It gives every machine the same bytes, so that models can be trained and measured without a download:
text in three splits that share no sentence, and an evaluation set for each thing that the text can teach.
`docs/microworld.md` describes the grammar.
"""

from reference_impl.text.microworld.corpus import (
    BYTES,
    SEPARATOR,
    THEMES,
    VERSION,
    digest,
    documents,
    evaluation_sets,
    preferences,
    stream,
)
from reference_impl.text.microworld.draw import SPLITS, sentences
from reference_impl.text.microworld.question import Preference, Question

__all__ = [
    "BYTES",
    "SEPARATOR",
    "SPLITS",
    "THEMES",
    "VERSION",
    "Preference",
    "Question",
    "digest",
    "documents",
    "evaluation_sets",
    "preferences",
    "sentences",
    "stream",
]
