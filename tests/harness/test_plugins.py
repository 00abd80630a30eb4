"""A package of another author, installed beside the harness: its measure, analysis and adapter are words like ours.

The package is the one of `docs/plugins.md`, made and installed by running that page's blocks as they stand there.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from harness.analysis.registry import ANALYSES
from harness.measures.registry import MEASURES
from harness.models.registry import ADAPTERS
from harness.plugins import RESERVED
from harness.results.record import AXES, Record
from harness.suite.schema import AnalysisEntry, Matrix, MeasureEntry, ModelEntry

PAGE = Path(__file__).parents[2] / "docs/plugins.md"

PIP = '''#!{python}
"""What `pip install FOLDER` leaves behind, without the network and without a build backend."""
import pathlib, shutil, sys, tomllib
folder, site = pathlib.Path(sys.argv[2]), pathlib.Path({site!r})
project = tomllib.loads((folder / "pyproject.toml").read_text())
name, version = project["project"]["name"], project["project"]["version"]
for package in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
    shutil.copytree(folder / package, site / package, dirs_exist_ok=True)
info = site / f"{{name.replace('-', '_')}}-{{version}}.dist-info"
info.mkdir(exist_ok=True)
(info / "METADATA").write_text(f"Metadata-Version: 2.1\\nName: {{name}}\\nVersion: {{version}}\\n")
lines = []
for group, points in project["project"]["entry-points"].items():
    lines += [f"[{{group}}]", *(f"{{key}} = {{value}}" for key, value in points.items())]
(info / "entry_points.txt").write_text("\\n".join(lines) + "\\n")
'''


class Installed:
    """A folder in which the page was followed."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder, self.site = folder, folder / "site"
        self._environment = os.environ | {
            "PATH": os.pathsep.join([str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": os.pathsep.join([str(self.site), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "HARNESS_CACHE": str(cache),
            "COLUMNS": "200",
        }

    def bash(self, script: str) -> str:
        """Run a block; what it printed."""
        done = self.tried(script)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def tried(self, script: str) -> subprocess.CompletedProcess[str]:
        """The same, however it ends."""
        return subprocess.run(
            ["bash", "-e", "-c", script], cwd=self.folder, env=self._environment, capture_output=True, text=True
        )

    def python(self, program: str) -> str:
        """Run a program with the package installed; what it printed."""
        return self.bash(f"python - <<'END'\n{program}\nEND")

    def another(self, name: str, code: str, points: str) -> None:
        """Install one more package: a single module."""
        (self.site / f"{name}.py").write_text(code)
        info = self.site / f"{name}-0.1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
        (info / "entry_points.txt").write_text(points)

    def copied(self, to: Path) -> Installed:
        """The same in a folder of its own, with nothing measured yet."""
        shutil.copytree(self.folder, to, ignore=shutil.ignore_patterns("results", "cache"))
        return Installed(to, to / "cache")


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Installed, list[str]]:
    """All blocks of the page, run in their order; and what each printed."""
    folder = tmp_path_factory.mktemp("plugin")
    for name in ("bin", "site"):
        (folder / name).mkdir()
    pip = folder / "bin/pip"
    pip.write_text(PIP.format(python=sys.executable, site=str(folder / "site")))
    pip.chmod(0o755)
    installed = Installed(folder, folder / "cache")
    blocks = re.findall(r"```bash\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert blocks
    return installed, [installed.bash(block) for block in blocks]


@pytest.fixture
def installed(followed: tuple[Installed, list[str]]) -> Installed:
    return followed[0]


def test_it_is_listed_and_in_the_schema(followed: tuple[Installed, list[str]]) -> None:
    installed, printed = followed
    state = " ".join(printed[-3].split())
    assert "fertility harness.measures gpt-words 1.0 loaded" in state
    assert "fertility_gap harness.analyses gpt-words 1.0 loaded" in state
    assert "ngram harness.models gpt-words 1.0 loaded" in state
    listed = installed.bash("harness list measures analyses")
    assert "tokens_per_word" in listed and "Analysis fertility_gap" in listed
    schema = json.loads(installed.bash("harness schema suite"))
    assert "fertility" in schema["$defs"]["MeasureEntry"]["properties"]
    assert "fertility_gap" in schema["$defs"]["AnalysisEntry"]["properties"]
    entry = schema["$defs"]["ModelEntry"]["properties"]
    assert entry["ngram"]["description"] == "A text file whose characters are counted."
    assert entry["order"]["description"] == "Characters that are looked back at."
    assert "A text file whose characters are counted." in " ".join(installed.bash("harness list models").split())


def test_a_kind_of_model_is_planned_run_and_reported(followed: tuple[Installed, list[str]]) -> None:
    installed, printed = followed
    has = "says how likely texts are and writes texts"
    why = f"`perplexity` needs a model that gives logits, and a model of `ngram` {has}"
    assert why in " ".join(printed[-2].split())
    (run,) = (installed.folder / "results/runs").glob("*-counted")
    told = installed.python(
        "import harness\n"
        f"records = harness.open_run({str(run)!r}).records\n"
        "columns = ['model', 'measure', 'metric', 'value', 'status', 'reason', 'parameters']\n"
        "print(records[columns].to_json(orient='records'))\n"
        "plan = harness.plan('counted.yaml')\n"
        "print(plan[['measure', 'cached', 'skipped', 'missing']].to_json(orient='records'))"
    )
    records, plan = map(json.loads, told.splitlines())
    acc = {row["model"]: row["value"] for row in records if row["metric"] == "acc"}
    assert acc == {"far": 1.0, "near": pytest.approx(1 / 3)}
    skipped = [(row["model"], row["reason"]) for row in records if row["measure"] == "perplexity"]
    assert skipped == [("far", why), ("near", why)]
    assert {row["status"] for row in records if row["measure"] == "perplexity"} == {"skipped"}
    assert {row["parameters"] for row in records} == {None}, "it has none that anyone counted"
    assert [(row["cached"], row["skipped"]) for row in plan if row["measure"] == "task"] == [(True, None)] * 2
    assert [(row["cached"], row["skipped"]) for row in plan if row["measure"] == "perplexity"] == [(False, why)] * 2
    assert "needs a model that gives logits" in (run / "report.html").read_text(encoding="utf-8")


def test_an_entry_of_a_kind_of_model_is_checked(installed: Installed, tmp_path: Path) -> None:
    here = installed.copied(tmp_path / "here")
    for entry, said in {
        "{ngram: sat.txt, order: 0}": "order: should be at least 1 (it is 0)",
        "{ngram: sat.txt, train: {tokens: 9}}": "only a preset is trained from nothing",
        "{transformers: x, order: 3}": "only `ngram: ...` has a `order`; remove it",
        "{transformers: x, order: 4}": "only `ngram: ...` has a `order`; remove it",
        "{ngram: sat.txt, transformers: x}": "both `transformers` and `ngram` are here: a model is `reference: ...`, ",
        "{ngram: none.txt}": "models.m.ngram: there is no text file 'none.txt'",
        "{ngram: sat.txt, oder: 3}": "unknown key 'oder'; did you mean 'order'?",
    }.items():
        (here.folder / "bad.yaml").write_text(f"name: b\nmodels: {{m: {entry}}}\nmeasures: [task: {{task: sat}}]\n")
        done = here.tried("harness plan bad.yaml")
        assert done.returncode == 2 and said in done.stderr, done.stderr
        assert "Traceback" not in done.stderr


def test_it_is_planned_run_and_reported(followed: tuple[Installed, list[str]]) -> None:
    installed, printed = followed
    assert "fertility" in printed[-1] and "tokens_per_word" in printed[-1], "the plan, and the line of progress"
    (run,) = (installed.folder / "results/runs").glob("*-words")
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "Tokens over words, all documents together" in page, "the definition"
    assert page.index('id="fertility-gap"') < page.index('id="chart-fertility_gap"')
    assert "## Fertility gap" in (run / "summary.md").read_text(encoding="utf-8")
    first, again = (
        installed.python("import harness\nprint(harness.plan('words.yaml')['cached'].tolist())") for _ in "12"
    )
    assert first == again == "[False, False]\n" or first == "[True, True]\n"


def test_it_is_compared_document_by_document(installed: Installed) -> None:
    told = installed.python(
        "import harness\n"
        "found = harness.compare('latest', 'latest')\n"
        "print(found[['metric', 'ratio', 'interval', 'change', 'comparable']].to_json(orient='records'))"
    )
    rows = json.loads(told)
    assert [row["metric"] for row in rows] == ["tokens_per_word"] * 2
    assert {(row["ratio"], row["comparable"]) for row in rows} == {(1.0, True)}
    assert all("paired" in row["interval"] for row in rows)


def test_edited_code_is_measured_again(installed: Installed) -> None:
    plan = "import harness\nprint(harness.plan('words.yaml').query('measure == \"fertility\"')['cached'].tolist())"
    assert installed.python(plan) == "[True, True]\n"
    code = installed.site / "gpt_words/fertility.py"
    before = code.read_text()
    try:
        code.write_text(before.replace("len(text.split())", "len(text.split()) + 1"))
        assert installed.python(plan) == "[False, False]\n"
        told = installed.python(plan.replace("'cached'", "'seconds'"))
        assert told == "[0.52, 0.52]\n", "what the measure says that it takes: a thousandth per document"
    finally:
        code.write_text(before)
    assert installed.python(plan) == "[True, True]\n"
    models = installed.site / "gpt_words/ngram.py"
    counted = "import harness\nprint(harness.plan('counted.yaml').query('measure == \"task\"')['cached'].tolist())"
    assert installed.python(counted) == "[True, True]\n"
    before = models.read_text()
    try:
        models.write_text(before.replace("seen[character] + 1)", "seen[character] + 2)"))
        assert installed.python(counted) == "[False, False]\n", "a model's code is part of the key too"
    finally:
        models.write_text(before)
    compiled = installed.site / "gpt_words/__pycache__/left.pyc"
    compiled.parent.mkdir(exist_ok=True)
    compiled.write_bytes(b"compiled")
    assert installed.python(plan) == "[True, True]\n"


OURS = "from dataclasses import replace\nfrom harness.measures.perplexity import PERPLEXITY\n"
SETTINGS = "from harness.measures.measure import Settings\nclass S(Settings):\n    seed: int = 0\n"
SERVED = '''
"""A kind of model that answers as it is asked, and a measure of how many pieces an answer comes in."""

from concurrent.futures import ThreadPoolExecutor
from harness.measures.measure import Measure, Settings
from harness.models.adapter import Adapter, ModelSettings, Opening
from harness.models.contract import ModelIdentity, ModelSource, Prompt, Serves
from harness.models.resolved import Resolved
from harness.results.record import Direction, Measurement, Metric


class Echo:
    def __init__(self, source):
        self.identity = ModelIdentity(
            name=source.name, kind=source.kind, digest=source.digest, precision="fp32", device="cpu", context=100
        )

    def stream(self, prompt):
        yield from prompt.text.split()[: prompt.max_new]


def open_source(source):
    return Echo(source)


ECHO = Adapter(
    name="echo",
    about="Says what it hears.",
    settings=ModelSettings,
    resolve=lambda name, settings, point: Resolved(ModelSource(name, "echo", settings.model, settings.model)),
    openings=(Opening(kind="echo", module="served"),),
    capabilities=frozenset({"serves"}),
)


def collect(load, settings):
    model = load()
    assert isinstance(model, Serves)
    prompts = [Prompt("a b c d", (), length) for length in (1, 2, 3)]
    with ThreadPoolExecutor() as pool:
        return [{"pieces": len(pieces)} for pieces in pool.map(lambda prompt: list(model.stream(prompt)), prompts)]


PIECES_OF = Metric(name="pieces", unit="pieces", direction=Direction.NONE, definition="Pieces of all answers.")
PIECES = Measure(
    name="pieces",
    version=1,
    about="How many pieces answers come in.",
    settings=Settings,
    metrics=(PIECES_OF,),
    collect=collect,
    summarize=lambda samples, settings, facts: [Measurement(metric=PIECES_OF, value=float(samples["pieces"].sum()))],
    needs=lambda library, settings: {"serves": ""},
)
'''

MODEL = "from dataclasses import replace\nfrom harness.models.transformers_adapter import TRANSFORMERS as OURS\n"
PLAIN = f"{MODEL}from harness.models.adapter import ModelSettings\nclass S(ModelSettings):\n    train: int = 0\n"
ANALYSIS = "from dataclasses import replace\nfrom harness.analysis.mirage.analysis import MIRAGE\n"

BROKEN = [
    ("import no_such_library", "measures", "bad", "can't be imported: No module named 'no_such_library'"),
    ("raise SystemExit(3)", "measures", "bad", "can't be imported"),
    ("", "measures", "bad", "can't be imported: module 'other2' has no attribute 'BAD'"),
    ("class Odd:\n    pass\nBAD = Odd()", "measures", "bad", "is no measure: it leads to an Odd"),
    ("BAD = 3", "measures", "bad", "is no measure: it leads to an int"),
    (f"{OURS}BAD = PERPLEXITY", "analyses", "perplexity", "is no analysis: it leads to a Measure"),
    (f"{OURS}BAD = PERPLEXITY", "measures", "bad", "calls itself `perplexity`: give its entry point that name"),
    (f"{OURS}BAD = PERPLEXITY", "measures", "perplexity", "there is already a measure `perplexity`"),
    (
        f"{OURS}BAD = replace(PERPLEXITY, name='bad')",
        "measures",
        "bad",
        "has metrics whose names are taken: perplexity (of ",
    ),
    (f"{OURS}BAD = replace(PERPLEXITY, name='fertility')", "measures", "fertility", "already a measure `fertility`"),
    (
        f"{OURS}BAD = replace(PERPLEXITY, name='matrix')",
        "measures",
        "matrix",
        "no entry of a suite can have: rename it",
    ),
    (f"{OURS}BAD = replace(PERPLEXITY, name='a-b')", "measures", "a-b", "no entry of a suite can have: rename it"),
    (
        f"{OURS}{SETTINGS}BAD = replace(PERPLEXITY, name='bad', metrics=(), settings=S)",
        *("measures", "bad", "has settings whose names are taken by axes and columns of records: seed"),
    ),
    *(
        (f"{OURS}BAD = replace(PERPLEXITY, name='bad', {wrong})", "measures", "bad", f"declares `{said}")
        for wrong, said in {
            "settings=dict": "settings` wrongly: should be a subclass of Settings (it is <class 'dict'>)",
            "metrics=None": "metrics` wrongly: should be a valid tuple (it is None)",
            "metrics=(3,)": "metrics` wrongly: 0 should be a valid dictionary or instance of Metric (it is 3)",
            "check=3": "check` wrongly: should be callable (it is 3)",
            "metrics=(PERPLEXITY.metrics[0].model_copy(update={'name': 'b', 'counted': 3}),)": "metrics` wrongly: "
            "0.counted should be a valid boolean, unable to interpret input (it is 3)",
            "metrics=(PERPLEXITY.metrics[0].model_copy(update={'counted': True, 'depends_on': 'time'}),)": "metrics` "
            "wrongly: the metric perplexity is declared as counted and as depending on the machine's time",
        }.items()
    ),
    *(
        (
            f"{OURS}from harness.measures.measure import Settings\nclass S(Settings):\n    sizes: {kind}\n"
            "BAD = replace(PERPLEXITY, name='bad', metrics=(), settings=S)",
            *("measures", "bad", said),
        )
        for kind, said in {
            "list[int]": "has settings that aren't one value each: sizes; in a suite a list is an axis",
            "dict | None = None": "has settings that aren't one value each: sizes",
            "'Nothing'": "has a declaration that can't be read: `S` is not fully defined",
        }.items()
    ),
    (
        f"{OURS}B = PERPLEXITY.metrics[0].model_copy(update={{'name': 'b'}})\n"
        "BAD = replace(PERPLEXITY, name='bad', metrics=(B, B))",
        *("measures", "bad", "declares metrics twice: b"),
    ),
    *(
        (f"{PLAIN}BAD = replace(OURS, name='bad', {wrong})", "models", "bad", f"declares `{said}")
        for wrong, said in {
            "openings=None": "openings` wrongly: should be a valid tuple (it is None)",
            "settings=dict": "settings` wrongly: should be a subclass of ModelSettings",
            "capabilities=frozenset({'flies'})": "capabilities` wrongly: 0 should be 'logits', ",
            "precisions=('fp31',)": "precisions` wrongly: 0 should be 'fp32', ",
        }.items()
    ),
    (
        f"{ANALYSIS}BAD = replace(MIRAGE, name='bad', charts=(3,))",
        "analyses",
        "bad",
        "0 should be an instance of Chart",
    ),
    (f"{MODEL}BAD = OURS", "models", "transformers", "there is already an adapter `transformers`"),
    (f"{MODEL}BAD = OURS", "measures", "transformers", "is no measure: it leads to an Adapter"),
    (
        f"{MODEL}BAD = replace(OURS, name='bad')",
        "models",
        "bad",
        "names are taken: revision (of transformers)",
    ),
    (f"{PLAIN}BAD = replace(OURS, name='bad', settings=S)", "models", "bad", "names are taken: train (of from)"),
    (
        f"{PLAIN}BAD = replace(OURS, name='bad', settings=ModelSettings)",
        *("models", "bad", "opens kinds whose names are taken: transformers (of transformers)"),
    ),
    (f"{ANALYSIS}BAD = MIRAGE", "analyses", "mirage", "there is already an analysis `mirage`"),
    (f"{ANALYSIS}BAD = replace(MIRAGE, name='bad')", "analyses", "bad", "has charts whose names are taken: mirage"),
]
"""(module, group, name of the entry point, what is said of it)"""


def test_what_can_t_be_loaded_is_told_and_ends_nothing(installed: Installed, tmp_path: Path) -> None:
    here = installed.copied(tmp_path / "here")
    for number, (code, group, name, _) in enumerate(BROKEN):
        here.another(f"other{number}", code, f"[harness.{group}]\n{name} = other{number}:BAD")
    listed = here.bash("COLUMNS=1000 harness list plugins").splitlines()
    for number, (_, group, name, said) in enumerate(BROKEN):
        (state,) = [line for line in listed if f" other{number} 0.1 " in line]
        assert said in state and f"the plugin `{name}` of other{number} 0.1 (other{number}:BAD)" in state
        assert f"harness.{group}" in state
    assert [line.split()[0] for line in listed if line.rstrip().endswith(" loaded")] == [
        "ngram",
        "fertility",
        "fertility_gap",
    ]


def test_a_measure_of_servers_meets_a_model_that_serves(installed: Installed, tmp_path: Path) -> None:
    here = installed.copied(tmp_path / "here")
    here.another("served", SERVED, "[harness.models]\necho = served:ECHO\n[harness.measures]\npieces = served:PIECES")
    (here.folder / "served.yaml").write_text(
        "name: served\nmodels: {heard: {echo: x}, counted: {ngram: sat.txt}}\n"
        "measures: [pieces: {}, task: {task: sat}]\ntasks: {paths: .}\n"
    )
    here.bash("harness run served.yaml")
    records = json.loads(
        here.python("import harness\nprint(harness.open_run('latest').records.to_json(orient='records'))")
    )
    of = {(row["model"], row["measure"]): row for row in records}
    assert of["heard", "pieces"]["value"] == 6.0
    assert (
        "needs a model that answers requests as they arrive, and a model of `ngram`"
        in of["counted", "pieces"]["reason"]
    )
    assert of["heard", "task"]["status"] == "skipped" and of["counted", "task"]["status"] == "ok"


TRAPS = '''
"""A measure and a kind of model in which one function fails, as a setting says."""

from harness.errors import UserError
from harness.measures.cost import one_context
from harness.measures.measure import Measure, Settings
from harness.models.adapter import Adapter, ModelSettings, Opening
from harness.models.contract import ModelIdentity, ModelSource
from harness.models.resolved import Resolved
from harness.models.size import ModelSize
from harness.results.record import Direction, Measurement, Metric


class MeasureSettings(Settings):
    trap: str


class EntrySettings(ModelSettings):
    hole: str
    """Needed: entries of other kinds do without."""


def trap(name, found):
    def function(*given):
        if any(getattr(one, "trap", "") == name for one in given):
            raise KeyError(name)
        return found if not callable(found) else found(*given)

    return function


def check(library, settings):
    if settings.trap == "user":
        raise UserError("is no trap", place="traps")
    trap("check", None)(settings)


def summarize(samples, settings, facts):
    other = METRIC.model_copy(update={"unit": "others"})
    one = Measurement(metric=METRIC, value=1.0)
    odd = Measurement(metric=METRIC, value=1.0, low=2.0, high=1.0)
    parts = [one, one.model_copy(update={"part": "a"})]
    wrong = {"unknown": [Measurement(metric=other, value=1.0)], "twice": [one, one], "turned": [odd]}
    return wrong.get(settings.trap, parts)


METRIC = Metric(name="trapped", unit="traps", direction=Direction.NONE, definition="One.")
TRAPS = Measure(
    name="traps", version=1, about="Falls into what is dug.", settings=MeasureSettings, metrics=(METRIC,),
    collect=lambda load, settings: [{"one": 1.0}], summarize=summarize, check=check,
    notes=trap("notes", ()), needs=trap("needs", {}), tasks=trap("tasks", ()),
    texts=lambda settings: settings.trap if settings.trap == "texts" else [],
    seconds=trap("seconds", 1), passes=trap("passes", one_context),
)


def resolve(name, settings, point):
    if settings.hole == "raise":
        raise RuntimeError("deep")
    return Resolved(ModelSource(name, "hole", settings.model, settings.hole)) if settings.hole != "none" else None


def size(resolved):
    return 1 / 0 if resolved.source.digest == "size" else ModelSize(1000, 1000)


def open_source(source):
    return type("Hole", (), {"identity": ModelIdentity(
        name=source.name, kind="hole", digest=source.digest, precision="fp32", device="cpu", context=1)})()


HOLES = Adapter(
    name="holes", about="Holes.", settings=EntrySettings, resolve=resolve, size=size, capabilities=frozenset(),
    openings=(Opening(kind="hole", module="traps"),), precisions=("fp32", "bf16"),
)
'''


def test_what_fails_in_a_plugin_is_said_of_its_cells_alone(installed: Installed, tmp_path: Path) -> None:
    here = installed.copied(tmp_path / "here")
    here.another("traps", TRAPS, "[harness.measures]\ntraps = traps:TRAPS\n[harness.models]\nholes = traps:HOLES")
    suite = here.folder / "traps.yaml"
    suite.write_text(
        "name: traps\nmodels:\n"
        "  good: {holes: x, hole: good}\n  deep: {holes: x, hole: raise}\n  nothing: {holes: x, hole: none}\n"
        "  unsized: {holes: x, hole: size}\n  counted: {ngram: sat.txt}\ntasks: {paths: .}\nmeasures:\n"
        "  - traps: {trap: [check, notes, needs, texts, tasks, seconds, none, unknown, twice, turned]}\n"
        "    models: [good]\n"
        "  - traps: {trap: none}\n    models: [deep, nothing, unsized, counted]\n"
        "    matrix: {precision: [fp32, int8]}\n"
    )
    planned = here.tried("harness plan traps.yaml")
    assert planned.returncode == 0, planned.stderr
    assert "warning: the plugin `holes` of traps 0.1 failed in `size`: division by zero" in planned.stderr
    assert "warning: the plugin `traps` of traps 0.1 failed in `seconds`: nothing is called 'seconds'" in planned.stderr
    assert "a model of `ngram` has the precision fp32, not int8" in " ".join(planned.stdout.split())
    here.bash("harness run traps.yaml || true")
    told = here.python("import harness\nprint(harness.open_run('latest').records.to_json(orient='records'))")
    reasons = {(row["model"], row["precision"], row["trap"]): row["reason"] for row in json.loads(told)}
    broken = "the plugin `traps` of traps 0.1 failed in"
    for trap in ("check", "notes", "needs", "tasks"):
        assert (
            f"{broken} `{trap}`: nothing is called '{trap}' (KeyError), in traps.py:" in reasons["good", "fp32", trap]
        )
    assert (
        f"{broken} `texts`: of what it returns should be a valid tuple (it is 'texts')"
        in reasons["good", "fp32", "texts"]
    )
    assert reasons["good", "fp32", "none"] is reasons["good", "fp32", "seconds"] is None
    gave = "the measure `traps` gave"
    assert reasons["good", "fp32", "unknown"] == f"{gave} the metric trapped, which it doesn't declare so"
    assert reasons["good", "fp32", "twice"] == f"{gave} trapped twice"
    assert reasons["good", "fp32", "turned"] == f"{gave} trapped with an interval from 2.0 up to 1.0"
    failed = "the plugin `holes` of traps 0.1 failed in `resolve`: "
    assert reasons["deep", "fp32", "none"].startswith(f"{failed}deep (RuntimeError), in traps.py:")
    assert (
        reasons["nothing", "fp32", "none"]
        == f"{failed}of what it returns should be an instance of Resolved (it is None)"
    )
    assert reasons["unsized", "fp32", "none"] is reasons["counted", "fp32", "none"] is None
    assert reasons["counted", "int8", "none"] == "a model of `ngram` has the precision fp32, not int8"
    assert reasons["unsized", "int8", "none"] == "a model of `holes` has the precision fp32 or bf16, not int8"
    for entry, setting, said in (
        ("{holes: x, hole: good}", "user", "traps: is no trap"),
        ("{holes: x}", "none", "`holes: ...` needs `hole`"),
    ):
        suite.write_text(f"name: t\nmodels: {{m: {entry}}}\nmeasures: [traps: {{trap: {setting}}}]\n")
        done = here.tried("harness plan traps.yaml")
        assert done.returncode == 2 and said in done.stderr, done.stderr


def test_a_suite_that_names_it_is_refused_with_the_reason(installed: Installed, tmp_path: Path) -> None:
    here = installed.copied(tmp_path / "here")
    here.another("other", "import no_such_library", "[harness.measures]\nbad = other:BAD")
    (here.folder / "bad.yaml").write_text("name: b\nmodels: {m: {reference: x}}\nmeasures:\n  - bad: {}\n")
    done = here.tried("harness plan bad.yaml")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "bad.yaml:4: measures.0.bad: unknown key 'bad' (the plugin `bad` of other 0.1" in done.stderr
    assert "No module named 'no_such_library'" in done.stderr


def test_a_run_is_read_without_the_plugin(installed: Installed, tmp_path: Path) -> None:
    """And where its analyses would be made again, a sentence says what lacks."""
    here = installed.copied(tmp_path / "here")
    shutil.copytree(installed.folder / "results", here.folder / "results")
    shutil.rmtree(here.site)
    here.site.mkdir()
    shown = here.bash("harness show latest")
    assert "tokens per word" in shown and "fertility gap" in shown
    assert "undecided" in here.bash("harness compare latest latest")  # nobody knows what was measured
    done = here.tried("harness report latest")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert (
        "needs plugins that are not installed here, or can't be loaded: fertility (of gpt-words 1.0), " in done.stderr
    )


@pytest.mark.parametrize("command", ["harness report", "harness run --resume"])
def test_an_adapter_that_a_run_needs_is_named(installed: Installed, tmp_path: Path, command: str) -> None:
    """Of a run that has no other plugin: its suite can't be read without."""
    here = installed.copied(tmp_path / "here")
    (run,) = (installed.folder / "results/runs").glob("*-counted")
    shutil.copytree(run, here.folder / "run")
    shutil.rmtree(here.site)
    here.site.mkdir()
    assert "near" in here.bash("harness show run")
    done = here.tried(f"{command} run")
    assert done.returncode == 2 and "unknown key" not in done.stderr
    assert "run: this run needs plugins that are not installed here" in done.stderr
    assert "can't be loaded: ngram (of gpt-words 1.0); install them" in done.stderr


def test_no_setting_of_ours_has_the_name_of_an_axis_or_a_column() -> None:
    assert tuple(Matrix.model_fields) == AXES
    for measure in MEASURES.values():
        assert not set(measure.settings.model_fields) & {*AXES, *Record.model_fields, *RESERVED}


def test_no_plugin_takes_the_name_of_what_an_entry_has_beside() -> None:
    adapters = [word for adapter in ADAPTERS.values() for word in (adapter.name, *adapter.keys)]
    for entry, words in ((MeasureEntry, MEASURES), (AnalysisEntry, ANALYSES), (ModelEntry, adapters)):
        public = {name for name in dir(entry) if not name.startswith("_") and not hasattr(BaseModel, name)}
        assert (public | set(entry.model_fields)) - set(words) <= set(RESERVED)


def test_help_loads_no_plugin(installed: Installed, tmp_path: Path) -> None:
    here = installed.copied(tmp_path / "here")
    here.another("other", "raise RuntimeError('loaded')\n", "[harness.measures]\nbad = other:BAD")
    seen = here.bash("python -X importtime -m harness --help 2>&1 >/dev/null | awk '{print $NF}'").split()
    assert "typer" in seen
    assert not {"other", "gpt_words", "torch", "pandas", "pydantic", "harness.measures.registry"} & set(seen)
