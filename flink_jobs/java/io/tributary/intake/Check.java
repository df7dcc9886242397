package io.tributary.intake;

import static java.lang.Double.parseDouble;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.Serializable;
import java.util.List;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.binary.BinaryStringData;

/** The check of one field's value. */
@FunctionalInterface
interface Check extends Serializable {
    Check ANYTHING = (row, column) -> null;

    Check NOT_NEGATIVE = (row, column) -> Money.usd(row, column).signum() < 0 ? "negative" : null;

    Check SHARE = (row, column) -> {
        int sign = Money.share(row, column).signum();
        boolean isAboveOne = Money.share(row, column).compareTo(Money.WHOLE) > 0;
        return sign < 0 ? "negative" : isAboveOne ? "above 1" : null;
    };

    /** Returns what is wrong with the value, or null if it is valid. The value is not null. */
    String fault(RowData row, int column);

    /** Parses {@code name} or {@code name=parameter}. */
    static Check parse(String text, Check eventTime) {
        String[] parts = text.split("=", 2);
        return switch (parts[0]) {
            case "one-of" -> oneOf(List.of(parts[1].split(",")));
            case "id" -> id(Integer.parseInt(parts[1]));
            case "label" -> label(Integer.parseInt(parts[1]));
            case "text" -> text(Integer.parseInt(parts[1]));
            case "between" -> between(parts[1].split(",", 2));
            case "not-negative" -> NOT_NEGATIVE;
            case "share" -> SHARE;
            case "event-time" -> eventTime;
            default -> throw new IllegalArgumentException("unknown check: " + text);
        };
    }

    /** A label that is not empty. */
    static Check id(int limit) {
        Check label = label(limit);
        return (row, column) -> {
            boolean isEmpty = text(row, column).getSizeInBytes() == 0;
            return isEmpty ? "missing" : label.fault(row, column);
        };
    }

    /** Text without control characters, line separators and white space at its ends. */
    static Check label(int limit) {
        return (row, column) -> Text.labelFault(text(row, column), limit);
    }

    static Check text(int limit) {
        return (row, column) -> Text.lengthFault(text(row, column), limit);
    }

    /** A number between two limits; an empty limit is none. */
    static Check between(String[] limits) {
        double least = limits[0].isEmpty() ? Double.NEGATIVE_INFINITY : parseDouble(limits[0]);
        double most = limits[1].isEmpty() ? Double.POSITIVE_INFINITY : parseDouble(limits[1]);
        return (row, column) -> {
            double value = number(row, column);
            String above = value > most ? "above " + limits[1] : null;
            return value < least ? "below " + limits[0] : above;
        };
    }

    private static BinaryStringData text(RowData row, int column) {
        return (BinaryStringData) row.getString(column);
    }

    private static double number(RowData row, int column) {
        Object value = ((GenericRowData) row).getField(column);
        return ((Number) value).doubleValue();
    }

    static Check oneOf(List<String> values) {
        byte[][] known =
                values.stream().map(value -> value.getBytes(UTF_8)).toArray(byte[][] ::new);
        return (row, column) -> {
            BinaryStringData value = text(row, column);
            for (byte[] each : known) {
                if (Text.equals(value, each)) {
                    return null;
                }
            }
            return unknown(value.toString());
        };
    }

    /** Accepts times from 2000 on that are at most `maxFutureMs` ahead of the broker's clock. */
    static Check timeUpTo(long maxFutureMs, int appendedAt) {
        return (row, column) -> {
            long time = row.getLong(column);
            if (time < Judge.YEAR_2000_MS) {
                return "before the year 2000";
            }
            long now = Judge.appendedAtMs(row, appendedAt);
            return time > now + maxFutureMs ? "in the future" : null;
        };
    }

    /** Quotes the first 100 characters, because people read the reason on their terminal. */
    private static String unknown(String text) {
        StringBuilder quoted = new StringBuilder("unknown value \"");
        text.codePoints().limit(100).forEach(each -> quoted.append(shown(each)));
        return quoted.append('"').toString();
    }

    /** Returns the character, or its number if a terminal might obey it instead of showing it. */
    private static String shown(int character) {
        boolean isObeyed = switch (Character.getType(character)) {
            case Character.CONTROL, Character.FORMAT, Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR, Character.PRIVATE_USE, Character.UNASSIGNED ->
                true;
            default -> false;
        };
        return isObeyed ? String.format("\\u%04x", character) : Character.toString(character);
    }
}
