package io.tributary.intake;

import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.types.DataType;

/** What the intake adds to a message; a table declares what it wants of it as metadata. */
enum Verdict {
    /** Why the message breaks its contract, beginning with the field's name; null: it keeps it. */
    REASON("reason", DataTypes.STRING()),

    /** Event time; null where the contract is broken. */
    OCCURRED_AT("occurred_at", DataTypes.TIMESTAMP_LTZ(6)),

    /** Whether it is at or behind the watermark when it is read. */
    IS_LATE("is_late", DataTypes.BOOLEAN().notNull()),

    /** What the customer paid; null but for a valid checkout. */
    TOTAL_USD("total_usd", DataTypes.DECIMAL(Money.PRECISION, Money.SCALE)),

    /** Our commission; null but for a valid checkout. */
    PROFIT_USD("profit_usd", DataTypes.DECIMAL(Money.PRECISION, Money.SCALE));

    final String key;
    final DataType type;

    Verdict(String key, DataType type) {
        this.key = key;
        this.type = type;
    }
}
