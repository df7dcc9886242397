package io.tributary.intake;

import java.io.Serializable;
import java.util.List;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.table.data.RowData;

/** Decides whether a message meets its topic's contract, and what its event time is. */
final class Judge implements Serializable {
    private static final long serialVersionUID = 1L;

    /** Keys of Kafka's metadata that the judge needs; the last is the broker's append time. */
    static final String PROBLEMS = "value.problems";
    static final String TOPIC = "topic";
    static final String APPENDED_AT = "timestamp";

    static final long YEAR_2000_MS = 946_684_800_000L;
    private static final int MILLISECONDS = 3;

    final Money money;
    private final String clickstreamTopic;
    private final int topic;
    private final int occurredAtMs;
    private final int appendedAt;
    private final Contract clickstream;
    private final Contract checkouts;

    /**
     * Makes a judge of rows.
     *
     * @param columns the rows' columns: the table's, then Kafka's metadata by its keys
     */
    Judge(List<String> columns, ReadableConfig options) {
        money = new Money(columns);
        clickstreamTopic = options.get(IntakeFactory.CLICKSTREAM_TOPIC);
        topic = columns.indexOf(TOPIC);
        occurredAtMs = columns.indexOf("occurred_at_ms");
        appendedAt = columns.indexOf(APPENDED_AT);
        long maxFutureMs = options.get(IntakeFactory.MAX_FUTURE).toMillis();
        Check time = Check.timeUpTo(maxFutureMs, appendedAt);
        clickstream = Contract.parse(options.get(IntakeFactory.CLICKSTREAM), columns, time);
        checkouts = Contract.parse(options.get(IntakeFactory.CHECKOUTS), columns, time);
    }

    /**
     * Returns why the message breaks its contract, or null if it is valid. The reason begins with
     * the field's name, or with {@code message} if it concerns the whole.
     */
    String fault(RowData row) {
        if (!isCheckout(row)) {
            return clickstream.fault(row);
        }
        String fault = checkouts.fault(row);
        return fault == null && money.totalUsd(row) == null
                ? "total_usd: does not fit decimal(12,2)"
                : fault;
    }

    boolean isCheckout(RowData row) {
        return !row.getString(topic).toString().equals(clickstreamTopic);
    }

    /** The broker's clock when it stored the message, in epoch milliseconds. */
    long appendedAtMs(RowData row) {
        return appendedAtMs(row, appendedAt);
    }

    static long appendedAtMs(RowData row, int column) {
        return row.getTimestamp(column, MILLISECONDS).getMillisecond();
    }

    /** The event time of a valid message, in epoch milliseconds. */
    long occurredAtMs(RowData row) {
        return row.getLong(occurredAtMs);
    }
}
