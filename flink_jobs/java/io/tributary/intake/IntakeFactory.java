package io.tributary.intake;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.connectors.kafka.table.KafkaDynamicTableFactory;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.catalog.Column;
import org.apache.flink.table.catalog.ObjectIdentifier;
import org.apache.flink.table.catalog.ResolvedCatalogTable;
import org.apache.flink.table.catalog.ResolvedSchema;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.connector.source.ScanTableSource;
import org.apache.flink.table.factories.DynamicTableSourceFactory;
import org.apache.flink.table.factories.FactoryUtil;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.utils.LogicalTypeParser;
import org.apache.flink.table.types.utils.TypeConversions;

/**
 * The connector `intake`: Flink's connector `kafka` with its options, followed by an operator that
 * judges every message. It decides whether the message meets its topic's contract, what its event
 * time is, and whether it is late. A table has the messages of one kind (option `rows`); all tables
 * of a job read from one source and share its watermark.
 */
public final class IntakeFactory implements DynamicTableSourceFactory {
    static final ConfigOption<Rows> ROWS =
            ConfigOptions.key("rows").enumType(Rows.class).noDefaultValue();
    static final ConfigOption<String> FIELDS = text("contract.fields");
    static final ConfigOption<String> CLICKSTREAM_TOPIC = text("contract.clickstream-topic");
    static final ConfigOption<String> CLICKSTREAM = text("contract.clickstream");
    static final ConfigOption<String> CHECKOUTS = text("contract.checkouts");
    static final ConfigOption<Duration> MAX_FUTURE = duration("contract.max-future");
    static final ConfigOption<Duration> OUT_OF_ORDERNESS = duration("watermark.out-of-orderness");
    static final ConfigOption<Duration> IDLE_TIMEOUT = duration("watermark.idle-timeout");
    private static final Set<ConfigOption<?>> OWN = Set.of(ROWS,
            FIELDS,
            CLICKSTREAM_TOPIC,
            CLICKSTREAM,
            CHECKOUTS,
            MAX_FUTURE,
            OUT_OF_ORDERNESS,
            IDLE_TIMEOUT);

    /** The name of the table of all messages, which Flink's connector puts into its operator's. */
    private static final String MESSAGES = "messages";

    private final KafkaDynamicTableFactory kafka = new KafkaDynamicTableFactory();

    @Override
    public String factoryIdentifier() {
        return "intake";
    }

    @Override
    public DynamicTableSource createDynamicTableSource(Context context) {
        Map<String, String> options = new HashMap<>(context.getCatalogTable().getOptions());
        Configuration own = Configuration.fromMap(options);
        FactoryUtil.validateFactoryOptions(OWN, Set.of(), own);
        OWN.forEach(option -> options.remove(option.key()));
        DataType messages = typeOfMessages(own.get(FIELDS), context.getClassLoader());
        return new IntakeSource((ScanTableSource) kafka.createDynamicTableSource(
                                        tableOfMessages(messages, options, context)),
                messages,
                context.getPhysicalRowDataType(),
                own);
    }

    /** The fields of both topics, and the key. */
    private static DataType typeOfMessages(String fields, ClassLoader loader) {
        DataType type = TypeConversions.fromLogicalToDataType(
                LogicalTypeParser.parse("ROW<" + fields + ">", loader));
        List<DataTypes.Field> all = new ArrayList<>(DataType.getFields(type));
        all.add(DataTypes.FIELD(IntakeSource.MESSAGE_KEY, DataTypes.BYTES()));
        return DataTypes.ROW(all);
    }

    /** The table of all messages, with only those options that Flink's connector knows. */
    private static Context tableOfMessages(
            DataType type, Map<String, String> options, Context context) {
        List<Column> columns = new ArrayList<>();
        DataType.getFields(type).forEach(
                field -> columns.add(Column.physical(field.getName(), field.getDataType())));
        ResolvedCatalogTable table = new ResolvedCatalogTable(
                context.getCatalogTable().getOrigin(), ResolvedSchema.of(columns));
        ObjectIdentifier own = context.getObjectIdentifier();
        return new FactoryUtil.DefaultDynamicTableContext(
                ObjectIdentifier.of(own.getCatalogName(), own.getDatabaseName(), MESSAGES),
                table.copy(options),
                context.getEnrichmentOptions(),
                context.getConfiguration(),
                context.getClassLoader(),
                context.isTemporary());
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        Set<ConfigOption<?>> options = new HashSet<>(kafka.requiredOptions());
        options.addAll(OWN);
        return options;
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return kafka.optionalOptions();
    }

    private static ConfigOption<String> text(String key) {
        return ConfigOptions.key(key).stringType().noDefaultValue();
    }

    private static ConfigOption<Duration> duration(String key) {
        return ConfigOptions.key(key).durationType().noDefaultValue();
    }
}
