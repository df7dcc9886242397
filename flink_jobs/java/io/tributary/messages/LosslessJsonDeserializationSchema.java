package io.tributary.messages;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.table.data.GenericMapData;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.util.Collector;

/** Returns one row for every message, whatever its bytes: the columns, then requested metadata. */
final class LosslessJsonDeserializationSchema implements DeserializationSchema<RowData> {
    private static final long serialVersionUID = 1L;
    /** So much of a message that is too large stays in the lake, to say what it is. */
    private static final int KEPT_BYTES = 1_000;

    private final RowType columns;
    private final FieldReader[] readers;
    private final int maxBytes;
    private final int maxCharacters;
    private final LosslessJsonMetadata[] metadata;
    private final TypeInformation<RowData> producedType;
    private transient MessageReader reader;

    LosslessJsonDeserializationSchema(RowType columns,
            FieldReader[] readers,
            int maxBytes,
            int maxCharacters,
            List<LosslessJsonMetadata> metadata,
            TypeInformation<RowData> producedType) {
        this.columns = columns;
        this.readers = readers;
        this.maxBytes = maxBytes;
        this.maxCharacters = maxCharacters;
        this.metadata = metadata.toArray(LosslessJsonMetadata[] ::new);
        this.producedType = producedType;
    }

    @Override
    public void open(InitializationContext context) {
        reader = new MessageReader(columns, readers, maxBytes, maxCharacters);
    }

    @Override
    public void deserialize(byte[] bytes, Collector<RowData> out) {
        out.collect(deserialize(bytes));
    }

    @Override
    public RowData deserialize(byte[] bytes) {
        MessageReader.Message message = reader.read(bytes);
        int fields = message.values.length;
        GenericRowData row = new GenericRowData(fields + metadata.length);
        for (int i = 0; i < fields; i++) {
            row.setField(i, message.values[i]);
        }
        for (int i = 0; i < metadata.length; i++) {
            row.setField(fields + i, metadataValue(metadata[i], bytes, message));
        }
        return row;
    }

    private Object metadataValue(
            LosslessJsonMetadata key, byte[] bytes, MessageReader.Message message) {
        if (key == LosslessJsonMetadata.BODY) {
            boolean isTooLarge = bytes != null && bytes.length > maxBytes;
            return isTooLarge ? Arrays.copyOf(bytes, Math.min(maxBytes, KEPT_BYTES)) : bytes;
        }
        return message.problems == null ? null : toMapData(message.problems);
    }

    private static GenericMapData toMapData(Map<String, String> problems) {
        Map<StringData, StringData> map = new HashMap<>();
        problems.forEach(
                (field, problem)
                        -> map.put(StringData.fromString(field), StringData.fromString(problem)));
        return new GenericMapData(map);
    }

    @Override
    public boolean isEndOfStream(RowData row) {
        return false;
    }

    @Override
    public TypeInformation<RowData> getProducedType() {
        return producedType;
    }
}
