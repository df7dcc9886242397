package io.tributary.intake;

import java.util.List;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.apache.flink.table.data.RowData;

/**
 * Adds the verdict to every message, and stores the watermark in the checkpoint, which Flink does
 * not do. After a restore it emits that watermark again before the first message. So a message that
 * was late before a failure is still late after it.
 *
 * <p>Each subtask stores its own watermark, and whether it is idle, in union list state. After a
 * restore all subtasks start from the same watermark, at any parallelism: the lowest one of the
 * subtasks that were not idle, because downstream operators had reached that one. If all subtasks
 * were idle, it is the highest one.
 */
final class IntakeOperator extends AbstractStreamOperator<RowData>
        implements OneInputStreamOperator<RowData, RowData> {
    private static final long serialVersionUID = 1L;

    private final JudgedRow rows;
    private long reached = Long.MIN_VALUE;
    private boolean isIdle;
    private transient boolean hasEmittedRestored;
    private transient ListState<Tuple2<Long, Boolean>> watermarks;

    IntakeOperator(Judge judge) {
        rows = new JudgedRow(judge);
    }

    @Override
    public void initializeState(StateInitializationContext context) throws Exception {
        super.initializeState(context);
        watermarks = context.getOperatorStateStore().getUnionListState(
                new ListStateDescriptor<>("watermarks", Types.TUPLE(Types.LONG, Types.BOOLEAN)));
        long lowestActive = Long.MAX_VALUE;
        long highest = Long.MIN_VALUE;
        for (Tuple2<Long, Boolean> subtask : watermarks.get()) {
            highest = Math.max(highest, subtask.f0);
            if (!subtask.f1) {
                lowestActive = Math.min(lowestActive, subtask.f0);
            }
        }
        reached = Math.min(lowestActive, highest);
    }

    @Override
    public void snapshotState(StateSnapshotContext context) throws Exception {
        super.snapshotState(context);
        watermarks.update(List.of(Tuple2.of(reached, isIdle)));
    }

    @Override
    public void processElement(StreamRecord<RowData> message) {
        if (!hasEmittedRestored) {
            hasEmittedRestored = true;
            output.emitWatermark(new Watermark(reached));
        }
        RowData row = rows.of(message.getValue(), message.getTimestamp(), reached);
        output.collect(message.replace(row));
    }

    /**
     * Forwards a watermark only if it is higher than the last one. {@code MAX_WATERMARK} marks the
     * end of the input. It is not an event time, so it is forwarded but not stored.
     */
    @Override
    public void processWatermark(Watermark watermark) throws Exception {
        if (watermark.equals(Watermark.MAX_WATERMARK)) {
            super.processWatermark(watermark);
        } else if (watermark.getTimestamp() > reached) {
            reached = watermark.getTimestamp();
            super.processWatermark(watermark);
        }
    }

    @Override
    public void processWatermarkStatus(WatermarkStatus status) throws Exception {
        isIdle = status.isIdle();
        super.processWatermarkStatus(status);
    }
}
