package io.tributary.intake;

import java.util.Arrays;
import org.apache.flink.table.data.binary.BinaryStringData;

/** Checks of text, on its UTF-8 bytes where they suffice. */
final class Text {
    private Text() {
    }

    /** Whether the text consists of these bytes. Makes no object. */
    static boolean equals(BinaryStringData text, byte[] bytes) {
        text.ensureMaterialized();
        int start = text.getOffset();
        int end = start + text.getSizeInBytes();
        byte[] array = text.getSegments()[0].getArray();
        return Arrays.equals(array, start, end, bytes, 0, bytes.length);
    }

    /** Returns that the text has more than {@code limit} characters (code points), or null. */
    static String lengthFault(BinaryStringData text, int limit) {
        // A character has at least one byte, so most texts need no count.
        boolean isTooLong = text.getSizeInBytes() > limit && text.numChars() > limit;
        return isTooLong ? "longer than " + limit + " characters" : null;
    }

    /** Returns why the text is no label of at most {@code limit} characters, or null if it is. */
    static String labelFault(BinaryStringData text, int limit) {
        String fault = lengthFault(text, limit);
        return fault == null && !isPlain(text) ? labelFault(text.toString()) : fault;
    }

    /** Whether the text is printable ASCII without spaces, as nearly all labels are. */
    private static boolean isPlain(BinaryStringData text) {
        text.ensureMaterialized();
        byte[] bytes = text.getSegments()[0].getArray();
        int end = text.getOffset() + text.getSizeInBytes();
        for (int i = text.getOffset(); i < end; i++) {
            if (bytes[i] <= ' ' || bytes[i] > '~') {
                return false;
            }
        }
        return true;
    }

    private static String labelFault(String text) {
        if (text.codePoints().anyMatch(Text::isControl)) {
            return "has a control character";
        }
        boolean isPadded = !text.isEmpty()
                && (isSpace(text.codePointAt(0)) || isSpace(text.codePointBefore(text.length())));
        return isPadded ? "begins or ends with white space" : null;
    }

    private static boolean isControl(int character) {
        return switch (Character.getType(character)) {
            case Character.CONTROL, Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR -> true;
            default -> false;
        };
    }

    private static boolean isSpace(int character) {
        return Character.getType(character) == Character.SPACE_SEPARATOR;
    }
}
