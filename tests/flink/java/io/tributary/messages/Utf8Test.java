package io.tributary.messages;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** RFC 3629 at its limits, at every place of the eight bytes that are read at once. */
final class Utf8Test {
    private static final int WORD = 8;

    @Test
    void everyCodePointIsValid() {
        for (int point = 0; point <= Character.MAX_CODE_POINT; point++) {
            if (point < Character.MIN_SURROGATE || point > Character.MAX_SURROGATE) {
                assertEquals(-1, Utf8.firstInvalid(Character.toString(point).getBytes(UTF_8)));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings =
                         {
                                 "80",
                                 "BF",
                                 "C0AF", // overlong
                                 "C1BF",
                                 "E080AF",
                                 "E09FBF",
                                 "EDA080", // surrogates
                                 "EDBFBF",
                                 "F08FBFBF",
                                 "F4908080", // above U+10FFFF
                                 "F5808080",
                                 "FF",
                                 "C3", // truncated
                                 "E282",
                                 "F09F98",
                                 "C328",
                         })
    void theFirstInvalidByteIsFound(String hex) {
        for (int before = 0; before <= 2 * WORD; before++) {
            byte[] invalid = HexFormat.of().parseHex(hex);
            byte[] bytes = new byte[before + invalid.length];
            java.util.Arrays.fill(bytes, (byte) 'a');
            System.arraycopy(invalid, 0, bytes, before, invalid.length);
            assertEquals(before, Utf8.firstInvalid(bytes));
        }
    }

    @Test
    void onlyAsciiIsEncodedAsAscii() {
        assertArrayEquals(new byte[] {'b', 'c'}, Utf8.encodeAscii("abcd".toCharArray(), 1, 2));
        assertNull(Utf8.encodeAscii("a\u0080".toCharArray(), 0, 2));
    }
}
