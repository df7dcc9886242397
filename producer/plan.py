"""What to produce: settings and the command line in, one frozen value out."""

from dataclasses import dataclass
from typing import Self

from configuration.settings import Pipeline


@dataclass(frozen=True)
class Plan:
    """Everything that determines the messages: equal plans give equal messages.

    Attributes:
        seed: seed of everything random; equal seeds give the same shop, on any day.
        start_ms: event time of the first message, epoch milliseconds.
        rate: messages a second of event time, both topics together, averaged over the day.
        users: number of customers; their ids count from 1.
        out_of_orderness_ms: how late an event may arrive and still count as on time.
        change_interval_ms: how often one user moves and one price changes.
        has_truth: whether clicks of some sources cause more checkouts than those of others
            (catalogue.CAUSAL_WEIGHTS).
    """

    seed: int
    start_ms: int
    rate: float
    users: int
    out_of_order_share: float
    duplicate_share: float
    late_share: float
    malformed_share: float
    failed_payment_share: float
    out_of_orderness_ms: int
    change_interval_ms: int
    clickstream_topic: str
    checkouts_topic: str
    payment_methods: tuple[str, ...]
    has_truth: bool = False

    @classmethod
    def of(
        cls,
        pipeline: Pipeline,
        *,
        start_ms: int,
        seed: int | None = None,
        rate: float | None = None,
        has_truth: bool = False,
    ) -> Self:
        """Make a plan from the settings; `seed` and `rate` override them if given."""
        producer = pipeline.producer
        return cls(
            seed=producer.seed if seed is None else seed,
            start_ms=start_ms,
            rate=producer.rate if rate is None else rate,
            users=producer.users,
            out_of_order_share=producer.out_of_order_share,
            duplicate_share=producer.duplicate_share,
            late_share=producer.late_share,
            malformed_share=producer.malformed_share,
            failed_payment_share=producer.failed_payment_share,
            out_of_orderness_ms=pipeline.watermark.out_of_orderness_seconds * 1000,
            change_interval_ms=producer.shop_change_interval_seconds * 1000,
            clickstream_topic=pipeline.topics.clickstream,
            checkouts_topic=pipeline.topics.checkouts,
            payment_methods=pipeline.contract.payment_methods,
            has_truth=has_truth,
        )
