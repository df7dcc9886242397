package io.tributary.attribution;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.apache.flink.types.Row;

/** One user's distinct clicks of one window, in order: the pure rules of attribution. */
final class Journey {
    private final List<Touchpoint> touchpoints;

    private Journey(List<Touchpoint> touchpoints) {
        this.touchpoints = touchpoints;
    }

    /** Clicks of the closed window by (time, id); of a click_id's several, the earliest. */
    static Journey within(long fromMs, long toMs, Iterable<Touchpoint> clicks) {
        List<Touchpoint> touchpoints = new ArrayList<>();
        for (Touchpoint click : clicks) {
            if (click.clicked_at_ms >= fromMs && click.clicked_at_ms <= toMs) {
                touchpoints.add(click);
            }
        }
        touchpoints.sort(Touchpoint.BY_TIME_AND_ID);
        Set<String> seen = new HashSet<>();
        touchpoints.removeIf(touchpoint -> !seen.add(touchpoint.click_id));
        return new Journey(touchpoints);
    }

    int size() {
        return touchpoints.size();
    }

    /** First Click Attribution: the earliest click on the product, wherever in the journey. */
    Optional<Touchpoint> firstOn(Long productId) {
        return touchpoints.stream()
                .filter(touchpoint -> Objects.equals(touchpoint.product_id, productId))
                .findFirst();
    }

    /** All touchpoints, or `limit` of them: the first half (rounded up) and the latest ones. */
    Row[] toRows(int limit) {
        int latest = limit / 2;
        int first = limit - latest;
        List<Row> rows = new ArrayList<>();
        for (int i = 0; i < touchpoints.size(); i++) {
            if (touchpoints.size() <= limit || i < first || i >= touchpoints.size() - latest) {
                rows.add(touchpoints.get(i).toRow());
            }
        }
        return rows.toArray(Row[]::new);
    }
}
