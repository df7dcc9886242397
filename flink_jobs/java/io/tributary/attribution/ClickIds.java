package io.tributary.attribution;

import java.security.SecureRandom;

/**
 * The ids of the clicks that were added. Makes no object for an id, because a checkout adds up to
 * all clicks of its user.
 */
final class ClickIds {
    /** Nobody can choose ids that collide, because nobody knows the seed. */
    private static final long SEED = new SecureRandom().nextLong();

    /** A hash table with open addressing; at most half of it is used. */
    private final byte[][] clicks;

    /** Makes an empty set for at most {@code limit} ids. */
    ClickIds(int limit) {
        clicks = new byte[Integer.highestOneBit(Math.max(1, limit)) * 4][];
    }

    /** Adds the id of a click; returns whether it is new. */
    boolean add(byte[] click) {
        int last = clicks.length - 1;
        int place = (int) PackedClick.hashId(click, SEED) & last;
        while (clicks[place] != null) {
            if (PackedClick.haveSameId(clicks[place], click)) {
                return false;
            }
            place = (place + 1) & last;
        }
        clicks[place] = click;
        return true;
    }
}
