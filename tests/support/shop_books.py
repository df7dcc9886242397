"""Random changes of the shop's tables, and the changes that must be captured.

A `Books` object writes transactions to PostgreSQL as the shop would, rolls some of them back, and
remembers what was committed, row by row. If the connection breaks during a commit, it asks
PostgreSQL afterwards whether the commit succeeded. Keys begin at `first_id`, so that several books
and the producer use different rows.
"""

import random
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import psycopg2
from psycopg2.extensions import connection, cursor
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

# Table: key, columns.
TABLES = {
    "users": (
        ("user_id",),
        (
            *("user_id", "full_name", "gender", "birth_date", "country"),
            *("created_at", "updated_at"),
        ),
    ),
    "products": (
        ("product_id",),
        (
            *("product_id", "product_name", "category", "unit_price_usd", "unit_cost_usd"),
            "updated_at",
        ),
    ),
    "ad_spend": (
        ("spend_hour", "source", "campaign"),
        ("spend_hour", "source", "campaign", "spend_usd"),
    ),
}
FIRST_HOUR = datetime(2030, 1, 1, tzinfo=UTC)
IDS_OF_A_BOOK = 1_000
RECONNECT_SECONDS = 300
COUNTRIES = ("Peru", "Chad", "Côte d'Ivoire", "日本")
# Too long for PostgreSQL to store inside the row: an update of other columns does not log it.
LONG_NAME_LETTERS = 6_000

Row = tuple[Any, ...]


class Change(NamedTuple):
    """One change: the operation, and the row after it (for a delete, the row before it)."""

    operation: str
    row: Row


@dataclass
class Books:
    """Writes to the shop's database; `committed` has each row's changes by table and key."""

    parameters: dict[str, Any]
    seed: int
    first_id: int
    committed: dict[tuple[str, Row], list[Change]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        self._rows: dict[tuple[str, Row], Row] = {}
        self._connection: connection | None = None

    @property
    def count(self) -> int:
        """Number of committed changes."""
        return sum(map(len, self.committed.values()))

    def where(self, table: str) -> str:
        """SQL's condition for rows of these books."""
        if table == "ad_spend":
            first, last = (self._hour(number) for number in (0, IDS_OF_A_BOOK - 1))
            return (
                f"spend_hour between timestamp '{first:%F %T} UTC' and timestamp '{last:%F %T} UTC'"
            )
        [key] = TABLES[table][0]
        return f"{key} between {self.first_id} and {self.first_id + IDS_OF_A_BOOK - 1}"

    def write(self, transactions: int, changes: int = 6) -> None:
        """Write transactions of at most `changes` changes each; roll some of them back."""
        for _ in range(transactions):
            self._transact(self._rng.randint(1, changes), is_kept=self._rng.random() > 0.1)

    def write_at_once(self, changes: int) -> None:
        """Write one transaction with more changes than fit one batch of Connect."""
        self._transact(changes, is_kept=True)

    def run(self, statement: str) -> None:
        """Run a statement as the shop's user, such as one that alters a table."""
        with closing(self._connect()) as session, session, session.cursor() as open_cursor:
            open_cursor.execute(statement)

    def _transact(self, changes: int, *, is_kept: bool) -> None:
        """Write one whole transaction; repeat it if the connection broke before the commit."""
        state = self._rng.getstate()
        while True:
            rows = dict(self._rows)
            self._rng.setstate(state)
            done, transaction_id = self._try_to_transact(rows, changes, is_kept=is_kept)
            if done is None and transaction_id and self._was_committed(transaction_id):
                done = self._replayed
            if done is not None:
                break
        if is_kept:
            self._rows = rows
            for table, key, change in done:
                self.committed[table, key].append(change)

    def _try_to_transact(
        self, rows: dict[tuple[str, Row], Row], changes: int, *, is_kept: bool
    ) -> tuple[list[tuple[str, Row, Change]] | None, str]:
        """Return the changes, or None if the connection broke; and PostgreSQL's transaction id."""
        transaction_id = ""
        try:
            self._connection = self._connection or self._connect()
            with self._connection.cursor() as open_cursor:
                open_cursor.execute("select pg_current_xact_id()::text")
                [transaction_id] = open_cursor.fetchone() or [""]
                self._replayed = [
                    step for _ in range(changes) for step in self._change(open_cursor, rows)
                ]
            if is_kept:
                self._connection.commit()
            else:
                self._connection.rollback()
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            with suppress(psycopg2.Error):
                if self._connection:
                    self._connection.close()
            self._connection = None
            return None, transaction_id
        return self._replayed, transaction_id

    def _was_committed(self, transaction_id: str) -> bool:
        with closing(self._connect()) as session, session.cursor() as open_cursor:
            try:
                open_cursor.execute("select pg_xact_status(%s::xid8)", [transaction_id])
            except psycopg2.errors.InvalidParameterValue:  # unknown id: nothing of it was logged
                return False
            [status] = open_cursor.fetchone() or [None]
        assert status in ("committed", "aborted", None), status
        return bool(status == "committed")

    def _connect(self) -> connection:
        patience = Retrying(
            retry=retry_if_exception_type(psycopg2.OperationalError),
            stop=stop_after_delay(RECONNECT_SECONDS),
            wait=wait_fixed(0.2),
            reraise=True,
        )
        session: connection = patience(psycopg2.connect, **self.parameters)
        return session

    # --- One change -----------------------------------------------------------------------

    def _change(
        self, open_cursor: cursor, rows: dict[tuple[str, Row], Row]
    ) -> Iterator[tuple[str, Row, Change]]:
        """Change a random row of a random table; yield the resulting changes."""
        table = self._rng.choice(list(TABLES))
        number = self._rng.randrange(12)
        key = self._key(table, number)
        before = rows.get((table, key))
        if before is None:
            after = self._row(table, key)
            _insert(open_cursor, table, after)
            rows[table, key] = after
            yield table, key, Change("insert", after)
        elif self._rng.random() < 0.25:
            _delete(open_cursor, table, key)
            del rows[table, key]
            yield table, key, Change("delete", before)
        elif self._rng.random() < 0.1:
            yield from self._move(open_cursor, rows, table, key, before)
        else:
            after = self._changed(table, before)
            _update(open_cursor, table, before, after)
            rows[table, key] = after
            yield table, key, Change("update", after)

    def _move(
        self,
        open_cursor: cursor,
        rows: dict[tuple[str, Row], Row],
        table: str,
        key: Row,
        before: Row,
    ) -> Iterator[tuple[str, Row, Change]]:
        """Give a row another key, which is a delete of the old row and an insert of the new one."""
        to = self._key(table, 100 + self._rng.randrange(12))
        if (table, to) in rows:
            return
        after = (*to, *before[len(to) :])
        _update(open_cursor, table, before, after)
        del rows[table, key]
        rows[table, to] = after
        yield table, key, Change("delete", before)
        yield table, to, Change("insert", after)

    def _key(self, table: str, number: int) -> Row:
        if table == "ad_spend":
            return (self._hour(number // 2), f"source {number % 2}", "campaign")
        return (self.first_id + number,)

    def _hour(self, number: int) -> datetime:
        return FIRST_HOUR + timedelta(hours=self.first_id + number)

    def _row(self, table: str, key: Row) -> Row:
        if table == "users":
            day = date(1900, 1, 1) + timedelta(days=self._rng.randrange(50_000))
            signed_up_at = datetime(2020, 1, 1, 0, 0, 0, self._rng.randrange(10**6), tzinfo=UTC)
            return (*key, self._name(), "female", day, self._country(), signed_up_at, _now())
        if table == "products":
            return (*key, self._name(), "toys", self._money(), self._money(), _now())
        return (*key, self._money())

    def _changed(self, table: str, row: Row) -> Row:
        """The row with one change; sometimes unchanged, for an update without effect."""
        if self._rng.random() < 0.1:
            return row
        if table == "users":
            return (*row[:4], self._country(), row[5], _now())
        if table == "products":
            return (*row[:3], self._money(), row[4], _now())
        return (*row[:3], self._money())

    def _name(self) -> str:
        if self._rng.random() < 0.2:
            return "".join(self._rng.choices("abcdefghijklmnopqrstuvwxyz", k=LONG_NAME_LETTERS))
        return self._rng.choice(["Ada", 'quo"ted', "back\\slash", "new\nline", "😀", ""])

    def _country(self) -> str:
        return self._rng.choice(COUNTRIES)

    def _money(self) -> Decimal:
        return Decimal(self._rng.choice([0, 10, 99, 12_345, 999_999_999_999])) / 100


def _now() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)


def _insert(open_cursor: cursor, table: str, row: Row) -> None:
    _, columns = TABLES[table]
    places = ", ".join(["%s"] * len(row))
    open_cursor.execute(f"insert into {table} ({', '.join(columns)}) values ({places})", row)


def _update(open_cursor: cursor, table: str, before: Row, after: Row) -> None:
    """Set only the columns that differ; if none does, set the key to its current value."""
    names, columns = TABLES[table]
    pairs = zip(columns, before, after, strict=True)
    news = {name: new for name, old, new in pairs if new != old} or {names[0]: after[0]}
    values = ", ".join(f"{name} = %s" for name in news)
    where = " and ".join(f"{name} = %s" for name in names)
    key = before[: len(names)]
    open_cursor.execute(f"update {table} set {values} where {where}", [*news.values(), *key])
    assert open_cursor.rowcount == 1


def _delete(open_cursor: cursor, table: str, key: Row) -> None:
    names, _ = TABLES[table]
    where = " and ".join(f"{name} = %s" for name in names)
    open_cursor.execute(f"delete from {table} where {where}", key)
    assert open_cursor.rowcount == 1
