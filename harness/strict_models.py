"""The two bases of pydantic models: of what people write, and of what is kept in files.

A model's validator is built when it is first used (`defer_build`): a command uses few of them, and starts sooner.
"""

from pydantic import BaseModel, ConfigDict

from harness.strict_json import STRICT


class Written(BaseModel):
    """Base of what people write, in suites, task files and settings: an unknown key is refused, and so is a number that
    is none; a field's docstring is its description in the editor schema and in `harness list`."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True, defer_build=True
    )


class Kept(BaseModel):
    """Base of what a run or a cache keeps: a float that is no number is strict JSON too, and the same when it is read.
    Keys that a later version added are passed over."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan=STRICT, defer_build=True)
