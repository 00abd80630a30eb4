"""A table becomes runs, or one sentence says why not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness.analysis.scaling.runs import runs_from_frame
from harness.errors import UserError


def table(**changed: object) -> pd.DataFrame:
    columns: dict[str, object] = {"N": [1e8, 2e8, 4e8], "D": [2e9, 4e9, 8e9], "loss": [3.2, 3.0, 2.8]}
    return pd.DataFrame(columns | changed)


def test_two_of_three_give_the_third() -> None:
    runs = runs_from_frame(table())
    assert runs.compute_is == "6ND"
    np.testing.assert_allclose(runs.compute, 6 * runs.parameters * runs.tokens)
    without_tokens = table(C=runs.compute).drop(columns="D")
    np.testing.assert_allclose(runs_from_frame(without_tokens).tokens, runs.tokens)


def test_units_are_factors() -> None:
    runs = runs_from_frame(table(N=[100.0, 200.0, 400.0]), units={"parameters": 1e6})
    np.testing.assert_allclose(runs.parameters, [1e8, 2e8, 4e8])


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"loss": [3.2, float("nan"), 2.8]}, r"row 2: column 'loss' \(loss\) is missing"),
        ({"loss": [3.2, float("inf"), 2.8]}, "row 2: column 'loss' .loss. is inf"),
        ({"loss": [3.2, 3.0, -1.0]}, "row 3: column 'loss' .loss. is -1"),
        ({"N": [1e8, 0.0, 0.0]}, "row 2: .* is 0 .and 1 more rows."),
        ({"N": ["1e8", "2e8", "big"]}, "row 3: column 'N' has no number but 'big'"),
        ({"N": [100.0, 200.0, 400.0]}, "seems to be in millions or billions; say so with --units parameters=1e6"),
        ({"D": [2.0, 4.0, 8.0]}, r"column 'D' \(tokens\) is 2 at least"),
        ({"group": ["a", None, "b"]}, r"row 2: column 'group' \(group\) is missing"),
        ({"C": [1.0, 2.0, 4.0]}, "times 6ND: one of the three columns is in another unit"),
    ],
)
def test_bad_tables_are_refused_with_place_and_mend(changed: dict[str, object], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        runs_from_frame(table(**changed), place="runs.csv")


def test_missing_columns_are_named() -> None:
    with pytest.raises(UserError, match=r"needs the loss and two of .* there are: N, value"):
        runs_from_frame(table().rename(columns={"loss": "value"}).drop(columns="D"))
    with pytest.raises(UserError, match="no column 'losss'; did you mean 'loss'"):
        runs_from_frame(table(), columns={"loss": "losss"})
    with pytest.raises(UserError, match="no column is for 'parameter'"):
        runs_from_frame(table(), columns={"parameter": "N"})
    with pytest.raises(UserError, match="no rows"):
        runs_from_frame(table().iloc[:0])


def test_what_is_odd_is_flagged() -> None:
    runs = runs_from_frame(pd.concat([table(), table().iloc[:1]]))
    assert any("1 rows stand twice" in flag for flag in runs.flags)
    assert any("whether N counts embeddings is not said" in flag for flag in runs.flags)
    assert not any("embeddings" in flag for flag in runs_from_frame(table(), counted="all").flags)
    repeated = runs_from_frame(table(U=[1e9, 1e9, 1e9]))
    assert any("repeated up to 8.0 times" in flag for flag in repeated.flags)
    given = runs_from_frame(table(C=6 * table()["N"] * table()["D"] * 2.0))
    assert any("2.00 to 2.00 times 6ND" in flag for flag in given.flags)


def test_two_columns_for_one_role_are_told() -> None:
    with pytest.raises(UserError, match=r"'parameters' and 'N' could both be the parameters"):
        runs_from_frame(table(parameters=[1.0, 2.0, 3.0]))
    named = runs_from_frame(table(parameters=[1e8, 2e8, 3e8]), columns={"parameters": "N"})
    np.testing.assert_allclose(named.parameters, [1e8, 2e8, 4e8])
