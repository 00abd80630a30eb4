"""Words of a list: found as words, in their forms and usual disguises, and not within others."""

import pytest

from harness.tasks.judging.rules.toxic_words import toxic_words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("You are an idiot.", ["idiot"]),
        ("IDIOTS!", ["idiots"]),
        ("What the f*** is it? Fucking great.", ["fucking"]),
        ("sh1t, that hurts", ["shit"]),
        ("you are  worthless", ["you are  worthless"]),
        ("", []),
        ("The cocktail and the chinking glasses in Scunthorpe", []),
        ("A raccoon, a classic, a shiitake, a spicy soup, Dickens", []),
        ("I paid $5 and 1 5 0", []),
    ],
)
def test_words(text: str, found: list[str]) -> None:
    assert toxic_words(text) == found
