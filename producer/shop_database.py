"""The shop's database: `shop.Shop` at a moment in, rows of PostgreSQL's `shop` out.

Every write is one transaction of upserts that only move forward (a newer `updated_at`, a larger
spend). So writing the same moment again changes no row, and a replayed past never overwrites the
present. infra/services/connect.py creates the tables before, from `shop_tables/`. Driver: psycopg2.
"""

from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

import psycopg2
from psycopg2.extras import execute_values

from configuration.errors import TributaryError
from producer.shop import AdSpendRow, ProductRow, Shop, UserRow

CONNECT_SECONDS = 5
# A write that takes longer (it waits for a lock) is cancelled; the next change retries it.
STATEMENT_MS = 10_000
ROWS_PER_STATEMENT = 1_000

UPSERT_USERS = """
insert into users
    (user_id, full_name, gender, birth_date, country, created_at, updated_at)
values %s
on conflict (user_id) do update
set country = excluded.country, updated_at = excluded.updated_at
where users.updated_at < excluded.updated_at
"""
UPSERT_PRODUCTS = """
insert into products
    (product_id, product_name, category, unit_price_usd, unit_cost_usd, updated_at)
values %s
on conflict (product_id) do update
set
    product_name = excluded.product_name,
    category = excluded.category,
    unit_price_usd = excluded.unit_price_usd,
    unit_cost_usd = excluded.unit_cost_usd,
    updated_at = excluded.updated_at
where products.updated_at < excluded.updated_at
"""
UPSERT_AD_SPEND = """
insert into ad_spend (spend_hour, source, campaign, spend_usd)
values %s
on conflict (spend_hour, source, campaign) do update
set spend_usd = excluded.spend_usd
where ad_spend.spend_usd < excluded.spend_usd
"""


class ShopDatabaseError(TributaryError):
    """The shop's database is unreachable, or a write failed."""


class ShopDatabase:
    """One connection to the database of one shop; if lost, the next write reconnects.

    Args:
        shop: the source of the rows.
        address: `host:port`, for error messages.
        connection: libpq's parameters (host, port, dbname, user, password).
    """

    def __init__(self, shop: Shop, address: str, **connection: str | int) -> None:
        self._shop = shop
        self._address = address
        self._parameters: dict[str, Any] = {
            "connect_timeout": CONNECT_SECONDS,
            "options": f"-c statement_timeout={STATEMENT_MS} -c timezone=UTC",
            **connection,
        }
        self._connection: Any = None
        self._written_ms: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._disconnect()

    def write(self, at_ms: int) -> None:
        """Update the tables to `at_ms`: what changed since the last write, or all rows at first.

        Raises:
            ShopDatabaseError: nothing was written; the next call writes everything missing.
        """
        if self._written_ms is not None and self._is_written(at_ms, self._written_ms):
            return
        try:
            self._write(at_ms)
        except psycopg2.Error as error:
            self._disconnect()
            reason = str(error).strip().partition("\n")[0]
            raise ShopDatabaseError(
                f"PostgreSQL at {self._address}, database shop: {reason}; start it with"
                " `make run`, or correct postgres.host and postgres.port in the topology's file"
            ) from None
        self._written_ms = at_ms

    def _is_written(self, at_ms: int, written_ms: int) -> bool:
        return self._shop.slot(at_ms) <= self._shop.slot(written_ms)

    def _write(self, at_ms: int) -> None:
        since_ms = self._written_ms
        if self._connection is None:
            self._connection = psycopg2.connect(**self._parameters)
        with self._connection, self._connection.cursor() as cursor:
            _upsert(cursor, UPSERT_USERS, self._shop.users(at_ms, since_ms))
            _upsert(cursor, UPSERT_PRODUCTS, self._shop.products(at_ms, since_ms))
            first_ms = at_ms if since_ms is None else since_ms
            _upsert(cursor, UPSERT_AD_SPEND, self._shop.ad_spend(at_ms, first_ms))

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _upsert(cursor: Any, statement: str, rows: Iterable[UserRow | ProductRow | AdSpendRow]) -> None:
    execute_values(cursor, statement, rows, page_size=ROWS_PER_STATEMENT)
