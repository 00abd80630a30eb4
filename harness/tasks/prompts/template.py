"""Templates of task files: a column's name, or jinja over the document's columns.

In mode right a template has the value that its expression has: `{{choices}}` is the list, `{{label - 1}}` the number,
`{{a}}` the text that stands in `a`, whatever it looks like. What consists of several pieces is text. A missing value
may be tested and not be written. In mode lm-eval a template is always text, and a missing value the word None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from harness.tasks.judging.substitution import substituted
from harness.tasks.prompts import null
from harness.template_bounds import clock, lengths
from harness.template_bounds.environment import CHANGING, OF_ARRAYS, bounded_environment
from harness.template_bounds.filters import bounded_filters

if TYPE_CHECKING:
    from jinja2 import Environment, Template, nodes


def value(template: str, row: Mapping[str, Any]) -> Any:
    """The column of that name as it is, or what the template is worth: the value of its one expression with its type,
    or the text of several pieces. Blank text around a list is left out.

    Raises NullWritten, jinja2.TemplateError, and whatever else a template's own expressions raise.
    """
    if template in row:
        return row[template]
    pieces = _pieces(template, row)
    told = [piece for piece in pieces if not isinstance(piece, str) or not piece.isspace()]
    if len(told) == 1 and isinstance(told[0], list | tuple):
        return null.shown(told[0])
    if len(pieces) == 1 and (isinstance(pieces[0], int | float | null.Null) or _is_undefined(pieces[0])):
        return null.shown(pieces[0] if not _is_undefined(pieces[0]) else str(pieces[0]))
    return _written(pieces)


def text(template: str, row: Mapping[str, Any]) -> str:
    """The template as text. Raises as `value`."""
    return _written(_pieces(template, row))


def value_as_lm_eval(template: str, row: Mapping[str, Any]) -> Any:
    """The column of that name as it is, or the text that the template renders to."""
    return row[template] if template in row else text_as_lm_eval(template, row)


def text_as_lm_eval(template: str, row: Mapping[str, Any]) -> str:
    """The rendered template; a name that is no column is an error. A line break at the end stays."""
    if _is_plain(template):
        return template
    return lengths.joined(_rendered(_compiled_as_lm_eval(template), row))


def is_absent_column(template: object, row: Mapping[str, Any]) -> bool:
    """Whether it is a single word that names no column of the document: then it is likely misspelled, or its column
    missing."""
    return isinstance(template, str) and template not in row and template.isidentifier()


def _pieces(template: str, row: Mapping[str, Any]) -> list[Any]:
    """What the template writes, piece by piece: its own text, and the values of its expressions."""
    if _is_plain(template):
        return [template]
    return [_listed(piece) for piece in _rendered(_compiled(template), null.hidden(row))]


def _listed(piece: Any) -> Any:
    """What `map`, `select` and their like give is a list: its own text would be its place in memory."""
    return lengths.collected(piece) if isinstance(piece, Iterator) else lengths.written(piece)


def _written(pieces: Iterable[Any]) -> str:
    return lengths.joined(piece if isinstance(piece, str) else _one_written(piece) for piece in pieces)


def _one_written(piece: Any) -> str:
    if isinstance(piece, bytes):
        raise TypeError("it writes bytes, which are not text; decode them where the data are made")
    if isinstance(piece, float) and piece != piece:
        raise null.NullWritten("writes a value that is not a number")
    if isinstance(piece, Iterator):
        return _one_written(lengths.collected(piece))
    if piece is None:
        raise null.NullWritten("writes a value that is null; test it first, or give a default: `or ''`")
    return str(lengths.written(piece))


def _is_plain(template: str) -> bool:
    return "{" not in template and "\r" not in template


def _is_undefined(piece: Any) -> bool:
    from jinja2 import Undefined

    return isinstance(piece, Undefined)


def _rendered(compiled: Template, row: Mapping[str, Any]) -> Iterable[Any]:
    # What `render(**row)` does, but for the chain of jinja's names and ours, which takes half of its time.
    clock.start(compiled)
    names = {**compiled.environment.globals, **row}
    return compiled.root_render_func(compiled.new_context(names, shared=True))


@lru_cache(maxsize=4096)
def _compiled(template: str) -> Template:
    clock.start()
    return _typed_environment().from_string(template)


@lru_cache(maxsize=4096)
def _compiled_as_lm_eval(template: str) -> Template:
    clock.start()
    return _environment().from_string(template)


@cache
def _sandbox() -> type[Environment]:
    """A task file is somebody else's, and a template needs neither files nor attributes of Python's own; it changes
    nothing that it is given; and what it takes is bounded."""
    from jinja2.sandbox import SandboxedEnvironment, modifies_known_mutable

    bounded: Any = bounded_environment(SandboxedEnvironment)

    class OfTasks(bounded):  # type: ignore[misc]
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.filters |= bounded_filters(self.filters)
            self.filters["regex_replace"] = substituted
            del self.globals["lipsum"]

        def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
            if attr in CHANGING and modifies_known_mutable(obj, attr):
                return False
            if type(obj).__module__.partition(".")[0] == "numpy" and attr not in OF_ARRAYS:
                return False  # some of its methods write files
            return SandboxedEnvironment.is_safe_attribute(self, obj, attr, value)

    return OfTasks


@cache
def _environment() -> Environment:
    from jinja2 import StrictUndefined

    return _sandbox()(undefined=StrictUndefined, keep_trailing_newline=True, finalize=lengths.written)


@cache
def _typed_environment() -> Environment:
    """The same, with values in place of their texts, and with numbers that must be numbers."""
    from jinja2 import StrictUndefined, nodes
    from jinja2.filters import do_float, do_int
    from jinja2.nativetypes import NativeCodeGenerator

    class Values(NativeCodeGenerator):
        def _output_child_to_const(self, node: nodes.Expr, frame: Any, finalize: Any) -> Any:
            if isinstance(node, nodes.TemplateData):
                return super()._output_child_to_const(node, frame, finalize)
            raise nodes.Impossible  # jinja would make a text of a value that it knows beforehand

    class Typed(_sandbox()):  # type: ignore[misc]
        code_generator_class = Values
        concat = staticmethod(_written)  # of what is kept in a variable, or comes from a macro

    environment = Typed(undefined=StrictUndefined, keep_trailing_newline=True)
    environment.filters |= {
        "int": _strictly(do_int),
        "float": _strictly(do_float),
    }
    environment.tests["none"] = lambda piece: piece is None or isinstance(piece, null.Null)
    environment.tests["sameas"] = lambda piece, other: null.shown(piece) is null.shown(other)
    environment.policies["json.dumps_kwargs"] = {"sort_keys": True, "default": null.shown}
    return environment


def _strictly(convert: Callable[..., Any]) -> Callable[..., Any]:
    """jinja's filter, which makes 0 of what is no number, made to refuse it unless the template says what to take."""
    nothing = object()

    def filter_(value: Any, default: Any = nothing, *arguments: Any, **options: Any) -> Any:
        if isinstance(value, null.Null) and default is not nothing:
            return default
        made = convert(value, default, *arguments, **options)
        if made is nothing:
            raise ValueError(f"{value!r:.60} is no number")
        return made

    return filter_
