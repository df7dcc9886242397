package io.tributary.messages;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.format.DecodingFormat;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.utils.DataTypeUtils;

/** The planner's view of the format: takes a table's columns and metadata, makes its decoder. */
final class LosslessJsonDecodingFormat implements DecodingFormat<DeserializationSchema<RowData>> {
    private final int maxBytes;
    private final int maxCharacters;
    private final boolean decimalsAsText;
    private List<LosslessJsonMetadata> metadata = List.of();

    LosslessJsonDecodingFormat(int maxBytes, int maxCharacters, boolean decimalsAsText) {
        this.maxBytes = maxBytes;
        this.maxCharacters = maxCharacters;
        this.decimalsAsText = decimalsAsText;
    }

    @Override
    public DeserializationSchema<RowData> createRuntimeDecoder(
            DynamicTableSource.Context context, DataType physicalType) {
        List<DataTypes.Field> metadataFields =
                metadata.stream()
                        .map(entry -> DataTypes.FIELD(entry.key, entry.type))
                        .collect(Collectors.toList());
        DataType producedType = DataTypeUtils.appendRowFields(physicalType, metadataFields);
        RowType columns = (RowType) physicalType.getLogicalType();
        FieldReader[] readers =
                columns.getChildren()
                        .stream()
                        .map(type -> FieldReader.of(type, maxCharacters, decimalsAsText))
                        .toArray(FieldReader[] ::new);
        return new LosslessJsonDeserializationSchema(columns,
                readers,
                maxBytes,
                maxCharacters,
                metadata,
                context.createTypeInformation(producedType));
    }

    @Override
    public Map<String, DataType> listReadableMetadata() {
        Map<String, DataType> types = new LinkedHashMap<>();
        Arrays.stream(LosslessJsonMetadata.values())
                .forEach(entry -> types.put(entry.key, entry.type));
        return types;
    }

    @Override
    public void applyReadableMetadata(List<String> keys) {
        metadata = keys.stream()
                           .map(key -> LosslessJsonMetadata.valueOf(key.toUpperCase()))
                           .collect(Collectors.toList());
    }

    @Override
    public ChangelogMode getChangelogMode() {
        return ChangelogMode.insertOnly();
    }
}
