package io.tributary.attribution;

/** A few numbers about a user's state. Flink reads and writes them with every event. */
public final class Ledger {
    /** Number of clicks in state; null if there are none. */
    public Integer click_count;

    /** Event time of the next sweep of the user's state; null if none is scheduled. */
    public Long sweep_at_ms;

    /** Time of the earliest click that was not kept; null if all were kept. */
    public Long first_unkept_ms;

    /** Time of the latest click that was not kept; null if all were kept. */
    public Long last_unkept_ms;

    int clickCount() {
        return click_count == null ? 0 : click_count;
    }

    void noteUnkept(long clickedAtMs) {
        first_unkept_ms =
                first_unkept_ms == null ? clickedAtMs : Math.min(first_unkept_ms, clickedAtMs);
        last_unkept_ms =
                last_unkept_ms == null ? clickedAtMs : Math.max(last_unkept_ms, clickedAtMs);
    }

    /** Whether the closed window may contain clicks that were not kept. */
    boolean hasUnkeptWithin(long fromMs, long toMs) {
        return first_unkept_ms != null && first_unkept_ms <= toMs && last_unkept_ms >= fromMs;
    }

    void forgetUnkeptBefore(long horizonMs) {
        if (last_unkept_ms != null && last_unkept_ms < horizonMs) {
            first_unkept_ms = null;
            last_unkept_ms = null;
        }
    }
}
