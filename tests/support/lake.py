"""The lake beside the oracle: moves event time, waits for commits, reads rows as the oracle's.

Checks are cumulative: whatever was sent since the lakehouse began must be right at each of
them, so a later test also proves that nothing happened to what an earlier one sent.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from infra.settings import Topics
from infra.waiting import wait_until
from reference import oracle
from reference.events import make_checkout
from reference.kafka import Kafka, Outgoing
from reference.oracle import AttributedCheckout, Malformed, Position, Touchpoint, Valid
from tests.support.clients import Flink, Trino
from tests.support.lakehouses import Lakehouse
from tests.support.traffic import BUSY_USER, MARKING_USER, SECOND_MS, marks, outgoing

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COMMIT_SECONDS = 120
# A job that runs has read what is in Kafka well within this.
READ_SECONDS = 3
CONTENTS_SQL = """
select '{clickstream}', kafka_partition, kafka_offset from raw.clickstream
union all
select '{checkouts}', kafka_partition, kafka_offset from raw.checkouts
union all
select topic, kafka_partition, kafka_offset from raw.quarantine
where topic in ('{clickstream}', '{checkouts}')
"""


class Quarantined(NamedTuple):
    """A row of `raw.quarantine`."""

    position: Position
    message_key: bytes | None
    body: bytes | None
    reason: str

    def is_of(self, verdict: Malformed) -> bool:
        """The message as received, and one of its faults as the reason's first word."""
        message = verdict.message
        return (self.message_key, self.body) == (
            message.key,
            message.value,
        ) and self.reason.partition(":")[0] in verdict.faults


@dataclass(frozen=True, repr=False)
class Snapshot:
    """What Kafka and the lake hold at one moment, with the differences to what is right."""

    verdicts: dict[Position, Valid | Malformed]
    contents: Counter[Position]
    raw: dict[Position, Mapping[str, Any]]
    late: set[Position]
    quarantine: dict[Position, Quarantined]
    attributed: Counter[AttributedCheckout]
    truncated: set[str]
    expected: Counter[AttributedCheckout]

    @property
    def valid(self) -> dict[Position, Valid]:
        """Messages that keep the contract."""
        return {at: each for at, each in self.verdicts.items() if isinstance(each, Valid)}

    @property
    def malformed(self) -> dict[Position, Malformed]:
        """Messages that break it."""
        return {at: each for at, each in self.verdicts.items() if isinstance(each, Malformed)}

    def lost_or_doubled(self) -> list[str]:
        """Messages that are not in exactly one of the raw tables, once."""
        return _differences(self.contents, Counter(self.verdicts.keys()))

    def wrong_raw_rows(self) -> list[str]:
        """Rows that don't hold the fields of their valid message."""
        expected = {at: _raw_row(row) for at, row in self.valid.items()}
        return [
            f"{at}: {self.raw.get(at)} is not {expected.get(at)}"
            for at in self.raw.keys() | expected.keys()
            if self.raw.get(at) != expected.get(at)
        ]

    def wrong_quarantine_rows(self) -> list[str]:
        """Rows that aren't the bytes of a malformed message with one of its faults."""
        return [
            f"{at}: {self.quarantine.get(at)} is not {self.malformed.get(at)}"[:1000]
            for at in self.quarantine.keys() | self.malformed.keys()
            if at not in self.malformed
            or at not in self.quarantine
            or not self.quarantine[at].is_of(self.malformed[at])
        ]

    def wrong_attributed_rows(self) -> list[str]:
        """Rows that are not the oracle's, or are there more than once; but for the busy user."""
        held = {row: count for row, count in self.attributed.items() if row.user_id != BUSY_USER}
        return _differences(Counter(held), self.expected)

    def check(self) -> None:
        """Nothing lost, doubled or wrong anywhere."""
        assert self.lost_or_doubled() == []
        assert self.wrong_raw_rows() == []
        assert self.wrong_quarantine_rows() == []
        assert self.wrong_attributed_rows() == []


def _raw_row(row: Valid) -> Mapping[str, Any]:
    if "checkout_id" not in row.fields:
        return row.fields
    money = {
        "total_usd": oracle.total_usd(row.fields),
        "profit_usd": oracle.profit_usd(row.fields),
    }
    return {**row.fields, **money}


def _differences(actual: Counter[Any], expected: Counter[Any]) -> list[str]:
    too_many, missing = actual - expected, expected - actual
    return [f"must not be: {each}" for each in too_many] + [f"lacks: {each}" for each in missing]


class Lake:
    """One lakehouse under test; `now_ms` is where event time stands.

    All that was sent is dated before it, and all that will be is not.
    """

    def __init__(self, lakehouse: Lakehouse, zero_ms: int) -> None:
        self.meanings = lakehouse.settings.meanings
        self.topics: Topics = lakehouse.settings.meanings.topics
        self.kafka = Kafka(lakehouse.environment["KAFKA_BOOTSTRAP_SERVERS"])
        self.trino = Trino(lakehouse.environment)
        self.flink = Flink(lakehouse.environment["FLINK_URL"])
        self._bound_ms = self.meanings.watermark.out_of_orderness_seconds * SECOND_MS
        self.now_ms = zero_ms

    @property
    def watermark_ms(self) -> int:
        """Where the job's watermark is, once it has read what moved event time to now."""
        return self.now_ms - self._bound_ms

    # --- Sending --------------------------------------------------------------------------

    def send(self, messages: Iterable[Outgoing]) -> None:
        """Send all of these, dated from now on, and wait until they are answered."""
        self.wake()
        self.kafka.send(messages)
        self.close()

    def wake(self) -> None:
        """Make every partition hold the watermark back, until it is idle again.

        While none is idle, the order in which the job reads them makes nothing late. The question
        alone may take long enough for them to be idle again, so the last marks come after it.
        """
        self._mark()
        first = self.count()

        def is_awake() -> bool:
            self._mark()
            return self._has(first)

        wait_until(is_awake, COMMIT_SECONDS, "a row of every partition in the raw tables")
        self._mark()
        time.sleep(READ_SECONDS)

    def close(self) -> None:
        """Move event time past all that was sent, and wait until the tables have it all."""
        self.skip_to_newest()
        self.now_ms += self._bound_ms + SECOND_MS
        last = make_checkout(f"before {self.now_ms}", MARKING_USER, self.watermark_ms)
        self.kafka.send([outgoing(self.topics.checkouts, last, 0)])
        self._mark()
        sent = self.count()
        wait_until(lambda: self._has(sent), COMMIT_SECONDS, "all messages in the raw tables")
        row_of_last = f"""
            select 1 from attribution.attributed_checkouts
            where checkout_id = '{last["checkout_id"]}'
        """
        wait_until(
            lambda: bool(self.trino.query(row_of_last)),
            COMMIT_SECONDS,
            "the attributed row of the last checkout before the watermark",
        )

    def skip_to_newest(self) -> None:
        """Move our idea of event time behind all that was sent; the job is not told."""
        valid = [verdict for verdict in self._judge_all() if isinstance(verdict, Valid)]
        self.now_ms = max(row.occurred_at_ms for row in valid) + 1

    def count(self) -> dict[tuple[str, int], int]:
        """Messages that each partition has."""
        return self.kafka.count([self.topics.clickstream, self.topics.checkouts])

    def _mark(self) -> None:
        self.kafka.send(marks(self.meanings, self.now_ms))

    def _has(self, counts: dict[tuple[str, int], int]) -> bool:
        rows = self.trino.query(
            f"select topic, kafka_partition, count(*) from ({self._contents_sql}) as contents"
            " (topic, kafka_partition, kafka_offset) group by 1, 2"
        )
        held = {(topic, partition): count for topic, partition, count in rows}
        return all(held.get(partition, 0) >= count for partition, count in counts.items())

    @property
    def _contents_sql(self) -> str:
        return CONTENTS_SQL.format_map(self.topics.model_dump())

    # --- Reading --------------------------------------------------------------------------

    def read(self) -> Snapshot:
        """Everything, and what it should be."""
        verdicts = {verdict.position: verdict for verdict in self._judge_all()}
        late: set[Position] = set()
        raw = {
            **self._read_raw(self.topics.clickstream, "raw.clickstream", verdicts, late),
            **self._read_raw(self.topics.checkouts, "raw.checkouts", verdicts, late),
        }
        attributed, truncated = self._read_attributed()
        return Snapshot(
            verdicts=verdicts,
            contents=Counter(Position(*row) for row in self.trino.query(self._contents_sql)),
            raw=raw,
            late=late,
            quarantine=self._read_quarantine(),
            attributed=attributed,
            truncated=truncated,
            expected=self._expect(verdicts.values(), late),
        )

    def _judge_all(self) -> list[Valid | Malformed]:
        return [
            oracle.judge(message, self.topics, self.meanings.contract)
            for message in self.kafka.read_all([self.topics.clickstream, self.topics.checkouts])
        ]

    def _expect(
        self, verdicts: Iterable[Valid | Malformed], late: set[Position]
    ) -> Counter[AttributedCheckout]:
        """The oracle's rows up to the watermark; the busy user's clicks don't fit state."""
        valid = [verdict for verdict in verdicts if isinstance(verdict, Valid)]
        rows = oracle.attribute(valid, late, self.topics, self.meanings.attribution)
        return Counter(
            row
            for row in rows
            if row.checked_out_at_ms <= self.watermark_ms and row.user_id != BUSY_USER
        )

    def _read_raw(
        self,
        topic: str,
        table: str,
        verdicts: Mapping[Position, Valid | Malformed],
        late: set[Position],
    ) -> dict[Position, Mapping[str, Any]]:
        """The table's rows with the oracle's names; adds those that are late to `late`."""
        names = next(
            list(_raw_row(verdict))
            for verdict in verdicts.values()
            if isinstance(verdict, Valid) and verdict.position.topic == topic
        )
        columns = ["occurred_at" if name == "occurred_at_ms" else name for name in names]
        rows: dict[Position, Mapping[str, Any]] = {}
        for partition, offset, is_late, *values in self.trino.query(
            f"select kafka_partition, kafka_offset, is_late, {', '.join(columns)} from {table}"
        ):
            row = dict(zip(names, values, strict=True))
            row["occurred_at_ms"] = _to_ms(row["occurred_at_ms"])
            position = Position(topic, partition, offset)
            rows[position] = row
            if is_late:
                late.add(position)
        return rows

    def _read_quarantine(self) -> dict[Position, Quarantined]:
        rows = self.trino.query(
            f"""
            select topic, kafka_partition, kafka_offset, message_key, body, reason
            from raw.quarantine
            where topic in ('{self.topics.clickstream}', '{self.topics.checkouts}')
            """
        )
        return {(at := Position(*row[:3])): Quarantined(at, *row[3:]) for row in rows}

    def _read_attributed(self) -> tuple[Counter[AttributedCheckout], set[str]]:
        """All rows, and the checkouts whose row is flagged as truncated."""
        rows = self.trino.query(
            """
            select
                is_truncated, is_attributed, checkout_id, user_id, product_id, quantity,
                total_usd, profit_usd, payment_method, payment_status, failure_reason,
                checked_out_at, touchpoints, touchpoint_count,
                click_id, product_id, click_source, click_campaign, clicked_at
            from attribution.attributed_checkouts
            """
        )
        attributed: Counter[AttributedCheckout] = Counter()
        truncated = set()
        for is_truncated, is_attributed, *columns in rows:
            row = attributed_row(columns)
            assert is_attributed == (row.click is not None), row
            if is_truncated:
                truncated.add(row.checkout_id)
            attributed[row] += 1
        return attributed, truncated


def attributed_row(columns: list[Any]) -> AttributedCheckout:
    *plain, checked_out_at, touchpoints, count = columns[:-5]
    click = columns[-5:]
    path = tuple(_touchpoint(*touchpoint) for touchpoint in touchpoints)
    earner = None if click[0] is None else _touchpoint(*click)
    return AttributedCheckout._make([*plain, _to_ms(checked_out_at), path, count, earner])


def _touchpoint(
    click_id: str, product_id: int, source: str, campaign: str, clicked_at: datetime
) -> Touchpoint:
    return Touchpoint(click_id, product_id, source, campaign, _to_ms(clicked_at))


def _to_ms(moment: datetime) -> int:
    """Epoch milliseconds; Trino's microseconds must be whole milliseconds."""
    milliseconds, rest = divmod(moment - EPOCH, timedelta(milliseconds=1))
    assert not rest, moment
    return milliseconds
