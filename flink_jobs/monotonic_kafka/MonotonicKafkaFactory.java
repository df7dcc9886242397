package io.tributary.kafka;

import java.util.Set;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.streaming.connectors.kafka.table.KafkaDynamicTableFactory;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.connector.source.ScanTableSource;
import org.apache.flink.table.factories.DynamicTableSourceFactory;

/**
 * The connector `monotonic-kafka`: Flink's `kafka`, with its options, and a watermark that no
 * restart takes back.
 */
public final class MonotonicKafkaFactory implements DynamicTableSourceFactory {
    private final KafkaDynamicTableFactory kafka = new KafkaDynamicTableFactory();

    @Override
    public String factoryIdentifier() {
        return "monotonic-kafka";
    }

    @Override
    public DynamicTableSource createDynamicTableSource(Context context) {
        return new MonotonicKafkaSource((ScanTableSource) kafka.createDynamicTableSource(context));
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return kafka.requiredOptions();
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return kafka.optionalOptions();
    }
}
