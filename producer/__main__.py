"""The command line: `python -m producer --help`."""

import math
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import click
import orjson

from configuration.errors import TributaryError
from configuration.kafka_client import kafka_client
from configuration.secrets import load_secrets
from configuration.settings import Settings, load_settings
from producer.kafka_sink import KafkaSink
from producer.pacing import Pace
from producer.plan import Plan
from producer.run import Run, StopSignal
from producer.shop import Shop
from producer.shop_database import ShopDatabase
from producer.stream import generate_messages
from producer.summary import Summary
from producer.traffic import shop_of
from producer.truth import TruthFile

# A day after the contract's earliest time, so that late events are valid too.
EARLIEST_START = datetime(2000, 1, 2, tzinfo=UTC)


class Speed(click.ParamType[float]):
    """A factor above 0, or `max`."""

    name = "factor"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Parse the factor; `max` is infinity."""
        try:
            speed = math.inf if value == "max" else float(value)
        except ValueError:
            speed = math.nan
        if not speed > 0:
            self.fail(f"{value!r} is neither a number above 0 nor max", param, ctx)
        return speed


class PastTime(click.ParamType[datetime]):
    """An ISO 8601 time between 2000-01-02 and now; UTC if it has no offset."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Parse the time and check that it is in range."""
        try:
            given = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not an ISO 8601 time such as 2026-01-31T12:00:00Z", param, ctx)
        at = given if given.tzinfo else given.replace(tzinfo=UTC)
        if not EARLIEST_START <= at <= datetime.now(UTC):
            self.fail(f"{value!r} must be 2000-01-02 or later, and not in the future", param, ctx)
        return at


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True, max=1_000_000),
    help="Messages a second of event time, averaged over the day [default: from the settings].",
)
@click.option("--seed", type=int, help="Seed of everything random [default: from the settings].")
@click.option(
    "--count", type=click.IntRange(min=1), help="Stop after this many messages [default: never]."
)
@click.option("--start", type=PastTime(), help="Event time of the first message [default: now].")
@click.option(
    "--speed",
    type=Speed(),
    default="1",
    help="Send history this many times as fast as the clock, or max: as fast as possible.",
)
@click.option(
    "--summary",
    "summary_file",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="At the end, write the counts of sent messages to this file, as JSON.",
)
@click.option(
    "--truth",
    "truth_file",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Make sources differ in how often their clicks cause checkouts, and write to this file"
    " which click caused which checkout.",
)
@click.option("--shop/--no-shop", "has_books", default=True, help="Fill the shop's database.")
def cli(
    *,
    rate: float | None,
    seed: int | None,
    count: int | None,
    start: datetime | None,
    speed: float,
    summary_file: Path | None,
    truth_file: Path | None,
    has_books: bool,
) -> None:
    """Send the simulated shop's events to Kafka, and keep the shop's own database.

    Stops after --count messages, or at SIGTERM or SIGINT. Then it delivers what it has accepted
    and shows the counts. Exits 1 if a message could not be delivered.
    """
    settings = load_settings()
    for option, file in (("--summary", summary_file), ("--truth", truth_file)):
        if file and not file.absolute().parent.is_dir():
            raise TributaryError(f"{option} = {file}: the folder does not exist; create it first")
    start_ms = int(start.timestamp() * 1000 if start else time.time() * 1000)
    plan = Plan.of(
        settings.pipeline, start_ms=start_ms, seed=seed, rate=rate, has_truth=truth_file is not None
    )
    # A live run follows the clock, so it catches up at full speed after a slow start or a sleep.
    pace = speed if start else math.inf
    errors = _run(
        settings, plan, count, pace, summary_file, truth_file=truth_file, has_books=has_books
    )
    if errors:
        raise SystemExit(1)


def main() -> None:
    """Run the command; show a user's mistake as one line on stderr, without a stack trace."""
    try:
        sys.exit(cli.main(prog_name="python -m producer", standalone_mode=False))
    except click.ClickException as error:
        click.echo(f"producer: {error.format_message()}", err=True)
        sys.exit(2)
    except TributaryError as error:
        click.echo(f"producer: {error}", err=True)
        sys.exit(1)


def _run(
    settings: Settings,
    plan: Plan,
    count: int | None,
    speed: float,
    summary_file: Path | None,
    *,
    truth_file: Path | None,
    has_books: bool,
) -> Counter[str]:
    """Send until the end or a signal; return the count of undelivered messages, by reason."""
    stop = StopSignal()
    stop.install()
    shop = shop_of(plan)
    summary = Summary(plan)
    client = kafka_client(settings, load_secrets(settings), "producer")
    sink = KafkaSink(client, (plan.clickstream_topic, plan.checkouts_topic))
    with ExitStack() as stack:
        books = None
        if has_books:
            books = stack.enter_context(_open_books(settings, shop, plan.start_ms))
        note = TruthFile(stack.enter_context(truth_file.open("wb"))).note if truth_file else None
        stack.enter_context(_summary_at_the_end(summary, sink, summary_file))
        Run(
            sink=sink,
            pace=Pace(plan.start_ms, speed, time.time),
            summary=summary,
            books=books,
            start_ms=plan.start_ms,
            clock=time.time,
            report=click.echo,
            stop=stop,
        ).send(islice(generate_messages(plan, shop, note), count))
    return sink.errors


@contextmanager
def _summary_at_the_end(summary: Summary, sink: KafkaSink, file: Path | None) -> Iterator[None]:
    """Show and write the counts, even if the run fails."""
    try:
        yield
    finally:
        text = orjson.dumps(
            summary.as_object(sink.errors),
            option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
        )
        click.echo(text.decode(), nl=False)
        if file:
            file.write_bytes(text)


def _open_books(settings: Settings, shop: Shop, start_ms: int) -> ShopDatabase:
    """Open the shop's database and fill it up to the start."""
    postgres = settings.topology.postgres
    books = ShopDatabase(
        shop,
        postgres.authority,
        host=postgres.host,
        port=postgres.port,
        dbname="shop",
        user="shop",
        password=load_secrets(settings).postgres_shop_password,
    )
    books.write(start_ms)
    return books


if __name__ == "__main__":
    main()
