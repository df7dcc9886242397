"""From a row of the shop's to its versions: every change once and in order, whatever is killed."""

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import psycopg2
import pytest
import requests

from configuration.secrets import load_secrets
from infra.install.waiting import wait_until
from infra.services.connect import CONNECTOR, SHOP_TABLES, SLOT
from infra.services.model import Lakehouse
from infra.services.postgres import connect_postgres
from reference.kafka import Outgoing
from tests.support.clients import log_in
from tests.support.kills import RECOVERY_SECONDS, kill
from tests.support.lake import COMMIT_SECONDS, HOUR_MS, Lake
from tests.support.lakehouses import RunningLakehouse
from tests.support.marts import RunDbt
from tests.support.shop_books import IDS_OF_A_BOOK, TABLES, Books, Row

# Keys of a file's books begin here, far from the producer's, and at a block for each hour of event
# time, since no two files begin at the same one.
FIRST_ID = 1_000_000
BOOKS = 20
BLOCKS = 1_000
# More than Connect takes at once (max.batch.size is 2048).
MANY_CHANGES = 6_000
PAUSE_SECONDS = 0.5
FIRST_VALID_FROM = datetime(2000, 1, 1, tzinfo=UTC)
FOR_EVER = datetime(9999, 12, 31, tzinfo=UTC)
DIMENSIONS = ("dim_users", "dim_products")


NewBooks = Callable[[], Books]


class Version(NamedTuple):
    """A row of a dimension, less its number."""

    attributes: Row
    valid_from: datetime
    valid_to: datetime
    is_current: bool


class Captured(NamedTuple):
    """A row of a raw table of changes."""

    operation: str
    row: Row
    changed_at: datetime
    source_lsn: int
    message: dict[str, Any]


# Changes of each row, by table and key.
Capture = dict[tuple[str, Row], list[Captured]]


@pytest.fixture(scope="module")
def new_books(lakehouse: RunningLakehouse, lake: Lake) -> NewBooks:
    """Makes books whose keys nobody else uses."""
    numbers = iter(range(BOOKS))
    block = lake.zero_ms // HOUR_MS % BLOCKS
    parameters = log_in(lakehouse, "shop", "shop")

    def make() -> Books:
        number = next(numbers)
        first_id = FIRST_ID + (block * BOOKS + number) * IDS_OF_A_BOOK
        return Books(parameters, seed=number, first_id=first_id)

    return make


def read_captured(lake: Lake, books: Books) -> Capture:
    """What the raw tables have of these books' changes, by table and key, in Kafka's order."""
    captured: Capture = defaultdict(list)
    for table, (key, columns) in TABLES.items():
        rows = lake.trino.query(
            f"""
            select {", ".join(columns)}, operation, changed_at, source_lsn, message
            from raw.{table}_changes
            where {books.where(table)} and operation <> 'snapshot'
            order by kafka_partition, kafka_offset
            """
        )
        for row in rows:
            *values, operation, changed_at, source_lsn, message = row
            change = Captured(operation, tuple(values), changed_at, source_lsn, json.loads(message))
            captured[table, change.row[: len(key)]].append(change)
    return captured


def check(lake: Lake, books: Books) -> Capture:
    """Wait for all of the books' changes, then for one that follows them, and compare."""

    counts = " union all ".join(
        f"select count(*) from raw.{table}_changes"
        f" where {books.where(table)} and operation <> 'snapshot'"
        for table in SHOP_TABLES
    )

    def count() -> int:
        return sum(count for [count] in lake.trino.query(counts))

    wait_until(lambda: count() >= books.count, RECOVERY_SECONDS, "all changes in the raw tables")
    books.write(20)  # whatever there is too much comes before these
    wait_until(lambda: count() >= books.count, COMMIT_SECONDS, "the last changes in the raw tables")
    captured = read_captured(lake, books)
    assert captured.keys() == books.committed.keys()
    for at, expected in books.committed.items():
        held = captured[at]
        assert [(change.operation, change.row) for change in held] == expected, at
        positions = [change.source_lsn for change in held]
        assert positions == sorted(positions), at
    return captured


@pytest.fixture(scope="module")
def books(new_books: NewBooks) -> Iterator[Books]:
    """Books with a random history, half of it after the table of users got a column."""
    books = new_books()
    books.write(100)
    books.run("alter table users add column loyalty_tier text default 'basic'")
    books.write(100)
    books.write_at_once(MANY_CHANGES)
    yield books
    books.run("alter table users drop column loyalty_tier")


def test_every_change_is_there_once_and_in_order_when_they_are_random(
    lake: Lake, books: Books
) -> None:
    started_at = datetime.now(UTC) - timedelta(hours=1)
    captured = check(lake, books)
    operations = {change.operation for changes in captured.values() for change in changes}
    assert operations == {"insert", "update", "delete"}
    times = [change.changed_at for changes in captured.values() for change in changes]
    assert started_at < min(times) <= max(times) < datetime.now(UTC) + timedelta(seconds=1)


def test_nothing_is_lost_when_the_shops_table_gets_a_column(lake: Lake, books: Books) -> None:
    captured = check(lake, books)
    tiers = [
        change.message.get("loyalty_tier")
        for (table, _), changes in captured.items()
        for change in changes
        if table == "users"
    ]
    assert set(tiers) == {None, "basic"}


@pytest.fixture(scope="module")
def built(dbt_on_lake: RunDbt, lake: Lake, books: Books) -> Capture:
    """The books' changes, all of which the dimensions are built from."""
    captured = check(lake, books)
    dbt_on_lake("run", *DIMENSIONS)
    return captured


def test_dimensions_are_the_replay_of_the_changes_when_the_marts_are_built(
    lake: Lake, built: Capture
) -> None:
    for table in ("users", "products"):
        held = read_dimension(lake, table)
        for (of_table, key), changes in built.items():
            if of_table == table:
                assert held.get(key, []) == replay(table, changes), key


def replay(table: str, changes: list[Captured]) -> list[Version]:
    """Versions as anybody would make them with a pencil."""
    versions: list[Version] = []
    state: Row | None = None
    is_first = True
    for change in changes:
        after = None if change.operation == "delete" else attributes_of(table, change.row)
        if after == state and not is_first:
            continue
        if state is not None:
            versions[-1] = versions[-1]._replace(valid_to=change.changed_at, is_current=False)
        if after is not None:
            begin = FIRST_VALID_FROM if is_first else change.changed_at
            versions.append(Version(after, begin, FOR_EVER, True))
        state, is_first = after, False
    return versions


def attributes_of(table: str, row: Row) -> Row:
    """What a version shows: the row without its key and `updated_at`."""
    assert TABLES[table][1][-1] == "updated_at"
    return row[1:-1]


def read_dimension(lake: Lake, table: str) -> dict[Row, list[Version]]:
    """Versions by key, in their order."""
    columns = TABLES[table][1][:-1]
    names = {"full_name": "user_name", "created_at": "signed_up_at"}
    selected = ", ".join(names.get(column, column) for column in columns)
    rows = lake.trino.query(
        f"""
        select {selected}, valid_from, valid_to, is_current
        from marts.dim_{table}
        order by {columns[0]}, version_number
        """
    )
    versions: dict[Row, list[Version]] = defaultdict(list)
    for row in rows:
        versions[row[:1]].append(Version(row[1:-3], *row[-3:]))
    return versions


def test_one_version_holds_when_a_row_is_asked_as_of_any_time(lake: Lake, built: Capture) -> None:
    versions = read_dimension(lake, "users")
    for (table, key), changes in built.items():
        if table != "users":
            continue
        times = [change.changed_at for change in changes]
        for at in [*times, *(time - timedelta(milliseconds=1) for time in times), FIRST_VALID_FROM]:
            past = [change for change in changes if change.changed_at <= at] or changes[:1]
            expected = [] if past[-1].operation == "delete" else [past[-1].row[1:-1]]
            holding = [
                version.attributes
                for version in versions.get(key, [])
                if version.valid_from <= at < version.valid_to
            ]
            assert holding == expected, (key, at)


def test_current_versions_are_the_database_when_the_marts_are_built(
    lake: Lake, own: Lakehouse, built: Capture
) -> None:
    assert built
    for table in ("users", "products"):
        columns = TABLES[table][1][:-1]
        in_shop = {row[:1]: row[1:] for row in read_shop(own, table, columns)}
        current = {
            key: versions[-1].attributes
            for key, versions in read_dimension(lake, table).items()
            if versions[-1].is_current
        }
        assert without_other_books(table, current, built) == without_other_books(
            table, in_shop, built
        )
    spend = lake.trino.query(
        """
        select spend_hour, source, campaign, spend_usd
        from staging.int_ad_spend_by_hour
        where spend_usd > 0
        """
    )
    in_shop_now = read_shop(own, "ad_spend", TABLES["ad_spend"][1])
    assert sorted(spend) == sorted(row for row in in_shop_now if row[-1] > 0)


def without_other_books(table: str, rows: dict[Row, Row], built: Capture) -> dict[Row, Row]:
    """Without rows of books that another test may have written since these were built."""
    return {key: row for key, row in rows.items() if key < (FIRST_ID,) or (table, key) in built}


def read_shop(own: Lakehouse, table: str, columns: Any) -> list[Row]:
    """The table itself."""
    with closing(connect_postgres(own, "shop")) as connection, connection.cursor() as cursor:
        cursor.execute("set time zone 'UTC'")
        cursor.execute(f"select {', '.join(columns)} from {table}")
        return list(cursor.fetchall())


def test_message_is_quarantined_when_it_is_no_change(lake: Lake) -> None:
    topic = lake.topics.changes("users")
    good = {"user_id": 7, "__op": "c", "__source_ts_ms": 1, "__source_lsn": 1}
    cases = [
        (b"{", "message"),
        (b"", "message"),
        (json.dumps({**good, "user_id": "7"}).encode(), "user_id"),
        (json.dumps({**good, "user_id": None}).encode(), "user_id"),
        (json.dumps({**good, "created_at": "yesterday"}).encode(), "created_at"),
        (json.dumps({**good, "birth_date": 3_000_000}).encode(), "birth_date"),
        (json.dumps({**good, "__op": "t"}).encode(), "__op"),
        (json.dumps({**good, "__source_lsn": None}).encode(), "__source_lsn"),
    ]
    first = lake.kafka.count([topic])[topic, 0]
    lake.kafka.send(Outgoing(topic, 0, b"7", body) for body, _ in cases)

    def quarantined() -> list[tuple[bytes, str]]:
        rows = lake.trino.query(
            f"""
            select body, split_part(reason, ':', 1)
            from raw.quarantine
            where topic = '{topic}' and kafka_offset >= {first}
            order by kafka_offset
            """
        )
        return [(bytes(body), reason) for body, reason in rows]

    wait_until(lambda: len(quarantined()) >= len(cases), COMMIT_SECONDS, "rows in raw.quarantine")
    assert quarantined() == cases


def test_shop_refuses_when_a_table_would_be_truncated(books: Books) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        books.run("truncate users")


@pytest.mark.parametrize(
    ("database", "statement"),
    [
        ("shop", "delete from users"),
        ("shop", "update products set category = 'toys'"),
        ("shop", "create table mine (a int)"),
        ("catalog", "select 1"),
    ],
)
def test_debezium_is_refused_when_it_does_more_than_read_the_shop(
    lakehouse: RunningLakehouse, database: str, statement: str
) -> None:
    parameters = log_in(lakehouse, "debezium", database)
    with (
        pytest.raises(psycopg2.Error, match="permission denied"),
        closing(psycopg2.connect(**parameters)) as connection,
    ):
        connection.cursor().execute(statement)


def test_no_secret_is_told_when_connect_is_asked(lakehouse: RunningLakehouse) -> None:
    url = f"{lakehouse.settings.topology.connect.url}/connectors/{CONNECTOR}"
    told = "".join(requests.get(url + path, timeout=30).text for path in ("", "/config", "/tasks"))
    assert "${env:DEBEZIUM_PASSWORD}" in told
    secrets = load_secrets(lakehouse.settings).model_dump()
    assert [name for name, secret in secrets.items() if secret in told] == []


def test_slot_is_read_when_nothing_changes_in_the_shop(
    lakehouse: RunningLakehouse, own: Lakehouse
) -> None:
    """Other databases write to the same log: a heartbeat moves the slot past what they wrote."""
    with closing(connect_postgres(own)) as connection, connection.cursor() as cursor:
        cursor.execute("select pg_current_wal_lsn()::text")
        [[written]] = cursor.fetchall()

        def is_past() -> bool:
            cursor.execute(
                "select confirmed_flush_lsn > %s::pg_lsn from pg_replication_slots", [written]
            )
            return cursor.fetchall() == [(True,)]

        wait_until(is_past, COMMIT_SECONDS, "the slot to pass what was written")
    capture = lakehouse.status()["capture"]
    assert capture["connector"]["state"] == "running"
    assert (capture["slot"]["is_active"], capture["warning"]) == (True, "")


@contextmanager
def being_written(books: Books) -> Iterator[None]:
    """Transactions are committed at a steady rate, small and large ones.

    At a rate, for a fast machine would fill the lake with more than its Trino has memory for.
    """
    is_over = threading.Event()

    def write() -> None:
        while not is_over.wait(PAUSE_SECONDS):
            books.write(20)
            books.write_at_once(MANY_CHANGES // 50)

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(write)
        try:
            yield
        finally:
            is_over.set()
        writer.result(RECOVERY_SECONDS)


@pytest.fixture
def housekeeping(lakehouse: RunningLakehouse) -> Iterator[None]:
    """The schedule runs, which starts a change capture that failed again."""
    lakehouse.start_service("housekeeping")
    yield
    lakehouse.stop_service("housekeeping")


@pytest.mark.usefixtures("housekeeping")
@pytest.mark.parametrize(
    "service",
    [
        "connect",
        *(
            pytest.param(name, marks=pytest.mark.thorough)
            for name in ("postgres", "kafka", "taskmanager")
        ),
    ],
)
def test_no_change_is_lost_or_doubled_when_it_is_killed_at_work(
    lakehouse: RunningLakehouse, lake: Lake, new_books: NewBooks, service: str
) -> None:
    books = new_books()
    with being_written(books):
        kill(lakehouse, [service])
    check(lake, books)


@pytest.mark.thorough
def test_changes_wait_in_the_log_when_connect_is_away(
    lakehouse: RunningLakehouse, lake: Lake, new_books: NewBooks
) -> None:
    books = new_books()
    lakehouse.stop_service("connect")
    books.write(20)
    assert "nobody reads the slot" in lakehouse.status()["capture"]["warning"]
    lakehouse.start()
    check(lake, books)
    assert lakehouse.status()["capture"]["warning"] == ""


@pytest.mark.thorough
def test_rows_that_are_there_become_a_snapshot_when_the_capture_begins(
    lakehouse: RunningLakehouse,
    lake: Lake,
    own: Lakehouse,
    built: Capture,
    dbt_on_lake: RunDbt,
) -> None:
    """As at the first start: without a slot and without a position; the runbook's remedy too."""
    assert built
    dbt_on_lake("run", *DIMENSIONS)  # the last build may lack the newest changes
    before = read_dimension(lake, "users")
    topic = lake.topics.changes("users")
    first = lake.kafka.count([topic])[topic, 0]
    forget_position(own)
    lakehouse.start()
    in_shop = read_shop(own, "users", TABLES["users"][1])

    def snapshot() -> list[Row]:
        columns = ", ".join(TABLES["users"][1])
        return lake.trino.query(
            f"select {columns} from raw.users_changes"
            f" where operation = 'snapshot' and kafka_offset >= {first}"
        )

    wait_until(lambda: len(snapshot()) >= len(in_shop), COMMIT_SECONDS, "a snapshot of the users")
    assert sorted(snapshot()) == sorted(in_shop)
    dbt_on_lake("run", *DIMENSIONS)
    after = read_dimension(lake, "users")
    assert {key: after[key] for key in before} == before


def forget_position(own: Lakehouse) -> None:
    """Take the connector's position and PostgreSQL's slot away."""
    url = f"{own.settings.topology.connect.url}/connectors/{CONNECTOR}"
    requests.put(f"{url}/stop", timeout=30).raise_for_status()

    def has_ended() -> bool:
        return bool(requests.get(f"{url}/status", timeout=30).json()["tasks"] == [])

    wait_until(has_ended, COMMIT_SECONDS, "the connector's task to end")
    requests.delete(f"{url}/offsets", timeout=30).raise_for_status()
    with closing(connect_postgres(own)) as connection, connection.cursor() as cursor:
        cursor.execute("select pg_drop_replication_slot(%s)", [SLOT])
        connection.commit()
    requests.put(f"{url}/resume", timeout=30).raise_for_status()
