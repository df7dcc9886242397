"""How long the models learn from a million journeys, as the number of sources grows.

Needs a running Trino (`make run`). Creates its own table of journeys there and removes it:

    make bench-learning

Anybody can invent a source, so this must not grow without a bound. Each line has the seconds that
Trino takes for the moves between sources, the seconds that the models take, and this process's peak
memory so far.
"""

import resource
import time

import click
from rich.table import Table

from attribution_models.learning import divide, read_moves, weigh_sources
from configuration.secrets import load_secrets
from configuration.settings import load_settings
from configuration.trino_client import connect_trino
from infra.install.progress import console

JOURNEYS = "staging.benchmark_journeys"
SOURCES = (10, 100, 1_000, 10_000)
# One to five clicks. A lower number is a more frequent source, as in a shop. One in ten converts.
CREATE = f"""
create table {JOURNEYS} as
select path, count(*) as journey_count, sum(conversion_count) as conversion_count
from (
    select
        transform(
            sequence(1, 1 + number % 5),
            step -> 'source ' || cast(floor({{sources}} * pow(random(), 3)) as varchar)
        ) as path,
        if(random() < 0.1, 1, 0) as conversion_count
    from unnest(sequence(1, 1000)) as thousands (thousand)
    cross join unnest(sequence(1, {{journeys}} / 1000)) as numbers (number)
)
group by path
"""


@click.command()
@click.option("--journeys", default=1_000_000, show_default=True)
def main(journeys: int) -> None:
    """Measure each number of sources once."""
    settings = load_settings()
    trino = connect_trino(settings, load_secrets(settings))
    table = Table("sources", "paths", "moves, s", "models, s", "peak memory, MB", box=None)
    for sources in SOURCES:
        trino.query(f"drop table if exists {JOURNEYS}")
        trino.query(CREATE.format(sources=sources, journeys=journeys))
        try:
            [[paths]] = trino.query(f"select count(*) from {JOURNEYS}")
            begin = time.perf_counter()
            moves = read_moves(trino, list(divide(journeys)), JOURNEYS)
            read = time.perf_counter()
            assert list(weigh_sources(moves))
            end = time.perf_counter()
        finally:
            trino.query(f"drop table {JOURNEYS}")
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        row = (
            *(f"{sources:,}", f"{paths:,}", f"{read - begin:.1f}"),
            *(f"{end - read:.1f}", f"{megabytes:.0f}"),
        )
        console.print(*row)
        table.add_row(*row)
    console.print(table)


if __name__ == "__main__":
    main()
