package io.tributary.kafka;

import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.ProviderContext;
import org.apache.flink.table.connector.source.DataStreamScanProvider;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.connector.source.ScanTableSource;
import org.apache.flink.table.connector.source.abilities.SupportsReadingMetadata;
import org.apache.flink.table.connector.source.abilities.SupportsWatermarkPushDown;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.DataType;

/** Flink's Kafka source, with a {@link WatermarkMemory} right behind it. */
final class MonotonicKafkaSource
        implements ScanTableSource, SupportsReadingMetadata, SupportsWatermarkPushDown {
    /** Names the operator's state; one source of this kind a job. */
    private static final String UID = "remember-watermark";

    private final ScanTableSource kafka;

    MonotonicKafkaSource(ScanTableSource kafka) {
        this.kafka = kafka;
    }

    @Override
    public ScanRuntimeProvider getScanRuntimeProvider(ScanContext context) {
        DataStreamScanProvider messages =
                (DataStreamScanProvider) kafka.getScanRuntimeProvider(context);
        return new DataStreamScanProvider() {
            @Override
            public DataStream<RowData> produceDataStream(
                    ProviderContext provider, StreamExecutionEnvironment environment) {
                DataStream<RowData> rows = messages.produceDataStream(provider, environment);
                return rows.transform(UID, rows.getType(), new WatermarkMemory()).uid(UID);
            }

            @Override
            public boolean isBounded() {
                return messages.isBounded();
            }
        };
    }

    @Override
    public ChangelogMode getChangelogMode() {
        return kafka.getChangelogMode();
    }

    @Override
    public Map<String, DataType> listReadableMetadata() {
        return ((SupportsReadingMetadata) kafka).listReadableMetadata();
    }

    @Override
    public void applyReadableMetadata(List<String> keys, DataType producedType) {
        ((SupportsReadingMetadata) kafka).applyReadableMetadata(keys, producedType);
    }

    @Override
    public boolean supportsMetadataProjection() {
        return ((SupportsReadingMetadata) kafka).supportsMetadataProjection();
    }

    @Override
    public void applyWatermark(WatermarkStrategy<RowData> strategy) {
        ((SupportsWatermarkPushDown) kafka).applyWatermark(strategy);
    }

    @Override
    public DynamicTableSource copy() {
        return new MonotonicKafkaSource((ScanTableSource) kafka.copy());
    }

    @Override
    public String asSummaryString() {
        return "Monotonic " + kafka.asSummaryString();
    }
}
