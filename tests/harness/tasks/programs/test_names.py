"""Which names of a test are the program's, and where a text's own tests begin."""

import pytest

from harness.tasks.programs.names import looked_up, split, task_helpers

CHECK = "def check(candidate):\n    import math\n    assert math.isclose(candidate(1), 1)\n\ncheck(f)"


@pytest.mark.parametrize(
    ("test", "names", "modules"),
    [
        ("assert f(1) == 2", ("f",), {}),
        ("assert set(f(1)) == set([2])", ("f",), {}),
        ("assert sum(1, 2) == 3", ("sum",), {}),
        ("assert math.isclose(f(1), 2)", ("f",), {"math": "math"}),
        ("import math\nassert math.isclose(f(1), 2)", ("f",), {}),
        ("assert np.allclose(f(1), 2)", ("f",), {"np": "numpy"}),
        ("assert copy([1]) == [1]", ("copy",), {}),
        (CHECK, ("f",), {}),
        ("class A:\n    def f(self): return 1\nassert f(A()) == g", ("f", "g"), {}),
        ("x = 1\nassert (lambda x, y: f(x))(x, 2)", ("f",), {}),
        ("def t():\n    global made\n    made = f()\nt()\nassert made", ("f",), {}),
        ("assert [f(x) for x in y] == [1]", ("f", "y"), {}),
        ("try: f()\nexcept Odd as error: assert error", ("Odd", "f"), {}),
    ],
)
def test_the_programs_names(test: str, names: tuple[str, ...], modules: dict[str, str]) -> None:
    found = looked_up(test)
    assert (found.of_program, found.modules) == (names, modules)


@pytest.mark.parametrize(
    ("given", "whole"),
    [
        ('import math\nLIMIT = 3\n\ndef f(x):\n    """Doc."""\n', "import math\nLIMIT = 3"),
        (
            'def poly(x):\n    """Doc."""\n    return x\n\ndef f(x):\n    """Doc."""\n',
            "def poly(x):\n    'Doc.'\n    return x",
        ),
        ('def g(x):\n    """To be written."""\n\ndef f(x):\n    """Doc."""\n', ""),
        ("class A:\n    def f(self):\n        pass\n", ""),
        ("def f(x):\n", ""),
        ("", ""),
        ("\0", ""),
    ],
)
def test_what_of_a_beginning_is_whole(given: str, whole: str) -> None:
    assert task_helpers(given).replace('"""', "'") == whole


@pytest.mark.parametrize(
    ("program", "tests"),
    [
        ("def f(x): return x\n", "assert f(1) == 1\nassert f(2) == 2\n"),
        ("def f(x): return x; ", "assert True"),
        ("def f(x): return x\nassert eval('1')\n", "assert f(1) == 1"),
        ("def f(x): return x\nassert f.__code__\n", "assert f(1) == 1"),
        ("def f(x): return x\ndef check(x): pass\n", CHECK),
        ("def f(x): return x\nassert os.getpid()\n", "assert f(1) == 1"),
        ("def f(x): return x\nassert json.codecs.open('x')\n", "assert f(1) == 1"),
        ("def f(x): return x\nassert (y for y in [1]).gi_frame\n", "assert f(1) == 1"),
        ("import math, datetime\n", "assert math.isclose(f(1), 1)\nassert f(1) < datetime.datetime.max"),
        ("def f(x): return x\n@f\n", CHECK),
        ("x = 1\nwhile x: pass\n", ""),
        ("ü = 'üü'; ", "assert ü"),
        ("u = '\ud800'\nassert u", ""),
        ("def (", ""),
        ("(" * 5000, ""),
    ],
)
def test_a_text_and_its_tests(program: str, tests: str) -> None:
    if program.endswith("; ") and program.startswith("def"):
        program, tests = program + tests, ""  # one line is one function
    assert split(program + tests) == (program, tests)
