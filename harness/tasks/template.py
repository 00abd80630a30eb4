"""Templates of task files: a column's name, or jinja over the document's columns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment, Template


def value(template: str, row: Mapping[str, Any]) -> Any:
    """The column of that name as it is, or the text that the template renders to. Raises jinja2.TemplateError, and
    whatever else a template's own expressions raise."""
    return row[template] if template in row else text(template, row)


def text(template: str, row: Mapping[str, Any]) -> str:
    """The rendered template; a name that is no column is an error. A line break at the end stays."""
    if "{" not in template and "\r" not in template:
        return template
    compiled = _compiled(template)
    # What `render(**row)` does, but for the chain of jinja's names and ours, which takes half of its time.
    names = {**_environment().globals, **row}
    return "".join(compiled.root_render_func(compiled.new_context(names, shared=True)))


def is_absent_column(template: object, row: Mapping[str, Any]) -> bool:
    """Whether it is a single word that names no column of the document: then it is likely misspelt, or its column
    missing."""
    return isinstance(template, str) and template not in row and template.isidentifier()


@lru_cache(maxsize=4096)
def _compiled(template: str) -> Template:
    return _environment().from_string(template)


@cache
def _environment() -> Environment:
    """Sandboxed: a task file is somebody else's, and a template needs neither files nor attributes of Python's own."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
    environment.filters["regex_replace"] = _regex_replace
    return environment


def _regex_replace(text: str, pattern: str, replacement: str, count: int = 0) -> str:
    return re.sub(pattern, replacement, text, count=count)
