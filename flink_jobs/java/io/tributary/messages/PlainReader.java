package io.tributary.messages;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.Arrays;
import java.util.List;
import org.apache.flink.core.memory.MemorySegment;
import org.apache.flink.core.memory.MemorySegmentFactory;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.binary.BinaryStringData;
import org.apache.flink.table.types.logical.DecimalType;
import org.apache.flink.table.types.logical.LogicalType;

/**
 * Reads plain messages fast: objects of simple values, as nearly all messages are. It leaves every
 * other message to {@link MessageReader}, for example one with an escape, a nested value, a field
 * that is given twice, a number with an exponent, or anything wrong. So it never reports a problem,
 * and its values equal those of that reader.
 *
 * <p>It reads each byte once. Its texts are not copies: they are parts of the message's bytes.
 */
final class PlainReader {
    /** What a method returns if the message is not plain. */
    private static final Object NOT_PLAIN = new Object();

    /** What {@link #readName} returns for a field without a column. */
    private static final int NO_COLUMN = -1;
    private static final int NO_NAME = -2;

    /** What {@link #next} returns after the last byte. */
    private static final int END = -1;

    private static final int MAX_COLUMNS = Long.SIZE;
    private static final int MAX_BYTES = 1 << 20;
    /** So many digits fit a long. */
    private static final int MAX_DIGITS = 18;
    /** Up to this number, a double holds every integer. */
    private static final long MAX_EXACT_DOUBLE = 1L << 53;
    private static final long[] POWERS_OF_TEN = new long[MAX_DIGITS + 1];

    static {
        Arrays.setAll(POWERS_OF_TEN, power -> (long) Math.pow(10, power));
    }

    private static final byte[] ULL = "ull".getBytes(UTF_8);
    private static final byte[] RUE = "rue".getBytes(UTF_8);
    private static final byte[] ALSE = "alse".getBytes(UTF_8);

    private final LogicalType[] types;
    private final byte[][] names;
    private final int maxBytes;
    private final int maxCharacters;

    /** A hash table of columns by their names; {@link #NO_COLUMN} marks an empty place. */
    private final int[] columns;

    private byte[] bytes;
    private MemorySegment[] segments;

    /** The place of the next byte. */
    private int at;

    /** The last number without its point, and how many of its digits were behind that. */
    private long digits;
    private int decimals;

    PlainReader(List<String> names, List<LogicalType> types, int maxBytes, int maxCharacters) {
        this.names = names.stream().map(name -> name.getBytes(UTF_8)).toArray(byte[][] ::new);
        this.types = types.toArray(LogicalType[] ::new);
        this.maxBytes = types.size() > MAX_COLUMNS ? 0 : Math.min(maxBytes, MAX_BYTES);
        this.maxCharacters = maxCharacters;
        columns = new int[Integer.highestOneBit(names.size() + 1) * 4];
        Arrays.fill(columns, NO_COLUMN);
        for (int column = 0; column < this.names.length; column++) {
            byte[] name = this.names[column];
            int place = hash(name, 0, name.length);
            while (columns[place] != NO_COLUMN) {
                place = place + 1 & columns.length - 1;
            }
            columns[place] = column;
        }
    }

    /** Returns the values in the order of the columns, or null if the message is not plain. */
    Object[] read(byte[] message) {
        if (message == null || message.length > maxBytes) {
            return null;
        }
        bytes = message;
        segments = new MemorySegment[] {MemorySegmentFactory.wrap(message)};
        at = 0;
        Object[] values = new Object[types.length];
        return next() == '{' && readFields(values) && next() == END ? values : null;
    }

    /** Reads the fields up to the object's end; returns false if the message is not plain. */
    private boolean readFields(Object[] values) {
        long given = 0;
        int token = next();
        while (token == '"') {
            int column = readName();
            if (column == NO_NAME || next() != ':') {
                return false;
            }
            if (column == NO_COLUMN) {
                if (!skipValue()) {
                    return false;
                }
            } else {
                long bit = 1L << column;
                Object value = (given & bit) == 0 ? readValue(types[column]) : NOT_PLAIN;
                if (value == NOT_PLAIN) {
                    return false;
                }
                given |= bit;
                values[column] = value;
            }
            token = next();
            if (token == '}') {
                return true;
            }
            token = token == ',' ? next() : END;
        }
        return false;
    }

    /** Skips white space; returns the next byte, 0 to 255. */
    private int next() {
        while (at < bytes.length) {
            byte each = bytes[at++];
            if (each != ' ' && each != '\n' && each != '\r' && each != '\t') {
                return each & 0xFF;
            }
        }
        return END;
    }

    /** Reads a name behind its first quote; returns its column. */
    private int readName() {
        int start = at;
        at = Utf8.endOfPlain(bytes, start);
        if (at == bytes.length || at == start || bytes[at] != '"') {
            return NO_NAME;
        }
        int place = hash(bytes, start, at);
        while (columns[place] != NO_COLUMN) {
            byte[] name = names[columns[place]];
            if (Arrays.equals(bytes, start, at, name, 0, name.length)) {
                break;
            }
            place = place + 1 & columns.length - 1;
        }
        at++;
        return columns[place];
    }

    /** Where a name's search begins. Its length and its ends tell nearly all names apart. */
    private int hash(byte[] from, int start, int end) {
        int hash = end - start;
        hash = hash * 31 + from[start];
        hash = hash * 31 + from[end - 1];
        return (hash ^ hash >>> 5) & columns.length - 1;
    }

    private Object readValue(LogicalType type) {
        int first = next();
        if (first == 'n') {
            return isNext(ULL) ? null : NOT_PLAIN;
        }
        return switch (type.getTypeRoot()) {
            case VARCHAR -> first == '"' ? readText(maxCharacters) : NOT_PLAIN;
            case INTEGER ->
                readNumber(first) && decimals == 0 && digits == (int) digits ? (Object) (int) digits
                                                                             : NOT_PLAIN;
            case BIGINT -> readNumber(first) && decimals == 0 ? (Object) digits : NOT_PLAIN;
            case DOUBLE -> readNumber(first) ? toDouble() : NOT_PLAIN;
            case DECIMAL -> readNumber(first) ? toDecimal((DecimalType) type) : NOT_PLAIN;
            case BOOLEAN -> readBoolean(first);
            default -> NOT_PLAIN;
        };
    }

    private Object readBoolean(int first) {
        if (first == 't' && isNext(RUE)) {
            return true;
        }
        return first == 'f' && isNext(ALSE) ? (Object) false : NOT_PLAIN;
    }

    private boolean skipValue() {
        int first = next();
        return switch (first) {
            case '"' -> readText(Integer.MAX_VALUE) != NOT_PLAIN;
            case 'n' -> isNext(ULL);
            case 't' -> isNext(RUE);
            case 'f' -> isNext(ALSE);
            default -> readNumber(first);
        };
    }

    private boolean isNext(byte[] rest) {
        int start = at;
        at = Math.min(start + rest.length, bytes.length);
        return Arrays.equals(bytes, start, at, rest, 0, rest.length);
    }

    /** Reads a text behind its first quote. */
    private Object readText(int limit) {
        int start = at;
        int continued = 0;
        while (true) {
            at = Utf8.endOfPlain(bytes, at);
            if (at == bytes.length) {
                return NOT_PLAIN;
            }
            if (bytes[at] == '"') {
                break;
            }
            int length = bytes[at] < 0 ? Utf8.sequenceLength(bytes, at) : 0;
            if (length == 0) {
                return NOT_PLAIN;
            }
            continued += length - 1;
            at += length;
        }
        int size = at++ - start;
        return size - continued > limit ? NOT_PLAIN
                                        : BinaryStringData.fromAddress(segments, start, size);
    }

    /** Reads a number into {@code digits} and {@code decimals}; returns false if it isn't plain. */
    private boolean readNumber(int first) {
        boolean isNegative = first == '-';
        int start = isNegative ? at : at - 1;
        int point = -1;
        long value = 0;
        for (at = start; at < bytes.length; at++) {
            byte each = bytes[at];
            if (each >= '0' && each <= '9') {
                value = value * 10 + each - '0';
            } else if (each == '.' && point < 0) {
                point = at;
            } else {
                break;
            }
        }
        int length = at - start;
        boolean isZero = length > 0 && bytes[start] == '0';
        boolean hasLeadingZero = isZero && length > 1 && point != start + 1;
        if (length == 0 || length > MAX_DIGITS || hasLeadingZero || point == start
                || point == at - 1 || isNegative && value == 0) {
            return false;
        }
        digits = isNegative ? -value : value;
        decimals = point < 0 ? 0 : at - 1 - point;
        return true;
    }

    /** One division of two exact doubles rounds once, so the result is the nearest double. */
    private Object toDouble() {
        return Math.abs(digits) > MAX_EXACT_DOUBLE
                ? NOT_PLAIN
                : (Object) (digits / (double) POWERS_OF_TEN[decimals]);
    }

    private Object toDecimal(DecimalType type) {
        int zeros = type.getScale() - decimals;
        int room = type.getPrecision() - zeros;
        boolean fits = zeros >= 0 && room >= 0 && type.getPrecision() <= MAX_DIGITS
                && Math.abs(digits) < POWERS_OF_TEN[room];
        return fits ? DecimalData.fromUnscaledLong(
                              digits * POWERS_OF_TEN[zeros], type.getPrecision(), type.getScale())
                    : NOT_PLAIN;
    }
}
