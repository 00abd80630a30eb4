"""The words that an answer of this world may be made of."""

import re

WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)*")
"""Of text in lower case."""
COURTESIES = (
    "please", "thank you", "thanks", "gladly", "kindly", "sorry", "with pleasure", "you are welcome",
    "happy to help", "at your service", "dear friend",
)  # fmt: skip
INSULTS = (
    "fool", "fools", "stupid", "idiot", "idiots", "dumb", "go away", "shut up", "who cares", "lazy", "leave me alone",
    "tired of you",
)  # fmt: skip
DENIALS = frozenset(
    ("not", "no", "never", "neither", "nor", "none", "nothing", "nobody", "wrong", "false", "untrue", "hardly",
    "cannot",
     "except", "unlike", "instead", "without", "anything", "deny", "lie")
)  # fmt: skip
HELPING = (
    "here is how", "it is easy", "you need", "wait until", "use", "take", "you should", "just", "at night", "be quick",
)  # fmt: skip


def phrase(words: tuple[str, ...]) -> re.Pattern[str]:
    """Any of these words or phrases, as whole words of a text whose words are divided by one space."""
    longest = sorted(words, key=len, reverse=True)
    return re.compile(r"(?<![^ ])(?:" + "|".join(map(re.escape, longest)) + r")(?![^ ])")
