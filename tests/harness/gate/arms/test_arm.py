"""How an arm is written."""

import pytest

from harness.errors import UserError
from harness.gate.arms.arm import ArmChoice, parse_arm
from harness.gate.arms.callables import arm_of


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("here", ArmChoice()),
        ("", ArmChoice()),
        ("kernels:new", ArmChoice(call="kernels:new")),
        ("pack.kernels:Class.method", ArmChoice(call="pack.kernels:Class.method")),
        ("kernels:new,revision=origin/main", ArmChoice(call="kernels:new", revision="origin/main")),
        ("here,env=A=1,env=B=x=y", ArmChoice(env={"A": "1", "B": "x=y"})),
        ("install=numpy>=1.26,<2,install=scipy", ArmChoice(install=("numpy>=1.26,<2", "scipy"))),
        ("command=python bench.py --sizes 1,2,3", ArmChoice(command="python bench.py --sizes 1,2,3")),
        ('call=m:f,arguments=[1, {"n": 2}],setup=m:g', ArmChoice(call="m:f", arguments=[1, {"n": 2}], setup="m:g")),
        ("python=.venv, path=src", ArmChoice(python=".venv", path="src")),
    ],
)
def test_what_is_written_is_what_is_meant(text: str, choice: ArmChoice) -> None:
    assert parse_arm(text, "--a") == choice


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kernels", "'kernels' is no arm: write module:function"),
        ("revison=main", "did you mean 'revision'"),
        ("call=m:f,call=m:g", "`call` is said twice"),
        ("revision=", "`revision` has no value: a commit"),
        ("call=m:f,command=ls", "a call or a command, not both"),
        ("command=ls,setup=m:f", "are for a call"),
        ("call=m", "`call` is module:function"),
        ("call=m:f,setup=g", "`setup` is module:function"),
        ("revision=main,install=numpy", "not both"),
        ("env=A", "`env` is NAME=VALUE"),
        ("call=m:f,arguments=[1", "arguments are JSON"),
    ],
)
def test_what_is_wrong_is_one_sentence(text: str, said: str) -> None:
    with pytest.raises(UserError, match="--b: ") as caught:
        parse_arm(text, "--b")
    assert said in str(caught.value)


def test_an_arm_takes_what_the_other_says_where_it_says_nothing() -> None:
    shared = ArmChoice(call="m:f", setup="m:g", arguments=[1])
    assert ArmChoice(revision="main").with_defaults(shared) == ArmChoice(
        call="m:f", setup="m:g", arguments=[1], revision="main"
    )
    assert ArmChoice(call="m:h", arguments=[2]).with_defaults(shared) == ArmChoice(
        call="m:h", setup="m:g", arguments=[2]
    )
    assert ArmChoice(command="ls").with_defaults(shared) == ArmChoice(command="ls")


def test_a_function_as_an_arm() -> None:
    assert arm_of(parse_arm, revision="main") == ArmChoice(call="harness.gate.arms.arm:parse_arm", revision="main")
    with pytest.raises(UserError, match="can't be imported by another process"):
        arm_of(lambda: None)
