package io.tributary.attribution;

import org.apache.flink.table.api.dataview.MapView;

/**
 * The answered attempts to pay for one line of a user's checkouts. A line is a checkout_id and a
 * product_id; an attempt is a line at one event time.
 *
 * <p>The map of a user's state holds the time of each line's latest attempt under the line's key.
 * It holds earlier attempts under keys of their own. So a line with one attempt, which is nearly
 * every line, takes one entry. Ids contain no control characters, so no two keys are equal.
 */
final class Attempts {
    private static final char SEPARATOR = '\n';

    private final MapView<String, Long> answered;
    private final String checkoutId;
    private final String line;
    private final Long latestMs;

    private Attempts(MapView<String, Long> answered, String checkoutId, Long productId)
            throws Exception {
        this.answered = answered;
        this.checkoutId = checkoutId;
        line = checkoutId + SEPARATOR + productId;
        latestMs = answered.get(line);
    }

    static Attempts of(Checkout checkout, MapView<String, Long> answered) throws Exception {
        return new Attempts(answered, checkout.checkout_id, checkout.product_id);
    }

    boolean contain(long atMs) throws Exception {
        if (latestMs != null && atMs >= latestMs) {
            return atMs == latestMs;
        }
        return latestMs != null && answered.contains(key(atMs)) || wasAnsweredById(atMs);
    }

    /** An earlier version answered each checkout_id once within the lookback, under this key. */
    private boolean wasAnsweredById(long atMs) throws Exception {
        Long answeredMs = answered.get(checkoutId);
        return answeredMs != null && answeredMs == atMs;
    }

    /** The latest attempt, if it is within the lookback, before or after; otherwise null. */
    Long latestNear(long atMs, long lookbackMs) {
        return latestMs != null && Math.abs(atMs - latestMs) <= lookbackMs ? latestMs : null;
    }

    /** Adds an attempt. An instance describes the attempts before it, so it can add only one. */
    void add(long atMs) throws Exception {
        if (latestMs == null) {
            answered.put(line, atMs);
        } else if (atMs > latestMs) {
            answered.put(key(latestMs), latestMs);
            answered.put(line, atMs);
        } else {
            answered.put(key(atMs), atMs);
        }
    }

    private String key(long atMs) {
        return line + SEPARATOR + atMs;
    }
}
