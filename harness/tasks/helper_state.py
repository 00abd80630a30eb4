"""What helper code of task files can remember from one call to the next: its modules, and the global generators.

A pass over the documents gets a state of its own, so that what it makes of them depends on the file and the data alone:
not on what was opened before, how often, or how many documents are asked.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.tasks.config import Function
from harness.tasks.functions import Modules

PYTHON_SEED, NUMPY_SEED = 0, 1234
"""What lm-eval seeds the global generators with when it starts."""


class HelperState:
    """Modules of helper files, each loaded once, and the states of the two global generators."""

    def __init__(self, allow_task_code: bool, together: Mapping[Path, tuple[str, ...]] | None = None) -> None:
        """together: see `Modules`."""
        self.modules = Modules(allow_task_code, together)
        self._generators = _seeded(PYTHON_SEED, NUMPY_SEED)
        self._running = False

    def preload(self, functions: Iterable[tuple[str, Function]]) -> None:
        """Load the modules of these functions now, so that what a file does when it is loaded falls into no document.
        One that can't be loaded says so when it is called."""
        with self.running():
            for key, function in functions:
                with contextlib.suppress(UserError):
                    self.modules.load(function, key)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Run code with this state's global generators, going on where the last code left them."""
        if self._running:
            yield
            return
        self._running, outside = True, _states()
        _restore(self._generators)
        try:
            yield
        finally:
            self._generators = _states()
            _restore(outside)
            self._running = False

    @contextlib.contextmanager
    def running_of(self, name: str) -> Iterator[None]:
        """Run code with generators that only `name` determines: the global ones and those that the modules keep."""
        outside = _states()
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
        _restore(_seeded(seed, seed))
        for generator in self._kept():
            _reseed(generator, seed)
        try:
            yield
        finally:
            _restore(outside)

    def _kept(self) -> Iterator[Any]:
        import numpy as np

        kinds = (random.Random, np.random.RandomState, np.random.Generator)
        for module in self.modules:
            yield from (value for value in vars(module).values() if isinstance(value, kinds))


def _reseed(generator: Any, seed: int) -> None:
    if hasattr(generator, "bit_generator"):
        generator.bit_generator.state = type(generator.bit_generator)(seed).state
    else:
        generator.seed(seed)


def _seeded(python: int, numpy: int) -> tuple[Any, Any]:
    import numpy as np

    return random.Random(python).getstate(), np.random.RandomState(numpy).get_state()


def _states() -> tuple[Any, Any]:
    import numpy as np

    return random.getstate(), np.random.get_state()


def _restore(states: tuple[Any, Any]) -> None:
    import numpy as np

    random.setstate(states[0])
    np.random.set_state(states[1])
