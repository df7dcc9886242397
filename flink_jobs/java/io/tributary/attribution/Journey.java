package io.tributary.attribution;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.GenericArrayData;

/** A user's distinct clicks in one window, in order, with the rules of attribution. Pure. */
final class Journey {
    static final Journey NONE = new Journey(List.of());

    private final List<byte[]> touchpoints;

    private Journey(List<byte[]> touchpoints) {
        this.touchpoints = touchpoints;
    }

    /**
     * Selects the clicks of the closed window, ordered by (time, id). If a click_id occurs more
     * than once, the earliest click counts.
     */
    static Journey within(long fromMs, long toMs, Iterable<byte[]> clicks) {
        List<byte[]> touchpoints = new ArrayList<>();
        for (byte[] click : clicks) {
            long clickedAtMs = PackedClick.clickedAtMs(click);
            if (clickedAtMs >= fromMs && clickedAtMs <= toMs) {
                touchpoints.add(click);
            }
        }
        if (touchpoints.size() > 1) {
            touchpoints.sort(PackedClick.BY_TIME_AND_ID);
            ClickIds seen = new ClickIds(touchpoints.size());
            touchpoints.removeIf(touchpoint -> !seen.add(touchpoint));
        }
        return new Journey(touchpoints);
    }

    int size() {
        return touchpoints.size();
    }

    /** First Click Attribution: the earliest click on the product, from any source, or null. */
    byte[] firstOn(long productId) {
        for (byte[] touchpoint : touchpoints) {
            if (PackedClick.isOn(touchpoint, productId)) {
                return touchpoint;
            }
        }
        return null;
    }

    /**
     * All touchpoints, or `limit` of them if there are more: half of them (rounded up) are the
     * first ones, the others are the latest ones.
     */
    ArrayData toRows(int limit) {
        int size = touchpoints.size();
        int latest = limit / 2;
        int first = size <= limit ? size : limit - latest;
        List<Object> rows = new ArrayList<>(Math.min(size, limit));
        touchpoints.subList(0, first).forEach(click -> rows.add(PackedClick.toRow(click)));
        if (size > limit) {
            touchpoints.subList(size - latest, size)
                    .forEach(click -> rows.add(PackedClick.toRow(click)));
        }
        return new GenericArrayData(rows.toArray());
    }
}
