package io.tributary.messages;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import org.apache.flink.table.types.logical.BigIntType;
import org.apache.flink.table.types.logical.BooleanType;
import org.apache.flink.table.types.logical.DateType;
import org.apache.flink.table.types.logical.DecimalType;
import org.apache.flink.table.types.logical.DoubleType;
import org.apache.flink.table.types.logical.IntType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.logical.RowType.RowField;
import org.apache.flink.table.types.logical.VarCharType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the fast reader reads, the careful one reads too, without a problem and as the same. */
final class PlainReaderTest {
    private static final long SEED = 20_261_130;
    private static final int MESSAGES = 200_000;
    private static final int MAX_CHARACTERS = 12;
    private static final int MAX_BYTES = 300;

    private static final Map<String, LogicalType> TYPES = Map.of("id",
            new VarCharType(VarCharType.MAX_LENGTH),
            "is",
            new VarCharType(VarCharType.MAX_LENGTH),
            "user_id",
            new BigIntType(),
            "quantity",
            new IntType(),
            "price",
            new DecimalType(12, 2),
            "share",
            new DecimalType(5, 4),
            "large",
            new DecimalType(30, 4),
            "latitude",
            new DoubleType(),
            "paid",
            new BooleanType(),
            "day",
            new DateType());
    private static final RowType COLUMNS = new RowType(TYPES.entrySet()
                    .stream()
                    .sorted(Map.Entry.comparingByKey())
                    .map(entry -> new RowField(entry.getKey(), entry.getValue()))
                    .collect(Collectors.toList()));

    private static final List<String> NAMES = List.of("id",
            "is",
            "user_id",
            "quantity",
            "price",
            "share",
            "large",
            "latitude",
            "paid",
            "day",
            "other",
            "i",
            "",
            "prise",
            "é",
            "i\\u0064");
    private static final List<String> VALUES = List.of("null",
            "true",
            "false",
            "nul",
            "truest",
            "0",
            "-0",
            "-0.0",
            "7",
            "007",
            "-12",
            "2147483647",
            "2147483648",
            "-2147483649",
            "999999999999999999",
            "9223372036854775807",
            "9007199254740993",
            "19.99",
            "19.990",
            "19.999",
            "9999999999.99",
            "10000000000.00",
            "0.1",
            "0.00001",
            "1.0",
            "48.137154",
            "-0.3333333333333333",
            "1e3",
            "1.5E-3",
            "5.",
            ".5",
            "-",
            "+1",
            "1.2.3",
            "NaN",
            "\"\"",
            "\"click-1\"",
            "\"a text of 22 characters\"",
            "\"grün\"",
            "\"購入購入購入\"",
            "\"\uD83D\uDE00\"",
            "\"a\\\"b\"",
            "\"\\u00e9\"",
            "\"\\ud83d\"",
            "\"a\tb\"",
            "\"\u007f\"",
            "\"12.50\"",
            "[]",
            "{\"id\": 1}");
    private static final List<String> SPACES = List.of(" ", "\n\t", "\r", "\f", ",");
    private static final Map<String, List<String>> FITTING = Map.of("id",
            List.of("\"\"", "\"click-1\"", "\"grün\"", "\"購入購入購入\"", "null"),
            "user_id",
            List.of("0", "7", "-12", "999999999999999999"),
            "quantity",
            List.of("0", "7", "2147483647"),
            "price",
            List.of("0", "19.9", "19.99", "9999999999.99", "-0.5"),
            "share",
            List.of("0", "1", "0.25", "9.9999"),
            "latitude",
            List.of("0", "48.137154", "-0.333333333333333", "9007199254740991"),
            "paid",
            List.of("true", "false"));

    private final PlainReader plain = new PlainReader(
            COLUMNS.getFieldNames(), COLUMNS.getChildren(), MAX_BYTES, MAX_CHARACTERS);
    private final MessageReader careful = new MessageReader(COLUMNS,
            COLUMNS.getChildren()
                    .stream()
                    .map(type -> FieldReader.of(type, MAX_CHARACTERS, false))
                    .toArray(FieldReader[] ::new),
            MAX_BYTES,
            MAX_CHARACTERS);
    private final Random random = new Random(SEED);

    @ParameterizedTest
    @ValueSource(strings =
                         {
                                 " { \"id\" : \"\" } \n",
                                 "{\"id\":\"c-1\",\"user_id\":-7,\"quantity\":2,\"paid\":true}",
                                 "{\"price\": 19.9, \"share\": 1, \"latitude\": 48.137154}",
                                 "{\"id\": null, \"is\": \"grün 購入\", \"new\": \"\"}",
                                 "{\"new\": \"é\", \"newer\": -1.5, \"paid\": false}",
                         })
    void plainMessagesAreReadFast(String text) {
        byte[] bytes = text.getBytes(UTF_8);
        assertNotNull(plain.read(bytes));
        assertSame(bytes, plain.read(bytes));
    }

    @ParameterizedTest
    @ValueSource(strings =
                         {
                                 "",
                                 "{",
                                 "{}",
                                 "{\"id\"",
                                 "{\"id\":\"a\"",
                                 "{\"id\":\"a\",}",
                                 "{\"id\":\"a\"}}",
                                 "{\"id\":\"a\"} \u0000",
                                 "{\"id\":\"a\",\"id\":\"a\"}",
                                 "{\"id\":null,\"id\":null}",
                                 "{\"id\":\"thirteen char\"}",
                                 "{\"quantity\":1.0}",
                                 "{\"paid\":truefalse}",
                                 "[]",
                         })
    void otherMessagesAreLeftToTheCarefulReader(String text) {
        assertNull(plain.read(text.getBytes(UTF_8)));
    }

    @Test
    void aMessageThatIsTooLargeOrAbsentIsLeftToTheCarefulReader() {
        assertNull(plain.read(null));
        assertNull(plain.read(("{}"
                + " ".repeat(MAX_BYTES))
                        .getBytes(UTF_8)));
    }

    @Test
    void randomMessagesAreReadAsTheCarefulReaderReadsThem() {
        int read = 0;
        for (int number = 0; number < MESSAGES; number++) {
            byte[] bytes = message();
            Object[] values = plain.read(bytes);
            if (values != null) {
                read++;
                assertSame(bytes, values);
            }
        }
        assertTrue(read > MESSAGES / 20, read + " of " + MESSAGES + " were plain; SEED=" + SEED);
    }

    private void assertSame(byte[] bytes, Object[] values) {
        String text = new String(bytes, UTF_8);
        MessageReader.Message expected = careful.readCarefully(bytes);
        assertNull(expected.problems, text);
        assertArrayEquals(expected.values, values, text);
    }

    /** A message of a few fields; now and then, one of its bytes is another one. */
    private byte[] message() {
        StringBuilder text = new StringBuilder(space()).append('{');
        int fields = random.nextInt(4);
        for (int field = 0; field < fields; field++) {
            text.append(field == 0 ? "" : ",").append(space());
            String name = any(NAMES);
            List<String> values = random.nextInt(4) > 0 ? FITTING.get(name) : VALUES;
            text.append('"').append(name).append('"').append(space()).append(':').append(space());
            text.append(any(values == null ? VALUES : values)).append(space());
        }
        byte[] bytes = text.append('}').append(space()).toString().getBytes(UTF_8);
        if (random.nextInt(4) == 0) {
            bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
        }
        return bytes;
    }

    private String space() {
        return random.nextInt(8) > 0 ? "" : any(SPACES);
    }

    private String any(List<String> values) {
        return values.get(random.nextInt(values.size()));
    }
}
