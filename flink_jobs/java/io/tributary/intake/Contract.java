package io.tributary.intake;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.table.data.GenericMapData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;

/** What the messages of one topic must hold. */
final class Contract implements Serializable {
    private static final long serialVersionUID = 1L;

    /** Where the format reports on the message as a whole. */
    private static final StringData WHOLE = StringData.fromString("");

    private final List<String> columns;
    private final List<Field> fields = new ArrayList<>();
    private final int problems;

    Contract(List<String> columns) {
        this.columns = List.copyOf(columns);
        this.problems = columns.indexOf(Judge.PROBLEMS);
    }

    Contract required(String name, Check check) {
        fields.add(new Field(name, columns.indexOf(name), true, check));
        return this;
    }

    Contract required(String... names) {
        for (String name : names) {
            required(name, Check.ANYTHING);
        }
        return this;
    }

    Contract optional(String... names) {
        for (String name : names) {
            fields.add(new Field(name, columns.indexOf(name), false, Check.ANYTHING));
        }
        return this;
    }

    /** The first fault, beginning with the field's name; null where there is none. */
    String fault(RowData row) {
        String unreadable = row.isNullAt(problems) ? null : unreadable(row);
        if (unreadable != null) {
            return unreadable;
        }
        for (Field field : fields) {
            String fault = field.fault(row);
            if (fault != null) {
                return field.name + ": " + fault;
            }
        }
        return null;
    }

    /** What the format could not read of these fields; fields of other topics don't count. */
    private String unreadable(RowData row) {
        GenericMapData found = (GenericMapData) row.getMap(problems);
        if (found.get(WHOLE) != null) {
            return "message: " + found.get(WHOLE);
        }
        for (Field field : fields) {
            Object problem = found.get(StringData.fromString(field.name));
            if (problem != null) {
                return field.name + ": " + problem;
            }
        }
        return null;
    }

    /** One field: where it is, whether it must be there, and what it must be then. */
    private record Field(String name, int column, boolean isRequired, Check check)
            implements Serializable {
        String fault(RowData row) {
            if (row.isNullAt(column)) {
                return isRequired ? "missing" : null;
            }
            return check.fault(row, column);
        }
    }
}
