"""The random numbers that task code draws, in the process that runs it: the global generators, and those that it
keeps."""

from __future__ import annotations

import hashlib
import random
import sys
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

PYTHON_SEED, NUMPY_SEED = 0, 1234
"""What lm-eval seeds the global generators with when it starts."""

Document = tuple[int, str]
"""Which turn at a document, and the name that alone determines what it draws."""


class Generators:
    """The states of Python's and numpy's global generators. numpy is seeded once it is there: nobody imports it for
    that."""

    def __init__(self) -> None:
        self._document: Document | None = None
        self._outside: tuple[Any, Any] | None = None
        self._numpy_seed: int | None = NUMPY_SEED
        random.seed(PYTHON_SEED)
        self.imported()

    def imported(self) -> None:
        """Something was imported: if numpy is there now, its generator gets the seed that waits for it."""
        np = sys.modules.get("numpy")
        if self._numpy_seed is not None and np is not None and hasattr(np, "random"):
            np.random.seed(self._numpy_seed)
            self._numpy_seed = None

    def turn_to(self, document: Document | None, modules: Iterable[ModuleType]) -> None:
        """Draw for this document from now on, by its name: the global generators and those that the modules keep.
        None: go on where the last code that ran for no document left the global ones."""
        if document == self._document:
            return
        if self._document is None:
            self._outside = (random.getstate(), self._numpy_state())
        if document is None:
            assert self._outside is not None
            random.setstate(self._outside[0])
            self._restore_numpy(self._outside[1])
        else:
            seed = int.from_bytes(hashlib.sha256(document[1].encode()).digest()[:4], "big")
            random.seed(seed)
            self._numpy_seed = seed
            self.imported()
            for generator in _kept(modules):
                _reseed(generator, seed)
        self._document = document

    def _numpy_state(self) -> Any:
        """Its state, or the seed that waits for it."""
        if self._numpy_seed is not None:
            return self._numpy_seed
        return sys.modules["numpy"].random.get_state()

    def _restore_numpy(self, state: Any) -> None:
        if isinstance(state, int):
            self._numpy_seed = state
            self.imported()
        else:
            self._numpy_seed = None
            sys.modules["numpy"].random.set_state(state)


def _kept(modules: Iterable[ModuleType]) -> Iterator[Any]:
    kinds: tuple[type, ...] = (random.Random,)
    if (np := sys.modules.get("numpy")) is not None:
        kinds += (np.random.RandomState, np.random.Generator)
    for module in modules:
        yield from (value for value in vars(module).values() if isinstance(value, kinds))


def _reseed(generator: Any, seed: int) -> None:
    if hasattr(generator, "bit_generator"):
        generator.bit_generator.state = type(generator.bit_generator)(seed).state
    else:
        generator.seed(seed)
