"""All words that texts of this world have, and common ones beside them."""

from functools import cache

from reference_impl.text.assistant import answers, plain, posing, world
from reference_impl.text.assistant.vocabulary import COURTESIES, INSULTS, WORD

_COMMON = """
a about above after again all also always am an and answer any are as ask asked at away back be because been before
being best better both but by call called came can color comes correct could day did do does done each else even
ever every find first for from fly friend gave get give go goes good great had has have he her here him his how i
i'm i'll if in into is it it's its keep kept kind know known last let like likes little live lives long look lot
make makes man many may me mean meant more most much must my name need nice now of off often old on once one only
or other our out over own people person place put quite rather really right said same say says see seem seen sell
she should show simply so some soon still such sure surely take talk tell than that that's the their them then
there these they thing things think this those time to today told too tool town true two under up us use used
usually very want was way we well were what when where which while who why will wish with woman word words work
works would yes you your colored answerer animal flying named not no never neither nor none nothing nobody wrong
false cannot can't don't won't isn't doesn't
"""


@cache
def world_words() -> frozenset[str]:
    """In lower case, as `vocabulary.WORD` finds them; choices also in the plural."""
    texts: list[str] = [*answers.frames(), *plain.frames(), *posing.frames(), *COURTESIES, *INSULTS, _COMMON]
    names = [*world.TOWNS, *world.PEOPLE, world.ASSISTANT, *world.PLACES, *world.TOOLS]
    names += [choice for topic in world.TOPICS for choice in topic.choices]
    names += [frame for topic in world.TOPICS for frame in (*topic.asked, *topic.answered, *topic.told)]
    names += [deed.said for deed in world.DEEDS]
    found = {word for text in (*texts, *names) for word in WORD.findall(text.lower())}
    return frozenset(found | {word + "s" for word in found} | {word + "'s" for word in found})
