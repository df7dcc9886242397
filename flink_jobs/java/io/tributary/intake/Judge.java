package io.tributary.intake;

import static io.tributary.intake.Check.AT_LEAST_ONE;
import static io.tributary.intake.Check.NOT_NEGATIVE;
import static io.tributary.intake.Check.SHARE;
import static io.tributary.intake.Check.oneOf;

import java.io.Serializable;
import java.util.List;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.table.data.RowData;

/** The contract of both topics: what a message must hold to be valid, and when it happened. */
final class Judge implements Serializable {
    private static final long serialVersionUID = 1L;

    /** Kafka's metadata that the judgement needs. */
    static final String PROBLEMS = "value.problems";
    static final String TOPIC = "topic";
    static final String APPENDED_AT = "timestamp";

    static final long YEAR_2000_MS = 946_684_800_000L;
    static final int MILLISECONDS = 3;

    final Money money;
    private final String clickstreamTopic;
    private final int topic;
    private final int occurredAtMs;
    private final Contract clickstream;
    private final Contract checkouts;

    /** For rows of these columns: the table's, then Kafka's metadata by its keys. */
    Judge(List<String> columns, ReadableConfig options) {
        money = new Money(columns);
        clickstreamTopic = options.get(IntakeFactory.CLICKSTREAM_TOPIC);
        topic = columns.indexOf(TOPIC);
        occurredAtMs = columns.indexOf("occurred_at_ms");
        long maxFutureMs = options.get(IntakeFactory.MAX_FUTURE).toMillis();
        Check time = Check.timeUpTo(maxFutureMs, columns.indexOf(APPENDED_AT));
        clickstream = new Contract(columns)
                              .required("event_id", "user_id", "session_id")
                              .required("event_type", oneOf(options.get(IntakeFactory.EVENT_TYPES)))
                              .required("occurred_at_ms", time)
                              .optional("product_id", "source", "campaign", "url", "device")
                              .optional("user_agent", "ip_address", "latitude", "longitude");
        checkouts = new Contract(columns)
                            .required("checkout_id", "user_id", "session_id", "product_id")
                            .required("occurred_at_ms", time)
                            .required("quantity", AT_LEAST_ONE)
                            .required("unit_price_usd", NOT_NEGATIVE)
                            .required("discount_share", SHARE)
                            .required("shipping_usd", NOT_NEGATIVE)
                            .required("commission_share", SHARE)
                            .required("payment_method",
                                    oneOf(options.get(IntakeFactory.PAYMENT_METHODS)))
                            .required("payment_status",
                                    oneOf(options.get(IntakeFactory.PAYMENT_STATUSES)))
                            .optional("failure_reason", "shipping_address", "billing_address")
                            .optional("user_agent", "ip_address");
    }

    /** Why the message breaks its contract, beginning with the field's name; null: it keeps it. */
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

    /** Event time of a valid message, epoch milliseconds. */
    long occurredAtMs(RowData row) {
        return row.getLong(occurredAtMs);
    }
}
