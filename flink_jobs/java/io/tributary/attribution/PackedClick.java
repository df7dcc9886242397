package io.tributary.attribution;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Comparator;
import org.apache.flink.core.memory.MemorySegment;
import org.apache.flink.core.memory.MemorySegmentFactory;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.data.binary.BinaryStringData;

/**
 * A click as state keeps it: one byte array with the columns that an attributed checkout shows. The
 * user is not in it, because the state's key is the user. With the ids of the simulated shop a
 * click takes 73 to 86 bytes.
 *
 * <pre>
 * 0   clicked_at, epoch milliseconds (8 bytes)
 * 8   product_id (8 bytes), 0 if it is null
 * 16  one bit each for product_id, source and campaign: set if it is not null
 * 17  length of click_id (4 bytes), then length of source (4 bytes)
 * 25  click_id, source, campaign, in UTF-8
 * </pre>
 */
final class PackedClick {
    /** Places of columns in a touchpoint's row. */
    static final int TOUCHPOINT_ID = 0;
    static final int TOUCHPOINT_SOURCE = 2;
    static final int TOUCHPOINT_CAMPAIGN = 3;
    static final int TOUCHPOINT_TIME = 4;

    /** Orders by time, then by the UTF-8 bytes of click_id, as Trino and Python do. */
    static final Comparator<byte[]> BY_TIME_AND_ID = PackedClick::compare;

    private static final VarHandle LONG =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);
    private static final VarHandle INT =
            MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.BIG_ENDIAN);
    private static final byte[] NOTHING = {};
    /** Odd, with about as many ones as zeros: the golden ratio's fraction times 2^64. */
    private static final long MULTIPLIER = 0x9E3779B97F4A7C15L;
    private static final int PRODUCT_ID = 8;
    private static final int PRESENT = 16;
    private static final int ID_LENGTH = 17;
    private static final int SOURCE_LENGTH = 21;
    private static final int CLICK_ID = 25;
    private static final int HAS_PRODUCT = 1;
    private static final int HAS_SOURCE = 2;
    private static final int HAS_CAMPAIGN = 4;

    private PackedClick() {
    }

    static byte[] of(long clickedAtMs,
            Long productId,
            StringData clickId,
            StringData source,
            StringData campaign) {
        byte[] id = clickId.toBytes();
        byte[] sourceBytes = source == null ? NOTHING : source.toBytes();
        byte[] campaignBytes = campaign == null ? NOTHING : campaign.toBytes();
        int sourceAt = CLICK_ID + id.length;
        int campaignAt = sourceAt + sourceBytes.length;
        byte[] click = new byte[campaignAt + campaignBytes.length];
        LONG.set(click, 0, clickedAtMs);
        LONG.set(click, PRODUCT_ID, productId == null ? 0 : productId);
        click[PRESENT] = (byte) ((productId == null ? 0 : HAS_PRODUCT)
                | (source == null ? 0 : HAS_SOURCE) | (campaign == null ? 0 : HAS_CAMPAIGN));
        INT.set(click, ID_LENGTH, id.length);
        INT.set(click, SOURCE_LENGTH, sourceBytes.length);
        System.arraycopy(id, 0, click, CLICK_ID, id.length);
        System.arraycopy(sourceBytes, 0, click, sourceAt, sourceBytes.length);
        System.arraycopy(campaignBytes, 0, click, campaignAt, campaignBytes.length);
        return click;
    }

    static long clickedAtMs(byte[] click) {
        return (long) LONG.get(click, 0);
    }

    static boolean isOn(byte[] click, long productId) {
        return has(click, HAS_PRODUCT) && productId(click) == productId;
    }

    /** A hash of the id, eight bytes at a time (folded multiplication, as in wyhash). */
    static long hashId(byte[] click, long seed) {
        int end = CLICK_ID + idLength(click);
        long hash = seed ^ idLength(click);
        int at = CLICK_ID;
        for (; at <= end - Long.BYTES; at += Long.BYTES) {
            hash = fold(hash ^ (long) LONG.get(click, at));
        }
        for (; at < end; at++) {
            hash = fold(hash ^ click[at]);
        }
        return hash;
    }

    private static long fold(long value) {
        return value * MULTIPLIER ^ Math.multiplyHigh(value, MULTIPLIER);
    }

    static boolean haveSameId(byte[] one, byte[] other) {
        return Arrays.equals(one,
                CLICK_ID,
                CLICK_ID + idLength(one),
                other,
                CLICK_ID,
                CLICK_ID + idLength(other));
    }

    /**
     * A touchpoint's row: click_id, product_id, source, campaign, clicked_at. Its texts are parts
     * of the click, not copies: a checkout has up to a hundred touchpoints.
     */
    static GenericRowData toRow(byte[] click) {
        MemorySegment[] bytes = {MemorySegmentFactory.wrap(click)};
        int sourceAt = CLICK_ID + idLength(click);
        int campaignAt = sourceAt + sourceLength(click);
        return GenericRowData.of(text(bytes, CLICK_ID, sourceAt),
                has(click, HAS_PRODUCT) ? (Object) productId(click) : null,
                has(click, HAS_SOURCE) ? text(bytes, sourceAt, campaignAt) : null,
                has(click, HAS_CAMPAIGN) ? text(bytes, campaignAt, click.length) : null,
                TimestampData.fromEpochMillis(clickedAtMs(click)));
    }

    private static int compare(byte[] one, byte[] other) {
        int order = Long.compare(clickedAtMs(one), clickedAtMs(other));
        return order != 0 ? order
                          : Arrays.compareUnsigned(one,
                                    CLICK_ID,
                                    CLICK_ID + idLength(one),
                                    other,
                                    CLICK_ID,
                                    CLICK_ID + idLength(other));
    }

    private static boolean has(byte[] click, int part) {
        return (click[PRESENT] & part) != 0;
    }

    /** The cast names the stored type exactly: otherwise each access looks up a conversion. */
    private static long productId(byte[] click) {
        return (long) LONG.get(click, PRODUCT_ID);
    }

    private static int idLength(byte[] click) {
        return (int) INT.get(click, ID_LENGTH);
    }

    private static int sourceLength(byte[] click) {
        return (int) INT.get(click, SOURCE_LENGTH);
    }

    private static StringData text(MemorySegment[] click, int from, int to) {
        return BinaryStringData.fromAddress(click, from, to - from);
    }
}
