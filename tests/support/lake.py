"""Compares the lake with the oracle: moves event time, waits for commits, reads rows.

Event time only goes forward in a lakehouse. So each test file has its own stretch of event time,
which begins at a whole hour that nothing else is dated in, and its own users and ids. A check
covers only what was sent since the stretch began.
"""

import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from configuration.settings import Contract, Topics
from configuration.waiting import wait_until
from reference import oracle
from reference.events import make_checkout
from reference.kafka import Kafka, Outgoing
from reference.oracle import AttributedCheckout, Malformed, Position, Touchpoint, Valid
from tests.support.clients import Flink, Trino
from tests.support.lakehouses import RunningLakehouse
from tests.support.traffic import MARKING_USER, SECOND_MS, Traffic, is_busy, marks, outgoing

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COMMIT_SECONDS = 120
# A valid event is at most a minute ahead of the clock.
CLOCK_SECONDS = 90
HOUR_MS = 3600 * SECOND_MS
CONTENTS_SQL = """
select * from (
    select '{clickstream}', kafka_partition, kafka_offset from raw.clickstream
    where kafka_offset >= {first_of_clickstream}
    union all
    select '{checkouts}', kafka_partition, kafka_offset from raw.checkouts
    where kafka_offset >= {first_of_checkouts}
    union all
    select topic, kafka_partition, kafka_offset from raw.quarantine
    where topic in ('{clickstream}', '{checkouts}')
) as contents (topic, kafka_partition, kafka_offset)
"""


class Quarantined(NamedTuple):
    """A row of `raw.quarantine`."""

    position: Position
    message_key: bytes | None
    body: bytes | None
    reason: str

    def is_of(self, verdict: Malformed) -> bool:
        """Whether the row has the message as received, and one of its faults as the reason."""
        message = verdict.message
        return (self.message_key, self.body) == (
            message.key,
            message.value,
        ) and self.reason.partition(":")[0] in verdict.faults


@dataclass(frozen=True, repr=False)
class Snapshot:
    """What Kafka and the lake hold at one moment, and how that differs from the oracle."""

    verdicts: dict[Position, Valid | Malformed]
    contents: Counter[Position]
    raw: dict[Position, Mapping[str, Any]]
    late: set[Position]
    quarantine: dict[Position, Quarantined]
    attributed: Counter[AttributedCheckout]
    truncated: set[str]
    expected: Counter[AttributedCheckout]
    # The hours of the stretch that are answered completely: `since_ms` to before `until_ms`.
    since_ms: int
    until_ms: int

    def is_at(self, hour: str) -> str:
        """SQL's condition that a column of times is in those hours; no other rows are in them."""
        return (
            f"{hour} >= from_unixtime({self.since_ms} / 1e3, 'UTC')"
            f" and {hour} < from_unixtime({self.until_ms} / 1e3, 'UTC')"
        )

    @property
    def valid(self) -> dict[Position, Valid]:
        """Messages that meet the contract."""
        return {at: each for at, each in self.verdicts.items() if isinstance(each, Valid)}

    @property
    def malformed(self) -> dict[Position, Malformed]:
        """Messages that break the contract."""
        return {at: each for at, each in self.verdicts.items() if isinstance(each, Malformed)}

    def lost_or_doubled(self) -> list[str]:
        """Messages that are not exactly once in exactly one of the raw tables."""
        return _differences(self.contents, Counter(self.verdicts.keys()))

    def wrong_raw_rows(self) -> list[str]:
        """Rows that differ from the fields of their valid message."""
        expected = {at: _raw_row(row) for at, row in self.valid.items()}
        return [
            f"{at}: {self.raw.get(at)} should be {expected.get(at)}"
            for at in self.raw.keys() | expected.keys()
            if self.raw.get(at) != expected.get(at)
        ]

    def wrong_quarantine_rows(self) -> list[str]:
        """Rows that do not have a malformed message's bytes and one of its faults."""
        return [
            f"{at}: {self.quarantine.get(at)} should be {self.malformed.get(at)}"[:1000]
            for at in self.quarantine.keys() | self.malformed.keys()
            if at not in self.malformed
            or at not in self.quarantine
            or not self.quarantine[at].is_of(self.malformed[at])
        ]

    def wrong_attributed_rows(self) -> list[str]:
        """Rows that differ from the oracle's or are duplicated; excludes the busy user."""
        held = {row: count for row, count in self.attributed.items() if not is_busy(row.user_id)}
        return _differences(Counter(held), self.expected)

    def check(self) -> None:
        """Assert that nothing is lost, doubled or wrong."""
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
    return [f"unexpected: {each}" for each in too_many] + [f"missing: {each}" for each in missing]


class Journal:
    """Every message of both event topics with the oracle's verdict; reads each message once."""

    def __init__(self, kafka: Kafka, topics: Topics, contract: Contract) -> None:
        self._kafka = kafka
        self._topics = topics
        self._contract = contract
        self._read: dict[tuple[str, int], int] = {}
        self._verdicts: dict[Position, Valid | Malformed] = {}
        # Event time of the newest valid message; minus infinity before the first one.
        self.newest_ms = -math.inf

    def read(self) -> Mapping[Position, Valid | Malformed]:
        """Read up to the end of both topics; return all verdicts."""
        for message in self._kafka.read_all(self.names, self._read):
            verdict = oracle.judge(message, self._topics, self._contract)
            topic, partition, offset = message.position
            self._verdicts[message.position] = verdict
            self._read[topic, partition] = max(self._read.get((topic, partition), 0), offset + 1)
            if isinstance(verdict, Valid):
                self.newest_ms = max(self.newest_ms, verdict.occurred_at_ms)
        return self._verdicts

    def ends(self) -> dict[tuple[str, int], int]:
        """Offset of each partition's next message."""
        return self._kafka.ends(self.names)

    @property
    def names(self) -> list[str]:
        """Names of both event topics."""
        return [self._topics.clickstream, self._topics.checkouts]


class Lake:
    """One lakehouse under test; `now_ms` is the current event time.

    Everything sent so far is dated before `now_ms`; everything sent later is not. The stretch
    begins at `zero_ms`, and at an offset in each partition.
    """

    def __init__(self, lakehouse: RunningLakehouse, journal: Journal, zero_ms: int) -> None:
        self.pipeline = lakehouse.settings.pipeline
        self.topics: Topics = lakehouse.settings.pipeline.topics
        self.kafka = lakehouse.kafka()
        self.trino = Trino(lakehouse.environment)
        self.flink = Flink(lakehouse.environment["FLINK_URL"], lakehouse.flink_login)
        self._bound_ms = self.pipeline.watermark.out_of_orderness_seconds * SECOND_MS
        self.journal = journal
        self._begin = journal.ends()
        self.zero_ms = zero_ms
        self.now_ms = zero_ms
        self._opened_at = time.time()

    def failures(self) -> list[str]:
        """The reason of each restart of the job since the stretch was handed out."""
        return self.flink.failures(self.flink.running_job(), self._opened_at)

    @property
    def watermark_ms(self) -> int:
        """The job's watermark, after it has read the messages that moved event time to now."""
        return self.now_ms - self._bound_ms

    def traffic(self, seed: int) -> Traffic:
        """Traffic from now on, with users that nothing else uses."""
        return Traffic(self.pipeline, seed, self.now_ms)

    # --- Sending --------------------------------------------------------------------------

    def send(self, messages: Iterable[Outgoing]) -> None:
        """Send these messages, dated from now on, and wait until they are answered."""
        self.wake()
        self.kafka.send(messages)
        self.close()

    def wake(self) -> None:
        """Make every partition hold the watermark back, until it is idle again.

        While no partition is idle, the order in which the job reads them makes nothing late. The
        wait may be so long that they become idle again. So more marks follow it, and whatever is
        sent next follows these at once.
        """
        self.skip_to_newest()
        self._mark()
        self._wait_for_rows("the marks of every partition")
        self._mark()

    def close(self) -> None:
        """Move event time past everything sent, and wait until the tables have it all."""
        self.skip_to_newest()
        self.now_ms += self._bound_ms + SECOND_MS
        last = make_checkout(f"before {self.now_ms}", MARKING_USER, self.watermark_ms)
        self.kafka.send([outgoing(self.topics.checkouts, last, 0)])
        # The watermark never passes the broker's clock.
        wait_until(
            lambda: time.time() * SECOND_MS > self.now_ms, CLOCK_SECONDS, "the clock to catch up"
        )
        self._mark()
        self._wait_for_rows("all messages in the raw tables")
        row_of_last = f"""
            select 1 from attribution.attributed_checkouts
            where checkout_id = '{last["checkout_id"]}'
        """
        wait_until(
            lambda: bool(self.trino.query(row_of_last)),
            COMMIT_SECONDS,
            "the attributed row of the last checkout before the watermark",
        )

    def finish_hour(self) -> None:
        """Move event time past the current hour, so that everything in it is answered."""
        self.now_ms = (self.now_ms // HOUR_MS + 1) * HOUR_MS
        self.close()

    def skip_to_newest(self) -> None:
        """Move `now_ms` past everything sent; sends nothing to the job."""
        self.journal.read()
        if self.journal.newest_ms > self.now_ms:
            self.now_ms = int(self.journal.newest_ms) + 1

    def ends(self) -> dict[tuple[str, int], int]:
        """Offset of each partition's next message."""
        return self.journal.ends()

    def _mark(self) -> None:
        self.kafka.send(marks(self.pipeline, self.now_ms))

    def _wait_for_rows(self, what: str) -> None:
        """Wait until every message sent so far in the stretch has a row."""
        sent = Counter(
            (at.topic, at.partition) for at in self.journal.read() if self._is_in_stretch(at)
        )
        wait_until(lambda: self._has(sent), COMMIT_SECONDS, what)

    def _has(self, counts: Mapping[tuple[str, int], int]) -> bool:
        rows = self.trino.query(
            f"select topic, kafka_partition, count(*) from ({self._contents_sql}) group by 1, 2"
        )
        held = {(topic, partition): count for topic, partition, count in rows}
        return all(held.get(partition, 0) >= count for partition, count in counts.items())

    @property
    def _contents_sql(self) -> str:
        """SQL for the positions in the lake since the stretch began."""
        return (
            CONTENTS_SQL.format(
                **self.topics.model_dump(),
                first_of_clickstream=self._first_offset(self.topics.clickstream),
                first_of_checkouts=self._first_offset(self.topics.checkouts),
            )
            + f"where {self._is_ours}"
        )

    def _first_offset(self, topic: str) -> int:
        """The stretch's lowest first offset, so that Trino skips files with only older rows."""
        return min(offset for (name, _), offset in self._begin.items() if name == topic)

    @property
    def _is_ours(self) -> str:
        """SQL's condition that a position is in the stretch."""
        return " or ".join(
            f"(topic = '{topic}' and kafka_partition = {partition} and kafka_offset >= {offset})"
            for (topic, partition), offset in self._begin.items()
        )

    # --- Reading --------------------------------------------------------------------------

    def read(self) -> Snapshot:
        """Read what was sent since the stretch began, its rows, and the expected rows."""
        known = self.journal.read()
        verdicts = {at: verdict for at, verdict in known.items() if self._is_in_stretch(at)}
        late = self._read_late()
        raw = {
            **self._read_raw(self.topics.clickstream, "raw.clickstream", verdicts),
            **self._read_raw(self.topics.checkouts, "raw.checkouts", verdicts),
        }
        attributed, truncated = self._read_attributed()
        return Snapshot(
            verdicts=verdicts,
            contents=Counter(Position(*row) for row in self.trino.query(self._contents_sql)),
            raw=raw,
            late={at for at in late if self._is_in_stretch(at)},
            quarantine=self._read_quarantine(),
            attributed=attributed,
            truncated=truncated,
            expected=self._expect(known.values(), late),
            since_ms=self.zero_ms // HOUR_MS * HOUR_MS,
            until_ms=self.watermark_ms // HOUR_MS * HOUR_MS,
        )

    def _is_in_stretch(self, position: Position) -> bool:
        topic, partition, offset = position
        return offset >= self._begin[topic, partition]

    def _expect(
        self, verdicts: Iterable[Valid | Malformed], late: set[Position]
    ) -> Counter[AttributedCheckout]:
        """The oracle's rows of the stretch, without the busy user, whose clicks exceed state.

        Computed from all messages, because a checkout's clicks may be older than the stretch.
        """
        valid = [verdict for verdict in verdicts if isinstance(verdict, Valid)]
        rows = oracle.attribute(valid, late, self.topics, self.pipeline.attribution)
        return Counter(
            row
            for row in rows
            if self.zero_ms <= row.checked_out_at_ms <= self.watermark_ms
            and not is_busy(row.user_id)
        )

    def _read_late(self) -> set[Position]:
        """Positions of all late messages in the lake."""
        return {
            Position(*row)
            for topic, table in (
                (self.topics.clickstream, "raw.clickstream"),
                (self.topics.checkouts, "raw.checkouts"),
            )
            for row in self.trino.query(
                f"select '{topic}', kafka_partition, kafka_offset from {table} where is_late"
            )
        }

    def _read_raw(
        self, topic: str, table: str, verdicts: Mapping[Position, Valid | Malformed]
    ) -> dict[Position, Mapping[str, Any]]:
        """The table's rows in the stretch, with the oracle's field names."""
        names = next(
            (
                list(_raw_row(verdict))
                for verdict in verdicts.values()
                if isinstance(verdict, Valid) and verdict.position.topic == topic
            ),
            [],
        )
        columns = ["occurred_at" if name == "occurred_at_ms" else name for name in names]
        rows: dict[Position, Mapping[str, Any]] = {}
        selected = ", ".join(["topic", "kafka_partition", "kafka_offset", *columns])
        for _, partition, offset, *values in self.trino.query(
            f"select {selected} from (select '{topic}' as topic, * from {table}"
            f" where kafka_offset >= {self._first_offset(topic)}) where {self._is_ours}"
        ):
            row = dict(zip(names, values, strict=True))
            if names:
                row["occurred_at_ms"] = _to_ms(row["occurred_at_ms"])
            rows[Position(topic, partition, offset)] = row
        return rows

    def _read_quarantine(self) -> dict[Position, Quarantined]:
        rows = self.trino.query(
            f"""
            select topic, kafka_partition, kafka_offset, message_key, body, reason
            from raw.quarantine
            where {self._is_ours}
            """
        )
        return {(at := Position(*row[:3])): Quarantined(at, *row[3:]) for row in rows}

    def _read_attributed(self) -> tuple[Counter[AttributedCheckout], set[str]]:
        """Rows of the stretch, and the checkouts whose row is flagged truncated."""
        rows = self.trino.query(
            f"""
            select
                is_truncated, is_attributed, checkout_id, user_id, product_id, quantity,
                total_usd, profit_usd, payment_method, payment_status, failure_reason,
                checked_out_at, touchpoints, touchpoint_count,
                click_id, product_id, click_source, click_campaign, clicked_at,
                other_attempt_at
            from attribution.attributed_checkouts
            where checked_out_at >= from_unixtime({self.zero_ms} / 1e3, 'UTC')
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
    *plain, checked_out_at, touchpoints, count = columns[:-6]
    *click, other_attempt_at = columns[-6:]
    path = tuple(_touchpoint(*touchpoint) for touchpoint in touchpoints)
    earner = None if click[0] is None else _touchpoint(*click)
    other_attempt_at_ms = None if other_attempt_at is None else _to_ms(other_attempt_at)
    return AttributedCheckout._make(
        [*plain, _to_ms(checked_out_at), path, count, earner, other_attempt_at_ms]
    )


def _touchpoint(
    click_id: str, product_id: int, source: str, campaign: str, clicked_at: datetime
) -> Touchpoint:
    return Touchpoint(click_id, product_id, source, campaign, _to_ms(clicked_at))


def _to_ms(moment: datetime) -> int:
    """Convert to epoch milliseconds; fails if there is a fraction of a millisecond."""
    milliseconds, rest = divmod(moment - EPOCH, timedelta(milliseconds=1))
    assert not rest, moment
    return milliseconds
