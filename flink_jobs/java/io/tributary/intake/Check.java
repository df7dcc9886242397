package io.tributary.intake;

import java.io.Serializable;
import java.util.List;
import java.util.Set;
import org.apache.flink.table.data.RowData;

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
            case "at-least" -> atLeast(Integer.parseInt(parts[1]));
            case "not-negative" -> NOT_NEGATIVE;
            case "share" -> SHARE;
            case "event-time" -> eventTime;
            default -> throw new IllegalArgumentException("unknown check: " + text);
        };
    }

    static Check atLeast(int limit) {
        return (row, column) -> row.getInt(column) < limit ? "below " + limit : null;
    }

    static Check oneOf(List<String> values) {
        Set<String> known = Set.copyOf(values);
        return (row, column) -> {
            String value = row.getString(column).toString();
            return known.contains(value) ? null : unknown(value);
        };
    }

    /** Accepts times from 2000 on that are at most `maxFutureMs` ahead of the broker's clock. */
    static Check timeUpTo(long maxFutureMs, int appendedAt) {
        return (row, column) -> {
            long time = row.getLong(column);
            if (time < Judge.YEAR_2000_MS) {
                return "before the year 2000";
            }
            long now = row.getTimestamp(appendedAt, Judge.MILLISECONDS).getMillisecond();
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
