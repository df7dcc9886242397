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
 * Adds the verdict to every message, and keeps the watermark in the checkpoint, where Flink does
 * not: after a restore it is repeated before the first message, so what was late stays late,
 * whatever died in between.
 *
 * <p>Every task remembers its own watermark. All of them restore the least of those that were not
 * idle, which is where the tasks behind them stood, however many there are now; of idle ones alone,
 * the greatest.
 */
final class IntakeOperator extends AbstractStreamOperator<RowData>
        implements OneInputStreamOperator<RowData, RowData> {
    private static final long serialVersionUID = 1L;

    private final JudgedRow rows;
    private long reached = Long.MIN_VALUE;
    private boolean isIdle;
    private transient boolean isRepeated;
    private transient ListState<Tuple2<Long, Boolean>> memory;

    IntakeOperator(Judge judge, List<String> columns, List<String> outputColumns) {
        rows = new JudgedRow(judge, columns, outputColumns);
    }

    @Override
    public void initializeState(StateInitializationContext context) throws Exception {
        super.initializeState(context);
        memory = context.getOperatorStateStore().getUnionListState(
                new ListStateDescriptor<>("watermarks", Types.TUPLE(Types.LONG, Types.BOOLEAN)));
        long leastActive = Long.MAX_VALUE;
        long greatest = Long.MIN_VALUE;
        for (Tuple2<Long, Boolean> task : memory.get()) {
            greatest = Math.max(greatest, task.f0);
            if (!task.f1) {
                leastActive = Math.min(leastActive, task.f0);
            }
        }
        reached = Math.min(leastActive, greatest);
    }

    @Override
    public void snapshotState(StateSnapshotContext context) throws Exception {
        super.snapshotState(context);
        memory.update(List.of(Tuple2.of(reached, isIdle)));
    }

    @Override
    public void processElement(StreamRecord<RowData> message) {
        if (!isRepeated) {
            isRepeated = true;
            output.emitWatermark(new Watermark(reached));
        }
        RowData row = rows.of(message.getValue(), message.getTimestamp(), reached);
        output.collect(message.replace(row));
    }

    /** Lets nothing behind pass; the end of all input is no event time and not remembered. */
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
