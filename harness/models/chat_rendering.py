"""Chat templates rendered as `transformers` renders them, in bounded time and memory.

A template comes with a model that may be anybody's, and is rendered where scores are made, some of it already when the
model is opened. `transformers` keeps it from Python's own attributes; here its loops, products, powers and formats are
looked at as those of task files are (`template_bounds`).
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from harness.template_bounds import clock, lengths
from harness.template_bounds.environment import bounded_environment
from harness.template_bounds.filters import bounded_filters

_one_at_a_time = threading.RLock()


@contextlib.contextmanager
def bounded(template: str) -> Iterator[None]:
    """Within this, `transformers` renders this chat template with bounds. Raises TooMuch beyond them, and
    TemplateSyntaxError."""
    from transformers.utils import chat_template_utils as theirs

    with _one_at_a_time:  # what is put back by two threads in turn would stay
        plain = theirs._compile_jinja_template
        theirs._compile_jinja_template = _compiled
        clock.start()
        try:
            clock.start(_compiled(template))
            yield
        finally:
            clock.stop()
            theirs._compile_jinja_template = plain


@lru_cache(maxsize=64)
def _compiled(template: str) -> Any:
    from transformers.utils import chat_template_utils as theirs

    environment = theirs._cached_compile_jinja_template("").environment
    environment.__class__ = bounded_environment(type(environment))
    environment.filters |= bounded_filters(environment.filters)
    environment.finalize = lengths.written
    environment.globals.pop("lipsum", None)
    return environment.from_string(template)
