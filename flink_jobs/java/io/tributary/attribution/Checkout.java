package io.tributary.attribution;

import java.math.BigDecimal;
import org.apache.flink.table.annotation.DataTypeHint;

/** A checkout that waits in state for the watermark, with the columns that its row needs. */
public final class Checkout {
    public final String checkout_id;
    public final Long product_id;
    public final Integer quantity;
    public final @DataTypeHint("DECIMAL(12, 2)") BigDecimal total_usd;
    public final @DataTypeHint("DECIMAL(12, 2)") BigDecimal profit_usd;
    public final String payment_method;
    public final String payment_status;
    public final String failure_reason;

    public Checkout(String checkout_id,
            Long product_id,
            Integer quantity,
            @DataTypeHint("DECIMAL(12, 2)") BigDecimal total_usd,
            @DataTypeHint("DECIMAL(12, 2)") BigDecimal profit_usd,
            String payment_method,
            String payment_status,
            String failure_reason) {
        this.checkout_id = checkout_id;
        this.product_id = product_id;
        this.quantity = quantity;
        this.total_usd = total_usd;
        this.profit_usd = profit_usd;
        this.payment_method = payment_method;
        this.payment_status = payment_status;
        this.failure_reason = failure_reason;
    }
}
