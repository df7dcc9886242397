package io.tributary.attribution;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.time.Instant;
import java.util.Arrays;
import java.util.Comparator;
import org.apache.flink.types.Row;

/** A click as state keeps it: what an answer shows of it, and no user (the key has it). */
public final class Touchpoint {
    /** By time, then by click_id in the order of its UTF-8 bytes, as Trino and Python sort. */
    static final Comparator<Touchpoint> BY_TIME_AND_ID =
            Comparator.<Touchpoint>comparingLong(touchpoint -> touchpoint.clicked_at_ms)
                    .thenComparing(
                            touchpoint -> touchpoint.click_id.getBytes(UTF_8),
                            Arrays::compareUnsigned);

    public final String click_id;
    public final Long product_id;
    public final String source;
    public final String campaign;
    public final Long clicked_at_ms;

    public Touchpoint(
            String click_id, Long product_id, String source, String campaign, Long clicked_at_ms) {
        this.click_id = click_id;
        this.product_id = product_id;
        this.source = source;
        this.campaign = campaign;
        this.clicked_at_ms = clicked_at_ms;
    }

    Row toRow() {
        return Row.of(click_id, product_id, source, campaign, Instant.ofEpochMilli(clicked_at_ms));
    }
}
