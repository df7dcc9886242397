package io.tributary.messages;

import java.io.IOException;
import java.io.Serializable;
import java.math.BigDecimal;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDate;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser.NumberType;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonToken;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.types.logical.DecimalType;
import org.apache.flink.table.types.logical.LocalZonedTimestampType;
import org.apache.flink.table.types.logical.LogicalType;

/**
 * Reads one JSON value as Flink's internal value of one SQL type, either exactly or not at all.
 *
 * <p>JSON has neither dates nor timestamps, so these follow Debezium. A date is the number of days
 * since 1970-01-01. A timestamp is an ISO 8601 string in UTC. Both are of the years 1 to 9999.
 */
@FunctionalInterface
interface FieldReader extends Serializable {
    long FIRST_DAY = LocalDate.of(1, 1, 1).toEpochDay();
    long LAST_DAY = LocalDate.of(9999, 12, 31).toEpochDay();
    long SECONDS_OF_A_DAY = 86_400;

    /**
     * Reads the parser's current value, which is not null.
     *
     * @throws FieldProblem if the column can't hold it without loss
     */
    Object read(JsonParser parser) throws IOException, FieldProblem;

    /**
     * Returns the reader for a column's type.
     *
     * @param maxCharacters the longest text that it reads, in Unicode code points
     * @param decimalsAsText whether it also reads a decimal that is a string
     */
    static FieldReader of(LogicalType type, int maxCharacters, boolean decimalsAsText) {
        switch (type.getTypeRoot()) {
            case VARCHAR:
                return parser -> readString(parser, maxCharacters);
            case INTEGER:
                return FieldReader::readInteger;
            case BIGINT:
                return FieldReader::readLong;
            case DOUBLE:
                return FieldReader::readDouble;
            case BOOLEAN:
                return FieldReader::readBoolean;
            case DECIMAL:
                DecimalType decimal = (DecimalType) type;
                int precision = decimal.getPrecision();
                int scale = decimal.getScale();
                return parser -> {
                    boolean isText = parser.currentToken() == JsonToken.VALUE_STRING;
                    expect(parser,
                            parser.currentToken().isNumeric() || decimalsAsText && isText,
                            "number");
                    return readDecimal(parser.getText(), precision, scale);
                };
            case DATE:
                return FieldReader::readDate;
            case TIMESTAMP_WITH_LOCAL_TIME_ZONE:
                int digits = ((LocalZonedTimestampType) type).getPrecision();
                return parser -> readInstant(parser, digits);
            default:
                throw new ValidationException("lossless-json can't read " + type.asSummaryString()
                        + "; use STRING, INT, BIGINT, DOUBLE, DECIMAL, BOOLEAN, DATE or"
                        + " TIMESTAMP_LTZ");
        }
    }

    private static StringData readString(JsonParser parser, int maxCharacters)
            throws IOException, FieldProblem {
        expect(parser, parser.currentToken() == JsonToken.VALUE_STRING, "string");
        if (parser.getTextLength() > maxCharacters
                && Character.codePointCount(parser.getTextCharacters(),
                           parser.getTextOffset(),
                           parser.getTextLength())
                        > maxCharacters) {
            throw new FieldProblem("longer than " + maxCharacters + " characters");
        }
        byte[] ascii = Utf8.encodeAscii(
                parser.getTextCharacters(), parser.getTextOffset(), parser.getTextLength());
        if (ascii != null) {
            return StringData.fromBytes(ascii);
        }
        String text = parser.getText();
        if (hasLoneSurrogate(text)) {
            throw new FieldProblem("has half a surrogate pair, which is no character");
        }
        return StringData.fromString(text);
    }

    private static Integer readInteger(JsonParser parser) throws IOException, FieldProblem {
        expect(parser, parser.currentToken() == JsonToken.VALUE_NUMBER_INT, "integer");
        if (parser.getNumberType() != NumberType.INT) {
            throw new FieldProblem("does not fit int");
        }
        return parser.getIntValue();
    }

    private static Long readLong(JsonParser parser) throws IOException, FieldProblem {
        expect(parser, parser.currentToken() == JsonToken.VALUE_NUMBER_INT, "integer");
        if (parser.getNumberType() == NumberType.BIG_INTEGER) {
            throw new FieldProblem("does not fit bigint");
        }
        return parser.getLongValue();
    }

    private static Double readDouble(JsonParser parser) throws IOException, FieldProblem {
        expect(parser, parser.currentToken().isNumeric(), "number");
        double value = parser.getDoubleValue();
        if (Double.isInfinite(value)) {
            throw new FieldProblem("does not fit double");
        }
        return value;
    }

    private static Boolean readBoolean(JsonParser parser) throws FieldProblem {
        expect(parser, parser.currentToken().isBoolean(), "boolean");
        return parser.currentToken() == JsonToken.VALUE_TRUE;
    }

    /** Compares the counts of digits first, so that 1e999999999 never becomes a billion digits. */
    private static DecimalData readDecimal(String text, int precision, int scale)
            throws FieldProblem {
        BigDecimal value;
        try {
            value = new BigDecimal(text).stripTrailingZeros();
        } catch (NumberFormatException | ArithmeticException error) {
            throw new FieldProblem("does not fit decimal(" + precision + "," + scale + ")");
        }
        long integerDigits = (long) value.precision() - value.scale();
        if (value.scale() > scale || integerDigits > precision - scale) {
            throw new FieldProblem("does not fit decimal(" + precision + "," + scale + ")");
        }
        return DecimalData.fromBigDecimal(value, precision, scale);
    }

    private static Integer readDate(JsonParser parser) throws IOException, FieldProblem {
        int day = readInteger(parser);
        if (day < FIRST_DAY || day > LAST_DAY) {
            throw new FieldProblem("not within the years 1 to 9999");
        }
        return day;
    }

    /** `digits` is the column's precision: how many decimals of a second it holds. */
    private static TimestampData readInstant(JsonParser parser, int digits)
            throws IOException, FieldProblem {
        expect(parser, parser.currentToken() == JsonToken.VALUE_STRING, "string");
        Instant instant;
        try {
            instant = Instant.parse(parser.getText());
        } catch (DateTimeException error) {
            throw new FieldProblem("is no moment such as 2026-01-31T12:00:00Z");
        }
        long day = Math.floorDiv(instant.getEpochSecond(), SECONDS_OF_A_DAY);
        if (day < FIRST_DAY || day > LAST_DAY) {
            throw new FieldProblem("not within the years 1 to 9999");
        }
        if (BigDecimal.valueOf(instant.getNano(), 9).stripTrailingZeros().scale() > digits) {
            throw new FieldProblem("does not fit timestamp_ltz(" + digits + ")");
        }
        return TimestampData.fromInstant(instant);
    }

    private static void expect(JsonParser parser, boolean isExpected, String expected)
            throws FieldProblem {
        if (!isExpected) {
            throw new FieldProblem("expected " + expected + ", got " + name(parser.currentToken()));
        }
    }

    /** The common name of the kind of value that starts with this token. */
    static String name(JsonToken token) {
        switch (token) {
            case START_OBJECT:
                return "object";
            case START_ARRAY:
                return "array";
            case VALUE_STRING:
                return "string";
            case VALUE_NUMBER_INT:
                return "integer";
            case VALUE_NUMBER_FLOAT:
                return "number with a fraction or an exponent";
            case VALUE_NULL:
                return "null";
            default:
                return "boolean";
        }
    }

    private static boolean hasLoneSurrogate(String text) {
        for (int i = 0; i < text.length(); i++) {
            if (Character.isSurrogate(text.charAt(i))) {
                boolean isPair = i + 1 < text.length()
                        && Character.isSurrogatePair(text.charAt(i), text.charAt(i + 1));
                if (!isPair) {
                    return true;
                }
                i++;
            }
        }
        return false;
    }
}
