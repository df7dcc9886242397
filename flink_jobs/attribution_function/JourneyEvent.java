package io.tributary.attribution;

import java.math.BigDecimal;
import org.apache.flink.table.annotation.DataTypeHint;

/**
 * A click or a checkout as it arrives: a row of the view `journey_events`, whose columns have the
 * names and types of the constructor's parameters.
 */
public final class JourneyEvent {
    public final Long user_id;
    public final String click_id;
    public final String checkout_id;
    public final Long product_id;
    public final String source;
    public final String campaign;
    public final Integer quantity;
    public final @DataTypeHint("DECIMAL(12, 2)") BigDecimal total_usd;
    public final @DataTypeHint("DECIMAL(12, 2)") BigDecimal profit_usd;
    public final String payment_method;
    public final String payment_status;
    public final String failure_reason;
    public final Long occurred_at_ms;

    public JourneyEvent(
            Long user_id,
            String click_id,
            String checkout_id,
            Long product_id,
            String source,
            String campaign,
            Integer quantity,
            @DataTypeHint("DECIMAL(12, 2)") BigDecimal total_usd,
            @DataTypeHint("DECIMAL(12, 2)") BigDecimal profit_usd,
            String payment_method,
            String payment_status,
            String failure_reason,
            Long occurred_at_ms) {
        this.user_id = user_id;
        this.click_id = click_id;
        this.checkout_id = checkout_id;
        this.product_id = product_id;
        this.source = source;
        this.campaign = campaign;
        this.quantity = quantity;
        this.total_usd = total_usd;
        this.profit_usd = profit_usd;
        this.payment_method = payment_method;
        this.payment_status = payment_status;
        this.failure_reason = failure_reason;
        this.occurred_at_ms = occurred_at_ms;
    }

    boolean isCheckout() {
        return checkout_id != null;
    }

    Touchpoint toTouchpoint() {
        return new Touchpoint(click_id, product_id, source, campaign, occurred_at_ms);
    }

    Checkout toCheckout() {
        return new Checkout(
                checkout_id,
                product_id,
                quantity,
                total_usd,
                profit_usd,
                payment_method,
                payment_status,
                failure_reason);
    }
}
