package io.tributary.messages;

import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.types.DataType;

/** What the format tells of a message besides its fields. */
enum LosslessJsonMetadata {
    /** The message as received; null for a tombstone. */
    BODY("body", DataTypes.BYTES()),

    /**
     * What is wrong, by field name, '' for the whole message; null where nothing is. The values are
     * nullable, or the planner takes a lookup of any key for not null.
     */
    PROBLEMS("problems", DataTypes.MAP(DataTypes.STRING(), DataTypes.STRING()));

    final String key;
    final DataType type;

    LosslessJsonMetadata(String key, DataType type) {
        this.key = key;
        this.type = type;
    }
}
