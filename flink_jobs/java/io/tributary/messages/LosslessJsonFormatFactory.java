package io.tributary.messages;

import java.util.Set;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.table.connector.format.DecodingFormat;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.factories.DeserializationFormatFactory;
import org.apache.flink.table.factories.DynamicTableFactory;
import org.apache.flink.table.factories.FactoryUtil;

/**
 * The format `lossless-json`: every message gives exactly one row and none stops the job.
 *
 * <p>A value that its column can't hold exactly becomes null, and the metadata `problems` says
 * why; the metadata `body` has the bytes as received.
 */
public final class LosslessJsonFormatFactory implements DeserializationFormatFactory {
    @Override
    public String factoryIdentifier() {
        return "lossless-json";
    }

    @Override
    public DecodingFormat<DeserializationSchema<RowData>> createDecodingFormat(
            DynamicTableFactory.Context context, ReadableConfig options) {
        FactoryUtil.validateFactoryOptions(this, options);
        return new LosslessJsonDecodingFormat();
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of();
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return Set.of();
    }
}
