package io.tributary.attribution;

import java.math.BigDecimal;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;

/** Reads rows of the view `journey_events`, and turns them into what state keeps. */
final class JourneyEvents {
    static final int MONEY_PRECISION = 12;
    static final int MONEY_SCALE = 2;

    /** The view's columns, in its order. */
    static final String TYPE =
            "ROW<user_id BIGINT, click_id STRING, checkout_id STRING, product_id BIGINT,"
            + " source STRING, campaign STRING, quantity INT, total_usd DECIMAL(12, 2),"
            + " profit_usd DECIMAL(12, 2), payment_method STRING, payment_status STRING,"
            + " failure_reason STRING, occurred_at_ms BIGINT>";

    private static final int CLICK_ID = 1;
    private static final int CHECKOUT_ID = 2;
    private static final int PRODUCT_ID = 3;
    private static final int SOURCE = 4;
    private static final int CAMPAIGN = 5;
    private static final int QUANTITY = 6;
    private static final int TOTAL_USD = 7;
    private static final int PROFIT_USD = 8;
    private static final int PAYMENT_METHOD = 9;
    private static final int PAYMENT_STATUS = 10;
    private static final int FAILURE_REASON = 11;
    private static final int OCCURRED_AT_MS = 12;

    private JourneyEvents() {
    }

    static boolean isCheckout(RowData event) {
        return !event.isNullAt(CHECKOUT_ID);
    }

    static long occurredAtMs(RowData event) {
        return event.getLong(OCCURRED_AT_MS);
    }

    static byte[] toClick(RowData event) {
        return PackedClick.of(occurredAtMs(event),
                event.isNullAt(PRODUCT_ID) ? null : event.getLong(PRODUCT_ID),
                event.getString(CLICK_ID),
                text(event, SOURCE),
                text(event, CAMPAIGN));
    }

    static Checkout toCheckout(RowData event) {
        return new Checkout(event.getString(CHECKOUT_ID).toString(),
                event.getLong(PRODUCT_ID),
                event.getInt(QUANTITY),
                money(event, TOTAL_USD),
                money(event, PROFIT_USD),
                event.getString(PAYMENT_METHOD).toString(),
                event.getString(PAYMENT_STATUS).toString(),
                event.isNullAt(FAILURE_REASON) ? null : event.getString(FAILURE_REASON).toString());
    }

    private static BigDecimal money(RowData event, int column) {
        return event.getDecimal(column, MONEY_PRECISION, MONEY_SCALE).toBigDecimal();
    }

    private static StringData text(RowData event, int column) {
        return event.isNullAt(column) ? null : event.getString(column);
    }
}
