"""Attribution in Spark Structured Streaming; runs in Spark's Python environment.

Clicks and checkouts are two streams with watermarks, joined by a left outer join within the
lookback. `foreachBatch` keeps the first of a checkout's matches in its batch, because a second
stateful operator after a stream-stream join can't pick the first by click time. `availableNow`
reads the messages that the topics hold and ends.

Reads a task from standard input; writes seconds and CPU-seconds from the query's start to its end,
and peak memory.
"""

import json
import os
import sys
import time
from typing import Any

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as f

from benchmarks.stream.usage import Usage


def main() -> None:
    """Run one query to its end."""
    task = json.load(sys.stdin)
    spark = _open(task)
    clicks = _read(spark, task, task["clickstream_topic"], task["click_fields"]).where(
        "event_type = 'click'"
    )
    checkouts = _read(spark, task, task["checkouts_topic"], task["checkout_fields"]).where(
        "checkout_id is not null"  # the table refuses null, which would end the query
    )
    matched = _join(_as_clicks(clicks), _as_checkouts(checkouts), task["lookback_seconds"])
    started = time.monotonic()
    with Usage([os.getpid()]) as usage:  # includes the JVM, a child process
        matched.writeStream.foreachBatch(lambda batch, _: _append(batch, task["table"])).option(
            "checkpointLocation", task["checkpoint"]
        ).trigger(availableNow=True).start().awaitTermination()
    seconds = time.monotonic() - started
    spark.stop()
    done = {"seconds": seconds, "cpu_seconds": usage.cpu_seconds, "peak_mb": usage.peak_mb}
    json.dump(done, sys.stdout)


def _open(task: dict[str, str]) -> SparkSession:
    builder = SparkSession.builder.master(task["master"]).appName("benchmark")
    for key, value in task["options"].items():  # type: ignore[attr-defined]
        builder = builder.config(key, value)
    return builder.getOrCreate()


def _read(spark: SparkSession, task: dict[str, Any], topic: str, fields: str) -> DataFrame:
    raw = (
        spark.readStream.format("kafka")
        .options(**task["kafka"])
        .option("subscribe", topic)
        .option("startingOffsets", "earliest")
        .option("maxOffsetsPerTrigger", task["messages_per_trigger"])
        .load()
    )
    parsed = raw.select(f.from_json(f.col("value").cast("string"), fields).alias("body"))
    return (
        parsed.select("body.*")
        .withColumn("at", f.timestamp_millis("occurred_at_ms"))
        .where("at between timestamp'2000-01-01' and now()")
        .withWatermark("at", f"{task['out_of_orderness_seconds']} seconds")
    )


def _as_clicks(rows: DataFrame) -> DataFrame:
    return rows.select(
        f.col("user_id").alias("click_user_id"),
        f.col("product_id").alias("click_product_id"),
        f.col("event_id").alias("click_id"),
        f.col("source").alias("click_source"),
        f.col("campaign").alias("click_campaign"),
        f.col("at").alias("clicked_at"),
    )


def _as_checkouts(rows: DataFrame) -> DataFrame:
    total = f.round(
        f.col("quantity") * f.col("unit_price_usd") * (1 - f.col("discount_share"))
        + f.col("shipping_usd"),
        2,
    )
    return rows.select(
        "checkout_id",
        "user_id",
        "product_id",
        total.cast("decimal(12, 2)").alias("total_usd"),
        f.round((total - f.col("shipping_usd")) * f.col("commission_share"), 2)
        .cast("decimal(12, 2)")
        .alias("profit_usd"),
        "payment_status",
        f.col("at").alias("checked_out_at"),
    )


def _join(clicks: DataFrame, checkouts: DataFrame, lookback_seconds: int) -> DataFrame:
    return checkouts.join(
        clicks,
        f.expr(
            "user_id = click_user_id and product_id = click_product_id"
            " and clicked_at <= checked_out_at"
            f" and clicked_at >= checked_out_at - interval {lookback_seconds} seconds"
        ),
        "leftOuter",
    ).drop("click_user_id", "click_product_id")


def _append(batch: DataFrame, table: str) -> None:
    first = Window.partitionBy("checkout_id").orderBy("clicked_at")
    rows = batch.withColumn("click_rank", f.row_number().over(first)).where("click_rank = 1")
    rows.drop("click_rank").writeTo(table).append()


if __name__ == "__main__":
    main()
