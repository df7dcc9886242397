package io.tributary.intake;

import org.apache.flink.api.common.eventtime.TimestampAssigner;
import org.apache.flink.api.common.eventtime.TimestampAssignerSupplier;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.common.eventtime.WatermarkGenerator;
import org.apache.flink.api.common.eventtime.WatermarkGeneratorSupplier;
import org.apache.flink.api.common.eventtime.WatermarkOutput;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.table.data.RowData;

/**
 * Event time and watermark of a partition. Only valid messages have an event time, so a malformed
 * message does not move the watermark. The watermark is the newest event time less the
 * out-of-orderness bound, but no later than the broker's clock less the same bound: a sender whose
 * clock is ahead makes no other sender late. It is emitted with each message, not periodically.
 */
final class EventTime implements WatermarkStrategy<RowData> {
    private static final long serialVersionUID = 1L;

    /** The timestamp of a message that breaks its contract: it has no event time. */
    static final long NONE = TimestampAssigner.NO_TIMESTAMP;

    private final Judge judge;
    private final long outOfOrdernessMs;

    private EventTime(Judge judge, long outOfOrdernessMs) {
        this.judge = judge;
        this.outOfOrdernessMs = outOfOrdernessMs;
    }

    /** The strategy; a partition is idle once it has had no messages for the idle timeout. */
    static WatermarkStrategy<RowData> strategy(Judge judge, ReadableConfig options) {
        return new EventTime(judge, options.get(IntakeFactory.OUT_OF_ORDERNESS).toMillis())
                .withIdleness(options.get(IntakeFactory.IDLE_TIMEOUT));
    }

    @Override
    public TimestampAssigner<RowData> createTimestampAssigner(
            TimestampAssignerSupplier.Context context) {
        return (row, appendedAt) -> judge.fault(row) == null ? judge.occurredAtMs(row) : NONE;
    }

    @Override
    public WatermarkGenerator<RowData> createWatermarkGenerator(
            WatermarkGeneratorSupplier.Context context) {
        return new WatermarkGenerator<>() {
            private long newest = NONE;

            @Override
            public void onEvent(RowData row, long occurredAtMs, WatermarkOutput output) {
                if (occurredAtMs <= newest) { // as is a message without an event time
                    return;
                }
                long time = Math.min(occurredAtMs, judge.appendedAtMs(row));
                if (time > newest) {
                    newest = time;
                    output.emitWatermark(new Watermark(newest - outOfOrdernessMs));
                }
            }

            @Override
            public void onPeriodicEmit(WatermarkOutput output) {
                // onEvent has already emitted the newest watermark.
            }
        };
    }
}
