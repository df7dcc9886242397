package io.tributary.messages;

import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.types.DataType;

/** What the format reports about a message in addition to its fields. */
enum LosslessJsonMetadata {
    /** The message as received; null for a tombstone. */
    BODY("body", DataTypes.BYTES()),

    /**
     * Problems by field name, or under '' if the message as a whole is wrong; null if there are
     * none. The map's values are declared nullable. Otherwise the planner assumes that the lookup
     * of any key is not null.
     */
    PROBLEMS("problems", DataTypes.MAP(DataTypes.STRING(), DataTypes.STRING()));

    final String key;
    final DataType type;

    LosslessJsonMetadata(String key, DataType type) {
        this.key = key;
        this.type = type;
    }
}
