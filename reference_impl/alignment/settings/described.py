"""The fields of settings with their types and what is said of them: for whoever makes options or a schema of them."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import MISSING, fields
from itertools import pairwise
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter


class Described(NamedTuple):
    """One field."""

    name: str
    type: Any
    default: Any
    about: str


def described(settings: type, **defaults: Any) -> Iterator[Described]:
    """The fields of a dataclass of settings, in order. defaults: those that replace its own."""
    hints = get_type_hints(settings)
    told: dict[str, str] = {}
    for base in reversed(settings.__mro__):  # of a field that a subclass only gives another default, the words stay
        if "__dataclass_fields__" in vars(base):
            told |= _docstrings(base)
    for one in fields(settings):
        default = defaults.get(one.name, None if one.default is MISSING else one.default)
        yield Described(one.name, hints[one.name], default, told.get(one.name, ""))


def read_as(wanted: Any, text: str) -> Any:
    """A text as a value of a type: of the shell's words. Several values are written with commas between (`0.9,0.99`),
    parts by name as JSON. Raises pydantic's ValidationError."""
    reader = TypeAdapter(wanted)
    if get_origin(wanted) is tuple and get_args(wanted)[-1] is Ellipsis and "," not in text:
        return reader.validate_python([text])  # of several that may be one
    if "," in text and not text.startswith("{"):
        return reader.validate_python([part.strip() for part in text.split(",")])
    return reader.validate_json(text) if text.startswith("{") else reader.validate_python(text)


def _docstrings(settings: type) -> dict[str, str]:
    """The texts below a class's own fields."""
    [made] = ast.parse(textwrap.dedent(inspect.getsource(settings))).body
    assert isinstance(made, ast.ClassDef)
    found = {}
    for one, after in pairwise(made.body):
        match one, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = inspect.cleandoc(text).replace("\n", " ")
    return found
