"""The `harness` command and its sub-commands."""

from __future__ import annotations

from typing import Any, ClassVar, get_type_hints

import typer
from typer.core import TyperCommand

import harness
from harness.cli import (
    ab,
    assets,
    baseline,
    bench,
    bisect,
    chat,
    ci,
    compare,
    data,
    diff,
    doctor,
    eval,
    explain,
    fit,
    gate,
    generate,
    history,
    init,
    interchange,
    listing,
    perplexity,
    plan,
    query,
    report,
    run,
    schema,
    show,
    site,
    train,
)
from harness.cli.given_once import OnceEach
from harness.cli.helping import WIDEST, Listing, example
from harness.cli.refusing import in_our_words
from harness.cli.starting import start
from harness.reader import at_a_shell


class Commands(Listing):
    """The commands, past typer's own ideas of how an exception ends."""

    SECTIONS: ClassVar[dict[str, tuple[str, ...]]] = {
        "A number at once": ("eval", "perplexity", "bench", "generate", "chat", "train"),
        "Suites": ("run", "plan", "init", "list", "schema"),
        "Results": ("show", "report", "compare", "diff", "explain", "fit", "export", "import"),
        "Regressions": ("baseline", "gate", "ab", "ci"),
        "History": ("history", "query", "bisect", "site"),
        "This machine": ("doctor", "assets", "data"),
    }

    def make_context(self, info_name: Any, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Parse what stands before the command."""
        with in_our_words():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            with at_a_shell(), in_our_words(ctx):
                return super().invoke(ctx)
        except (BrokenPipeError, EOFError) as error:  # of another process: typer would exit with 1, which says "unmet"
            raise ConnectionAbortedError(f"another process ended ({type(error).__name__})") from error


app = typer.Typer(
    cls=Commands,
    name="harness",
    help="Measure GPT language models: quality, speed and memory in one declarative suite.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDEST},
)
app.command("run", epilog=example("harness run quickstart"))(run.run)
app.command("eval", cls=eval.EvalCommand, epilog=example("harness eval nano --tasks microworld_facts --limit 20"))(
    eval.eval_
)
app.command("perplexity", epilog=example("harness perplexity nano --corpus microworld/test"))(perplexity.perplexity)
app.command("bench", epilog=example("harness bench nano --precision fp32,int8 --prompt 32 --new 16"))(bench.bench)
app.command("generate", epilog=example('harness generate smollm2-135m-instruct "Once upon a time"'))(generate.generate)
app.command("chat", epilog=example("harness chat smollm2-135m-instruct"))(chat.chat)
app.command("train", epilog=example("harness train --text notes.txt --preset nano"))(train.train)
app.command("init", epilog=example("harness init eval", "harness init bench --output speed.yaml"))(init.init)
app.command("plan", epilog=example("harness plan quickstart"))(plan.plan)
app.command("list", epilog=example("harness list tasks --search arc"))(listing.list_)
app.command("show", epilog=example("harness show latest"))(show.show)
app.command("report", epilog=example("harness report latest"))(report.report)
app.command("compare", epilog=example("harness compare 20261130-171634 latest --fail-on worse"))(compare.compare)
app.command("diff", epilog=example("harness diff 20261130-171634 latest --task arc_easy --limit 5"))(diff.diff)
app.command("fit", epilog=example("harness fit runs.csv --law chinchilla"))(fit.fit)
app.command("gate", epilog=example("harness gate latest --baseline main"))(gate.gate)
app.command("ab", epilog=example("harness ab --a kernels:base --b kernels:head"))(ab.ab)
app.command("ci", epilog=example("harness ci suites/ci.yaml"))(ci.ci)
app.command("query", epilog=example('harness query "SELECT metric, value FROM history LIMIT 5"'))(query.query)
app.command("bisect", epilog=example("harness bisect decode_rate"))(bisect.bisect)
app.command("site", epilog=example("harness site public --history results/history"))(site.site)
app.command("explain", epilog=example("harness explain latest arc_easy 12"))(explain.explain)
app.command("import", epilog=example("harness import benchmark.json"))(interchange.import_)
app.command("export", epilog=example("harness export latest --to pytest-benchmark"))(interchange.export)
app.command("schema", epilog=example("harness schema suite > suite.schema.json"))(schema.schema)
app.command("doctor", epilog=example("harness doctor --no-measure"))(doctor.doctor)
app.add_typer(history.app, name="history", epilog=example("harness history decode_rate"))
app.add_typer(assets.app, name="assets", cls=Listing, epilog=example("harness assets get smollm2-135m-instruct"))
app.add_typer(data.app, name="data", cls=Listing, epilog=example("harness data show epoch_chinchilla"))
app.add_typer(baseline.app, name="baseline", cls=Listing, epilog=example('harness baseline set latest --why "int8"'))


def _read_annotations_once(group: typer.Typer) -> None:
    """Make objects of the annotations of every command, which are texts: typer reads them two or three times, and makes
    objects of them twice each time."""
    for command in (*group.registered_commands, group.registered_callback):
        if command is not None and command.callback is not None:
            command.callback.__annotations__ = get_type_hints(command.callback, include_extras=True)
    for inner in group.registered_groups:
        if inner.typer_instance is not None:
            _read_annotations_once(inner.typer_instance)


def _refuse_twice(group: typer.Typer) -> None:
    """Have every command refuse an option of one value that stands twice."""
    for command in group.registered_commands:
        if command.cls is None or command.cls is TyperCommand:
            command.cls = OnceEach
    for inner in group.registered_groups:
        if inner.typer_instance is not None:
            _refuse_twice(inner.typer_instance)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"harness {harness.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True, epilog=example("harness run quickstart"))
def _root(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Measure GPT language models: quality, speed and memory in one declarative suite."""
    if context.invoked_subcommand is None:
        typer.echo(start(context.command.list_commands(context)))  # type: ignore[attr-defined]


_read_annotations_once(app)
_refuse_twice(app)
