package io.tributary.intake;

import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.connectors.kafka.table.KafkaDynamicTableFactory;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.connector.source.ScanTableSource;
import org.apache.flink.table.factories.DynamicTableSourceFactory;
import org.apache.flink.table.factories.FactoryUtil;

/**
 * The connector `intake`: Flink's connector `kafka` with its options, followed by an operator that
 * judges every message. It decides whether the message meets its topic's contract, what its event
 * time is, and whether it is late.
 */
public final class IntakeFactory implements DynamicTableSourceFactory {
    static final ConfigOption<String> CLICKSTREAM_TOPIC = text("contract.clickstream-topic");
    static final ConfigOption<String> CLICKSTREAM = text("contract.clickstream");
    static final ConfigOption<String> CHECKOUTS = text("contract.checkouts");
    static final ConfigOption<Duration> MAX_FUTURE = duration("contract.max-future");
    static final ConfigOption<Duration> OUT_OF_ORDERNESS = duration("watermark.out-of-orderness");
    static final ConfigOption<Duration> IDLE_TIMEOUT = duration("watermark.idle-timeout");
    private static final Set<ConfigOption<?>> OWN = Set.of(
            CLICKSTREAM_TOPIC, CLICKSTREAM, CHECKOUTS, MAX_FUTURE, OUT_OF_ORDERNESS, IDLE_TIMEOUT);

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
        return new IntakeSource(
                (ScanTableSource) kafka.createDynamicTableSource(with(options, context)),
                context.getPhysicalRowDataType(),
                own);
    }

    /** Returns the table's context with only those options that Flink's connector knows. */
    private static Context with(Map<String, String> options, Context context) {
        return new FactoryUtil.DefaultDynamicTableContext(context.getObjectIdentifier(),
                context.getCatalogTable().copy(options),
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
