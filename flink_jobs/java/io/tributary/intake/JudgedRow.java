package io.tributary.intake;

import java.io.Serializable;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;

/** Makes a judged message: the message's columns, then those of the {@link Verdict}. */
final class JudgedRow implements Serializable {
    private static final long serialVersionUID = 1L;

    private final Judge judge;

    JudgedRow(Judge judge) {
        this.judge = judge;
    }

    /** Returns a new row on each call, because a downstream operator may keep it. */
    RowData of(RowData message, long occurredAtMs, long watermark) {
        GenericRowData input = (GenericRowData) message;
        int columns = input.getArity();
        GenericRowData row = new GenericRowData(columns + Verdict.values().length);
        for (int i = 0; i < columns; i++) {
            row.setField(i, input.getField(i));
        }
        boolean isValid = occurredAtMs != EventTime.NONE;
        set(row, columns, Verdict.IS_LATE, isValid && occurredAtMs <= watermark);
        set(row,
                columns,
                Verdict.INGESTED_AT,
                TimestampData.fromEpochMillis(System.currentTimeMillis()));
        if (!isValid) {
            set(row, columns, Verdict.REASON, StringData.fromString(judge.fault(input)));
            return row;
        }
        set(row, columns, Verdict.OCCURRED_AT, TimestampData.fromEpochMillis(occurredAtMs));
        if (judge.isCheckout(input)) {
            DecimalData total = judge.money.totalUsd(input);
            set(row, columns, Verdict.TOTAL_USD, total);
            set(row, columns, Verdict.PROFIT_USD, judge.money.profitUsd(input, total));
        }
        return row;
    }

    private static void set(GenericRowData row, int columns, Verdict part, Object value) {
        row.setField(columns + part.ordinal(), value);
    }
}
