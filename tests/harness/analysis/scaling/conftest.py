"""Runs whose losses lie on a law that is known, with noise."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.analysis.scaling.laws.law import Law
from harness.analysis.scaling.runs import Runs, six_nd

Plant = Callable[..., Runs]


@pytest.fixture(scope="session")
def plant() -> Plant:
    """plant(law, natural, n=60, noise=.002, epochs=1, seed=0): sizes of 1e7 to 1e10 and 1e9 to 1e12 tokens."""

    def grown(
        law: Law, natural: tuple[float, ...], n: int = 60, noise: float = 0.002, epochs: float = 1.0, seed: int = 0
    ) -> Runs:
        generator = np.random.default_rng(seed)
        parameters, tokens = np.exp(generator.uniform(np.log([1e7, 1e9]), np.log([1e10, 1e12]), (n, 2))).T
        unique = tokens / np.exp(generator.uniform(0, np.log(epochs), n)) if epochs > 1 else None
        runs = Runs(parameters, tokens, np.ones(n), six_nd(parameters, tokens), unique)
        value = law.predict(np.array(natural), *runs.inputs(law.inputs))
        return replace(runs, loss=value * np.exp(noise * generator.normal(size=n)))

    return grown


@pytest.fixture(scope="session")
def published() -> Callable[[str], pd.DataFrame]:
    """A table of the published data, or a skip with the reason."""

    def read(name: str) -> pd.DataFrame:
        path = Path(os.environ.get("HARNESS_DATA", "/nowhere")) / name
        if not path.exists():
            pytest.skip(f"HARNESS_DATA has no {name}")
        return pd.read_csv(path)

    return read
