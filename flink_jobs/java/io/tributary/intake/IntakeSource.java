package io.tributary.intake;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.dag.Transformation;
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

/**
 * One kind of judged messages: Flink's Kafka source with our event times, an {@link
 * IntakeOperator}, and a {@link RowsOperator}. The tables of a job share the first two.
 */
final class IntakeSource implements ScanTableSource {
    static final String MESSAGE_KEY = "message_key";

    /** The operator's uid. By it, a job's second table finds the judged messages of the first. */
    private static final String UID = "intake";

    /** Kafka's metadata behind the fields and the key. */
    private static final List<String> METADATA = List.of(
            Judge.PROBLEMS, Judge.TOPIC, Judge.APPENDED_AT, "partition", "offset", "value.body");

    /** What tables call a column that has another name in a judged message. */
    private static final Map<String, String> OTHER_NAMES = Map.of("kafka_partition",
            "partition",
            "kafka_offset",
            "offset",
            "body",
            "value.body",
            "click_id",
            "event_id");

    private final ScanTableSource kafka;
    private final DataType messages;
    private final DataType table;
    private final ReadableConfig options;

    IntakeSource(ScanTableSource kafka, DataType messages, DataType table, ReadableConfig options) {
        this.kafka = kafka;
        this.messages = messages;
        this.table = table;
        this.options = options;
    }

    @Override
    public ScanRuntimeProvider getScanRuntimeProvider(ScanContext context) {
        ScanTableSource source = (ScanTableSource) kafka.copy();
        Map<String, DataType> types = ((SupportsReadingMetadata) kafka).listReadableMetadata();
        // Kafka's source writes them in this order, whatever the order of the request.
        List<String> keys = new ArrayList<>(types.keySet());
        keys.retainAll(METADATA);
        List<DataTypes.Field> metadata = new ArrayList<>();
        keys.forEach(key -> metadata.add(DataTypes.FIELD(key, types.get(key))));
        DataType read = DataTypeUtils.appendRowFields(messages, metadata);
        ((SupportsReadingMetadata) source).applyReadableMetadata(keys, read);
        Judge judge = new Judge(DataType.getFieldNames(read), options);
        ((SupportsWatermarkPushDown) source).applyWatermark(EventTime.strategy(judge, options));

        List<DataTypes.Field> verdict = new ArrayList<>();
        for (Verdict part : Verdict.values()) {
            verdict.add(DataTypes.FIELD(part.key, part.type));
        }
        DataType judged = DataTypeUtils.appendRowFields(read, verdict);
        List<String> columns = DataType.getFieldNames(judged);
        List<String> wanted = DataType.getFieldNames(table)
                                      .stream()
                                      .map(name -> OTHER_NAMES.getOrDefault(name, name))
                                      .collect(Collectors.toList());
        Rows rows = options.get(IntakeFactory.ROWS);
        return behind((DataStreamScanProvider) source.getScanRuntimeProvider(context),
                new IntakeOperator(judge),
                context.createTypeInformation(judged),
                new RowsOperator(rows.test(judge, columns), columns, wanted),
                context.createTypeInformation(table));
    }

    private static DataStreamScanProvider behind(DataStreamScanProvider messages,
            IntakeOperator intake,
            TypeInformation<RowData> judged,
            RowsOperator rows,
            TypeInformation<RowData> table) {
        return new DataStreamScanProvider() {
            @Override
            public DataStream<RowData> produceDataStream(
                    ProviderContext provider, StreamExecutionEnvironment environment) {
                return find(environment)
                        .orElseGet(()
                                           -> messages.produceDataStream(provider, environment)
                                                   .transform(UID, judged, intake)
                                                   .uid(UID))
                        .transform("rows", table, rows);
            }

            @Override
            public boolean isBounded() {
                return messages.isBounded();
            }
        };
    }

    /** The judged messages, if another table of the job has already asked for them. */
    @SuppressWarnings("unchecked")
    private static Optional<DataStream<RowData>> find(StreamExecutionEnvironment environment) {
        return environment.getTransformations()
                .stream()
                .filter(each -> UID.equals(each.getUid()))
                .findFirst()
                .map(each -> new DataStream<>(environment, (Transformation<RowData>) each));
    }

    @Override
    public ChangelogMode getChangelogMode() {
        return ChangelogMode.insertOnly();
    }

    @Override
    public DynamicTableSource copy() {
        return new IntakeSource((ScanTableSource) kafka.copy(), messages, table, options);
    }

    @Override
    public String asSummaryString() {
        return "Intake of " + kafka.asSummaryString();
    }
}
