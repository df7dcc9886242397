package io.tributary.messages;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.table.data.GenericMapData;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.util.Collector;

/** Returns one row for every message, whatever its bytes: the columns, then requested metadata. */
final class LosslessJsonDeserializationSchema implements DeserializationSchema<RowData> {
    private static final long serialVersionUID = 1L;

    private final String[] fields;
    private final FieldReader[] readers;
    private final LosslessJsonMetadata[] metadata;
    private final TypeInformation<RowData> producedType;
    private transient MessageReader reader;

    LosslessJsonDeserializationSchema(String[] fields,
            FieldReader[] readers,
            List<LosslessJsonMetadata> metadata,
            TypeInformation<RowData> producedType) {
        this.fields = fields;
        this.readers = readers;
        this.metadata = metadata.toArray(LosslessJsonMetadata[] ::new);
        this.producedType = producedType;
    }

    @Override
    public void open(InitializationContext context) {
        reader = new MessageReader(fields, readers);
    }

    @Override
    public void deserialize(byte[] bytes, Collector<RowData> out) {
        out.collect(deserialize(bytes));
    }

    @Override
    public RowData deserialize(byte[] bytes) {
        MessageReader.Message message = reader.read(bytes);
        GenericRowData row = new GenericRowData(fields.length + metadata.length);
        for (int i = 0; i < fields.length; i++) {
            row.setField(i, message.values[i]);
        }
        for (int i = 0; i < metadata.length; i++) {
            row.setField(fields.length + i, metadataValue(metadata[i], bytes, message));
        }
        return row;
    }

    private static Object metadataValue(
            LosslessJsonMetadata key, byte[] bytes, MessageReader.Message message) {
        if (key == LosslessJsonMetadata.BODY) {
            return bytes;
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
