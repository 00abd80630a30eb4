"""What people write is refused where it is wrong; what is kept is read as it was."""

from __future__ import annotations

import json
import math

import pytest
from pydantic import Field, ValidationError

from harness.strict_models import Kept, Written


class Bound(Written):
    at_most: float
    """The largest."""


class Several(Written):
    """A number beside what may be yes or no."""

    sizes: list[float] | int = 1
    switch: bool | int = 0
    where: dict[str, str | int | bool] = Field(default={})


class Number(Kept):
    value: float


def test_what_people_write_has_no_unknown_key_and_no_number_that_is_none() -> None:
    assert Bound.model_fields["at_most"].description == "The largest."
    for wrong in ({"at_most": 1, "atmost": 2}, {"at_most": math.nan}, {"at_most": math.inf}):
        with pytest.raises(ValidationError):
            Bound.model_validate(wrong)
    with pytest.raises(ValidationError):
        Bound(at_most=1).at_most = 2


@pytest.mark.parametrize("wrong", [{"sizes": True}, {"sizes": [1.5, False]}])
def test_yes_and_no_are_no_numbers(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=r"should be a number, not (true|false)"):
        Several.model_validate(wrong)
    with pytest.raises(ValidationError, match="should be a number, not true"):
        Bound.model_validate({"at_most": True})
    assert Several.model_validate({"switch": True, "where": {"a": True}, "sizes": [1, 2]}).switch is True


def test_what_is_kept_is_strict_json_and_a_later_version_s_keys_are_passed_over() -> None:
    text = Number(value=-math.inf).model_dump_json()
    assert json.loads(text) == {"value": "-Infinity"} and Number.model_validate_json(text).value == -math.inf
    assert Number.model_validate_json('{"value": 1, "later": 2}') == Number(value=1)
