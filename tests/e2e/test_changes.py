"""Change capture: every change of the shop's rows once and in order, whatever is killed."""

import json
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import psycopg2
import pytest
import requests

from configuration.waiting import wait_until
from infra.services.connect import (
    CONNECTOR,
    PUBLICATION,
    RECOVERED_SECONDS,
    SHOP_TABLES,
    SLOT,
    rest_login,
)
from infra.services.model import Lakehouse
from infra.services.postgres import connect_postgres
from reference.kafka import Outgoing
from tests.support.clients import log_in
from tests.support.kills import RECOVERY_SECONDS, kill
from tests.support.lake import COMMIT_SECONDS, HOUR_MS, Lake
from tests.support.lakehouses import RunningLakehouse
from tests.support.marts import RunDbt
from tests.support.shop_books import IDS_OF_A_BOOK, TABLES, Books, Row

# Keys of books begin here, far above the producer's. Each hour of event time has its own block of
# keys, because no two test files begin at the same hour.
FIRST_ID = 1_000_000
BOOKS = 20
BLOCKS = 1_000
# More than one batch of Connect (max.batch.size is 2048).
MANY_CHANGES = 6_000
PAUSE_SECONDS = 0.5
# Each takes some seconds, so together they see the connector before and after a restart.
READINGS = 5
FIRST_VALID_FROM = datetime(2000, 1, 1, tzinfo=UTC)
FOR_EVER = datetime(9999, 12, 31, tzinfo=UTC)
DIMENSIONS = ("dim_users", "dim_products")


NewBooks = Callable[[], Books]
Run = Callable[..., None]


class Version(NamedTuple):
    """A row of a dimension, without its version number."""

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


# The changes of each row, by table and key.
Capture = dict[tuple[str, Row], list[Captured]]


@pytest.fixture(scope="module")
def new_books(lakehouse: RunningLakehouse, lake: Lake) -> NewBooks:
    """Makes books whose keys nothing else uses."""
    numbers = iter(range(BOOKS))
    block = lake.zero_ms // HOUR_MS % BLOCKS
    parameters = log_in(lakehouse, "shop", "shop")

    def make() -> Books:
        number = next(numbers)
        first_id = FIRST_ID + (block * BOOKS + number) * IDS_OF_A_BOOK
        return Books(parameters, seed=number, first_id=first_id)

    return make


def read_captured(lake: Lake, books: Books) -> Capture:
    """These books' changes in the raw tables, by table and key, in Kafka's order."""
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
    """Wait for all of the books' changes, then for some more, and compare."""

    counts = " union all ".join(
        f"select count(*) from raw.{table}_changes"
        f" where {books.where(table)} and operation <> 'snapshot'"
        for table in SHOP_TABLES
    )

    def count() -> int:
        return sum(count for [count] in lake.trino.query(counts))

    wait_until(lambda: count() >= books.count, RECOVERY_SECONDS, "all changes in the raw tables")
    books.write(20)  # any surplus change is captured before these
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
    """Books with random changes, half of them after the table of users got a column."""
    books = new_books()
    books.write(100)
    books.run("alter table users add column loyalty_tier text default 'basic'")
    books.write(100)
    books.write_at_once(MANY_CHANGES)
    yield books
    books.run("alter table users drop column loyalty_tier")


@pytest.fixture(scope="module")
def captured(lake: Lake, books: Books) -> Capture:
    """The books' changes. Nothing writes to these books later, so the shop keeps their rows."""
    return check(lake, books)


def test_every_random_change_is_captured_once_and_in_order(captured: Capture) -> None:
    started_at = datetime.now(UTC) - timedelta(hours=1)
    operations = {change.operation for changes in captured.values() for change in changes}
    assert operations == {"insert", "update", "delete"}
    times = [change.changed_at for changes in captured.values() for change in changes]
    assert started_at < min(times) <= max(times) < datetime.now(UTC) + timedelta(seconds=1)


def test_no_change_is_lost_when_a_shop_table_gets_a_column(captured: Capture) -> None:
    tiers = [
        change.message.get("loyalty_tier")
        for (table, _), changes in captured.items()
        for change in changes
        if table == "users"
    ]
    assert set(tiers) == {None, "basic"}


@pytest.fixture(scope="module")
def built(dbt_on_lake: RunDbt, captured: Capture) -> Capture:
    """The books' changes, after the dimensions were built from all of them."""
    dbt_on_lake("run", *DIMENSIONS)
    return captured


def test_dimensions_equal_a_replay_of_the_changes(lake: Lake, built: Capture) -> None:
    for table in ("users", "products"):
        held = read_dimension(lake, table)
        for (of_table, key), changes in built.items():
            if of_table == table:
                assert held.get(key, []) == replay(table, changes), key


def replay(table: str, changes: list[Captured]) -> list[Version]:
    """The versions that one would derive from the changes by hand."""
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
    """The attributes in a version: the row without its key and `updated_at`."""
    assert TABLES[table][1][-1] == "updated_at"
    return row[1:-1]


def read_dimension(lake: Lake, table: str) -> dict[Row, list[Version]]:
    """Versions by key, in order of version number."""
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


def test_exactly_the_right_version_is_valid_at_any_time(lake: Lake, built: Capture) -> None:
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


def test_current_versions_equal_the_shops_database(
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
    """The rows, without those of books that another test may have written since the build."""
    return {key: row for key, row in rows.items() if key < (FIRST_ID,) or (table, key) in built}


def read_shop(own: Lakehouse, table: str, columns: Any) -> list[Row]:
    """The rows of the shop's table in PostgreSQL."""
    with closing(connect_postgres(own, "shop")) as connection, connection.cursor() as cursor:
        cursor.execute("set time zone 'UTC'")
        cursor.execute(f"select {', '.join(columns)} from {table}")
        return list(cursor.fetchall())


def test_malformed_change_messages_are_quarantined(lake: Lake) -> None:
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
    first = lake.kafka.ends([topic])[topic, 0]
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


@pytest.fixture
def shop(lakehouse: RunningLakehouse) -> Iterator[Run]:
    """Runs a statement in the shop's database, as the shop; each one is a transaction."""
    with closing(psycopg2.connect(**log_in(lakehouse, "shop", "shop"))) as connection:
        connection.autocommit = True
        yield connection.cursor().execute


USER = "insert into users values (%s, %s, 'female', %s, 'DE', %s, now())"
PRODUCT = "insert into products values (%s, 'odd', 'toys', %s, %s, now())"


def test_row_that_cannot_be_read_is_quarantined_and_later_changes_flow(
    lake: Lake, dbt_on_lake: RunDbt, shop: Run
) -> None:
    """Each of these rows is allowed by its table. It is mended or deleted afterwards."""
    first_id = FIRST_ID + (BLOCKS * BOOKS + lake.zero_ms // HOUR_MS % BLOCKS) * IDS_OF_A_BOOK
    ids = iter(range(first_id, first_id + IDS_OF_A_BOOK))
    good_user = ("odd", "2000-01-01", "2026-01-01")
    odd_users: dict[int, tuple[str, tuple[Any, ...]]] = {
        next(ids): ("full_name", ("n" * 1_100_000, *good_user[1:])),
        next(ids): (
            "full_name",
            ("😀" * (lake.pipeline.changes.max_characters + 1), *good_user[1:]),
        ),
        next(ids): ("birth_date", ("odd", "infinity", "2026-01-01")),
        next(ids): ("birth_date", ("odd", "0044-03-15 BC", "2026-01-01")),
        next(ids): ("created_at", ("odd", "2000-01-01", "-infinity")),
    }
    odd_products: dict[int, tuple[str, tuple[Any, ...]]] = {
        next(ids): ("unit_price_usd", ("NaN", 1)),
        next(ids): ("unit_cost_usd", (1, "NaN")),
    }
    mended, deleted = next(ids), next(ids)
    topics = [lake.topics.changes(table) for table in ("users", "products")]
    begin = lake.kafka.ends(topics)
    for user_id, (_, values) in odd_users.items():
        shop(USER, (user_id, *values))
    for product_id, (_, values) in odd_products.items():
        shop(PRODUCT, (product_id, *values))
    shop(USER, (mended, *good_user))
    shop("update users set full_name = %s where user_id = %s", ("n" * 20_000, mended))
    shop("update users set full_name = 'mended' where user_id = %s", (mended,))
    shop(USER, (deleted, *good_user))
    shop("update users set birth_date = 'infinity' where user_id = %s", (deleted,))
    for table, key, odd in (
        ("users", "user_id", [*odd_users, deleted]),
        ("products", "product_id", odd_products),
    ):
        shop(f"delete from {table} where {key} in %s", (tuple(odd),))
    longest = "😀" * lake.pipeline.changes.max_characters
    last = next(ids)
    shop(USER, (last, longest, *good_user[1:]))

    def read_users() -> list[Any]:
        return lake.trino.query(
            "select user_id, operation, full_name from raw.users_changes"
            f" where user_id between {first_id} and {last} order by kafka_offset"
        )

    wait_until(
        lambda: [last, "insert", longest] in map(list, read_users()),
        COMMIT_SECONDS,
        "the change after the odd ones",
    )
    quarantined = Counter(
        (json.loads(key).popitem()[1], field)
        for topic in topics
        for key, field in lake.trino.query(
            "select from_utf8(message_key), split_part(reason, ':', 1) from raw.quarantine"
            f" where topic = '{topic}' and kafka_offset >= {begin[topic, 0]}"
        )
    )
    expected = [(at, field) for at, (field, _) in (odd_users | odd_products).items()]
    assert quarantined == Counter([*expected, (mended, "full_name"), (deleted, "birth_date")])
    assert Counter((user_id, operation) for user_id, operation, _ in read_users()) == Counter(
        [
            (mended, "insert"),
            (mended, "update"),
            (deleted, "insert"),
            *((user_id, "delete") for user_id in [*odd_users, deleted]),
            (last, "insert"),
        ]
    )
    dbt_on_lake("run", *DIMENSIONS)
    current = lake.trino.query(
        "select user_id, user_name from marts.dim_users"
        f" where is_current and user_id between {first_id} and {last} order by user_id"
    )
    assert [tuple(row) for row in current] == [(mended, "mended"), (last, longest)]
    shop("delete from users where user_id in %s", ((mended, last),))


def test_status_names_a_column_that_the_shop_has_renamed(
    lakehouse: RunningLakehouse, shop: Run
) -> None:
    wait_for_warning(lakehouse, "")
    shop("alter table users rename country to land")
    try:
        wait_for_warning(lakehouse, "no column users.country")
    finally:
        shop("alter table users rename land to country")


def test_shop_user_may_not_truncate_a_table(books: Books) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        books.run("truncate users")


@pytest.mark.parametrize(
    "statement",
    [
        "delete from users",
        "update products set category = 'toys'",
        "create table mine (a int)",
    ],
)
def test_debezium_may_only_read_the_shop(lakehouse: RunningLakehouse, statement: str) -> None:
    parameters = log_in(lakehouse, "debezium", "shop")
    with (
        pytest.raises(psycopg2.Error, match="permission denied"),
        closing(psycopg2.connect(**parameters)) as connection,
    ):
        connection.cursor().execute(statement)


def test_connect_api_reveals_no_secret(own: Lakehouse) -> None:
    connect = log_in_to_connect(own)
    url = f"{own.settings.topology.connect.url}/connectors/{CONNECTOR}"
    told = "".join(connect.get(url + path, timeout=30).text for path in ("", "/config", "/tasks"))
    assert "${env:DEBEZIUM_PASSWORD}" in told
    secrets = own.secrets.model_dump()
    assert [name for name, secret in secrets.items() if secret in told] == []


def log_in_to_connect(own: Lakehouse) -> requests.Session:
    """A session that sends the login of Connect's REST API."""
    session = requests.Session()
    session.auth = rest_login(own.secrets)
    return session


def test_replication_slot_advances_when_nothing_changes_in_the_shop(
    lakehouse: RunningLakehouse, own: Lakehouse
) -> None:
    """Other databases write to the same log, so a heartbeat moves the slot past their records."""
    with closing(connect_postgres(own)) as connection, connection.cursor() as cursor:
        cursor.execute("select pg_current_wal_lsn()::text")
        [[written]] = cursor.fetchall()

        def is_past() -> bool:
            cursor.execute(
                "select confirmed_flush_lsn > %s::pg_lsn from pg_replication_slots", [written]
            )
            return cursor.fetchall() == [(True,)]

        wait_until(is_past, COMMIT_SECONDS, "the slot to pass what was written")
    wait_for_warning(lakehouse, "")
    capture = lakehouse.status()["capture"]
    assert (capture["connector"]["state"], capture["slot"]["is_active"]) == ("running", True)


@contextmanager
def being_written(books: Books) -> Iterator[None]:
    """Commit small and large transactions at a steady rate.

    The rate is limited, because a fast machine would write more than Trino has memory for.
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
    """Run housekeeping, which restarts a failed change capture."""
    lakehouse.start_service("housekeeping")
    yield
    lakehouse.stop_service("housekeeping")


@pytest.mark.thorough
@pytest.mark.usefixtures("housekeeping")
def test_status_of_a_capture_that_fails_again_and_again_says_so_all_the_time(
    lakehouse: RunningLakehouse, lake: Lake, own: Lakehouse, new_books: NewBooks
) -> None:
    """Without its publication the connector starts, fails, and is restarted."""
    books = new_books()
    wait_for_warning(lakehouse, "")
    rename_publication(own, PUBLICATION, "hidden")
    try:
        wait_until(
            lambda: (lakehouse.status()["capture"]["failures"] or {"count": 0})["count"] > 1,
            RECOVERED_SECONDS + COMMIT_SECONDS,
            "a second failure",
        )
        for _ in range(READINGS):
            capture = lakehouse.status()["capture"]
            assert capture["connector"]["state"] == "failing"
            assert capture["failures"]["reason"] in capture["warning"]
    finally:
        rename_publication(own, "hidden", PUBLICATION)
    books.write(20)
    check(lake, books)
    wait_for_warning(lakehouse, "")


def rename_publication(own: Lakehouse, old: str, new: str) -> None:
    """Rename it, and end Debezium's connection, so that it notices."""
    with closing(connect_postgres(own, "shop")) as connection, connection.cursor() as cursor:
        cursor.execute(f"alter publication {old} rename to {new}")
        connection.commit()
        cursor.execute("select pg_terminate_backend(active_pid) from pg_replication_slots")


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
def test_no_change_is_lost_or_doubled_when_a_service_is_killed(
    lakehouse: RunningLakehouse, lake: Lake, new_books: NewBooks, service: str
) -> None:
    books = new_books()
    with being_written(books):
        kill(lakehouse, [service])
    check(lake, books)


@pytest.mark.thorough
def test_changes_wait_in_the_log_while_connect_is_stopped(
    lakehouse: RunningLakehouse, lake: Lake, new_books: NewBooks
) -> None:
    books = new_books()
    lakehouse.stop_service("connect")
    books.write(20)
    wait_for_warning(lakehouse, "nobody reads the slot")
    lakehouse.start()
    check(lake, books)
    wait_for_warning(lakehouse, "")


def wait_for_warning(lakehouse: RunningLakehouse, words: str) -> None:
    """Wait until the capture's warning contains these words; '' stands for no warning."""

    def is_shown() -> bool:
        warning = lakehouse.status()["capture"]["warning"]
        return words in warning if words else not warning

    # A connector that failed in an earlier test counts as failing until it has run for a while.
    wait_until(is_shown, RECOVERED_SECONDS + COMMIT_SECONDS, f"the warning {words!r}")


@pytest.mark.thorough
def test_change_capture_begins_with_a_snapshot_of_existing_rows(
    lakehouse: RunningLakehouse,
    lake: Lake,
    own: Lakehouse,
    built: Capture,
    dbt_on_lake: RunDbt,
) -> None:
    """There is no slot and no position, as at the first start and after the runbook's remedy."""
    assert built
    dbt_on_lake("run", *DIMENSIONS)  # the last build may lack the newest changes
    before = read_dimension(lake, "users")
    topic = lake.topics.changes("users")
    first = lake.kafka.ends([topic])[topic, 0]
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
    """Delete the connector's position and PostgreSQL's slot."""
    url = f"{own.settings.topology.connect.url}/connectors/{CONNECTOR}"
    connect = log_in_to_connect(own)
    connect.put(f"{url}/stop", timeout=30).raise_for_status()

    def has_ended() -> bool:
        return bool(connect.get(f"{url}/status", timeout=30).json()["tasks"] == [])

    wait_until(has_ended, COMMIT_SECONDS, "the connector's task to end")
    connect.delete(f"{url}/offsets", timeout=30).raise_for_status()
    with closing(connect_postgres(own)) as connection, connection.cursor() as cursor:
        cursor.execute("select pg_drop_replication_slot(%s)", [SLOT])
        connection.commit()
    connect.put(f"{url}/resume", timeout=30).raise_for_status()
