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

EARLIEST_START = datetime(2000, 1, 2, tzinfo=UTC)  # whatever comes late is still after 2000


class Speed(click.ParamType[float]):
    """A factor above 0, or `max`."""

    name = "factor"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Parse; `max` is infinite."""
        try:
            speed = math.inf if value == "max" else float(value)
        except ValueError:
            speed = math.nan
        if not speed > 0:
            self.fail(f"{value!r} is neither a number above 0 nor max", param, ctx)
        return speed


class PastTime(click.ParamType[datetime]):
    """An ISO 8601 time between 2000 and now; UTC where it has no offset."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Parse and bound."""
        try:
            given = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no ISO 8601 time such as 2026-01-31T12:00:00Z", param, ctx)
        at = given if given.tzinfo else given.replace(tzinfo=UTC)
        if not EARLIEST_START <= at <= datetime.now(UTC):
            self.fail(f"{value!r} must be from 2000-01-02 on and not in the future", param, ctx)
        return at


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True, max=1_000_000),
    help="Messages a second of event time, at the mean of the day [default: the settings'].",
)
@click.option("--seed", type=int, help="Of everything random [default: the settings'].")
@click.option(
    "--count", type=click.IntRange(min=1), help="Stop after so many messages [default: never]."
)
@click.option("--start", type=PastTime(), help="Event time of the first message [default: now].")
@click.option(
    "--speed",
    type=Speed(),
    default="1",
    help="Event time runs so many times as fast as the clock, or max, until it is now.",
)
@click.option(
    "--summary",
    "summary_file",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the counts of what was sent to this file, as JSON, at the end.",
)
@click.option(
    "--truth",
    "truth_file",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Let sources differ in what their clicks cause, and write to this file which click made"
    " which checkout.",
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
    """Send what happens in the simulated shop to Kafka, and keep the shop's own database.

    Ends after --count messages, or at SIGTERM or SIGINT: what was taken is delivered, and the
    counts are shown. Exits 1 if a message could not be delivered.
    """
    settings = load_settings()
    for option, file in (("--summary", summary_file), ("--truth", truth_file)):
        if file and not file.absolute().parent.is_dir():
            raise TributaryError(f"{option} = {file}: no such folder; make it first")
    start_ms = int(start.timestamp() * 1000 if start else time.time() * 1000)
    plan = Plan.of(
        settings.pipeline, start_ms=start_ms, seed=seed, rate=rate, has_truth=truth_file is not None
    )
    # Live, event time is the clock's: what a slow start, or a sleep, left behind is caught up.
    pace = speed if start else math.inf
    errors = _run(
        settings, plan, count, pace, summary_file, truth_file=truth_file, has_books=has_books
    )
    if errors:
        raise SystemExit(1)


def main() -> None:
    """Run the command; a user's mistake is one line on stderr, without a stack trace."""
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
    """Send, until the end or a signal; returns what could not be delivered, by reason."""
    stop = StopSignal()
    stop.install()
    shop = shop_of(plan)
    summary = Summary(plan)
    sink = KafkaSink(
        settings.topology.kafka.authority, (plan.clickstream_topic, plan.checkouts_topic)
    )
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
    """Show and write the counts, also where the run breaks off."""
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
    """The shop's database, filled up to the start."""
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
