package io.tributary.intake;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.table.data.GenericMapData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;

/** The contract of one topic: which fields a message must have, and their checks. */
final class Contract implements Serializable {
    private static final long serialVersionUID = 1L;

    /** The key under which the format reports a problem with the message as a whole. */
    private static final StringData WHOLE = StringData.fromString("");

    private final List<Field> fields = new ArrayList<>();
    private final int problems;

    private Contract(List<String> columns) {
        this.problems = columns.indexOf(Judge.PROBLEMS);
    }

    /**
     * Parses a contract as flink_jobs/event_sql.py writes it: each field is {@code name
     * required|optional [check]}, and {@code ;} separates fields.
     *
     * @param columns the columns of the rows that will be checked
     * @param eventTime the check of the field that has the event time
     */
    static Contract parse(String text, List<String> columns, Check eventTime) {
        Contract contract = new Contract(columns);
        for (String field : text.split(";")) {
            String[] words = field.trim().split(" ");
            String name = words[0];
            boolean isRequired = words[1].equals("required");
            Check check = words.length == 2 ? Check.ANYTHING : Check.parse(words[2], eventTime);
            contract.fields.add(new Field(name, columns.indexOf(name), isRequired, check));
        }
        return contract;
    }

    /** Returns the first fault, which begins with the field's name, or null if there is none. */
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

    /** Returns the first problem that the format had with these fields; ignores other topics'. */
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

    /** A field: its column, whether it is required, and the check of a value that is present. */
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
