package io.tributary.attribution;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.junit.jupiter.api.Test;

/** The touchpoints of one window, and the click that earns. */
final class JourneyTest {
    private static final long PRODUCT = 7;

    @Test
    void bothEndsOfTheWindowCount() {
        Journey journey = Journey.within(
                10, 20, List.of(click("a", 9), click("b", 10), click("c", 20), click("d", 21)));
        assertEquals(List.of("b", "c"), ids(journey, 9));
    }

    @Test
    void touchpointsAreOrderedByTimeThenByTheBytesOfTheirIds() {
        Journey journey = Journey.within(0,
                9,
                List.of(click("\uD83D\uDE00", 1),
                        click("\uFFFD", 1),
                        click("z", 0),
                        click("b", 1)));
        assertEquals(List.of("z", "b", "\uFFFD", "\uD83D\uDE00"), ids(journey, 9));
    }

    @Test
    void aClickThatWasSentTwiceCountsAtItsEarliestTime() {
        Journey journey =
                Journey.within(0, 9, List.of(click("a", 5), click("b", 3), click("a", 2)));
        assertEquals(List.of("a", "b"), ids(journey, 9));
        assertEquals(2, PackedClick.clickedAtMs(journey.firstOn(PRODUCT)));
    }

    @Test
    void theFirstClickOnTheProductEarns() {
        Journey journey = Journey.within(0, 9, List.of(click("a", 1, 8L), click("b", 2, PRODUCT)));
        assertEquals("b", id(PackedClick.toRow(journey.firstOn(PRODUCT))));
        assertNull(journey.firstOn(9));
    }

    @Test
    void aClickWithoutAProductEarnsNothing() {
        assertNull(Journey.within(0, 9, List.of(click("a", 1, null))).firstOn(0));
    }

    @Test
    void ofTooManyTouchpointsTheFirstAndTheLatestAreShown() {
        List<byte[]> clicks =
                IntStream.range(0, 6).mapToObj(at -> click(String.valueOf(at), at)).toList();
        Journey journey = Journey.within(0, 9, clicks);
        assertEquals(6, journey.size());
        assertEquals(List.of("0", "1", "2", "4", "5"), ids(journey, 5));
        assertEquals(List.of("0", "5"), ids(journey, 2));
        assertEquals(List.of("0"), ids(journey, 1));
    }

    private static byte[] click(String id, long at) {
        return click(id, at, PRODUCT);
    }

    private static byte[] click(String id, long at, Long product) {
        return PackedClick.of(at, product, StringData.fromString(id), null, null);
    }

    private static List<String> ids(Journey journey, int limit) {
        ArrayData rows = journey.toRows(limit);
        List<String> ids = new ArrayList<>();
        for (int i = 0; i < rows.size(); i++) {
            ids.add(id(rows.getRow(i, 5)));
        }
        return ids;
    }

    private static String id(RowData touchpoint) {
        return touchpoint.getString(PackedClick.TOUCHPOINT_ID).toString();
    }
}
