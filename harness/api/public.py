"""What every function of `harness` does first and last: its arguments are of the kinds that it declares, and what is
wrong is said in keywords.

`harness.NAME` is the function so. A command calls the same ones and has its options told (`harness/reader.py`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, TypeVar, cast

from harness.api.argument_kinds import check_kinds, declared_kinds
from harness.errors import UserError, WrongArgument, no_room, shown, told
from harness.reader import is_at_a_shell

F = TypeVar("F", bound=Callable[..., Any])


def public(function: F) -> F:
    """The same function as `harness` has it. Raises WrongArgument for an argument of another kind than is declared, and
    every UserError of the function with keywords in the place of options."""
    return cast("F", _public(function))


@cache
def _public(function: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(function)

    @wraps(function)
    def called(*args: Any, **given: Any) -> Any:
        try:
            check_kinds(signature.bind(*args, **given).arguments, declared_kinds(function))
            return function(*args, **given)
        except UserError as error:
            if not is_at_a_shell():
                _put_in_keywords(error, signature)
            raise
        except OSError as error:
            if is_at_a_shell() or error.filename is None:
                raise
            raise _of_a_file(error) from error

    return called


def _put_in_keywords(error: UserError, signature: inspect.Signature) -> None:
    """Let the very error say keywords."""
    from harness.shorthand.in_keywords import in_keywords

    kinds = {name: str(one.annotation) for name, one in signature.parameters.items()}
    error.message = in_keywords(error.message, kinds)
    if error.place is not None and not isinstance(error, WrongArgument):
        error.place = in_keywords(error.place, kinds)
    error.args = (f"{error.place}: {error.message}" if error.place else error.message,)


def _of_a_file(error: OSError) -> UserError:
    """What the system says of a file that nobody foresaw."""
    why = no_room(error) or "give another path, or change its rights"
    return UserError(f"{told(error)}: {why}", place=shown(error.filename))
