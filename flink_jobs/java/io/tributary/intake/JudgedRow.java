package io.tributary.intake;

import java.io.Serializable;
import java.util.List;
import java.util.stream.Stream;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;

/** Makes a message's output row: the columns that the table declares, with the verdict. */
final class JudgedRow implements Serializable {
    private static final long serialVersionUID = 1L;

    private final Judge judge;

    /** Each output column's position in the input; -1 if it is a part of the verdict. */
    private final int[] places;

    /** Each verdict part's position in the output, by ordinal; -1 if the table does not use it. */
    private final int[] verdictPlaces;

    JudgedRow(Judge judge, List<String> columns, List<String> outputColumns) {
        this.judge = judge;
        places = outputColumns.stream().mapToInt(columns::indexOf).toArray();
        verdictPlaces = Stream.of(Verdict.values())
                                .mapToInt(part -> outputColumns.lastIndexOf(part.key))
                                .toArray();
    }

    /** Returns a new row on each call, because a downstream operator may keep it. */
    RowData of(RowData message, long occurredAtMs, long watermark) {
        GenericRowData input = (GenericRowData) message;
        GenericRowData row = new GenericRowData(places.length);
        for (int i = 0; i < places.length; i++) {
            if (places[i] >= 0) {
                row.setField(i, input.getField(places[i]));
            }
        }
        boolean isValid = occurredAtMs != EventTime.NONE;
        set(row, Verdict.IS_LATE, isValid && occurredAtMs <= watermark);
        if (!isValid) {
            set(row, Verdict.REASON, StringData.fromString(judge.fault(input)));
            return row;
        }
        set(row, Verdict.OCCURRED_AT, TimestampData.fromEpochMillis(occurredAtMs));
        if (judge.isCheckout(input)) {
            DecimalData total = judge.money.totalUsd(input);
            set(row, Verdict.TOTAL_USD, total);
            set(row, Verdict.PROFIT_USD, judge.money.profitUsd(input, total));
        }
        return row;
    }

    private void set(GenericRowData row, Verdict part, Object value) {
        int place = verdictPlaces[part.ordinal()];
        if (place >= 0) {
            row.setField(place, value);
        }
    }
}
