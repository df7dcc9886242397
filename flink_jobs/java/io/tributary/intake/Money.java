package io.tributary.intake;

import java.io.Serializable;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.List;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.RowData;

/** Computes a checkout's amounts exactly, and rounds each one half-up to cents. */
final class Money implements Serializable {
    private static final long serialVersionUID = 1L;

    static final int PRECISION = 12;
    static final int SCALE = 2;
    static final int SHARE_PRECISION = 5;
    static final int SHARE_SCALE = 4;
    static final BigDecimal WHOLE = BigDecimal.ONE;

    private final int quantity;
    private final int unitPrice;
    private final int discountShare;
    private final int shipping;
    private final int commissionShare;

    Money(List<String> columns) {
        quantity = columns.indexOf("quantity");
        unitPrice = columns.indexOf("unit_price_usd");
        discountShare = columns.indexOf("discount_share");
        shipping = columns.indexOf("shipping_usd");
        commissionShare = columns.indexOf("commission_share");
    }

    /**
     * What the customer pays: quantity × unit price × (1 − discount share) + shipping. Null if it
     * does not fit decimal(12, 2).
     */
    DecimalData totalUsd(RowData checkout) {
        BigDecimal pieces = BigDecimal.valueOf(checkout.getInt(quantity));
        BigDecimal paidShare = WHOLE.subtract(share(checkout, discountShare));
        BigDecimal goods = pieces.multiply(usd(checkout, unitPrice)).multiply(paidShare);
        return toCents(goods.add(usd(checkout, shipping)));
    }

    /** Our commission: (total − shipping) × commission share. */
    DecimalData profitUsd(RowData checkout, DecimalData totalUsd) {
        BigDecimal goods = totalUsd.toBigDecimal().subtract(usd(checkout, shipping));
        return toCents(goods.multiply(share(checkout, commissionShare)));
    }

    static BigDecimal usd(RowData checkout, int column) {
        return checkout.getDecimal(column, PRECISION, SCALE).toBigDecimal();
    }

    static BigDecimal share(RowData checkout, int column) {
        return checkout.getDecimal(column, SHARE_PRECISION, SHARE_SCALE).toBigDecimal();
    }

    private static DecimalData toCents(BigDecimal amount) {
        BigDecimal cents = amount.setScale(SCALE, RoundingMode.HALF_UP);
        return DecimalData.fromBigDecimal(cents, PRECISION, SCALE);
    }
}
