"""The commands behind the Makefile: one for each thing that a person does with a lakehouse."""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from infra import lakehouse as whole
from infra.audit import print_audit
from infra.environment import user_environment
from infra.errors import TributaryError
from infra.parts import Parts
from infra.progress import Reporter, console
from infra.secrets import load_secrets
from infra.services import Lakehouse
from infra.settings import REPOSITORY, Settings, load_settings
from infra.status import print_status, print_welcome
from infra.supervision import Supervisor

CTRL_C_EXIT_CODE = 130
app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.command()
def run() -> None:
    """Bring the whole lakehouse up and leave it running."""
    try:
        print_welcome(whole.bring_up(load_settings()))
    except KeyboardInterrupt:
        console.print("stopped by Ctrl-C: `make run` continues, `make stop` ends what runs")
        raise typer.Exit(CTRL_C_EXIT_CODE) from None


@app.command()
def stop() -> None:
    """Stop it cleanly; the next start continues where it was."""
    with Reporter() as reporter:
        whole.take_down(load_settings(), reporter)


@app.command()
def clean() -> None:
    """Stop it and remove all that it fetched, made and kept."""
    with Reporter() as reporter:
        whole.remove(load_settings(), reporter)


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Show services, the job, and how fresh each table is."""
    print_status(_open(load_settings()), as_json=as_json)


@app.command("audit")
def compare(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Compare Kafka, the raw tables and the answers; exit code 1 where they differ."""
    if not print_audit(_open(load_settings()), as_json=as_json):
        raise typer.Exit(1)


@app.command()
def logs(service: str) -> None:
    """Follow a service's log; Ctrl-C ends it."""
    settings = load_settings()
    file = Supervisor(settings).log(service)
    if not file.exists():
        known = ", ".join(sorted(path.stem for path in settings.logs.glob("*.log")))
        raise TributaryError(f"SERVICE={service}: no such log; there are: {known or 'none yet'}")
    subprocess.run(["tail", "-n", "100", "-F", str(file)], check=False)


@app.command("env")
def print_environment() -> None:
    """Print `export` lines of the running lakehouse."""
    settings = load_settings()
    for name, value in user_environment(settings, load_secrets(settings)).items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")


@app.command()
def sql(file: Annotated[Path | None, typer.Argument()] = None) -> None:
    """A Trino prompt, or the one statement of a file."""
    statement = _read_statement(file) if file else None
    settings = load_settings()
    lakehouse = _open(settings)
    environment = user_environment(settings, lakehouse.secrets)
    [client] = lakehouse.parts.jars("trino-cli")
    command = [
        lakehouse.parts.java(25) / "bin/java",
        "--enable-native-access=ALL-UNNAMED",
        "-jar",
        client,
        "--server",
        environment["TRINO_URL"],
        "--user",
        environment["TRINO_USER"],
        "--password",
        "--truststore-path",
        environment["TRINO_CA_FILE"],
        "--timezone",
        "UTC",
        "--catalog",
        settings.meanings.lake.catalog,
        "--schema",
        "marts",
        *(["--output-format", "ALIGNED", "--execute", statement] if statement else []),
    ]
    result = subprocess.run(
        [str(part) for part in command], env={**os.environ, **environment}, check=False
    )
    sys.exit(result.returncode)


def _read_statement(file: Path) -> str:
    try:
        return file.read_text()
    except OSError as error:
        raise TributaryError(
            f"QUERY={file}: {error.strerror}; there are: {', '.join(_queries())}"
        ) from None


def _queries() -> list[str]:
    folder = REPOSITORY / "trino/queries"
    return [str(path.relative_to(REPOSITORY)) for path in sorted(folder.glob("*.sql"))]


@app.command()
def marts() -> None:
    """Build and test every dbt model now."""
    _dbt("build")


@app.command()
def docs() -> None:
    """Build dbt's documentation."""
    _dbt("docs", "generate")


def _dbt(*arguments: str) -> NoReturn:
    lakehouse = _open(load_settings())
    sys.exit(whole.run_dbt(lakehouse, *arguments))


def _open(settings: Settings) -> Lakehouse:
    return Lakehouse(settings, load_secrets(settings), Parts(settings.parts, Reporter()))


def main() -> None:
    """Run a command; what a user can mend is shown in words, without a stack trace."""
    try:
        app()
    except TributaryError as error:
        console.print(f"tributary: {error}", style="red", markup=False)
        sys.exit(1)
