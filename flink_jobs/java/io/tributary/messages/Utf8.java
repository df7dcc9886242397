package io.tributary.messages;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** Strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. */
final class Utf8 {
    /** Reads eight bytes at once. */
    private static final VarHandle EIGHT_BYTES =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    /** The top bit of each of the eight bytes: a byte is not ASCII if its top bit is set. */
    private static final long NOT_ASCII = 0x8080808080808080L;

    /** Eight times the number 1; times a byte, it is that byte eight times. */
    private static final long ONES = 0x0101010101010101L;

    private Utf8() {
    }

    /** Returns the characters as bytes if all of them are ASCII, else null. */
    static byte[] encodeAscii(char[] characters, int offset, int length) {
        byte[] bytes = new byte[length];
        int bits = 0;
        for (int i = 0; i < length; i++) {
            char character = characters[offset + i];
            bits |= character;
            bytes[i] = (byte) character;
        }
        return bits < 0x80 ? bytes : null;
    }

    /** Returns the position of the first byte that is not part of a valid sequence, or -1. */
    static int firstInvalid(byte[] bytes) {
        int i = 0;
        while (i < bytes.length) {
            while (i <= bytes.length - Long.BYTES
                    && ((long) EIGHT_BYTES.get(bytes, i) & NOT_ASCII) == 0) {
                i += Long.BYTES;
            }
            if (i == bytes.length) {
                return -1;
            }
            if (bytes[i] >= 0) {
                i++;
                continue;
            }
            int length = sequenceLength(bytes, i);
            if (length == 0) {
                return i;
            }
            i += length;
        }
        return -1;
    }

    /**
     * Returns the place of the first byte from `start` on that is a quote, a backslash, a control
     * character or not ASCII; the length of the bytes if there is none.
     */
    static int endOfPlain(byte[] bytes, int start) {
        int i = start;
        while (i <= bytes.length - Long.BYTES) {
            long eight = (long) EIGHT_BYTES.get(bytes, i);
            long found = NOT_ASCII
                    & (eight | isZero(eight ^ ONES * '"') | isZero(eight ^ ONES * '\\')
                            | isBelow(eight, ' '));
            if (found != 0) {
                return i + Long.numberOfTrailingZeros(found) / Byte.SIZE;
            }
            i += Long.BYTES;
        }
        while (i < bytes.length && bytes[i] >= ' ' && bytes[i] != '"' && bytes[i] != '\\') {
            i++;
        }
        return i;
    }

    /** Sets the top bit of the first of eight bytes that is 0. Bits above that mean nothing. */
    private static long isZero(long eight) {
        return isBelow(eight, 1);
    }

    /** As isZero, for the first ASCII byte below a limit. */
    private static long isBelow(long eight, int limit) {
        return eight - ONES * limit & ~eight & NOT_ASCII;
    }

    /** Returns the length of the valid multi-byte sequence at `start`, or 0 if it is not valid. */
    static int sequenceLength(byte[] bytes, int start) {
        int lead = bytes[start] & 0xFF;
        int length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
        if (lead < 0xC2 || lead > 0xF4 || start + length > bytes.length) {
            return 0;
        }
        int second = bytes[start + 1] & 0xFF;
        if (second < lowestSecond(lead) || second > highestSecond(lead)) {
            return 0;
        }
        for (int i = start + 2; i < start + length; i++) {
            if ((bytes[i] & 0xC0) != 0x80) {
                return 0;
            }
        }
        return length;
    }

    /** The lowest second byte. Below it, the sequence would be an overlong form. */
    private static int lowestSecond(int lead) {
        return lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    }

    /** The highest second byte. Above it are the surrogates, and code points beyond Unicode. */
    private static int highestSecond(int lead) {
        return lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    }
}
