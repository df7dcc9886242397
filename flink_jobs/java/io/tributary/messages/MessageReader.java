package io.tributary.messages;

import java.io.IOException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonFactory;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonFactoryBuilder;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonProcessingException;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonToken;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.StreamReadFeature;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.exc.StreamConstraintsException;
import org.apache.flink.table.types.logical.RowType;

/**
 * Reads messages as the columns of one table. It returns a result for any bytes.
 *
 * <p>Values are Flink's internal ones. A value is null if the field is absent, null in JSON, or
 * wrong. Problems are by field name. If the message as a whole is wrong, its problem is under
 * {@link #MESSAGE}, and all its values are null.
 */
final class MessageReader {
    /** The key of a problem with the message as a whole. */
    static final String MESSAGE = "";

    private static final Object ABSENT = new Object();

    private final JsonFactory json =
            new JsonFactoryBuilder()
                    .disable(JsonFactory.Feature.CHARSET_DETECTION)
                    .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
                    .disable(JsonFactory.Feature.FAIL_ON_SYMBOL_HASH_OVERFLOW)
                    .enable(StreamReadFeature.USE_FAST_DOUBLE_PARSER)
                    .build();
    private final Map<String, Integer> positions = new HashMap<>();
    private final PlainReader plain;
    private final FieldReader[] readers;
    private final int maxBytes;

    /**
     * Makes a reader of one table's columns.
     *
     * @param readers one reader for each column
     * @param maxBytes the largest message that it reads
     * @param maxCharacters the longest text that the readers read, in Unicode code points
     */
    MessageReader(RowType columns, FieldReader[] readers, int maxBytes, int maxCharacters) {
        this.readers = readers;
        this.maxBytes = maxBytes;
        List<String> fields = columns.getFieldNames();
        plain = new PlainReader(fields, columns.getChildren(), maxBytes, maxCharacters);
        for (int i = 0; i < readers.length; i++) {
            positions.put(fields.get(i), i);
        }
    }

    /** Returns the values in the order of the columns, and the problems; never null. */
    Message read(byte[] bytes) {
        Object[] values = plain.read(bytes);
        return values == null ? readCarefully(bytes) : new Message(values, null);
    }

    /** Reads any message, plain or not. */
    Message readCarefully(byte[] bytes) {
        if (bytes == null || bytes.length == 0) {
            return unreadable("empty");
        }
        if (bytes.length > maxBytes) {
            return unreadable("larger than " + maxBytes + " bytes");
        }
        int invalid = Utf8.firstInvalid(bytes);
        if (invalid >= 0) {
            return unreadable("invalid UTF-8 at byte " + invalid);
        }
        try (JsonParser parser = json.createParser(bytes)) {
            return readDocument(parser);
        } catch (StreamConstraintsException error) {
            return unreadable("not a JSON object: nested too deep, or a number too long");
        } catch (JsonProcessingException error) {
            long at = error.getLocation() == null ? 0 : error.getLocation().getByteOffset();
            return unreadable("not a JSON object: syntax error at byte " + at);
        } catch (IOException | RuntimeException error) {
            return unreadable("not a JSON object: " + error.getClass().getSimpleName());
        }
    }

    private Message readDocument(JsonParser parser) throws IOException {
        JsonToken first = parser.nextToken();
        if (first == null) {
            return unreadable("not a JSON object: blank");
        }
        if (first != JsonToken.START_OBJECT) {
            return unreadable("not a JSON object: " + FieldReader.name(first));
        }
        Message message = readObject(parser);
        if (parser.nextToken() != null) {
            return unreadable("not a JSON object: more text after its end");
        }
        return message;
    }

    private Message readObject(JsonParser parser) throws IOException {
        Object[] values = new Object[readers.length];
        Arrays.fill(values, ABSENT);
        Map<String, String> problems = null;
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            Integer position = positions.get(parser.currentName());
            parser.nextToken();
            if (position != null) {
                try {
                    values[position] = readField(parser, position, values[position] != ABSENT);
                } catch (FieldProblem problem) {
                    values[position] = null;
                    problems = problems == null ? new LinkedHashMap<>() : problems;
                    problems.putIfAbsent(parser.currentName(), problem.getMessage());
                }
            }
            parser.skipChildren();
        }
        for (int i = 0; i < values.length; i++) {
            values[i] = values[i] == ABSENT ? null : values[i];
        }
        return new Message(values, problems);
    }

    private Object readField(JsonParser parser, int position, boolean isRepeated)
            throws IOException, FieldProblem {
        if (isRepeated) {
            throw new FieldProblem("given twice");
        }
        return parser.currentToken() == JsonToken.VALUE_NULL ? null
                                                             : readers[position].read(parser);
    }

    private Message unreadable(String why) {
        return new Message(new Object[readers.length], Map.of(MESSAGE, why));
    }

    /** What was read; `problems` is null if there are none. */
    static final class Message {
        final Object[] values;
        final Map<String, String> problems;

        Message(Object[] values, Map<String, String> problems) {
            this.values = values;
            this.problems = problems;
        }
    }
}
