package io.tributary.intake;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.ProviderContext;
import org.apache.flink.table.connector.source.DataStreamScanProvider;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.connector.source.ScanTableSource;
import org.apache.flink.table.connector.source.abilities.SupportsReadingMetadata;
import org.apache.flink.table.connector.source.abilities.SupportsWatermarkPushDown;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.utils.DataTypeUtils;

/** Flink's Kafka source with our event times, followed by an {@link IntakeOperator}. */
final class IntakeSource implements ScanTableSource, SupportsReadingMetadata {
    /** The operator's uid, so a job can have only one source of this kind. */
    private static final String UID = "intake";

    /** Kafka's metadata that the judge needs, whether the table declares it or not. */
    private static final Set<String> NEEDED =
            Set.of(Judge.PROBLEMS, Judge.TOPIC, Judge.APPENDED_AT);

    private final ScanTableSource kafka;
    private final DataType physicalType;
    private final ReadableConfig options;
    private List<String> keys = List.of();
    private DataType producedType;

    IntakeSource(ScanTableSource kafka, DataType physicalType, ReadableConfig options) {
        this.kafka = kafka;
        this.physicalType = physicalType;
        this.options = options;
        this.producedType = physicalType;
    }

    @Override
    public ScanRuntimeProvider getScanRuntimeProvider(ScanContext context) {
        ScanTableSource source = (ScanTableSource) kafka.copy();
        List<String> columns = new ArrayList<>(DataType.getFieldNames(physicalType));
        List<String> kafkaKeys = kafkaKeys();
        columns.addAll(kafkaKeys);
        ((SupportsReadingMetadata) source).applyReadableMetadata(kafkaKeys, typeOf(kafkaKeys));
        Judge judge = new Judge(columns, options);
        ((SupportsWatermarkPushDown) source).applyWatermark(EventTime.strategy(judge, options));
        IntakeOperator operator = new IntakeOperator(judge, columns, outputColumns());
        TypeInformation<RowData> type = context.createTypeInformation(producedType);
        return behind(
                (DataStreamScanProvider) source.getScanRuntimeProvider(context), operator, type);
    }

    private static DataStreamScanProvider behind(DataStreamScanProvider messages,
            IntakeOperator operator,
            TypeInformation<RowData> type) {
        return new DataStreamScanProvider() {
            @Override
            public DataStream<RowData> produceDataStream(
                    ProviderContext provider, StreamExecutionEnvironment environment) {
                return messages.produceDataStream(provider, environment)
                        .transform(UID, type, operator)
                        .uid(UID);
            }

            @Override
            public boolean isBounded() {
                return messages.isBounded();
            }
        };
    }

    private List<String> kafkaKeys() {
        List<String> wanted = new ArrayList<>(kafkaMetadata().keySet());
        wanted.removeIf(key -> !NEEDED.contains(key) && !keys.contains(key));
        return wanted;
    }

    private DataType typeOf(List<String> metadataKeys) {
        Map<String, DataType> types = kafkaMetadata();
        List<DataTypes.Field> fields = new ArrayList<>();
        metadataKeys.forEach(key -> fields.add(DataTypes.FIELD(key, types.get(key))));
        return DataTypeUtils.appendRowFields(physicalType, fields);
    }

    private List<String> outputColumns() {
        List<String> columns = new ArrayList<>(DataType.getFieldNames(physicalType));
        columns.addAll(keys);
        return columns;
    }

    private Map<String, DataType> kafkaMetadata() {
        return ((SupportsReadingMetadata) kafka).listReadableMetadata();
    }

    @Override
    public Map<String, DataType> listReadableMetadata() {
        Map<String, DataType> types = new LinkedHashMap<>(kafkaMetadata());
        for (Verdict part : Verdict.values()) {
            types.put(part.key, part.type);
        }
        return types;
    }

    @Override
    public void applyReadableMetadata(List<String> metadataKeys, DataType type) {
        keys = metadataKeys;
        producedType = type;
    }

    @Override
    public ChangelogMode getChangelogMode() {
        return ChangelogMode.insertOnly();
    }

    @Override
    public DynamicTableSource copy() {
        IntakeSource copy = new IntakeSource((ScanTableSource) kafka.copy(), physicalType, options);
        copy.applyReadableMetadata(keys, producedType);
        return copy;
    }

    @Override
    public String asSummaryString() {
        return "Intake of " + kafka.asSummaryString();
    }
}
