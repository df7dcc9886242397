package io.tributary.intake;

import java.util.List;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;

/**
 * Selects one table's rows and columns from the judged messages. The values are shared, not copied:
 * the planner would copy every text of a projection.
 */
final class RowsOperator extends AbstractStreamOperator<RowData>
        implements OneInputStreamOperator<RowData, RowData> {
    private static final long serialVersionUID = 1L;

    private final Rows.Test test;

    /** Each of the table's columns: its place in the judged message. */
    private final int[] places;

    /**
     * Makes an operator.
     *
     * @param columns the judged messages' columns
     * @param wanted the table's columns, by the names that the judged messages give them
     */
    RowsOperator(Rows.Test test, List<String> columns, List<String> wanted) {
        this.test = test;
        places = wanted.stream().mapToInt(columns::indexOf).toArray();
    }

    @Override
    public void processElement(StreamRecord<RowData> message) {
        GenericRowData judged = (GenericRowData) message.getValue();
        if (!test.has(judged)) {
            return;
        }
        GenericRowData row = new GenericRowData(places.length);
        for (int i = 0; i < places.length; i++) {
            row.setField(i, judged.getField(places[i]));
        }
        output.collect(message.replace(row));
    }
}
