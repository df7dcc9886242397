package io.tributary.intake;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import org.apache.flink.table.data.binary.BinaryStringData;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Texts and labels at the limits of the contract. */
final class TextTest {
    private static final int LIMIT = 4;

    @ParameterizedTest
    @ValueSource(strings = {"", "abcd", "äöüß", "\uD83D\uDE00\uD83D\uDE00\uD83D\uDE00\uD83D\uDE00"})
    void aTextMayHaveAsManyCharactersAsTheLimit(String text) {
        assertNull(lengthFault(text));
    }

    @ParameterizedTest
    @ValueSource(strings = {"abcde", "äöüßä", "\uD83D\uDE00\uD83D\uDE00\uD83D\uDE00\uD83D\uDE00!"})
    void aTextWithOneCharacterMoreIsTooLong(String text) {
        assertEquals("longer than 4 characters", lengthFault(text));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "a b", "é", "a\u200Db", "-"})
    void aLabelMayHaveSpacesInside(String text) {
        assertNull(labelFault(text));
    }

    @ParameterizedTest
    @ValueSource(strings = {" a", "a ", "\u00A0a", "a\u3000", " "})
    void aLabelHasNoWhiteSpaceAtItsEnds(String text) {
        assertEquals("begins or ends with white space", labelFault(text));
    }

    @ParameterizedTest
    @ValueSource(strings = {"a\nb", "\t", "a\u0000", "\u007F", "\u0085", "a\u2028b", "\u2029"})
    void aLabelHasNoControlCharacterAndNoLineSeparator(String text) {
        assertEquals("has a control character", labelFault(text));
    }

    @Test
    void aLabelThatIsTooLongIsNotReadFurther() {
        assertEquals("longer than 4 characters", labelFault("abcd\n"));
    }

    private static String lengthFault(String text) {
        return Text.lengthFault(BinaryStringData.fromString(text), LIMIT);
    }

    private static String labelFault(String text) {
        return Text.labelFault(BinaryStringData.fromString(text), LIMIT);
    }
}
