"""How many messages a second one core generates and sends, compared with librdkafka's limit.

Needs a running Kafka (`make run`). Creates its own topics there and removes them:

    python -m benchmarks.producer_throughput [--messages 100000] [--repetitions 5]

Prints one line for each repetition and the medians, in messages a second of wall time and of CPU
time. On Linux this process runs on one core, including its librdkafka threads. So on an idle
machine both numbers are equal; on a busy machine, wall time includes waiting for others.

- `generated`: messages generated and dropped;
- `sent`: messages generated and sent to Kafka, until the last one is acknowledged;
- `limit`: the same bytes, generated before, sent in the same way by librdkafka alone.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from statistics import median
from typing import NamedTuple

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from configuration.kafka_client import kafka_client
from configuration.secrets import load_secrets
from configuration.settings import load_settings
from producer.kafka_sink import CONFIGURATION, KafkaSink
from producer.pacing import Pace
from producer.plan import Plan
from producer.run import Run, StopSignal
from producer.stream import generate_messages
from producer.summary import Summary

# In the past, so that no message waits until it is due; at a time of day with an average rate.
START_MS = 1_773_150_600_000
RATE = 20_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--messages", type=int, default=100_000, help="in each repetition")
    parser.add_argument("--repetitions", type=int, default=5)
    arguments = parser.parse_args()
    settings = load_settings()
    login = kafka_client(settings, load_secrets(settings), "admin")
    plan = replace(
        Plan.of(settings.pipeline, start_ms=START_MS, rate=RATE),
        clickstream_topic="benchmark-clickstream",
        checkouts_topic="benchmark-checkouts",
    )
    _pin_to_one_core()
    with _topics(login, plan, settings.pipeline.topics.partitions):
        _measure(login, plan, arguments.messages, arguments.repetitions)


class Speed(NamedTuple):
    """Messages a second."""

    wall: float
    cpu: float


def _measure(login: Mapping[str, str], plan: Plan, count: int, repetitions: int) -> None:
    rows: list[list[Speed]] = []
    print(f"{'':>8}{'generated':>20}{'sent':>20}{'limit':>20}   messages/s, wall and CPU")
    for repetition in range(1, repetitions + 1):
        changed = replace(plan, seed=plan.seed + repetition)
        rows.append(
            [
                _speed(count, _generate(changed, count)),
                _speed(count, _send(login, changed, count)),
                _speed(count, _limit(login, changed, count)),
            ]
        )
        _print_row(str(repetition), rows[-1])
    medians = [
        Speed(*(median(values) for values in zip(*column, strict=True)))
        for column in zip(*rows, strict=True)
    ]
    _print_row("median", medians)
    _, sent, limit = medians
    print(f"sent / limit = {sent.wall / limit.wall:.2f} wall, {sent.cpu / limit.cpu:.2f} CPU")


def _print_row(name: str, speeds: list[Speed]) -> None:
    print(f"{name:>8}" + "".join(f"{speed.wall:>11,.0f} {speed.cpu:>8,.0f}" for speed in speeds))


def _speed(count: int, action: Callable[[], None]) -> Speed:
    began_at, used_at = time.perf_counter(), time.process_time()
    action()
    return Speed(count / (time.perf_counter() - began_at), count / (time.process_time() - used_at))


def _generate(plan: Plan, count: int) -> Callable[[], None]:
    """Generate messages and drop them. The first one, made before, fills Faker's pools."""
    messages = generate_messages(plan)
    next(messages)

    def generate() -> None:
        for _ in islice(messages, count):
            pass

    return generate


def _send(login: Mapping[str, str], plan: Plan, count: int) -> Callable[[], None]:
    """Send as `python -m producer` does. The first message, made before, fills Faker's pools."""
    topics = (plan.clickstream_topic, plan.checkouts_topic)
    run = Run(
        sink=KafkaSink(login, topics),
        pace=Pace(plan.start_ms, float("inf"), time.time),
        summary=Summary(plan),
        books=None,
        start_ms=plan.start_ms,
        clock=time.time,
        report=print,
        stop=StopSignal(),
    )
    messages = generate_messages(plan)
    next(messages)
    return lambda: run.send(islice(messages, count))


def _limit(login: Mapping[str, str], plan: Plan, count: int) -> Callable[[], None]:
    """Send with librdkafka alone; the bytes are generated before."""
    client = Producer({**CONFIGURATION, **login})
    client.list_topics(timeout=10)
    records = [
        (message.topic, message.value, message.key)
        for message in islice(generate_messages(plan), count)
    ]

    def send() -> None:
        for record in records:
            while True:
                try:
                    client.produce(*record)
                    break
                except BufferError:
                    client.poll(0.05)
        client.flush()

    return send


@contextmanager
def _topics(login: Mapping[str, str], plan: Plan, partitions: int) -> Iterator[None]:
    """Create the benchmark's own topics; delete them at the end."""
    admin = AdminClient(login)
    names = [plan.clickstream_topic, plan.checkouts_topic]
    topics = [NewTopic(name, num_partitions=partitions) for name in names]
    for created in admin.create_topics(topics).values():
        created.result()
    try:
        yield
    finally:
        for deleted in admin.delete_topics(names).values():
            deleted.result()


def _pin_to_one_core() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


if __name__ == "__main__":
    main()
