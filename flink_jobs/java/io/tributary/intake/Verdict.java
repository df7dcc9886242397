package io.tributary.intake;

import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.types.DataType;

/** What the intake adds to a message, as columns behind the message's own. */
enum Verdict {
    /** Why the message breaks its contract; begins with the field's name. Null if it is valid. */
    REASON("reason", DataTypes.STRING()),

    /** Event time; null if the message is not valid. */
    OCCURRED_AT("occurred_at", DataTypes.TIMESTAMP_LTZ(6)),

    /** Whether the event time is at or behind the watermark when the job reads the message. */
    IS_LATE("is_late", DataTypes.BOOLEAN().notNull()),

    /** What the customer pays; null unless the message is a valid checkout. */
    TOTAL_USD("total_usd", DataTypes.DECIMAL(Money.PRECISION, Money.SCALE)),

    /** Our commission; null unless the message is a valid checkout. */
    PROFIT_USD("profit_usd", DataTypes.DECIMAL(Money.PRECISION, Money.SCALE)),

    /** When the job read the message. */
    INGESTED_AT("ingested_at", DataTypes.TIMESTAMP_LTZ(6).notNull());

    final String key;
    final DataType type;

    Verdict(String key, DataType type) {
        this.key = key;
        this.type = type;
    }
}
