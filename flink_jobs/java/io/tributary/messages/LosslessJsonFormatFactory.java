package io.tributary.messages;

import java.util.Set;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.table.connector.format.DecodingFormat;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.factories.DeserializationFormatFactory;
import org.apache.flink.table.factories.DynamicTableFactory;
import org.apache.flink.table.factories.FactoryUtil;

/**
 * The format `lossless-json`. Every message gives exactly one row, and no message stops the job.
 *
 * <p>If a column can't hold a value exactly, the column is null, and the metadata `problems` says
 * why. The metadata `body` has the message's bytes as received.
 *
 * <p>A message larger than `max-bytes` is not read, and its `body` is cut. The broker refuses such
 * a message; one may be there from the time before it did. `max-characters` limits every text.
 * `decimals-as-text` also reads a decimal that is a string,
 * because JSON has no number for PostgreSQL's NaN.
 */
public final class LosslessJsonFormatFactory implements DeserializationFormatFactory {
    private static final ConfigOption<Integer> MAX_BYTES =
            ConfigOptions.key("max-bytes").intType().defaultValue(Integer.MAX_VALUE);
    private static final ConfigOption<Integer> MAX_CHARACTERS =
            ConfigOptions.key("max-characters").intType().defaultValue(Integer.MAX_VALUE);
    private static final ConfigOption<Boolean> DECIMALS_AS_TEXT =
            ConfigOptions.key("decimals-as-text").booleanType().defaultValue(false);

    @Override
    public String factoryIdentifier() {
        return "lossless-json";
    }

    @Override
    public DecodingFormat<DeserializationSchema<RowData>> createDecodingFormat(
            DynamicTableFactory.Context context, ReadableConfig options) {
        FactoryUtil.validateFactoryOptions(this, options);
        return new LosslessJsonDecodingFormat(
                options.get(MAX_BYTES), options.get(MAX_CHARACTERS), options.get(DECIMALS_AS_TEXT));
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of();
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return Set.of(MAX_BYTES, MAX_CHARACTERS, DECIMALS_AS_TEXT);
    }
}
