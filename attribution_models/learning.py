"""Learning: reads journeys from Trino, writes each source's weight to `marts.source_credit`.

A run is one insert, so the table has all of its rows or none. A run never changes an earlier one.
docs/decisions/0019-an-hours-weights-are-those-of-its-time.md says which run credits which hour.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path as File
from typing import NamedTuple

from attribution_models.chain import Chain
from attribution_models.journeys import (
    Move,
    count_conversions,
    count_journeys,
    with_all_converted,
)
from attribution_models.markov import share_by_removal
from attribution_models.shapley import share_by_shapley
from configuration.trino_client import TrinoClient

SQL = File(__file__).with_name("sql")
# The journeys that a run learns from; removed at its end.
JOURNEYS = "staging.learning_journeys"
# Users, and sources, are divided into so many slices (2_journeys.sql, 3_frequent_sources.sql).
SLICES = 256
# About how many clicks one statement reads. Trino needs about 100 MB for them.
CLICKS_AT_ONCE = 200_000
# How many sources have a weight of their own.
KEPT_SOURCES = 50
# The first run also credits every hour before it. No event is older than this.
EARLIEST_HOUR = datetime(2000, 1, 1, tzinfo=UTC)


class SourceCredit(NamedTuple):
    """What one run of a model learnt about a source; columns as in the table.

    Attributes:
        weight: `conversion_share` divided by `journey_share`: 1 for a source whose journeys
            convert as often as others.
        conversion_share: share of all conversions that the model gives to the source.
        journey_share: the same share if every journey had converted: how present the source is.
    """

    model: str
    source: str
    weight: float
    conversion_share: float
    journey_share: float


def learn(
    trino: TrinoClient,
    now: datetime,
    interval: timedelta,
    window: timedelta,
    min_conversions: int,
) -> list[SourceCredit]:
    """Make a new run if the newest one is older than `interval`; return what it wrote.

    Learns from the journeys of the last `window`. Writes nothing until the marts were built once,
    and while fewer than `min_conversions` paid checkouts after a click are known: until then the
    models give equal shares.
    """
    trino.query((SQL / "1_source_credit.sql").read_text())
    [[definition]] = trino.query("show create table marts.source_credit")
    if "partitioning" not in definition:  # created by an earlier commit
        trino.query("alter table marts.source_credit set properties partitioning = array['model']")
    [[newest]] = trino.query("select max(computed_at) from marts.source_credit")
    if (newest and now - newest < interval) or not _has_journeys(trino):
        return []
    slices = list(divide(_count_clicks(trino, now - window)))
    try:
        copy_journeys(trino, slices)
        moves = read_moves(trino, slices)
    finally:
        trino.query(f"drop table if exists {JOURNEYS}")
    if count_conversions(moves) < min_conversions:
        return []
    credits_of_run = list(weigh_sources(moves))
    _write(trino, moves, credits_of_run, now, is_first=newest is None)
    return credits_of_run


def divide(clicks: int) -> Iterator[tuple[int, int]]:
    """Divide the slices into ranges, first and last slice, of about `CLICKS_AT_ONCE` clicks."""
    parts = min(max(1, round(clicks / CLICKS_AT_ONCE)), SLICES)
    ends = [SLICES * part // parts for part in range(parts + 1)]
    return ((first, end - 1) for first, end in pairwise(ends))


def _count_clicks(trino: TrinoClient, since: datetime) -> int:
    query = "select count(*) from staging.stg_lake__clicks where event_hour >= ?"
    [[count]] = trino.query(query, [since.replace(minute=0, second=0, microsecond=0)])
    return int(count)


def copy_journeys(trino: TrinoClient, slices: Sequence[tuple[int, int]]) -> None:
    """Write all journeys to the table `JOURNEYS`; one statement reads those of one range of users.

    Args:
        trino: a session that may write.
        slices: ranges of slices, first and last one, that `divide` returns.
    """
    trino.query(f"drop table if exists {JOURNEYS}")  # a run that was killed may have left it
    query = (SQL / "2_journeys.sql").read_text()
    for slice_ in slices:
        is_first = slice_ == slices[0]
        target = f"create table {JOURNEYS} as" if is_first else f"insert into {JOURNEYS}"
        trino.query(f"{target}\n{query}", slice_)


def read_moves(
    trino: TrinoClient, slices: Sequence[tuple[int, int]], journeys: str = JOURNEYS
) -> list[Move]:
    """Read the moves between the sources with the most journeys; the others count as one.

    Args:
        trino: a session that may read the journeys.
        slices: ranges of slices of sources; one statement counts the sources of one range.
        journeys: the table with the journeys, rows of 2_journeys.sql.
    """
    frequent = (SQL / "3_frequent_sources.sql").read_text().replace(JOURNEYS, journeys)
    counts = [row for slice_ in slices for row in trino.query(frequent, slice_)]
    counts.sort(key=lambda row: (-row[1], row[0]))
    kept = [source for source, _ in counts[:KEPT_SOURCES]]
    if not kept:
        return []
    query = (SQL / "4_moves.sql").read_text().replace(JOURNEYS, journeys)
    return [Move(*row) for row in trino.query(query, [kept])]


def weigh_sources(moves: Sequence[Move]) -> Iterator[SourceCredit]:
    """Learn the weight of each source, with both models."""
    chain, neutral = Chain(moves), Chain(with_all_converted(moves))
    for model, share in (("markov", share_by_removal), ("shapley", share_by_shapley)):
        shares, presences = share(chain).tolist(), share(neutral).tolist()
        for source, won, there in zip(chain.sources, shares, presences, strict=True):
            yield SourceCredit(model, source, won / there, won, there)


def _has_journeys(trino: TrinoClient) -> bool:
    """Whether the view of journeys exists; dbt creates it in its first build.

    A view of an older version, without slices of users, does not count: dbt replaces it in the next
    build.
    """
    return bool(
        trino.query(
            "select 1 from information_schema.columns where table_schema = 'staging'"
            " and table_name = 'int_journeys_counted_by_path' and column_name = 'user_slice'"
        )
    )


def _write(
    trino: TrinoClient,
    moves: Sequence[Move],
    credits_of_run: Sequence[SourceCredit],
    now: datetime,
    *,
    is_first: bool,
) -> None:
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    of_run = (
        count_conversions(moves),
        count_journeys(moves),
        EARLIEST_HOUR if is_first else this_hour,
        now,
    )
    rows = [(f"{now:%Y-%m-%dT%H:%M:%SZ}", *row, *of_run) for row in credits_of_run]
    places = ", ".join(f"({', '.join('?' * len(row))})" for row in rows)
    values = [value for row in rows for value in row]
    trino.query(f"insert into marts.source_credit values {places}", values)
    # Each run adds a small file, and many small files make every build slower: merge them.
    trino.query("alter table marts.source_credit execute optimize")
