package io.tributary.intake;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.Serializable;
import java.util.List;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.binary.BinaryStringData;

/** The judged messages that a table of the connector `intake` has: its option `rows`. */
enum Rows {
    /** Valid messages of the clickstream topic, on time or late. */
    CLICKSTREAM,

    /** Valid messages of the checkouts topic, on time or late. */
    CHECKOUTS,

    /** Messages of either topic that break their contract. */
    MALFORMED,

    /** Valid clicks and checkouts that are on time. */
    JOURNEYS;

    /** Makes the test whether such a table has a judged message with these columns. */
    Test test(Judge judge, List<String> columns) {
        int reason = columns.indexOf(Verdict.REASON.key);
        int isLate = columns.indexOf(Verdict.IS_LATE.key);
        int eventType = columns.indexOf(EVENT_TYPE);
        return switch (this) {
            case CLICKSTREAM -> row -> row.isNullAt(reason) && !judge.isCheckout(row);
            case CHECKOUTS -> row -> row.isNullAt(reason) && judge.isCheckout(row);
            case MALFORMED -> row -> !row.isNullAt(reason);
            case JOURNEYS ->
                row
                        -> row.isNullAt(reason) && !row.getBoolean(isLate)
                        && (judge.isCheckout(row)
                                || Text.equals((BinaryStringData) row.getString(eventType), CLICK));
        };
    }

    private static final String EVENT_TYPE = "event_type";
    private static final byte[] CLICK = "click".getBytes(UTF_8);

    /** Whether a table has a judged message. */
    @FunctionalInterface
    interface Test extends Serializable {
        boolean has(RowData judged);
    }
}
