package io.tributary.attribution;

/** What state holds for a user, in a few numbers; read and written with every event. */
public final class Ledger {
    /** Clicks in state; null is none. */
    public Integer click_count;

    /** When the user's state is next swept; null where it holds nothing. */
    public Long sweep_at_ms;

    /** Time of the earliest click that was not kept; null where all were. */
    public Long first_unkept_ms;

    /** Time of the latest click that was not kept. */
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

    /** Whether clicks that were not kept may lie in the closed window. */
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
