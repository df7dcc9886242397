"""The commands behind the Makefile, one for each `make` target that uses the lakehouse."""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from attribution_models.scoring import read_credits, read_truth, score_models
from configuration import REPOSITORY
from configuration.environment import DEFAULT_ROLE, user_environment
from configuration.errors import TributaryError
from configuration.secrets import load_secrets
from configuration.settings import Settings, load_settings
from configuration.templates import OWNER_ONLY
from configuration.terminal import escape_controls, run_escaped
from configuration.trino_client import connect_trino
from infra.install.parts import Parts
from infra.install.progress import Reporter, console
from infra.operations.audit import print_audit
from infra.operations.status import print_status, print_welcome
from infra.services.marts import REFRESH, build_marts, run_dbt, serve_docs
from infra.services.model import Lakehouse
from infra.services.registry import SETUP_STEPS
from infra.services.trino import describe_prompt
from infra.topologies import native
from infra.topologies.containers import write_folders
from infra.topologies.supervision import Supervisor

CTRL_C_EXIT_CODE = 130
DOCS_PORT = 28090
app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.command()
def run() -> None:
    """Fetch, build and start the whole lakehouse, and leave it running."""
    try:
        print_welcome(native.bring_up(load_settings()))
    except KeyboardInterrupt:
        console.print(
            "interrupted by Ctrl-C: `make run` continues, `make stop` stops the running services"
        )
        raise typer.Exit(CTRL_C_EXIT_CODE) from None


@app.command("setup")
def set_up(name: str) -> None:
    """Run one setup step; the one-shot containers use this command."""
    steps = {step.name: step for step in SETUP_STEPS}
    if name not in steps:
        raise TributaryError(f"setup {name}: no such step; use one of {', '.join(steps)}")
    with Reporter() as reporter, reporter.step(name):
        steps[name].ensure(_open(load_settings()))


@app.command()
def configure() -> None:
    """Write the files that each container reads; create secrets at the first start."""
    with Reporter() as reporter, reporter.step("configuration"):
        write_folders(load_settings())


@app.command()
def stop() -> None:
    """Stop the lakehouse cleanly; the next start resumes from a savepoint."""
    with Reporter() as reporter:
        native.take_down(load_settings(), reporter)


@app.command()
def clean() -> None:
    """Stop the lakehouse and remove everything that it fetched, built and stored."""
    with Reporter() as reporter:
        native.remove(load_settings(), reporter)


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Show the services, the job, the change capture and the age of each table's newest row."""
    print_status(_open(load_settings()), as_json=as_json)


@app.command("audit")
def compare(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Compare Kafka, the raw tables, the answers and the mart; exit with 1 if they differ."""
    if not print_audit(_open(load_settings()), as_json=as_json):
        raise typer.Exit(1)


@app.command()
def welcome() -> None:
    """Show the address of each service and how to log in."""
    print_welcome(_open(load_settings()))


@app.command()
def logs(service: str) -> None:
    """Follow a service's log until Ctrl-C."""
    settings = load_settings()
    file = Supervisor(settings).log(service)
    if not file.exists():
        known = ", ".join(sorted(path.stem for path in settings.logs.glob("*.log")))
        raise TributaryError(f"SERVICE={service}: no such log; logs: {known or 'none yet'}")
    run_escaped(["tail", "-n", "100", "-F", str(file)])


@app.command("env")
def print_environment(role: Annotated[str, typer.Argument()] = DEFAULT_ROLE) -> None:
    """Print addresses, and the credentials of a role, as `export` lines for a shell."""
    settings = load_settings()
    for name, value in user_environment(settings, load_secrets(settings), role).items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")


@app.command()
def sql(file: Annotated[Path | None, typer.Argument()] = None) -> None:
    """Open a Trino prompt, or run the statement in a file."""
    statement = _read_statement(file) if file else None
    prompt = describe_prompt(_open(load_settings()))
    execute = ["--execute", statement] if statement else []
    result = subprocess.run(
        [*map(str, prompt.command), *execute],
        cwd=prompt.directory,
        env={**os.environ, **prompt.environment},
        check=False,
    )
    sys.exit(result.returncode)


def _read_statement(file: Path) -> str:
    try:
        return file.read_text()
    except OSError as error:
        raise TributaryError(
            f"QUERY={file}: {error.strerror}; queries: {', '.join(_queries())}"
        ) from None


def _queries() -> list[str]:
    folder = REPOSITORY / "trino/queries"
    return [str(path.relative_to(REPOSITORY)) for path in sorted(folder.glob("*.sql"))]


@app.command()
def marts() -> None:
    """Build all dbt models and test their data now."""
    sys.exit(build_marts(_open(load_settings())))


@app.command()
def refresh() -> None:
    """Build only the hourly marts now, as the schedule does."""
    sys.exit(run_dbt(_open(load_settings()), *REFRESH))


@app.command(
    "dbt",
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": [],  # dbt has its own --help
    },
)
def pass_to_dbt(context: typer.Context) -> None:
    """Run any dbt command on the running lakehouse."""
    sys.exit(run_dbt(_open(load_settings()), *context.args))


@app.command("score")
def compare_with_truth(truth: Annotated[typer.FileText, typer.Argument()]) -> None:
    """Compare each attribution model with the true causes of checkouts in a file.

    `python -m producer --truth` writes such a file; `-` reads standard input.
    """
    lakehouse = _open(load_settings())
    causes = read_truth(truth)
    trino = connect_trino(lakehouse.settings, lakehouse.secrets)
    scores = score_models(causes, read_credits(trino, causes))
    table = Table(box=None, pad_edge=False)
    table.add_column("model")
    for column in ("paid checkouts", "credit on the cause", "distance of sources"):
        table.add_column(column, justify="right")
    for score in scores:
        table.add_row(
            score.model,
            f"{score.checkout_count:,}",
            f"{score.share_on_cause:.1%}",
            f"{score.source_distance:.3f}",
        )
    console.print(table)


@app.command()
def docs(port: int = DOCS_PORT) -> None:
    """Build dbt's documentation and serve it until Ctrl-C."""
    lakehouse = _open(load_settings())
    if code := run_dbt(lakehouse, "docs", "generate"):
        sys.exit(code)
    serve_docs(lakehouse, port)


def _open(settings: Settings) -> Lakehouse:
    """Open the lakehouse; what this process and its commands write is for the owner only."""
    os.umask(OWNER_ONLY)
    return Lakehouse(settings, load_secrets(settings), Parts(settings.parts, Reporter()))


def main() -> None:
    """Run a command; show an error that a user can fix without a stack trace.

    Errors go to standard error: a shell runs what `make env` prints. They are escaped, because they
    may quote values of events.
    """
    try:
        app()
    except TributaryError as error:
        typer.secho(escape_controls(f"tributary: {error}"), fg="red", err=True)
        sys.exit(1)
