package io.tributary.intake;

import java.nio.charset.StandardCharsets;

/** Checks of text, on its UTF-8 bytes where they suffice. */
final class Text {
    private Text() {
    }

    /** Returns that the text has more than {@code limit} characters (code points), or null. */
    static String lengthFault(byte[] utf8, int limit) {
        // A character has at least one byte.
        if (utf8.length <= limit) {
            return null;
        }
        int characters = 0;
        for (byte each : utf8) {
            characters += isContinuation(each) ? 0 : 1;
        }
        return characters > limit ? "longer than " + limit + " characters" : null;
    }

    private static boolean isContinuation(byte each) {
        return (each & 0xC0) == 0x80;
    }

    /** Returns why the text is no label of at most {@code limit} characters, or null if it is. */
    static String labelFault(byte[] utf8, int limit) {
        String fault = lengthFault(utf8, limit);
        return fault == null && !isPlain(utf8)
                ? labelFault(new String(utf8, StandardCharsets.UTF_8))
                : fault;
    }

    /** Whether the text is printable ASCII without spaces, as nearly all labels are. */
    private static boolean isPlain(byte[] utf8) {
        for (byte each : utf8) {
            if (each <= ' ' || each > '~') {
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
