"""The `harness` command and its sub-commands."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

import harness
from harness.cli import (
    ab,
    assets,
    baseline,
    bench,
    bisect,
    ci,
    compare,
    data,
    diff,
    doctor,
    eval,
    explain,
    fit,
    gate,
    history,
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
)


class Commands(TyperGroup):
    """The commands, past typer's own ideas of how an exception ends."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except (BrokenPipeError, EOFError) as error:  # of another process: typer would exit with 1, which says "unmet"
            raise ConnectionAbortedError(f"another process ended ({type(error).__name__})") from error


app = typer.Typer(
    cls=Commands,
    name="harness",
    help="Measure GPT language models: quality, speed and memory in one declarative suite.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run.run)
app.command("eval", cls=eval.EvalCommand)(eval.eval_)
app.command("plan")(plan.plan)
app.command("bench")(bench.bench)
app.command("perplexity")(perplexity.perplexity)
app.command("list")(listing.list_)
app.command("show")(show.show)
app.command("report")(report.report)
app.command("compare")(compare.compare)
app.command("diff")(diff.diff)
app.command("fit")(fit.fit)
app.command("gate")(gate.gate)
app.command("ab")(ab.ab)
app.command("ci")(ci.ci)
app.command("query")(query.query)
app.command("bisect")(bisect.bisect)
app.command("site")(site.site)
app.command("explain")(explain.explain)
app.command("import")(interchange.import_)
app.command("export")(interchange.export)
app.command("schema")(schema.schema)
app.command("doctor")(doctor.doctor)
app.add_typer(history.app, name="history")
app.add_typer(assets.app, name="assets")
app.add_typer(data.app, name="data")
app.add_typer(baseline.app, name="baseline")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"harness {harness.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Measure GPT language models: quality, speed and memory in one declarative suite."""
