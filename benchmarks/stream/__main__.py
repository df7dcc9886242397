"""Kafka to committed Iceberg tables: our job and its peers, on the same messages in the same Kafka.

    make bench [MESSAGES=1000000] [REPETITIONS=3]

Uses its own lakehouse (`.lakehouse-bench`). The contenders run one at a time, each in fresh
processes, in another order in each repetition. Medians and spread go to
benchmarks/results/stream.md. A run's CPU time is that of the processes that do the work
(TaskManager, Spark's driver and its JVM, Python). Kafka and MinIO do not count, because they do the
same work for all.
"""

from collections import defaultdict

import click

from benchmarks.stream import dataset
from benchmarks.stream.contenders import CONTENDERS, Bench, Contender
from benchmarks.stream.lakehouse import own_lakehouse
from benchmarks.stream.report import Result, write_page
from benchmarks.stream.tables import renew_tables
from configuration import REPOSITORY
from configuration.trino_client import connect_trino
from flink_jobs.lake_tables import open_catalog
from infra.install.progress import Reporter, console

STATE = REPOSITORY / ".lakehouse-bench"
WANTED = ("jobmanager", "taskmanager", "topics", "tables", "trino")


@click.command()
@click.option("--messages", default=1_000_000, show_default=True)
@click.option("--repetitions", default=3, show_default=True)
@click.option("--only", multiple=True, help="Run only contenders whose names contain this text.")
def main(messages: int, repetitions: int, only: tuple[str, ...]) -> None:
    """Measure all contenders and write a page."""
    with own_lakehouse(STATE, WANTED) as (lakehouse, environment):
        with Reporter():
            lakehouse.parts.ensure(lakehouse.parts.benchmark_steps())
        bench = Bench(lakehouse, environment)
        dataset.fill(lakehouse.settings, environment, messages)
        console.print("computing the expected answers ...")
        expected = dataset.expect(lakehouse.settings)
        chosen = [each for each in CONTENDERS if not only or any(o in each.name for o in only)]
        results: dict[str, list[Result]] = defaultdict(list)
        for repetition in range(repetitions):
            turn = repetition % len(chosen)
            for contender in (*chosen[turn:], *chosen[:turn]):
                result = measure(bench, contender, messages, expected)
                results[contender.name].append(result)
                console.print(f"  {contender.name}: {result.line()}")
        page = write_page(messages, results)
        console.print(f"\n{page.relative_to(REPOSITORY)}")


def measure(
    bench: Bench, contender: Contender, messages: int, expected: dataset.Expected
) -> Result:
    """Run one contender once, into empty tables, and check its answers."""
    settings = bench.lakehouse.settings
    catalog = open_catalog(settings, bench.lakehouse.secrets)
    renew_tables(catalog, is_upsert=contender.is_upsert)
    measured = contender.run(bench)
    score = None
    if contender.table:
        columns = ", ".join(dataset.Answer._fields)
        trino = connect_trino(settings, bench.lakehouse.secrets)
        rows = trino.query(f"select {columns} from {contender.table}")
        score = dataset.score(expected, rows)
    return Result(
        events_a_second=messages / measured.seconds,
        events_a_cpu_second=messages / measured.cpu_seconds,
        peak_mb=measured.peak_mb,
        score=score,
    )


if __name__ == "__main__":
    main()
